//! A byte of a log that changes while its node is down, as a disk changes it. Finds the place; knows no record.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Less is not worth the name of a log.
const LEAST: usize = 16 << 10;

/// What was changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Damage {
    /// The file.
    pub(super) path: PathBuf,
    /// Where in it.
    pub(super) offset: u64,
    byte: u8,
}

impl Damage {
    /// Changes a byte of the newest segment of the log in a node's directory, well before its end.
    ///
    /// # Errors
    /// Why that cannot be done.
    pub(super) fn strike(data: &Path) -> Result<Self, String> {
        let path = newest(&data.join("log")).map_err(|error| error.to_string())?;
        let path = path.ok_or("the log has no segment")?;
        let bytes = fs::read(&path).map_err(|error| error.to_string())?;
        let written = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        if written < LEAST {
            return Err(format!("the log holds {written} bytes only"));
        }
        // Behind it, enough was written to show that it had been durable.
        let offset = written / 4;
        let damage = Self { path, offset: offset as u64, byte: bytes[offset] };
        damage.write(!damage.byte).map_err(|error| error.to_string())?;
        Ok(damage)
    }

    /// Puts the byte back.
    ///
    /// # Errors
    /// As the operating system says.
    pub(super) fn undo(&self) -> io::Result<()> {
        self.write(self.byte)
    }

    fn write(&self, byte: u8) -> io::Result<()> {
        let file: File = OpenOptions::new().write(true).open(&self.path)?;
        file.write_all_at(&[byte], self.offset)?;
        file.sync_all()
    }
}

fn newest(log: &Path) -> io::Result<Option<PathBuf>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(log)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "segment") {
            segments.push(path);
        }
    }
    segments.sort();
    Ok(segments.pop())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_byte_changes_and_comes_back() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        fs::create_dir(&log).unwrap();
        assert!(Damage::strike(directory.path()).is_err());
        let mut bytes = vec![7; 100_000];
        bytes.resize(200_000, 0);
        fs::write(log.join("0001.segment"), [1; 100_000]).unwrap();
        fs::write(log.join("0002.segment"), &bytes).unwrap();
        fs::write(log.join("0003.spare"), [0; 100_000]).unwrap();
        let damage = Damage::strike(directory.path()).unwrap();
        assert_eq!((damage.path.clone(), damage.offset), (log.join("0002.segment"), 25_000));
        let changed = fs::read(&damage.path).unwrap();
        assert_eq!(changed.iter().zip(&bytes).filter(|(left, right)| left != right).count(), 1);
        damage.undo().unwrap();
        assert_eq!(fs::read(&damage.path).unwrap(), bytes);
    }

    #[test]
    fn a_log_of_nothing_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("log")).unwrap();
        fs::write(directory.path().join("log/0001.segment"), [1; 100]).unwrap();
        assert_eq!(Damage::strike(directory.path()).unwrap_err(), "the log holds 100 bytes only");
    }
}
