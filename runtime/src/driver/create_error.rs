//! Why a machine is not hosted.

use crate::storage::{RecoverError, SnapshotFault};

/// Why a machine is not hosted. Nothing changed on the disk.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// It is hosted already, or this process has tried before: what the disk holds of a machine is handed over once.
    #[error("the machine is hosted already, or was since the process started")]
    Exists,
    /// Its log relies on a snapshot that is not there.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// Its snapshot cannot be read.
    #[error("the snapshot cannot be read: {0}")]
    Snapshot(#[from] SnapshotFault),
    /// Its application does not understand the snapshot.
    #[error("the application does not understand the snapshot: {0}")]
    Restore(std::io::Error),
    /// A record of its log is not one of this protocol.
    #[error("a record of the log is not one of this protocol: {0}")]
    Record(String),
    /// The driver has stopped.
    #[error("the driver has stopped")]
    Stopped,
}
