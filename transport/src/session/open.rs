//! A session as its users hold it: lanes that outlive connections, and the connection that carries them just then.
//!
//! Opens and ends no connection; that is the implementation's business, which tells it what carries it and when that broke.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::receipts::Receipts;
use super::replay::Impossible;
use crate::batch::Batch;
use crate::config::Config;
use crate::contract::{BulkSender, CloseReason, Frames, Link, LinkError, Receiver, Undelivered};
use crate::lane::{LANES, Lane, REPLAYED};
use crate::metrics::{Counters, add};
use crate::peer::{Peer, PeerName};

/// What both ends call a session: the arbiter's incarnation and its number for the connection that began it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionName(pub(crate) u64, pub(crate) u64);

/// One connection, as a session uses it.
pub(crate) trait Carrier: Send + Sync {
    /// The connection's number, never repeated within this process.
    fn number(&self) -> u64;

    /// A lane that was empty has something to write.
    fn nudge(&self, lane: Lane);

    /// As [`Link::datagram`].
    fn datagram(&self, payload: Bytes) -> Result<(), LinkError>;

    /// As [`Link::max_datagram`].
    fn max_datagram(&self) -> usize;

    /// As [`Link::open_bulk`].
    fn open_bulk(&self, header: Bytes) -> BoxFuture<'static, Result<Box<dyn BulkSender>, LinkError>>;

    /// As [`Link::round_trip`].
    fn round_trip(&self) -> Duration;
}

/// A session.
pub(crate) struct Session {
    peer: Peer,
    id: u64,
    name: SessionName,
    frame_max: usize,
    lanes: [Arc<Batch>; LANES],
    pub(crate) receipts: Receipts,
    carrier: RwLock<Option<Arc<dyn Carrier>>>,
    phase: watch::Sender<Phase>,
    closed_by_us: Mutex<Option<CloseReason>>,
    /// Called when this end closes the session, for the implementation to end it.
    closer: Box<dyn Fn() + Send + Sync>,
}

/// How a session is carried.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    /// By nothing, since then, because of that.
    Interrupted(Instant, CloseReason),
    /// The two ends settle over this connection how to go on; until then as before.
    Resuming(u64, Instant, CloseReason),
    /// By this connection.
    Carried(u64),
    /// It has ended.
    Over,
}

/// What a session is born with.
pub(crate) struct Birth {
    pub(crate) peer: Peer,
    /// This end's number for it.
    pub(crate) id: u64,
    pub(crate) name: SessionName,
    pub(crate) frame_max: usize,
}

/// Whether no connection that comes later goes on with a session that ended so.
pub(crate) fn is_final(reason: &CloseReason) -> bool {
    match reason {
        CloseReason::Shutdown
        | CloseReason::Restarted
        | CloseReason::Forgotten
        | CloseReason::Violation(_) => true,
        CloseReason::Replaced | CloseReason::Idle | CloseReason::Lost(_) => false,
    }
}

impl Session {
    /// A session that nothing carries yet.
    pub(crate) fn new(birth: Birth, config: &Config, closer: impl Fn() + Send + Sync + 'static) -> Self {
        let Birth { peer, id, name, frame_max } = birth;
        let lane = |number: usize| {
            let replayed = (number < REPLAYED).then_some(config.replay_bytes_max);
            Arc::new(Batch::new(config.lane_bytes_max, replayed))
        };
        let unborn = Phase::Interrupted(Instant::now(), CloseReason::Lost("it has not begun".to_owned()));
        Self {
            peer,
            id,
            name,
            frame_max,
            lanes: std::array::from_fn(lane),
            receipts: Receipts::default(),
            carrier: RwLock::new(None),
            phase: watch::Sender::new(unborn),
            closed_by_us: Mutex::new(None),
            closer: Box::new(closer),
        }
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn name(&self) -> SessionName {
        self.name
    }

    pub(crate) fn name_of_peer(&self) -> &PeerName {
        &self.peer.name
    }

    /// Whether the peer is this very incarnation.
    pub(crate) fn is_with(&self, peer: &Peer) -> bool {
        self.peer == *peer
    }

    /// The session as its users hold it.
    pub(crate) fn handle(self: &Arc<Self>) -> Arc<dyn Link> {
        self.clone()
    }

    pub(crate) fn batch(&self, lane: Lane) -> &Arc<Batch> {
        &self.lanes[usize::from(lane.number())]
    }

    /// Why this end closed the session, if it did.
    pub(crate) fn closed_by_us(&self) -> Option<CloseReason> {
        self.close_note().clone()
    }

    /// The two ends begin to settle over a connection how to go on; `false` when the session has ended.
    pub(crate) fn begin(&self, connection: u64) -> bool {
        self.phase.send_if_modified(|phase| {
            if let Phase::Interrupted(since, reason) | Phase::Resuming(_, since, reason) = phase {
                *phase = Phase::Resuming(connection, *since, reason.clone());
                return true;
            }
            false
        })
    }

    /// A connection carries the session from here on; the peer has received so much. Gives how many frames are written again;
    /// `None` when the session has ended or another connection is there.
    pub(crate) fn attach(
        &self,
        carrier: Arc<dyn Carrier>,
        received: [u64; REPLAYED],
    ) -> Result<Option<u64>, Impossible> {
        let number = carrier.number();
        if !matches!(&*self.phase.borrow(), Phase::Resuming(expected, ..) if *expected == number) {
            return Ok(None);
        }
        let mut again = 0;
        for (lane, batch) in self.lanes.iter().enumerate() {
            again += batch.attach(number, received.get(lane).copied().unwrap_or_default())?;
        }
        *self.carrier.write().unwrap_or_else(PoisonError::into_inner) = Some(carrier);
        self.phase.send_replace(Phase::Carried(number));
        Ok(Some(again))
    }

    /// A connection is gone; gives whether it carried the session.
    pub(crate) fn interrupt(&self, connection: u64, reason: &CloseReason) -> bool {
        let mut carried = false;
        self.phase.send_if_modified(|phase| {
            match phase {
                Phase::Carried(number) if *number == connection => {
                    carried = true;
                    *phase = Phase::Interrupted(Instant::now(), reason.clone());
                }
                Phase::Resuming(number, since, why) if *number == connection => {
                    *phase = Phase::Interrupted(*since, why.clone());
                }
                Phase::Carried(_) | Phase::Resuming(..) | Phase::Interrupted(..) | Phase::Over => {
                    return false;
                }
            }
            true
        });
        self.lanes.iter().for_each(|batch| batch.detach(connection));
        if carried {
            self.carrier.write().unwrap_or_else(PoisonError::into_inner).take();
        }
        carried
    }

    /// The connection that carries the session, or over which the two ends settle how to go on.
    pub(crate) fn connection_in_use(&self) -> Option<u64> {
        match &*self.phase.borrow() {
            Phase::Carried(number) | Phase::Resuming(number, ..) => Some(*number),
            Phase::Interrupted(..) | Phase::Over => None,
        }
    }

    /// Since when nothing carries the session, and why.
    pub(crate) fn interrupted(&self) -> Option<(Instant, CloseReason)> {
        match &*self.phase.borrow() {
            Phase::Interrupted(since, reason) => Some((*since, reason.clone())),
            Phase::Carried(_) | Phase::Resuming(..) | Phase::Over => None,
        }
    }

    /// Ends the session; `false` when it had ended.
    pub(crate) fn finish(&self) -> bool {
        let first = self.phase.send_replace(Phase::Over) != Phase::Over;
        self.lanes.iter().for_each(|batch| batch.close());
        self.carrier.write().unwrap_or_else(PoisonError::into_inner).take();
        first
    }

    /// Gives everything back that the peer is not known to have received, in the order of each lane. After the end only.
    pub(crate) fn give_back(
        self: &Arc<Self>,
        receiver: &dyn Receiver,
        counters: &Counters,
        reason: &CloseReason,
    ) {
        let link = self.handle();
        for lane in Lane::all().filter(|lane| lane.is_replayed()) {
            let (written, unsent) = self.batch(lane).give_back();
            let written = written.into_iter().map(|bytes| (bytes, Undelivered::Unacknowledged));
            for (bytes, known) in written.chain([(unsent, Undelivered::NeverSent)]) {
                if !bytes.is_empty() {
                    add(&counters.bytes_returned, bytes.len());
                    receiver.returned(&link, Frames::new(bytes), known, reason);
                }
            }
        }
    }

    /// Completes with the reason when nothing has carried the session for `window`; never when it ends otherwise.
    pub(crate) async fn lapsed(&self, window: Duration) -> CloseReason {
        let mut phase = self.phase.subscribe();
        loop {
            // The sender lives in `self`.
            let _ = phase.wait_for(|phase| matches!(phase, Phase::Interrupted(..))).await;
            let Some((since, reason)) = self.interrupted() else { continue };
            let resumed = phase.wait_for(|phase| !matches!(phase, Phase::Interrupted(..)));
            if timeout_at(since + window, resumed).await.is_err() {
                return reason;
            }
        }
    }

    /// Completes when the session has ended.
    pub(crate) async fn until_over(&self) {
        // The sender lives in `self`.
        let _ = self.phase.subscribe().wait_for(|phase| *phase == Phase::Over).await;
    }

    /// Takes no more frames; those queued still leave.
    pub(crate) fn drain(&self) {
        self.lanes.iter().for_each(|batch| batch.drain());
    }

    /// Completes when the peer has received all frames of a session that drains, or nothing carries it.
    pub(crate) async fn drained(&self) {
        let all = async {
            for batch in &self.lanes {
                batch.drained().await;
            }
        };
        let mut phase = self.phase.subscribe();
        tokio::select! {
            biased;
            () = all => {}
            _ = phase.wait_for(|phase| matches!(phase, Phase::Interrupted(..) | Phase::Over)) => {}
        }
    }

    fn carrier(&self) -> RwLockReadGuard<'_, Option<Arc<dyn Carrier>>> {
        self.carrier.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn close_note(&self) -> MutexGuard<'_, Option<CloseReason>> {
        self.closed_by_us.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Link for Session {
    fn peer(&self) -> &Peer {
        &self.peer
    }

    fn session(&self) -> u64 {
        self.id
    }

    fn connection(&self) -> Option<u64> {
        self.carrier().as_ref().map(|carrier| carrier.number())
    }

    fn send(&self, lane: Lane, encode: &mut dyn FnMut(&mut BytesMut)) -> Result<(), LinkError> {
        let first = self.batch(lane).push(self.frame_max, encode)?;
        if first && let Some(carrier) = &*self.carrier() {
            carrier.nudge(lane);
        }
        Ok(())
    }

    fn ready(&self, lane: Lane) -> BoxFuture<'static, Result<(), LinkError>> {
        let batch = self.batch(lane).clone();
        Box::pin(async move { batch.ready().await })
    }

    fn datagram(&self, payload: Bytes) -> Result<(), LinkError> {
        let carrier = self.carrier();
        let usable = carrier.as_ref().filter(|_| self.closed_by_us().is_none());
        usable.ok_or(LinkError::Closed)?.datagram(payload)
    }

    fn max_datagram(&self) -> usize {
        self.carrier().as_ref().map_or(0, |carrier| carrier.max_datagram())
    }

    fn open_bulk(&self, header: Bytes) -> BoxFuture<'static, Result<Box<dyn BulkSender>, LinkError>> {
        match &*self.carrier() {
            Some(carrier) if self.closed_by_us().is_none() => carrier.open_bulk(header),
            Some(_) | None => Box::pin(async { Err(LinkError::Closed) }),
        }
    }

    fn max_frame(&self) -> usize {
        self.frame_max
    }

    fn round_trip(&self) -> Duration {
        self.carrier().as_ref().map_or(Duration::ZERO, |carrier| carrier.round_trip())
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
        self.lanes.iter().for_each(|batch| batch.close());
        (self.closer)();
    }
}
