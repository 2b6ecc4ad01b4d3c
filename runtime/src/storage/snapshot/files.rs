//! The snapshots of a node's machines: one whole file per machine, and what is on its way to become one.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use synod_protocols::NodeId;
use synod_protocols::log::SnapshotMeta;

use crate::address::MachineId;
use crate::storage::disk::Disk;
use crate::storage::log::{Log, Write};
use crate::storage::snapshot::body::SnapshotBody;
use crate::storage::snapshot::fault::SnapshotFault;
use crate::storage::snapshot::format::Frame;
use crate::storage::snapshot::partial::Partial;
use crate::storage::snapshot::reader::SnapshotReader;
use crate::storage::snapshot::receiver::SnapshotReceiver;
use crate::storage::snapshot::shelf::Shelf;
use crate::storage::worker::Worker;
use crate::telemetry::Metrics;

/// The snapshots of a node; clones share them. Nothing here blocks: all `done`s run on the snapshots' worker,
/// unless said otherwise.
#[derive(Clone)]
pub struct Snapshots {
    shelf: Arc<Shelf>,
    log: Log,
}

impl Snapshots {
    /// The `whole` snapshots that were found, and those to come, of which `left` had begun to.
    pub(in crate::storage) fn new(
        disk: Arc<dyn Disk>,
        worker: Arc<dyn Worker>,
        log: Log,
        whole: BTreeMap<MachineId, SnapshotMeta>,
        left: BTreeMap<MachineId, Partial>,
        metrics: &Metrics,
    ) -> Self {
        Self { shelf: Arc::new(Shelf::new(disk, worker, whole, left, metrics)), log }
    }

    /// All machines' newest snapshots.
    pub(in crate::storage) fn all(&self) -> Vec<(MachineId, SnapshotMeta)> {
        self.shelf.all()
    }

    /// Writes a snapshot of what `frozen` says; durable when `done` runs with the number of its bytes, and the older one is gone then.
    ///
    /// # Errors
    /// [`SnapshotFault`] is given to `done`; the older one is still there.
    pub fn take(
        &self,
        machine: MachineId,
        meta: SnapshotMeta,
        frozen: impl FnOnce(&mut dyn io::Write) -> io::Result<()> + Send + 'static,
        done: impl FnOnce(Result<(SnapshotMeta, u64), SnapshotFault>) + Send + 'static,
    ) {
        let shelf = Arc::clone(&self.shelf);
        self.shelf.worker.submit(Box::new(move || {
            done(shelf.take(machine, &meta, frozen).map(|bytes| (meta, bytes)));
        }));
    }

    /// What the newest durable snapshot of a machine says of itself.
    #[must_use]
    pub fn newest(&self, machine: MachineId) -> Option<SnapshotMeta> {
        self.shelf.newest(machine)
    }

    /// Opens the newest snapshot for sending it to a peer.
    ///
    /// # Errors
    /// There is none, or it is damaged.
    pub async fn read(&self, machine: MachineId) -> Result<SnapshotReader, SnapshotFault> {
        SnapshotReader::open(Arc::clone(&self.shelf), machine).await
    }

    /// Begins to receive a snapshot from a peer.
    #[must_use]
    pub fn receive(&self, machine: MachineId, from: NodeId) -> SnapshotReceiver {
        SnapshotReceiver::new(Arc::clone(&self.shelf), machine, from)
    }

    /// What had come of a machine's snapshot when the node went down, once: its rest may come from any peer that has the same one.
    #[must_use]
    pub fn left(&self, machine: MachineId) -> Option<SnapshotReceiver> {
        let partial = self.shelf.take_left(machine)?;
        Some(SnapshotReceiver::resumed(Arc::clone(&self.shelf), machine, partial))
    }

    /// Removes what had come of the snapshots of those machines, blocking.
    pub(in crate::storage) fn forget_left(&self, of: impl Fn(MachineId) -> bool) {
        for machine in self.shelf.left().into_iter().filter(|machine| of(*machine)) {
            if let Some(partial) = self.shelf.take_left(machine) {
                self.shelf.remove_part(&partial.path);
            }
        }
    }

    /// The node goes down: what has come of snapshots stays, to be gone on with after its next start.
    pub fn leave(&self) {
        self.shelf.end();
    }

    /// Makes the snapshot received from `from` the machine's newest, then lets the log forget the entries up to its index: durable
    /// by itself and in the order of the machine's writes. Writes of the machine that come after it are held back by the
    /// caller until `done` runs, on either worker.
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
        let (shelf, log) = (Arc::clone(&self.shelf), self.log.clone());
        // The empty batch lets the machine's earlier writes become durable before the snapshot does.
        self.log.write(Vec::new(), move |earlier| {
            if earlier.is_err() {
                return done(Err(SnapshotFault::LogFailed));
            }
            let worker = Arc::clone(&shelf.worker);
            worker.submit(Box::new(move || {
                if let Err(fault) = put_in_place(&shelf, machine, from, &meta) {
                    return done(Err(fault));
                }
                let forget = vec![(machine, vec![Write::Compact { upto: meta.index }])];
                log.write_patiently(forget, move |forgotten| {
                    done(forgotten.map_err(|_| SnapshotFault::LogFailed))
                });
            }));
        });
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
        let shelf = Arc::clone(&self.shelf);
        self.shelf.worker.submit(Box::new(move || {
            done(load(&shelf, machine).inspect_err(|fault| shelf.count(fault)));
        }));
    }

    /// Runs a job after everything asked for before.
    pub(in crate::storage) fn submit(&self, job: impl FnOnce() + Send + 'static) {
        self.shelf.worker.submit(Box::new(job));
    }

    /// Removes the newest snapshot of a machine, after everything asked for before.
    ///
    /// # Errors
    /// [`SnapshotFault`] is given to `done`; the snapshot may be there when the node starts again.
    pub(in crate::storage) fn remove(
        &self,
        machine: MachineId,
        done: impl FnOnce(Result<(), SnapshotFault>) + Send + 'static,
    ) {
        let shelf = Arc::clone(&self.shelf);
        self.submit(move || done(shelf.remove(machine)));
    }

    /// Removes the newest snapshot of a machine, blocking.
    pub(in crate::storage) fn remove_at_once(&self, machine: MachineId) -> Result<(), SnapshotFault> {
        self.shelf.remove(machine)
    }

    /// Forgets what was received from `from` and not installed.
    pub fn drop_received(&self, machine: MachineId, from: NodeId) {
        let shelf = Arc::clone(&self.shelf);
        self.shelf.worker.submit(Box::new(move || {
            if let Some(received) = shelf.take_received(machine, from) {
                shelf.remove_part(&received.path);
            }
        }));
    }
}

fn put_in_place(
    shelf: &Shelf,
    machine: MachineId,
    from: NodeId,
    meta: &SnapshotMeta,
) -> Result<(), SnapshotFault> {
    let received = shelf.take_received(machine, from).ok_or(SnapshotFault::Missing)?;
    let placed = if received.meta == *meta {
        shelf.place(machine, &received.path, meta)
    } else {
        Err(SnapshotFault::Different)
    };
    placed.inspect_err(|_| shelf.remove_part(&received.path))
}

fn load(shelf: &Shelf, machine: MachineId) -> Result<(SnapshotMeta, SnapshotBody), SnapshotFault> {
    let (mut cursor, meta) = shelf.cursor(machine)?;
    let mut chunks = Vec::new();
    while let (_, Frame::Chunk(chunk)) = cursor.next()? {
        chunks.push(chunk);
    }
    Ok((meta, SnapshotBody::new(chunks)))
}
