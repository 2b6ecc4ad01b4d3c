//! Why a disk gave no state, or took none.

use crate::storage::{BackupFault, RecoverError, SnapshotFault, WriteFault};

/// Why a state was not read from a disk, or not put on one.
#[derive(Debug, thiserror::Error)]
pub enum OfflineFault {
    /// The disk holds nothing of the service.
    #[error("it holds nothing of the service {0:?}")]
    Nothing(String),
    /// The log relies on a snapshot that is not there.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// The snapshot cannot be read or written.
    #[error(transparent)]
    Snapshot(#[from] SnapshotFault),
    /// The application does not understand the snapshot.
    #[error("the application does not understand the snapshot: {0}")]
    Application(std::io::Error),
    /// A record of the log is not one of a replicated service.
    #[error("a record of the log cannot be read: {0}")]
    Record(String),
    /// The log did not take what was to be written.
    #[error(transparent)]
    Write(#[from] WriteFault),
    /// The backup cannot be used.
    #[error(transparent)]
    Backup(#[from] BackupFault),
    /// A worker of the disk went away.
    #[error("the disk worker stopped")]
    Stopped,
}
