//! The file a backup becomes: written beside its name, given the name when it is whole and durable.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// A file that is not there yet. Dropped before it is kept, it leaves nothing.
#[derive(Debug)]
pub(super) struct Target {
    file: PathBuf,
    part: PathBuf,
}

impl Target {
    /// A file to be written.
    ///
    /// # Errors
    /// When there is one of that name, or no directory for it.
    pub(super) fn new(file: &Path) -> Result<Self, Failure> {
        if fs::symlink_metadata(file).is_ok() {
            return Err(Failure::new(format!(
                "{}: it is there already, and a backup replaces nothing",
                file.display()
            )));
        }
        let Some(name) = file.file_name() else {
            return Err(Failure::new(format!("{}: this is no name of a file", file.display())));
        };
        let mut part = name.to_owned();
        part.push(".part");
        Ok(Self { file: file.to_owned(), part: file.with_file_name(part) })
    }

    /// Where it is until it is kept.
    pub(super) fn part(&self) -> &Path {
        &self.part
    }

    /// The file, empty. Nobody but its owner may read it: it holds everything.
    ///
    /// # Errors
    /// As the operating system says.
    pub(super) fn begin(&self) -> Result<File, Failure> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options.open(&self.part).map_err(|error| Failure::at(&self.part, "write it", error))
    }

    /// Makes what was written durable, under its name.
    ///
    /// # Errors
    /// As the operating system says; there is no file of that name then.
    pub(super) fn keep(self) -> Result<(), Failure> {
        let unkept = |error| Failure::at(&self.file, "keep it", error);
        File::open(&self.part).and_then(|part| part.sync_all()).map_err(unkept)?;
        // Unlike a rename, a link does not take the place of a file that has come meanwhile.
        fs::hard_link(&self.part, &self.file).map_err(unkept)?;
        let parent = self.file.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new("."))).and_then(|parent| parent.sync_all()).map_err(unkept)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // It may never have been made.
        let _ = fs::remove_file(&self.part);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_has_its_name_when_it_is_kept_and_leaves_nothing_otherwise() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a.backup");
        let names = || fs::read_dir(directory.path()).unwrap().count();
        let target = Target::new(&file).unwrap();
        target.begin().unwrap().write_all(b"half").unwrap();
        assert!(!file.exists());
        drop(target);
        assert_eq!(names(), 0);

        let target = Target::new(&file).unwrap();
        target.begin().unwrap().write_all(b"a longer first attempt").unwrap();
        target.begin().unwrap().write_all(b"whole").unwrap();
        target.keep().unwrap();
        assert_eq!((fs::read(&file).unwrap(), names()), (b"whole".to_vec(), 1));
        let refused = Target::new(&file).unwrap_err().to_string();
        assert!(refused.contains("a.backup: it is there already"), "{refused}");
    }

    #[test]
    fn a_file_that_has_come_meanwhile_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a.backup");
        let target = Target::new(&file).unwrap();
        target.begin().unwrap();
        fs::write(&file, b"somebody else's").unwrap();
        assert!(target.keep().is_err());
        assert_eq!(fs::read(&file).unwrap(), b"somebody else's");
    }
}
