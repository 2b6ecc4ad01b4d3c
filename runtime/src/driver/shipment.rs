//! Snapshots on their way between nodes: one stream each, taken up where it broke off.
//!
//! The header of a stream names the snapshot by its index and says from which byte on it comes. Whoever holds the beginning of that
//! snapshot from a stream that broke tells the sender so, and the sender begins another stream there. Which bytes are those of one
//! snapshot is said by the snapshot's own checksums.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut, TryGetError};
use synod_protocols::log::SnapshotMeta;
use synod_protocols::{LogIndex, NodeId};
use synod_transport::{BulkReceiver, BulkSender, LinkError};
use tokio::task::JoinHandle;

use crate::address::{MachineId, ProtocolId};
use crate::cluster::Courier;
use crate::driver::links::{BULK_HELD, BULK_SNAPSHOT};
use crate::driver::throttle::Throttle;
use crate::storage::{SnapshotFault, SnapshotReader, SnapshotReceiver, Snapshots};

/// A place in a snapshot: what stands in the headers of streams, behind their first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) machine: MachineId,
    pub(crate) index: LogIndex,
    pub(crate) offset: u64,
}

/// The snapshots of one machine on their way, at most one to and one from each peer.
#[derive(Default)]
pub(crate) struct Transfers {
    tasks: BTreeMap<(Direction, NodeId), JoinHandle<()>>,
    /// Whether the snapshot that comes from a peer is whole, and the machine has not decided about it.
    whole: BTreeMap<NodeId, Rc<Cell<bool>>>,
    /// What a peer says it holds of the snapshot that is sent to it.
    held: BTreeMap<NodeId, Rc<Cell<Option<Mark>>>>,
    left: Rest,
}

/// What has come of a snapshot whose stream broke; the one of which there is most.
#[derive(Clone, Default)]
pub(crate) struct Rest(Rc<RefCell<Option<Box<SnapshotReceiver>>>>);

/// Whether a snapshot goes or comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Direction {
    /// It is sent.
    Outgoing,
    /// It is received.
    Incoming,
}

/// Why a snapshot did not go out or come in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ShipmentFault {
    /// The disk's side.
    #[error(transparent)]
    Snapshot(#[from] SnapshotFault),
    /// The link's side.
    #[error(transparent)]
    Link(#[from] LinkError),
}

/// A snapshot that is to be sent.
pub(crate) struct Shipment {
    pub(crate) snapshots: Snapshots,
    pub(crate) machine: MachineId,
    pub(crate) courier: Arc<dyn Courier>,
    pub(crate) protocol: ProtocolId,
    pub(crate) to: NodeId,
    /// The encoded message that goes with it.
    pub(crate) message: Bytes,
    pub(crate) held: Rc<Cell<Option<Mark>>>,
    pub(crate) throttle: Throttle,
}

impl Mark {
    const BYTES: usize = 24;

    /// The mark at the beginning of a header, which is left with what follows.
    pub(crate) fn take(header: &mut Bytes) -> Result<Self, TryGetError> {
        let machine = MachineId(header.try_get_u64_le()?);
        let index = LogIndex(header.try_get_u64_le()?);
        Ok(Self { machine, index, offset: header.try_get_u64_le()? })
    }

    fn header(self, kind: u8, rest: &[u8]) -> Bytes {
        let mut header = BytesMut::with_capacity(1 + Self::BYTES + rest.len());
        header.put_u8(kind);
        for number in [self.machine.0, self.index.0, self.offset] {
            header.put_u64_le(number);
        }
        header.put_slice(rest);
        header.freeze()
    }
}

impl Transfers {
    /// Keeps a transfer; an earlier one of the same peer and direction is broken off.
    pub(crate) fn begin(&mut self, direction: Direction, peer: NodeId, task: JoinHandle<()>) {
        self.tasks.retain(|_, task| !task.is_finished());
        if let Some(earlier) = self.tasks.insert((direction, peer), task) {
            earlier.abort();
        }
    }

    /// Where the transfer from a peer notes that its snapshot is whole; not so yet.
    pub(crate) fn expect(&mut self, from: NodeId) -> Rc<Cell<bool>> {
        let whole = Rc::new(Cell::new(false));
        self.whole.insert(from, Rc::clone(&whole));
        whole
    }

    /// Whether a whole snapshot from a peer is on its way to the machine.
    pub(crate) fn is_whole(&self, from: NodeId) -> bool {
        self.whole.get(&from).is_some_and(|whole| whole.get())
    }

    /// The machine has decided about the snapshot from a peer.
    pub(crate) fn decided(&mut self, from: NodeId) {
        self.whole.remove(&from);
    }

    /// Where a new transfer to a peer finds what the peer says it holds; nothing yet.
    pub(crate) fn listen(&mut self, to: NodeId) -> Rc<Cell<Option<Mark>>> {
        let held = Rc::new(Cell::new(None));
        self.held.insert(to, Rc::clone(&held));
        held
    }

    /// A peer says what it holds.
    pub(crate) fn holds(&self, peer: NodeId, mark: Mark) {
        if let Some(held) = self.held.get(&peer) {
            held.set(Some(mark));
        }
    }

    /// Goes on with what had come when the node went down.
    pub(crate) fn resume(&self, receiver: SnapshotReceiver) {
        self.left.keep(receiver);
    }

    /// What is left of a stream that broke.
    pub(crate) fn left(&self) -> Rest {
        self.left.clone()
    }
}

impl Drop for Transfers {
    fn drop(&mut self) {
        for task in self.tasks.values() {
            task.abort();
        }
    }
}

impl Rest {
    /// What goes on exactly at this mark.
    pub(crate) fn take_at(&self, mark: Mark) -> Option<SnapshotReceiver> {
        let mut left = self.0.borrow_mut();
        let fits = left.as_deref().and_then(SnapshotReceiver::verified) == Some((mark.index, mark.offset));
        if fits { left.take().map(|left| *left) } else { None }
    }

    /// Where the snapshot of this mark could go on instead of at its beginning.
    pub(crate) fn further(&self, mark: Mark) -> Option<Mark> {
        let left = self.0.borrow();
        let (index, offset) = left.as_ref()?.verified()?;
        (index == mark.index && mark.offset == 0 && offset > 0).then_some(Mark { offset, ..mark })
    }

    /// Keeps what has come, if it is of a later snapshot than what is kept, or more of the same.
    fn keep(&self, receiver: SnapshotReceiver) {
        let mut left = self.0.borrow_mut();
        if receiver.verified() > left.as_deref().and_then(SnapshotReceiver::verified) {
            *left = Some(Box::new(receiver));
        }
    }
}

impl Shipment {
    /// Sends the machine's newest snapshot; gives its index as soon as it is known.
    pub(crate) async fn send(self, known: &Cell<LogIndex>) -> Result<(), ShipmentFault> {
        let mut start = Mark { machine: self.machine, index: LogIndex::ZERO, offset: 0 };
        loop {
            let mut reader = self.snapshots.read(self.machine).await?;
            let index = reader.meta().index;
            known.set(index);
            if start.index == index && start.offset > 0 {
                reader.skip_to(start.offset).await?;
            } else {
                start = Mark { index, offset: 0, ..start };
            }
            let header = start.header(BULK_SNAPSHOT, &self.message);
            let mut stream = self.courier.open_bulk(self.to, self.protocol, header).await?;
            match self.pour(&mut reader, &mut *stream, start).await? {
                None => return Ok(stream.finish().await?),
                Some(held) => start = held,
            }
        }
    }

    /// Sends what there is to send, or stops where the peer says that it holds more. It is believed once.
    async fn pour(
        &self,
        reader: &mut SnapshotReader,
        stream: &mut dyn BulkSender,
        start: Mark,
    ) -> Result<Option<Mark>, ShipmentFault> {
        let mut sent = start.offset;
        while let Some(piece) = reader.next().await? {
            let further = |held: &Mark| start.offset == 0 && held.index == start.index && held.offset > sent;
            if let Some(held) = self.held.take().filter(further) {
                return Ok(Some(held));
            }
            self.throttle.pass(piece.len()).await;
            sent += piece.len() as u64;
            stream.write(piece).await?;
        }
        Ok(None)
    }
}

/// Tells the sender of a snapshot what is held of it already.
pub(crate) async fn tell_held(
    courier: Arc<dyn Courier>,
    protocol: ProtocolId,
    to: NodeId,
    held: Mark,
) -> Result<(), LinkError> {
    let mut stream = courier.open_bulk(to, protocol, held.header(BULK_HELD, &[])).await?;
    stream.finish().await
}

/// Receives a snapshot; what has come when the stream breaks is kept for another one.
pub(crate) async fn receive(
    mut receiver: SnapshotReceiver,
    mut stream: Box<dyn BulkReceiver>,
    whole: &Cell<bool>,
    left: Rest,
) -> Result<SnapshotMeta, ShipmentFault> {
    loop {
        match stream.read().await {
            Ok(Some(piece)) => receiver.write(piece).await?,
            Ok(None) => break,
            Err(error) => {
                left.keep(receiver.rewound());
                return Err(error.into());
            }
        }
    }
    whole.set(true);
    Ok(receiver.finish().await?)
}
