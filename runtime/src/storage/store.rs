//! Log and snapshots of a node together, and a machine recovered from both.

use std::path::PathBuf;

use bytes::Bytes;
use synod_protocols::LogIndex;
use synod_protocols::log::SnapshotMeta;

use crate::address::MachineId;
use crate::storage::log::{Log, ReadFault, RecoveredLog, WriteFault};
use crate::storage::removed::Removed;
use crate::storage::snapshot::{Snapshots, snapshot_path};

/// Everything a node keeps; clones share it.
#[derive(Clone)]
pub struct Store {
    log: Log,
    snapshots: Snapshots,
    removed: Removed,
}

/// What a machine finds on its disk, but for its entries, which are read piece by piece.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveredMachine {
    /// The last record of each cell, ordered by key.
    pub cells: Vec<(u64, Bytes)>,
    /// The newest whole snapshot.
    pub snapshot: Option<SnapshotMeta>,
    /// The entries of use are those above this one, which the snapshot contains or a compaction has forgotten, ...
    pub after: LogIndex,
    /// ... up to this one.
    pub last: LogIndex,
}

/// Why a machine could not be recovered. Nothing changed on the disk.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The log says that a snapshot holds the entries up to `compacted`, and there is no such snapshot.
    #[error("{path}: {machine:?} has no snapshot up to {compacted}, which its log relies on", path = path.display())]
    SnapshotMissing {
        /// Whose.
        machine: MachineId,
        /// The last entry that is in no log any more.
        compacted: LogIndex,
        /// Where the snapshot should be.
        path: PathBuf,
    },
    /// Entries cannot be read back.
    #[error(transparent)]
    Entries(#[from] ReadFault),
    /// The worker stopped.
    #[error("the disk worker stopped")]
    Stopped,
    /// It was removed from this node for good.
    #[error("{machine:?} was removed from this node, and does not come back")]
    Removed {
        /// Which machine.
        machine: MachineId,
    },
}

impl Store {
    pub(super) fn new(log: Log, snapshots: Snapshots) -> Self {
        let removed = Removed::open(&log);
        Self { log, snapshots, removed }
    }

    /// The log.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The snapshots.
    #[must_use]
    pub fn snapshots(&self) -> &Snapshots {
        &self.snapshots
    }

    /// Hands over what was found of a machine, once; its entries are read with [`Store::entries`].
    ///
    /// # Errors
    /// [`RecoverError`]; the machine must not start.
    pub fn recover(&self, machine: MachineId) -> Result<RecoveredMachine, RecoverError> {
        if self.has_removed(machine) {
            return Err(RecoverError::Removed { machine });
        }
        let snapshot = self.snapshots.newest(machine);
        let covered = snapshot.as_ref().map_or(LogIndex::ZERO, |meta| meta.index);
        let log = self.log.recover(machine);
        let relies = log.relies_on_snapshot();
        let RecoveredLog { cells, compacted, last } = log;
        if relies && compacted > covered {
            let path = snapshot_path(machine);
            return Err(RecoverError::SnapshotMissing { machine, compacted, path });
        }
        Ok(RecoveredMachine { cells, snapshot, after: covered.max(compacted), last: last.max(covered) })
    }

    /// Reads the entries `from..=to` of a machine, at least one and no more once `max_bytes` are reached.
    ///
    /// # Errors
    /// [`RecoverError`]; the log has ended then.
    pub async fn entries(
        &self,
        machine: MachineId,
        from: LogIndex,
        to: LogIndex,
        max_bytes: usize,
    ) -> Result<Vec<(LogIndex, Bytes)>, RecoverError> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        // Who asked may have lost interest.
        self.log.read(machine, from, to, max_bytes, move |read| drop(sender.send(read)));
        Ok(receiver.await.map_err(|_| RecoverError::Stopped)??)
    }

    /// Whether something was found of a machine, or is kept of it.
    #[must_use]
    pub fn knows(&self, machine: MachineId) -> bool {
        self.snapshots.newest(machine).is_some() || self.log.recoverable().contains(&machine)
    }

    /// Whether a machine was removed for good, or is being removed.
    #[must_use]
    pub fn has_removed(&self, machine: MachineId) -> bool {
        self.removed.contains(machine)
    }

    /// Removes everything of a machine for good, and sees to it that it does not come back under this name. It must not write any
    /// more. `done` runs on a worker; from the call on, it cannot be recovered.
    ///
    /// # Errors
    /// [`WriteFault`] is given to `done`: after a restart it may be there again.
    pub fn remove(
        &self,
        machine: MachineId,
        name: &str,
        done: impl FnOnce(Result<(), WriteFault>) + Send + 'static,
    ) {
        self.removed.remove(&self.log, &self.snapshots, machine, name, done);
    }

    /// What a crash has left of removed machines.
    pub(super) fn removed(&self) -> &Removed {
        &self.removed
    }

    /// Ends everything in order, after what was asked for before, and gives the disk back; nothing is written any more then,
    /// whatever handles there still are.
    ///
    /// # Errors
    /// [`WriteFault::Failed`] when the log had failed or could not be made durable, or was closed before.
    pub async fn close(&self) -> Result<(), WriteFault> {
        let (sender, closed) = tokio::sync::oneshot::channel();
        let log = self.log.clone();
        // Who asked may have lost interest.
        self.snapshots.submit(move || log.close(move |result| drop(sender.send(result))));
        closed.await.unwrap_or(Err(WriteFault::Failed))
    }
}

#[cfg(test)]
mod tests;
