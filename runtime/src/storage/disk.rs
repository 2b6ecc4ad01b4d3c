//! The seam to the disk: a directory tree with just the operations the log and the snapshots need.
//!
//! Blocking by contract; only a [`crate::storage::Worker`] may call it. Paths are relative to the disk's root.

use std::io;
use std::path::{Path, PathBuf};

/// A directory tree of one node.
pub trait Disk: Send + Sync + 'static {
    /// Opens a file for reading and writing; creates it when `create` says so and it is absent.
    ///
    /// # Errors
    /// As the operating system says; nothing changed.
    fn open(&self, path: &Path, create: bool) -> io::Result<Box<dyn DiskFile>>;

    /// The names in a directory, in order; empty when there is no such directory.
    ///
    /// # Errors
    /// As the operating system says.
    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>>;

    /// Makes a directory and its parents; their existence is durable after [`Disk::sync_directory`] of the parent.
    ///
    /// # Errors
    /// As the operating system says.
    fn create_directory(&self, directory: &Path) -> io::Result<()>;

    /// Gives a file another name, replacing what had it; atomic, durable after [`Disk::sync_directory`].
    ///
    /// # Errors
    /// As the operating system says; nothing changed.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file; durable after [`Disk::sync_directory`].
    ///
    /// # Errors
    /// As the operating system says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes creations, renames and removals in a directory durable.
    ///
    /// # Errors
    /// Final: what was to be made durable may be lost.
    fn sync_directory(&self, directory: &Path) -> io::Result<()>;

    /// Claims the tree for this disk until [`Disk::unlock`], or until the disk is dropped.
    ///
    /// # Errors
    /// When another process, or another disk of this one, has claimed it.
    fn lock(&self) -> io::Result<()>;

    /// Gives the claim back; whoever calls this writes nothing any more.
    fn unlock(&self);
}

/// An open file.
pub trait DiskFile: Send + Sync {
    /// Reads at `offset` until `buffer` is full or the file ends; gives the number of bytes read.
    ///
    /// # Errors
    /// As the operating system says.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// Any part of the bytes may have been written.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes everything written durable, with the length.
    ///
    /// # Errors
    /// Final: what was to be made durable may be lost, and a later success says nothing about it.
    fn sync(&self) -> io::Result<()>;

    /// Claims space up to `length` and makes the file at least that long, with zeros.
    ///
    /// # Errors
    /// `StorageFull` when there is none; the file is as before.
    fn reserve(&self, length: u64) -> io::Result<()>;

    /// Cuts or extends the file.
    ///
    /// # Errors
    /// As the operating system says.
    fn set_length(&self, length: u64) -> io::Result<()>;

    /// The file's length in bytes.
    ///
    /// # Errors
    /// As the operating system says.
    fn length(&self) -> io::Result<u64>;
}
