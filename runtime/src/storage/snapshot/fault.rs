//! What can go wrong with a snapshot.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use synod_protocols::LogIndex;

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
