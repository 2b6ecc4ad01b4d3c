//! The snapshots of a node's machines: one whole file per machine, and what is on its way to become one.

use std::io;

use synod_protocols::NodeId;
use synod_protocols::log::SnapshotMeta;

use crate::address::MachineId;
use crate::storage::snapshot::body::SnapshotBody;
use crate::storage::snapshot::fault::SnapshotFault;
use crate::storage::snapshot::reader::SnapshotReader;
use crate::storage::snapshot::receiver::SnapshotReceiver;

/// The snapshots of a node; clones share them. Nothing here blocks: all `done`s run on the snapshots' worker, unless said otherwise.
#[derive(Clone)]
pub struct Snapshots {}

impl Snapshots {
    /// Writes a snapshot of what `frozen` says; durable when `done` runs, and the older one is gone then.
    ///
    /// # Errors
    /// [`SnapshotFault`] is given to `done`; the older one is still there.
    pub fn take(
        &self,
        machine: MachineId,
        meta: SnapshotMeta,
        frozen: Box<dyn FnOnce(&mut dyn io::Write) -> io::Result<()> + Send>,
        done: impl FnOnce(Result<SnapshotMeta, SnapshotFault>) + Send + 'static,
    ) {
        todo!()
    }

    /// What the newest durable snapshot of a machine says of itself.
    #[must_use]
    pub fn newest(&self, machine: MachineId) -> Option<SnapshotMeta> {
        todo!()
    }

    /// Opens the newest snapshot for sending it to a peer.
    ///
    /// # Errors
    /// There is none, or it is damaged.
    pub async fn read(&self, machine: MachineId) -> Result<SnapshotReader, SnapshotFault> {
        todo!()
    }

    /// Begins to receive a snapshot from a peer.
    #[must_use]
    pub fn receive(&self, machine: MachineId, from: NodeId) -> SnapshotReceiver {
        todo!()
    }

    /// Makes the snapshot received from `from` the machine's newest, then lets the log forget the entries up to its index: durable
    /// by itself and in the order of the machine's writes. Writes of the machine that come after it are held back by the
    /// caller until `done` runs, on the log's worker.
    ///
    /// # Errors
    /// [`SnapshotFault`] is given to `done`.
    pub fn install(
        &self,
        machine: MachineId,
        from: NodeId,
        meta: SnapshotMeta,
        done: impl FnOnce(Result<(), SnapshotFault>) + Send + 'static,
    ) {
        todo!()
    }

    /// Reads the newest snapshot whole, verified, for restoring the application from it.
    ///
    /// # Errors
    /// [`SnapshotFault`] is given to `done`; nothing changed.
    pub fn load(
        &self,
        machine: MachineId,
        done: impl FnOnce(Result<(SnapshotMeta, SnapshotBody), SnapshotFault>) + Send + 'static,
    ) {
        todo!()
    }

    /// Forgets what was received from `from` and not installed.
    pub fn drop_received(&self, machine: MachineId, from: NodeId) {
        todo!()
    }
}
