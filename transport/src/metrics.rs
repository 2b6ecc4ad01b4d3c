//! What a transport counts. Not a registry: the runtime reads a snapshot and publishes it.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a transport has counted since its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Links that are open.
    pub links: u64,
    /// Links that were opened.
    pub links_opened: u64,
    /// Connections that carried links: with `links_opened`, how often one took the place of another.
    pub connections: u64,
    /// Frames that were written again because their connection had broken.
    pub frames_replayed: u64,
    /// Bytes of frames that were given back because their link had ended.
    pub bytes_returned: u64,
    /// Words by which peers were told what has been received.
    pub acks_out: u64,
    /// Dials that were tried.
    pub dials: u64,
    /// Peers refused and dials failed, by kind (`wrong_authority`, `expired`, `unreachable`, …).
    pub refusals: BTreeMap<&'static str, u64>,
    /// Frames written to lanes.
    pub frames_out: u64,
    /// Writes to lanes: `frames_out` over this is how many frames share a write.
    pub batches_out: u64,
    /// Bytes written to lanes.
    pub bytes_out: u64,
    /// Reads of lanes that brought whole frames.
    pub batches_in: u64,
    /// Bytes of whole frames read from lanes.
    pub bytes_in: u64,
    /// Datagrams given to links.
    pub datagrams_out: u64,
    /// Datagrams received.
    pub datagrams_in: u64,
    /// Bulk streams opened here.
    pub bulk_out: u64,
    /// Bulk streams opened by peers.
    pub bulk_in: u64,
    /// Links closed because the peer broke the rules.
    pub violations: u64,
    /// UDP packets lost on the way, as far as is known. Zero in memory.
    pub packets_lost: u64,
    /// UDP packets sent. Zero in memory.
    pub packets_sent: u64,
    /// How often another identity took the place of the one before.
    pub renewals: u64,
    /// Connections ended because their peer's certificate was not accepted any longer.
    pub links_distrusted: u64,
    /// Streams stopped because their peer did not say in time what they bring.
    pub streams_stalled: u64,
    /// Strangers asked to show that they receive at their address, because many were in their handshake.
    pub handshakes_retried: u64,
    /// Calls of the operating system that sent UDP packets, many with each. Zero in memory.
    pub sends: u64,
    /// Strangers turned away before their handshake, because too many were in it.
    pub handshakes_shed: u64,
}

/// The counters behind [`Metrics`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) links_opened: AtomicU64,
    pub(crate) links_closed: AtomicU64,
    pub(crate) connections: AtomicU64,
    pub(crate) frames_replayed: AtomicU64,
    pub(crate) bytes_returned: AtomicU64,
    pub(crate) acks_out: AtomicU64,
    pub(crate) dials: AtomicU64,
    pub(crate) frames_out: AtomicU64,
    pub(crate) batches_out: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
    pub(crate) batches_in: AtomicU64,
    pub(crate) bytes_in: AtomicU64,
    pub(crate) datagrams_out: AtomicU64,
    pub(crate) datagrams_in: AtomicU64,
    pub(crate) bulk_out: AtomicU64,
    pub(crate) bulk_in: AtomicU64,
    pub(crate) violations: AtomicU64,
    pub(crate) packets_lost: AtomicU64,
    pub(crate) packets_sent: AtomicU64,
    pub(crate) sends: AtomicU64,
    pub(crate) renewals: AtomicU64,
    pub(crate) links_distrusted: AtomicU64,
    pub(crate) streams_stalled: AtomicU64,
    pub(crate) handshakes_retried: AtomicU64,
    pub(crate) handshakes_shed: AtomicU64,
    refusals: Mutex<BTreeMap<&'static str, u64>>,
}

/// Adds to a counter; order with other memory does not matter.
pub(crate) fn add(counter: &AtomicU64, value: usize) {
    counter.fetch_add(value as u64, Ordering::Relaxed);
}

impl Counters {
    /// Counts one refusal of a kind.
    pub(crate) fn refused(&self, kind: &'static str) {
        *self.refusals.lock().unwrap_or_else(PoisonError::into_inner).entry(kind).or_default() += 1;
    }

    /// The values as they are.
    pub(crate) fn snapshot(&self) -> Metrics {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let closed = read(&self.links_closed);
        let opened = read(&self.links_opened);
        Metrics {
            links: opened.saturating_sub(closed),
            links_opened: opened,
            connections: read(&self.connections),
            frames_replayed: read(&self.frames_replayed),
            bytes_returned: read(&self.bytes_returned),
            acks_out: read(&self.acks_out),
            dials: read(&self.dials),
            refusals: self.refusals.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            frames_out: read(&self.frames_out),
            batches_out: read(&self.batches_out),
            bytes_out: read(&self.bytes_out),
            batches_in: read(&self.batches_in),
            bytes_in: read(&self.bytes_in),
            datagrams_out: read(&self.datagrams_out),
            datagrams_in: read(&self.datagrams_in),
            bulk_out: read(&self.bulk_out),
            bulk_in: read(&self.bulk_in),
            violations: read(&self.violations),
            packets_lost: read(&self.packets_lost),
            packets_sent: read(&self.packets_sent),
            sends: read(&self.sends),
            renewals: read(&self.renewals),
            links_distrusted: read(&self.links_distrusted),
            streams_stalled: read(&self.streams_stalled),
            handshakes_retried: read(&self.handshakes_retried),
            handshakes_shed: read(&self.handshakes_shed),
        }
    }
}
