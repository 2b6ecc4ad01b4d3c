//! One end of a connection in memory, and the two ends of its bulk streams.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep};

use super::event::{Event, Inbox};
use super::network::{Hub, Routed};
use super::pipe::Pipe;
use crate::config::Config;
use crate::contract::{BulkReceiver, BulkSender, LinkError};
use crate::lane::Lane;
use crate::metrics::{Counters, add};
use crate::peer::Peer;
use crate::session::Carrier;

/// What a QUIC datagram holds on a path of 1200 bytes.
const DATAGRAM_MAX: usize = 1150;

/// How long until something that did not get through is tried again: as a retransmission would.
pub(crate) const RETRY: Duration = Duration::from_millis(100);

pub(crate) struct MemoryLink {
    peer: Peer,
    number: u64,
    header_max: usize,
    window: usize,
    place: Place,
    life: Arc<Life>,
    round_trip_nanos: AtomicU64,
}

/// Whether the connection is there, and what ends with it.
#[derive(Default)]
struct Life {
    gone: AtomicBool,
    pipes: Mutex<Vec<Weak<Pipe>>>,
}

/// Where an end of a connection is.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) hub: Arc<Hub>,
    pub(crate) station: u64,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) counters: Arc<Counters>,
}

impl MemoryLink {
    pub(crate) fn new(peer: Peer, number: u64, config: &Config, place: Place) -> Self {
        Self {
            peer,
            number,
            header_max: config.bulk_header_bytes_max,
            window: config.stream_window as usize,
            place,
            life: Arc::default(),
            round_trip_nanos: AtomicU64::new(0),
        }
    }

    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Takes nothing more and breaks the bulk streams.
    pub(crate) fn cut(&self, why: &str) {
        self.life.gone.store(true, Ordering::Release);
        let pipes = std::mem::take(&mut *self.life.pipes.lock().unwrap_or_else(PoisonError::into_inner));
        pipes.iter().filter_map(Weak::upgrade).for_each(|pipe| pipe.fail(why));
    }

    /// Keeps in mind a stream that ends with this connection.
    pub(crate) fn adopt(&self, pipe: &Arc<Pipe>) {
        self.life.adopt(pipe);
    }

    /// Takes one more measured delay, one way, into the round trip.
    pub(crate) fn measured(&self, delay: Duration) {
        let nanos = u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX).saturating_mul(2);
        let before = self.round_trip_nanos.load(Ordering::Relaxed);
        let smoothed = if before == 0 { nanos } else { before - before / 8 + nanos / 8 };
        self.round_trip_nanos.store(smoothed, Ordering::Relaxed);
    }
}

impl Life {
    fn adopt(&self, pipe: &Arc<Pipe>) {
        let mut pipes = self.pipes.lock().unwrap_or_else(PoisonError::into_inner);
        pipes.retain(|pipe| pipe.strong_count() > 0);
        pipes.push(Arc::downgrade(pipe));
    }

    fn check(&self) -> Result<(), LinkError> {
        if self.gone.load(Ordering::Acquire) { Err(LinkError::Closed) } else { Ok(()) }
    }
}

impl Carrier for MemoryLink {
    fn number(&self) -> u64 {
        self.number
    }

    fn nudge(&self, lane: Lane) {
        self.place.inbox.post_now(Event::Flush(self.number, lane));
    }

    fn datagram(&self, payload: Bytes) -> Result<(), LinkError> {
        self.life.check()?;
        if payload.len() > DATAGRAM_MAX {
            return Err(LinkError::TooLarge { size: payload.len(), limit: DATAGRAM_MAX });
        }
        add(&self.place.counters.datagrams_out, 1);
        match self.place.hub.route(self.number, self.place.station, payload.len()) {
            Routed::Deliver(at, inbox) => inbox.post(at, Event::Datagram(self.number, payload)),
            Routed::Held | Routed::Broken => {}
        }
        Ok(())
    }

    fn max_datagram(&self) -> usize {
        DATAGRAM_MAX
    }

    fn open_bulk(&self, header: Bytes) -> BoxFuture<'static, Result<Box<dyn BulkSender>, LinkError>> {
        let (life, header_max, window) = (self.life.clone(), self.header_max, self.window);
        let (place, session) = (self.place.clone(), self.number);
        Box::pin(async move {
            life.check()?;
            if header.len() > header_max {
                return Err(LinkError::TooLarge { size: header.len(), limit: header_max });
            }
            let pipe = Pipe::new(window);
            life.adopt(&pipe);
            let mut sender = MemoryBulk { pipe: pipe.clone(), place, session, finished: false };
            let (at, inbox) = sender.routed(header.len()).await.map_err(|_| LinkError::Closed)?;
            inbox.post(at, Event::Bulk(session, header, pipe));
            add(&sender.place.counters.bulk_out, 1);
            Ok(Box::new(sender) as Box<dyn BulkSender>)
        })
    }

    fn round_trip(&self) -> Duration {
        Duration::from_nanos(self.round_trip_nanos.load(Ordering::Relaxed))
    }
}

/// The sending end of a bulk stream.
struct MemoryBulk {
    pipe: Arc<Pipe>,
    place: Place,
    session: u64,
    finished: bool,
}

impl MemoryBulk {
    /// Waits until the network lets `bytes` through; gives when and where they arrive.
    async fn routed(&mut self, bytes: usize) -> Result<(Instant, Arc<Inbox>), LinkError> {
        loop {
            self.pipe.check()?;
            match self.place.hub.route(self.session, self.place.station, bytes) {
                Routed::Deliver(at, inbox) => return Ok((at, inbox)),
                Routed::Held | Routed::Broken => sleep(RETRY).await,
            }
        }
    }
}

impl BulkSender for MemoryBulk {
    fn write(&mut self, chunk: Bytes) -> BoxFuture<'_, Result<(), LinkError>> {
        Box::pin(async move {
            self.pipe.room().await?;
            let (at, _) = self.routed(chunk.len()).await?;
            self.pipe.put(at, chunk)
        })
    }

    fn finish(&mut self) -> BoxFuture<'_, Result<(), LinkError>> {
        Box::pin(async move {
            let (at, _) = self.routed(0).await?;
            let arrives = self.pipe.finish(at)?;
            self.finished = true;
            tokio::time::sleep_until(arrives).await;
            self.pipe.check()
        })
    }
}

impl Drop for MemoryBulk {
    fn drop(&mut self) {
        if !self.finished {
            self.pipe.fail("the sender gave up");
        }
    }
}

/// The receiving end of a bulk stream.
pub(crate) struct MemoryBulkReceiver {
    pub(crate) pipe: Arc<Pipe>,
}

impl BulkReceiver for MemoryBulkReceiver {
    fn read(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, LinkError>> {
        Box::pin(self.pipe.read())
    }
}

impl Drop for MemoryBulkReceiver {
    fn drop(&mut self) {
        if !self.pipe.is_read() {
            self.pipe.fail("the receiver gave up");
        }
    }
}
