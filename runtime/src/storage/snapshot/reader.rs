//! Reading the newest snapshot for a peer.

use std::sync::Arc;

use bytes::Bytes;
use synod_protocols::log::SnapshotMeta;
use tokio::sync::oneshot;

use crate::address::MachineId;
use crate::storage::snapshot::cursor::Cursor;
use crate::storage::snapshot::fault::SnapshotFault;
use crate::storage::snapshot::format::Frame;
use crate::storage::snapshot::shelf::Shelf;

/// Gives a snapshot piece by piece, each verified, as [`crate::storage::SnapshotReceiver`] takes them. A newer snapshot does not
/// disturb it.
pub struct SnapshotReader {
    shelf: Arc<Shelf>,
    machine: MachineId,
    meta: SnapshotMeta,
    length: u64,
    /// `None` after the last piece and after a fault.
    cursor: Option<Cursor>,
    begun: bool,
}

impl SnapshotReader {
    pub(super) async fn open(shelf: Arc<Shelf>, machine: MachineId) -> Result<Self, SnapshotFault> {
        let (sender, receiver) = oneshot::channel();
        let opener = Arc::clone(&shelf);
        // Whoever dropped the future does not want to know.
        shelf.worker.submit(Box::new(move || drop(sender.send(open(&opener, machine)))));
        let (cursor, meta, length) = receiver.await.unwrap_or(Err(SnapshotFault::Stopped))?;
        Ok(Self { shelf, machine, meta, length, cursor: Some(cursor), begun: false })
    }

    /// What the snapshot says of itself.
    #[must_use]
    pub fn meta(&self) -> &SnapshotMeta {
        &self.meta
    }

    /// Whose snapshot it is.
    #[must_use]
    pub fn machine(&self) -> MachineId {
        self.machine
    }

    /// How many bytes the whole stream has.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Goes on at an offset at which a piece begins; the pieces before are not read.
    ///
    /// # Errors
    /// No piece begins there, or the file cannot be read; nothing can be read any more then.
    pub async fn skip_to(&mut self, offset: u64) -> Result<(), SnapshotFault> {
        let mut cursor = self.cursor.take().ok_or(SnapshotFault::Different)?;
        let (sender, receiver) = oneshot::channel();
        self.shelf.worker.submit(Box::new(move || {
            // Whoever dropped the future does not want to know.
            drop(sender.send(cursor.skip_to(offset).map(|()| cursor)));
        }));
        self.cursor = Some(receiver.await.unwrap_or(Err(SnapshotFault::Stopped))?);
        self.begun = true;
        Ok(())
    }

    /// The next piece of the stream; `None` after the last.
    ///
    /// # Errors
    /// The snapshot is damaged or cannot be read; nothing changed.
    pub async fn next(&mut self) -> Result<Option<Bytes>, SnapshotFault> {
        let Some(mut cursor) = self.cursor.take() else { return Ok(None) };
        let (sender, receiver) = oneshot::channel();
        let begun = std::mem::replace(&mut self.begun, true);
        let shelf = Arc::clone(&self.shelf);
        self.shelf.worker.submit(Box::new(move || {
            let read = read(&mut cursor, begun).inspect_err(|fault| shelf.count(fault));
            // Whoever dropped the future does not want to know.
            drop(sender.send(read.map(|(piece, more)| (piece, more.then_some(cursor)))));
        }));
        let (piece, cursor) = receiver.await.unwrap_or(Err(SnapshotFault::Stopped))?;
        self.cursor = cursor;
        Ok(Some(piece))
    }
}

fn open(shelf: &Shelf, machine: MachineId) -> Result<(Cursor, SnapshotMeta, u64), SnapshotFault> {
    let (cursor, meta) = shelf.cursor(machine)?;
    let length = cursor.length()?;
    Ok((cursor, meta, length))
}

/// The next piece, and whether there is another one.
fn read(cursor: &mut Cursor, begun: bool) -> Result<(Bytes, bool), SnapshotFault> {
    if !begun {
        return Ok((cursor.prologue()?, true));
    }
    let (raw, frame) = cursor.next()?;
    Ok((raw, matches!(frame, Frame::Chunk(_))))
}
