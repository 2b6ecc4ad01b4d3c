//! One QUIC connection between two ends that have shaken hands, as the session that it carries uses it.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use quinn::{Connection, SendDatagramError};
use tokio::sync::{Notify, watch};

use super::bulk::open_bulk;
use crate::contract::{BulkSender, CloseReason, LinkError};
use crate::lane::Lane;
use crate::metrics::{Counters, add};
use crate::peer::Peer;
use crate::session::Carrier;

pub(crate) struct QuicLink {
    pub(crate) birth: Birth,
    /// Taken out at the end: it holds the socket, and so the address, which users of ended links must not keep.
    connection: RwLock<Option<Connection>>,
    pub(crate) counters: Arc<Counters>,
    closed_by_us: Mutex<Option<CloseReason>>,
    /// Told when this end closes the connection: for the connection's own task.
    pub(crate) closing: Notify,
    closed_by_peer: OnceLock<CloseReason>,
    lanes_seen: AtomicU8,
    over: watch::Sender<bool>,
}

/// What the handshake settled.
#[derive(Clone, Debug)]
pub(crate) struct Birth {
    pub(crate) peer: Peer,
    /// This end's number for the connection.
    pub(crate) number: u64,
    /// The arbiter's incarnation and its number for the connection: the same at both ends.
    pub(crate) id: (u64, u64),
    pub(crate) frame_max: usize,
    pub(crate) header_max: usize,
}

impl QuicLink {
    pub(crate) fn new(birth: Birth, connection: Connection, counters: Arc<Counters>) -> Self {
        Self {
            birth,
            connection: RwLock::new(Some(connection)),
            counters,
            closed_by_us: Mutex::new(None),
            closing: Notify::new(),
            closed_by_peer: OnceLock::new(),
            lanes_seen: AtomicU8::new(0),
            over: watch::Sender::new(false),
        }
    }

    /// Whether this is the first stream of the peer of a kind: the lane's number, or the one after the lanes for acknowledgements.
    pub(crate) fn first_of(&self, kind: u8) -> bool {
        let bit = 1 << kind;
        self.lanes_seen.fetch_or(bit, Ordering::Relaxed) & bit == 0
    }

    /// Closes the connection; the peer is told the reason.
    pub(crate) fn close(&self, reason: CloseReason) {
        {
            let mut note = self.close_note();
            if note.is_some() {
                return;
            }
            *note = Some(reason);
        }
        self.closing.notify_one();
    }

    /// Why this end closed the connection, if it did.
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
        self.connection.write().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Says that nothing more of it is heard.
    pub(crate) fn ended(&self) {
        self.over.send_replace(true);
    }

    /// Whether nothing more of it is heard.
    pub(crate) fn is_over(&self) -> bool {
        *self.over.borrow()
    }

    /// Completes when nothing more of it is heard.
    pub(crate) async fn until_over(&self) {
        let mut over = self.over.subscribe();
        // The sender lives in `self`.
        let _ = over.wait_for(|over| *over).await;
    }

    /// The connection, until this end closes it.
    fn usable(&self) -> Option<Connection> {
        self.connection().filter(|_| self.closed_by_us().is_none())
    }

    fn close_note(&self) -> MutexGuard<'_, Option<CloseReason>> {
        self.closed_by_us.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Carrier for QuicLink {
    fn number(&self) -> u64 {
        self.birth.number
    }

    /// The writer was woken by the lane itself.
    fn nudge(&self, _lane: Lane) {}

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

    fn round_trip(&self) -> Duration {
        self.connection().map_or(Duration::ZERO, |connection| connection.rtt())
    }
}
