//! What can go wrong with a snapshot.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use synod_protocols::LogIndex;

use crate::storage::snapshot::format::{FormatFault, VERSION};

/// Why a snapshot was not written, read, received or installed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SnapshotFault {
    /// The disk refused an operation; the snapshot that was there before is still there.
    #[error("{path}: cannot {operation}: {source}", path = path.display())]
    Io {
        /// What was to be done.
        operation: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the disk said.
        source: Arc<io::Error>,
    },
    /// The file is not what was written. Nothing changed.
    #[error("{path}: chunk {chunk} is damaged", path = path.display())]
    DamagedChunk {
        /// The file.
        path: PathBuf,
        /// The chunk, counted from zero.
        chunk: u64,
    },
    /// The file's beginning or its manifest is not what was written. Nothing changed.
    #[error("{path}: {reason}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A later version of this program wrote it.
    #[error("{path}: written in format {found}, this program reads formats up to {known}; start a newer version", path = path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format known here.
        known: u32,
    },
    /// There is none.
    #[error("there is no such snapshot")]
    Missing,
    /// One that contains at least as much is there already; nothing changed.
    #[error("a snapshot up to {newest} is there already")]
    Outdated {
        /// The last entry of the one that is there.
        newest: LogIndex,
    },
    /// What was received is another snapshot than the one to be installed.
    #[error("the snapshot received is not the one to be installed")]
    Different,
    /// The log failed when it was to forget what the snapshot contains; the snapshot is in place, and what the log holds is
    /// unknown until it is opened again.
    #[error("the log has failed")]
    LogFailed,
    /// The worker stopped.
    #[error("the disk worker stopped")]
    Stopped,
}

impl SnapshotFault {
    /// An operation that the disk refused.
    pub(super) fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { operation, path, source: Arc::new(source) }
    }

    /// Bytes of a file or of a peer that are not those of a snapshot.
    pub(super) fn format(path: &Path) -> impl FnOnce(FormatFault) -> Self {
        let path = path.to_owned();
        move |fault| match fault {
            FormatFault::Prologue => {
                Self::Damaged { path, reason: "this is not the beginning of a snapshot".to_owned() }
            }
            FormatFault::Manifest => Self::Damaged { path, reason: "the manifest is damaged".to_owned() },
            FormatFault::Version(found) => Self::Version { path, found, known: VERSION },
            FormatFault::Chunk(chunk) => Self::DamagedChunk { path, chunk },
        }
    }
}
