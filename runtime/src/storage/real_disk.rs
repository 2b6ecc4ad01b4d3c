//! A directory of the operating system's file system.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::FallocateFlags;

use crate::storage::disk::{Disk, DiskFile};

/// A tree below a directory, claimed by an advisory lock on its file `LOCK`.
#[derive(Debug)]
pub struct RealDisk {
    root: PathBuf,
    claim: Mutex<Option<File>>,
}

impl RealDisk {
    /// The tree below `root`, which is made if it is absent.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn new(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        fs::create_dir_all(&root).map_err(|error| named("make", &root, error))?;
        Ok(Self { root, claim: Mutex::new(None) })
    }
}

impl Disk for RealDisk {
    fn open(&self, path: &Path, create: bool) -> io::Result<Box<dyn DiskFile>> {
        let path = self.root.join(path);
        let file = OpenOptions::new().read(true).write(true).create(create).truncate(false).open(&path);
        Ok(Box::new(RealFile { file: file.map_err(|error| named("open", &path, error))? }))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let path = self.root.join(directory);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(named("list", &path, error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            names.push(PathBuf::from(entry.map_err(|error| named("list", &path, error))?.file_name()));
        }
        names.sort();
        Ok(names)
    }

    fn create_directory(&self, directory: &Path) -> io::Result<()> {
        let path = self.root.join(directory);
        fs::create_dir_all(&path).map_err(|error| named("make", &path, error))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let path = self.root.join(from);
        fs::rename(&path, self.root.join(to)).map_err(|error| named("rename", &path, error))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let path = self.root.join(path);
        fs::remove_file(&path).map_err(|error| named("remove", &path, error))
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        let path = self.root.join(directory);
        File::open(&path).and_then(|file| file.sync_all()).map_err(|error| named("sync", &path, error))
    }

    fn lock(&self) -> io::Result<()> {
        let path = self.root.join("LOCK");
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|error| named("open", &path, error))?;
        let mut claim = self.claim.lock().unwrap_or_else(PoisonError::into_inner);
        if claim.is_some() {
            return Ok(());
        }
        match file.try_lock() {
            Ok(()) => {
                *claim = Some(file);
                Ok(())
            }
            Err(TryLockError::WouldBlock) => Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                format!("{} is locked by another process", path.display()),
            )),
            Err(TryLockError::Error(error)) => Err(named("lock", &path, error)),
        }
    }

    fn unlock(&self) {
        // The claim is the open file's.
        drop(self.claim.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

struct RealFile {
    file: File,
}

impl DiskFile for RealFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = 0;
        while read < buffer.len() {
            match self.file.read_at(&mut buffer[read..], offset + read as u64) {
                Ok(0) => break,
                Ok(length) => read += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        // The length is among the metadata that this makes durable, times are not.
        self.file.sync_data()
    }

    fn reserve(&self, length: u64) -> io::Result<()> {
        let before = self.length()?;
        match rustix::fs::fallocate(&self.file, FallocateFlags::empty(), 0, length) {
            Ok(()) => Ok(()),
            Err(rustix::io::Errno::OPNOTSUPP) => write_zeros(&self.file, before, length),
            Err(error) => Err(error.into()),
        }
        .inspect_err(|_| {
            // What was claimed before the failure is of no use; if it cannot be given back either, the error stands all the same.
            let _ = self.file.set_len(before);
        })
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }
}

/// Claims space on file systems that cannot be asked for it.
fn write_zeros(file: &File, mut offset: u64, length: u64) -> io::Result<()> {
    let zeros = vec![0; 1 << 20];
    while offset < length {
        let size = (length - offset).min(zeros.len() as u64);
        file.write_all_at(&zeros[..size as usize], offset)?;
        offset += size;
    }
    Ok(())
}

fn named(operation: &str, path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot {operation} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_made_written_reserved_renamed_and_removed() {
        let directory = tempfile::tempdir().unwrap();
        let disk = RealDisk::new(directory.path().join("data")).unwrap();
        let (inside, one, two) = (Path::new("a/b"), Path::new("a/b/1"), Path::new("a/b/2"));
        assert_eq!(disk.list(inside).unwrap(), Vec::<PathBuf>::new());
        assert_eq!(disk.open(one, true).err().unwrap().kind(), io::ErrorKind::NotFound);
        disk.create_directory(inside).unwrap();
        let missing = disk.open(one, false).err().unwrap();
        assert!(missing.kind() == io::ErrorKind::NotFound && missing.to_string().contains("data/a/b/1"));

        let file = disk.open(one, true).unwrap();
        file.reserve(10_000).unwrap();
        file.write_at(9_998, b"end").unwrap();
        file.sync().unwrap();
        assert_eq!(file.length().unwrap(), 10_001);
        file.reserve(100).unwrap();
        assert_eq!(file.length().unwrap(), 10_001, "reserving never shortens");
        let mut bytes = [7; 8];
        assert_eq!(file.read_at(9_996, &mut bytes).unwrap(), 5, "the file ends");
        assert_eq!(&bytes[..5], b"\0\0end");
        file.set_length(4).unwrap();

        disk.open(two, true).unwrap();
        assert_eq!(disk.list(inside).unwrap(), vec![PathBuf::from("1"), PathBuf::from("2")]);
        disk.rename(one, two).unwrap();
        disk.sync_directory(inside).unwrap();
        assert_eq!(disk.list(inside).unwrap(), vec![PathBuf::from("2")]);
        assert_eq!(disk.open(two, false).unwrap().length().unwrap(), 4);
        disk.remove(two).unwrap();
        assert!(disk.remove(two).is_err());
    }

    #[test]
    fn a_tree_belongs_to_one_until_it_is_given_back_or_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let first = RealDisk::new(directory.path()).unwrap();
        first.lock().unwrap();
        first.lock().unwrap();
        let second = RealDisk::new(directory.path()).unwrap();
        assert_eq!(second.lock().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        first.unlock();
        second.lock().unwrap();
        assert_eq!(first.lock().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(second);
        first.lock().unwrap();
    }
}
