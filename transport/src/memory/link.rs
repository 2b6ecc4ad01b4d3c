//! One end of a link in memory, and the two ends of its bulk streams.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep};

use super::event::{Event, Inbox, Told};
use super::network::{Hub, Routed};
use super::pipe::Pipe;
use crate::batch::Batch;
use crate::config::Config;
use crate::contract::{BulkReceiver, BulkSender, CloseReason, Link, LinkError};
use crate::lane::{LANES, Lane};
use crate::metrics::{Counters, add};
use crate::peer::Peer;

/// What a QUIC datagram holds on a path of 1200 bytes.
const DATAGRAM_MAX: usize = 1150;

/// How long until something that did not get through is tried again: as a retransmission would.
pub(crate) const RETRY: Duration = Duration::from_millis(100);

pub(crate) struct MemoryLink {
    peer: Peer,
    session: u64,
    frame_max: usize,
    header_max: usize,
    window: usize,
    place: Place,
    lanes: [Arc<Batch>; LANES],
    life: Arc<Life>,
    round_trip_nanos: AtomicU64,
}

/// Whether the link is there, and what ends with it.
#[derive(Default)]
struct Life {
    gone: AtomicBool,
    pipes: Mutex<Vec<Weak<Pipe>>>,
}

/// Where an end of a link is.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) hub: Arc<Hub>,
    pub(crate) station: u64,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) counters: Arc<Counters>,
}

impl MemoryLink {
    pub(crate) fn new(peer: Peer, session: u64, frame_max: usize, config: &Config, place: Place) -> Self {
        Self {
            peer,
            session,
            frame_max,
            header_max: config.bulk_header_bytes_max,
            window: config.stream_window as usize,
            place,
            lanes: std::array::from_fn(|_| Arc::new(Batch::new(config.lane_bytes_max))),
            life: Arc::default(),
            round_trip_nanos: AtomicU64::new(0),
        }
    }

    pub(crate) fn batch(&self, lane: Lane) -> &Batch {
        &self.lanes[usize::from(lane.number())]
    }

    /// Takes no more frames; those queued still leave.
    pub(crate) fn drain(&self) {
        self.lanes.iter().for_each(|batch| batch.drain());
    }

    /// Completes when all queued frames have arrived.
    pub(crate) async fn drained(&self) {
        for batch in &self.lanes {
            batch.drained().await;
        }
    }

    /// Takes nothing more and breaks the bulk streams.
    pub(crate) fn cut(&self, why: &str) {
        self.stop_sending();
        let pipes = std::mem::take(&mut *self.life.pipes.lock().unwrap_or_else(PoisonError::into_inner));
        pipes.iter().filter_map(Weak::upgrade).for_each(|pipe| pipe.fail(why));
    }

    /// Keeps in mind a stream that ends with this link.
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

    /// Whether it is closed, though its end may not have been told yet.
    pub(crate) fn is_gone(&self) -> bool {
        self.life.gone.load(Ordering::Acquire)
    }

    fn stop_sending(&self) {
        self.life.gone.store(true, Ordering::Release);
        self.lanes.iter().for_each(|batch| batch.close());
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

impl Link for MemoryLink {
    fn peer(&self) -> &Peer {
        &self.peer
    }

    fn session(&self) -> u64 {
        self.session
    }

    fn send(&self, lane: Lane, encode: &mut dyn FnMut(&mut BytesMut)) -> Result<(), LinkError> {
        let first = self.batch(lane).push(self.frame_max, encode)?;
        if first {
            self.place.inbox.post_now(Event::Flush(self.session, lane));
        }
        Ok(())
    }

    fn ready(&self, lane: Lane) -> BoxFuture<'static, Result<(), LinkError>> {
        let batch = self.lanes[usize::from(lane.number())].clone();
        Box::pin(async move { batch.ready().await })
    }

    fn datagram(&self, payload: Bytes) -> Result<(), LinkError> {
        self.life.check()?;
        if payload.len() > DATAGRAM_MAX {
            return Err(LinkError::TooLarge { size: payload.len(), limit: DATAGRAM_MAX });
        }
        add(&self.place.counters.datagrams_out, 1);
        match self.place.hub.route(self.session, self.place.station, payload.len()) {
            Routed::Deliver(at, inbox) => inbox.post(at, Event::Datagram(self.session, payload)),
            Routed::Held | Routed::Broken => {}
        }
        Ok(())
    }

    fn max_datagram(&self) -> usize {
        DATAGRAM_MAX
    }

    fn open_bulk(&self, header: Bytes) -> BoxFuture<'static, Result<Box<dyn BulkSender>, LinkError>> {
        let (life, header_max, window) = (self.life.clone(), self.header_max, self.window);
        let (place, session) = (self.place.clone(), self.session);
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

    fn max_frame(&self) -> usize {
        self.frame_max
    }

    fn round_trip(&self) -> Duration {
        Duration::from_nanos(self.round_trip_nanos.load(Ordering::Relaxed))
    }

    fn queued(&self) -> usize {
        self.lanes.iter().map(|batch| batch.queued()).sum()
    }

    fn close(&self, reason: CloseReason) {
        self.stop_sending();
        self.place.inbox.post_now(Event::End(self.session, reason, Told::Peer));
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
