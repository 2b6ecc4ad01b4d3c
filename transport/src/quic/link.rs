//! One link over one QUIC connection, as its users hold it.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use quinn::{Connection, SendDatagramError};
use tokio::sync::{Notify, watch};

use super::bulk::open_bulk;
use crate::batch::Batch;
use crate::contract::{BulkSender, CloseReason, Link, LinkError};
use crate::lane::{LANES, Lane};
use crate::metrics::{Counters, add};
use crate::peer::Peer;

pub(crate) struct QuicLink {
    pub(crate) birth: Birth,
    /// Taken out at the end: it holds the socket, and so the address, which users of ended links must not keep.
    connection: RwLock<Option<Connection>>,
    pub(crate) counters: Arc<Counters>,
    lanes: [Arc<Batch>; LANES],
    closed_by_us: Mutex<Option<CloseReason>>,
    /// Told when this end closes the link: for the link's own task.
    pub(crate) closing: Notify,
    closed_by_peer: OnceLock<CloseReason>,
    lanes_seen: AtomicU8,
    over: watch::Sender<bool>,
}

/// What the handshake settled.
#[derive(Clone, Debug)]
pub(crate) struct Birth {
    pub(crate) peer: Peer,
    /// This end's number for the link.
    pub(crate) session: u64,
    /// The arbiter's incarnation and its number for the link: the same at both ends.
    pub(crate) id: (u64, u64),
    pub(crate) frame_max: usize,
    pub(crate) header_max: usize,
}

impl QuicLink {
    pub(crate) fn new(
        birth: Birth,
        connection: Connection,
        counters: Arc<Counters>,
        lane_bytes_max: usize,
    ) -> Self {
        Self {
            birth,
            connection: RwLock::new(Some(connection)),
            counters,
            lanes: std::array::from_fn(|_| Arc::new(Batch::new(lane_bytes_max))),
            closed_by_us: Mutex::new(None),
            closing: Notify::new(),
            closed_by_peer: OnceLock::new(),
            lanes_seen: AtomicU8::new(0),
            over: watch::Sender::new(false),
        }
    }

    pub(crate) fn batch(&self, lane: Lane) -> &Arc<Batch> {
        &self.lanes[usize::from(lane.number())]
    }

    /// Whether this is the first stream of the peer for this lane.
    pub(crate) fn first_of(&self, lane: Lane) -> bool {
        let bit = 1 << lane.number();
        self.lanes_seen.fetch_or(bit, Ordering::Relaxed) & bit == 0
    }

    /// Takes no more frames; those queued still leave.
    pub(crate) fn drain(&self) {
        self.lanes.iter().for_each(|batch| batch.drain());
    }

    /// Completes when the peer's transport has all frames of a link that drains.
    pub(crate) async fn drained(&self) {
        for batch in &self.lanes {
            batch.closed().await;
        }
    }

    /// Takes nothing more, at either end of the lanes.
    pub(crate) fn shut(&self) {
        self.lanes.iter().for_each(|batch| batch.close());
    }

    /// Why this end closed the link, if it did.
    pub(crate) fn closed_by_us(&self) -> Option<CloseReason> {
        self.close_note().clone()
    }

    /// Keeps the peer's last word.
    pub(crate) fn peer_closes(&self, reason: CloseReason) {
        // A second one is none.
        let _ = self.closed_by_peer.set(reason);
    }

    /// The peer's last word, if it said one.
    pub(crate) fn closed_by_peer(&self) -> Option<CloseReason> {
        self.closed_by_peer.get().cloned()
    }

    /// The connection, until the end.
    pub(crate) fn connection(&self) -> Option<Connection> {
        self.connection.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets the connection go; gives it the first time.
    pub(crate) fn release(&self) -> Option<Connection> {
        self.shut();
        self.connection.write().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Says that the receiver has heard of the end.
    pub(crate) fn ended(&self) {
        self.over.send_replace(true);
    }

    /// Whether the receiver has heard of the end.
    pub(crate) fn is_over(&self) -> bool {
        *self.over.borrow()
    }

    /// Completes when the receiver has heard of the end.
    pub(crate) async fn until_over(&self) {
        let mut over = self.over.subscribe();
        // The sender lives in `self`.
        let _ = over.wait_for(|over| *over).await;
    }

    /// The connection, until this end closes the link.
    fn usable(&self) -> Option<Connection> {
        self.connection().filter(|_| self.closed_by_us().is_none())
    }

    fn close_note(&self) -> MutexGuard<'_, Option<CloseReason>> {
        self.closed_by_us.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Link for QuicLink {
    fn peer(&self) -> &Peer {
        &self.birth.peer
    }

    fn session(&self) -> u64 {
        self.birth.session
    }

    fn send(&self, lane: Lane, encode: &mut dyn FnMut(&mut BytesMut)) -> Result<(), LinkError> {
        self.batch(lane).push(self.birth.frame_max, encode).map(|_| ())
    }

    fn ready(&self, lane: Lane) -> BoxFuture<'static, Result<(), LinkError>> {
        let batch = self.batch(lane).clone();
        Box::pin(async move { batch.ready().await })
    }

    fn datagram(&self, payload: Bytes) -> Result<(), LinkError> {
        let (size, limit) = (payload.len(), self.max_datagram());
        let Some(connection) = self.usable() else {
            return Err(LinkError::Closed);
        };
        match connection.send_datagram(payload) {
            Ok(()) => {
                add(&self.counters.datagrams_out, 1);
                Ok(())
            }
            Err(SendDatagramError::TooLarge) => Err(LinkError::TooLarge { size, limit }),
            Err(SendDatagramError::UnsupportedByPeer | SendDatagramError::Disabled) => {
                Err(LinkError::TooLarge { size, limit: 0 })
            }
            Err(SendDatagramError::ConnectionLost(_)) => Err(LinkError::Closed),
        }
    }

    fn max_datagram(&self) -> usize {
        self.connection().and_then(|connection| connection.max_datagram_size()).unwrap_or(0)
    }

    fn open_bulk(&self, header: Bytes) -> BoxFuture<'static, Result<Box<dyn BulkSender>, LinkError>> {
        let (size, limit) = (header.len(), self.birth.header_max);
        if size > limit {
            return Box::pin(async move { Err(LinkError::TooLarge { size, limit }) });
        }
        let (connection, counters) = (self.usable(), self.counters.clone());
        Box::pin(async move { open_bulk(connection.ok_or(LinkError::Closed)?, counters, header).await })
    }

    fn max_frame(&self) -> usize {
        self.birth.frame_max
    }

    fn round_trip(&self) -> Duration {
        self.connection().map_or(Duration::ZERO, |connection| connection.rtt())
    }

    fn queued(&self) -> usize {
        self.lanes.iter().map(|batch| batch.queued()).sum()
    }

    fn close(&self, reason: CloseReason) {
        {
            let mut note = self.close_note();
            if note.is_some() {
                return;
            }
            *note = Some(reason);
        }
        self.shut();
        self.closing.notify_one();
    }
}
