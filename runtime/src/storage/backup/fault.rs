//! Why a file is no backup that can be used.

use std::io;
use std::path::{Path, PathBuf};

use crate::storage::snapshot::FormatFault;

/// Why a backup was not written or cannot be read. Whatever was there before is still there.
#[derive(Debug, thiserror::Error)]
pub enum BackupFault {
    /// The file, or whatever the backup comes from, cannot be read.
    #[error("{path}: cannot read it: {source}", path = path.display())]
    Read {
        /// What was read.
        path: PathBuf,
        /// What was said.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("{path}: cannot write it: {source}", path = path.display())]
    Write {
        /// What was written.
        path: PathBuf,
        /// What the disk said.
        source: io::Error,
    },
    /// It does not begin as a backup does.
    #[error("{path}: this is no backup", path = path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A later version of this program wrote it.
    #[error("{path}: written in format {found}, this program reads formats up to {known}; use a newer version", path = path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format known here.
        known: u32,
    },
    /// Its bytes are not those that were written.
    #[error("{path}: the backup is damaged: {what}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not verify.
        what: String,
    },
    /// It ends too early.
    #[error("{path}: the backup is cut off after {bytes} bytes", path = path.display())]
    Cut {
        /// The file.
        path: PathBuf,
        /// How much of it there is.
        bytes: u64,
    },
}

impl BackupFault {
    pub(super) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), what: what.into() }
    }

    pub(super) fn format(path: &Path) -> impl FnOnce(FormatFault) -> Self {
        let path = path.to_owned();
        move |fault| match fault {
            FormatFault::Prologue => {
                Self::damaged(&path, "the beginning of the state is not what was written")
            }
            FormatFault::Manifest => Self::damaged(&path, "its end is not what was written"),
            FormatFault::Version(found) => {
                Self::Version { path, found, known: crate::storage::snapshot::VERSION }
            }
            FormatFault::Chunk(chunk) => {
                Self::damaged(&path, format!("chunk {chunk} is not what was written"))
            }
        }
    }
}
