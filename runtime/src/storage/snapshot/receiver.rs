//! Receiving a snapshot from a peer.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use synod_protocols::log::SnapshotMeta;
use synod_protocols::{LogIndex, NodeId};
use tokio::sync::oneshot;

use crate::address::MachineId;
use crate::storage::disk::DiskFile;
use crate::storage::snapshot::fault::SnapshotFault;
use crate::storage::snapshot::format::{Chain, FormatFault};
use crate::storage::snapshot::intake::Intake;
use crate::storage::snapshot::partial::Partial;
use crate::storage::snapshot::shelf::{Received, Shelf, directory};

/// How many bytes may be lost with the power of what has come.
const UNSYNCED: u64 = 16 << 20;

/// Takes a peer's snapshot piece by piece, however the stream was cut, and verifies it. Dropping it forgets what came, unless the node
/// goes down.
pub struct SnapshotReceiver {
    shelf: Arc<Shelf>,
    machine: MachineId,
    from: NodeId,
    path: PathBuf,
    /// `None` after a fault and at the end.
    arriving: Option<Arriving>,
    finished: bool,
}

/// What a job works on, moved there and back.
#[derive(Default)]
struct Arriving {
    intake: Intake,
    file: Option<Box<dyn DiskFile>>,
    offset: u64,
    /// How much of it is durable.
    synced: u64,
}

impl SnapshotReceiver {
    pub(super) fn new(shelf: Arc<Shelf>, machine: MachineId, from: NodeId) -> Self {
        let path = shelf.part(machine);
        Self { shelf, machine, from, path, arriving: Some(Arriving::default()), finished: false }
    }

    /// What had come when the node went down, to be gone on with.
    pub(super) fn resumed(shelf: Arc<Shelf>, machine: MachineId, partial: Partial) -> Self {
        let Partial { path, number: _, chain, end } = partial;
        let arriving = Arriving { intake: Intake::after(chain), file: None, offset: end, synced: end };
        // Whose it is is said when it goes on.
        Self { shelf, machine, from: NodeId(0), path, arriving: Some(arriving), finished: false }
    }

    /// Takes the next bytes of the stream.
    ///
    /// # Errors
    /// The bytes are not those of a snapshot, or the disk refused them; nothing can be received here any more.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), SnapshotFault> {
        let mut arriving = self.arriving.take().ok_or_else(|| self.broken())?;
        let (sender, receiver) = oneshot::channel();
        let (shelf, path, machine) = (Arc::clone(&self.shelf), self.path.clone(), self.machine);
        self.shelf.worker.submit(Box::new(move || {
            let written = arriving.write(&shelf, &path, machine, &bytes);
            // Whoever dropped the future does not want to know.
            drop(sender.send(written.map(|()| arriving)));
        }));
        self.arriving = Some(receiver.await.unwrap_or(Err(SnapshotFault::Stopped))?);
        Ok(())
    }

    /// Makes what came durable, to be installed or dropped; replaces what was received from that peer before.
    ///
    /// # Errors
    /// The stream was not whole, or the disk refused; what came is forgotten.
    pub async fn finish(mut self) -> Result<SnapshotMeta, SnapshotFault> {
        let arriving = self.arriving.take().ok_or_else(|| self.broken())?;
        let (sender, receiver) = oneshot::channel();
        let (shelf, path) = (Arc::clone(&self.shelf), self.path.clone());
        let (machine, from) = (self.machine, self.from);
        self.finished = true;
        self.shelf.worker.submit(Box::new(move || {
            let finished = arriving.finish(&shelf, &path, machine, from);
            if finished.is_err() {
                shelf.remove_part(&path);
            }
            // Whoever dropped the future does not want to know.
            drop(sender.send(finished));
        }));
        receiver.await.unwrap_or(Err(SnapshotFault::Stopped))
    }

    /// Which snapshot it is and how much of it has come, whole pieces only; `None` before the first and after a fault.
    #[must_use]
    pub fn verified(&self) -> Option<(LogIndex, u64)> {
        let arriving = self.arriving.as_ref()?;
        Some((arriving.intake.chain()?.index(), arriving.offset))
    }

    /// The same without what has come of a piece that is not whole, so that another stream may go on behind the last one that is.
    #[must_use]
    pub fn rewound(mut self) -> Self {
        if let Some(arriving) = &mut self.arriving {
            arriving.intake.rewind();
        }
        self
    }

    /// The same, as what comes from this peer now.
    #[must_use]
    pub fn from(mut self, from: NodeId) -> Self {
        self.from = from;
        self
    }

    fn broken(&self) -> SnapshotFault {
        SnapshotFault::format(&self.path)(FormatFault::Manifest)
    }
}

impl Arriving {
    fn write(
        &mut self,
        shelf: &Shelf,
        path: &Path,
        machine: MachineId,
        bytes: &[u8],
    ) -> Result<(), SnapshotFault> {
        let verified = self.intake.take(bytes).map_err(SnapshotFault::format(path))?;
        if self.intake.chain().map(Chain::machine).is_some_and(|found| found != machine) {
            let reason = "this is a snapshot of another machine".to_owned();
            return Err(SnapshotFault::Damaged { path: path.to_owned(), reason });
        }
        for piece in verified {
            if self.file.is_none() {
                let file = shelf.disk.open(path, true).map_err(SnapshotFault::io("make", path))?;
                // Behind what verified there may be what did not.
                file.set_length(self.offset).map_err(SnapshotFault::io("cut", path))?;
                self.file = Some(file);
            }
            let Some(file) = &self.file else { continue };
            file.write_at(self.offset, &piece).map_err(SnapshotFault::io("write", path))?;
            self.offset += piece.len() as u64;
        }
        self.secure(shelf, path)
    }

    /// Makes what has come durable from time to time, so that not all of it has to come again after the power has gone.
    fn secure(&mut self, shelf: &Shelf, path: &Path) -> Result<(), SnapshotFault> {
        let Some(file) = self.file.as_ref().filter(|_| self.offset - self.synced >= UNSYNCED) else {
            return Ok(());
        };
        file.sync().map_err(SnapshotFault::io("sync", path))?;
        if self.synced == 0 {
            shelf.disk.sync_directory(directory()).map_err(SnapshotFault::io("sync", directory()))?;
        }
        self.synced = self.offset;
        Ok(())
    }

    fn finish(
        self,
        shelf: &Shelf,
        path: &Path,
        machine: MachineId,
        from: NodeId,
    ) -> Result<SnapshotMeta, SnapshotFault> {
        let manifest = self.intake.finish().map_err(SnapshotFault::format(path))?;
        let file = self.file.ok_or(SnapshotFault::Missing)?;
        file.sync().map_err(SnapshotFault::io("sync", path))?;
        shelf.bytes.inc_by(self.offset);
        let received = Received { path: path.to_owned(), meta: manifest.meta.clone() };
        if let Some(replaced) = shelf.keep(machine, from, received) {
            shelf.remove_part(&replaced.path);
        }
        Ok(manifest.meta)
    }
}

impl Drop for SnapshotReceiver {
    fn drop(&mut self) {
        if !self.finished && !self.shelf.is_ending() {
            let (shelf, path) = (Arc::clone(&self.shelf), self.path.clone());
            self.shelf.worker.submit(Box::new(move || shelf.remove_part(&path)));
        }
    }
}
