//! A disk on which the directory of the log is another one, so that a log can be made beside the one that is there.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::storage::disk::{Disk, DiskFile};
use crate::storage::log::segment::directory;

/// A disk whose log is in another directory.
pub(super) struct Elsewhere {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
}

impl Elsewhere {
    /// The disk, with its log in `directory`.
    pub(super) fn beside(disk: &Arc<dyn Disk>, directory: &Path) -> Arc<dyn Disk> {
        Arc::new(Self { disk: Arc::clone(disk), directory: directory.to_owned() })
    }

    fn moved(&self, path: &Path) -> PathBuf {
        path.strip_prefix(directory()).map_or_else(|_| path.to_owned(), |inside| self.directory.join(inside))
    }
}

impl Disk for Elsewhere {
    fn open(&self, path: &Path, create: bool) -> io::Result<Box<dyn DiskFile>> {
        self.disk.open(&self.moved(path), create)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        self.disk.list(&self.moved(directory))
    }

    fn create_directory(&self, directory: &Path) -> io::Result<()> {
        self.disk.create_directory(&self.moved(directory))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(&self.moved(from), &self.moved(to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(&self.moved(path))
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        self.disk.sync_directory(&self.moved(directory))
    }

    fn lock(&self) -> io::Result<()> {
        self.disk.lock()
    }

    fn unlock(&self) {
        self.disk.unlock();
    }
}
