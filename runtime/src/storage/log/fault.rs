//! What can go wrong with the log, an enumeration per operation.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use synod_protocols::LogIndex;

use crate::address::MachineId;

/// Why a batch was not made durable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteFault {
    /// A write or a sync of the log has failed, this one or an earlier one, or the log was closed. Final: what became of the
    /// batch is unknown until the log is opened again, and no later batch is accepted.
    #[error("the log has failed or was closed and accepts nothing any more")]
    Failed,
    /// There is no room beyond what is kept for cells. Nothing of the batch was written; the log goes on.
    #[error("no space is left for the log")]
    NoSpace,
    /// A record is larger than a segment. Nothing of the batch was written; the log goes on.
    #[error("a record of {bytes} bytes exceeds the limit of {limit} bytes")]
    TooLarge {
        /// The record's body.
        bytes: u64,
        /// The largest body.
        limit: u64,
    },
    /// An entry is neither in the machine's log nor next to it. Nothing of the batch was written; the log goes on.
    #[error("entry {index} of {machine:?} does not follow its log, whose next index is {next}")]
    Gap {
        /// Whose entry.
        machine: MachineId,
        /// The entry.
        index: LogIndex,
        /// The index that would have followed.
        next: LogIndex,
    },
}

/// What ended a log: it accepts nothing any more until it is opened again.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LogFailure {
    /// A write or a sync failed.
    #[error("{path}: cannot write or sync: {source}", path = path.display())]
    Write {
        /// The segment that was written.
        path: PathBuf,
        /// What the disk said.
        source: Arc<io::Error>,
    },
    /// What had been made durable cannot be read back. The next opening finds out what else is damaged.
    #[error(transparent)]
    Read(Arc<ReadFault>),
}

/// What a job of the log met that ends it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// A write, a sync or a change of names failed.
    #[error(transparent)]
    Disk(#[from] io::Error),
    /// A record cannot be read back.
    #[error(transparent)]
    Read(#[from] ReadFault),
}

/// Why entries could not be read back.
#[derive(Debug, thiserror::Error)]
pub enum ReadFault {
    /// The disk did not give the bytes.
    #[error("{path}: cannot read at byte {offset}: {source}", path = path.display())]
    Io {
        /// The segment.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What the disk said.
        source: io::Error,
    },
    /// What the disk gave is not what was written.
    #[error("{path}: the record at byte {offset} is damaged", path = path.display())]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// Where in it.
        offset: u64,
    },
}

impl ReadFault {
    /// The same, for another who has to hear of it.
    pub(super) fn again(&self) -> Self {
        match self {
            Self::Io { path, offset, source } => {
                let source = io::Error::new(source.kind(), source.to_string());
                Self::Io { path: path.clone(), offset: *offset, source }
            }
            Self::Damaged { path, offset } => Self::Damaged { path: path.clone(), offset: *offset },
        }
    }
}

/// Why the log could not be opened. Nothing of use was removed, and a later attempt finds the same.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The disk refused an operation.
    #[error("{path}: cannot {operation}: {source}", path = path.display())]
    Io {
        /// What was to be done.
        operation: &'static str,
        /// To which file or directory.
        path: PathBuf,
        /// What the disk said.
        source: io::Error,
    },
    /// Another process has the directory.
    #[error("the data directory is in use by another process: {0}")]
    Locked(#[source] io::Error),
    /// The data was written by a later version of this program.
    #[error("{path}: written in format {found}, this program reads formats up to {known}; start a newer version", path = path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format known here.
        known: u32,
    },
    /// Bytes that had been made durable are not what was written. The node must not vote with what is left.
    #[error("{path}: corrupt at byte {offset}: {reason}", path = path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// The log did not take the record that lets it begin behind an installed snapshot.
    #[error("the log cannot begin behind an installed snapshot: {0}")]
    Refused(#[source] WriteFault),
    /// A damaged log was to be replaced and was not; the next opening tries again.
    #[error("{damage}; no other log can be put in its place: {reason}")]
    NotRepaired {
        /// What is wrong with the log.
        damage: String,
        /// What went wrong with its replacement.
        reason: String,
    },
    /// The worker stopped before the log was open.
    #[error("the disk worker stopped before the log was open")]
    Stopped,
}
