//! The directory of the snapshots and what is known of its files.
//!
//! The file of a machine's snapshot is replaced by rename only; everything else in the directory is on its way to become one, and
//! goes when the node starts, unless the rest of it may yet come.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use synod_protocols::NodeId;
use synod_protocols::log::SnapshotMeta;

use crate::address::MachineId;
use crate::storage::disk::Disk;
use crate::storage::snapshot::cursor::Cursor;
use crate::storage::snapshot::fault::SnapshotFault;
use crate::storage::snapshot::partial::Partial;
use crate::storage::snapshot::writer::Writer;
use crate::storage::worker::Worker;
use crate::telemetry::{Counter, Metrics};

/// What the handles of a node's snapshots share.
pub(super) struct Shelf {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) worker: Arc<dyn Worker>,
    pub(super) bytes: Counter,
    pub(super) damaged: Counter,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    newest: BTreeMap<MachineId, SnapshotMeta>,
    received: BTreeMap<(MachineId, NodeId), Received>,
    /// What had come when the node went down.
    left: BTreeMap<MachineId, Partial>,
    parts: u64,
    /// Whether the node goes down: what has come is left for its next start.
    ending: bool,
}

/// A whole snapshot that has come from a peer.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) path: PathBuf,
    pub(super) meta: SnapshotMeta,
}

/// The directory of the snapshots.
pub(in crate::storage) fn directory() -> &'static Path {
    Path::new("snapshots")
}

/// Where a machine's snapshot is.
pub(in crate::storage) fn snapshot_path(machine: MachineId) -> PathBuf {
    directory().join(format!("{:016x}.snapshot", machine.0))
}

impl Shelf {
    /// The directory, in which `whole` snapshots were found, and the beginnings of others in `left`.
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        worker: Arc<dyn Worker>,
        whole: BTreeMap<MachineId, SnapshotMeta>,
        left: BTreeMap<MachineId, Partial>,
        metrics: &Metrics,
    ) -> Self {
        let parts = left.values().map(|partial| partial.number).max().unwrap_or(0);
        Self {
            disk,
            worker,
            bytes: metrics.counter("synod_snapshot_bytes", "Bytes of snapshots written"),
            damaged: metrics.counter("synod_snapshot_corruptions", "Snapshots found damaged"),
            state: Mutex::new(State { newest: whole, left, parts, ..State::default() }),
        }
    }

    /// Writes a snapshot and puts it in the machine's place.
    pub(super) fn take(
        &self,
        machine: MachineId,
        meta: &SnapshotMeta,
        frozen: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
    ) -> Result<u64, SnapshotFault> {
        self.check_newer(machine, meta)?;
        let path = self.draft(machine);
        let written = || {
            let file = self.disk.open(&path, true)?;
            let mut writer = Writer::begin(&*file, machine, meta)?;
            frozen(&mut writer)?;
            let length = writer.finish(meta.clone())?;
            file.sync()?;
            Ok(length)
        };
        let written = written().map_err(SnapshotFault::io("write", &path));
        let placed = written.and_then(|length| {
            self.bytes.inc_by(length);
            self.place(machine, &path, meta).map(|()| length)
        });
        placed.inspect_err(|_| self.remove_part(&path))
    }

    /// Puts a whole, synced file in the machine's place, durably.
    pub(super) fn place(
        &self,
        machine: MachineId,
        part: &Path,
        meta: &SnapshotMeta,
    ) -> Result<(), SnapshotFault> {
        self.check_newer(machine, meta)?;
        self.disk.rename(part, &snapshot_path(machine)).map_err(SnapshotFault::io("rename", part))?;
        self.disk.sync_directory(directory()).map_err(SnapshotFault::io("sync", directory()))?;
        self.state().newest.insert(machine, meta.clone());
        Ok(())
    }

    /// Removes the machine's snapshot, if there is one, durably.
    pub(super) fn remove(&self, machine: MachineId) -> Result<(), SnapshotFault> {
        if self.state().newest.remove(&machine).is_none() {
            return Ok(());
        }
        let path = snapshot_path(machine);
        self.disk.remove(&path).map_err(SnapshotFault::io("remove", &path))?;
        self.disk.sync_directory(directory()).map_err(SnapshotFault::io("sync", directory()))
    }

    /// Opens the machine's snapshot.
    pub(super) fn cursor(&self, machine: MachineId) -> Result<(Cursor, SnapshotMeta), SnapshotFault> {
        if self.newest(machine).is_none() {
            return Err(SnapshotFault::Missing);
        }
        let opened = Cursor::open(&*self.disk, &snapshot_path(machine))
            .and_then(|cursor| cursor.manifest().map(|manifest| (cursor, manifest.meta)));
        opened.inspect_err(|fault| self.count(fault))
    }

    /// Counts what was found damaged.
    pub(super) fn count(&self, fault: &SnapshotFault) {
        if matches!(fault, SnapshotFault::Damaged { .. } | SnapshotFault::DamagedChunk { .. }) {
            self.damaged.inc();
        }
    }

    pub(super) fn newest(&self, machine: MachineId) -> Option<SnapshotMeta> {
        self.state().newest.get(&machine).cloned()
    }

    /// All machines' newest snapshots.
    pub(super) fn all(&self) -> Vec<(MachineId, SnapshotMeta)> {
        self.state().newest.iter().map(|(&machine, meta)| (machine, meta.clone())).collect()
    }

    /// A name that is not used by any other file, for what comes from a peer.
    pub(super) fn part(&self, machine: MachineId) -> PathBuf {
        self.fresh(machine, "part")
    }

    /// The same for what this node writes of its own state, which nobody else can go on with.
    fn draft(&self, machine: MachineId) -> PathBuf {
        self.fresh(machine, "draft")
    }

    fn fresh(&self, machine: MachineId, extension: &str) -> PathBuf {
        let mut state = self.state();
        state.parts += 1;
        directory().join(format!("{:016x}-{}.{extension}", machine.0, state.parts))
    }

    /// Removes a file that will not become a snapshot.
    pub(super) fn remove_part(&self, path: &Path) {
        // It was never made, or it is in the way of nobody and goes when the node starts the next time.
        let _ = self.disk.remove(path);
    }

    /// Keeps what came from a peer until it is installed or dropped; gives what it replaces.
    pub(super) fn keep(&self, machine: MachineId, from: NodeId, received: Received) -> Option<Received> {
        self.state().received.insert((machine, from), received)
    }

    /// Takes what had come of a snapshot when the node went down.
    pub(super) fn take_left(&self, machine: MachineId) -> Option<Partial> {
        self.state().left.remove(&machine)
    }

    /// The machines of which something had come.
    pub(super) fn left(&self) -> Vec<MachineId> {
        self.state().left.keys().copied().collect()
    }

    /// The node goes down.
    pub(super) fn end(&self) {
        self.state().ending = true;
    }

    /// Whether the node goes down.
    pub(super) fn is_ending(&self) -> bool {
        self.state().ending
    }

    /// Takes what came from a peer.
    pub(super) fn take_received(&self, machine: MachineId, from: NodeId) -> Option<Received> {
        self.state().received.remove(&(machine, from))
    }

    fn check_newer(&self, machine: MachineId, meta: &SnapshotMeta) -> Result<(), SnapshotFault> {
        match self.newest(machine) {
            Some(newest) if newest.index >= meta.index => {
                Err(SnapshotFault::Outdated { newest: newest.index })
            }
            Some(_) | None => Ok(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whose snapshot has this file name.
pub(super) fn machine_of(name: &Path) -> Option<MachineId> {
    let stem = name.to_str()?.strip_suffix(".snapshot")?;
    u64::from_str_radix(stem, 16).ok().map(MachineId)
}
