//! What has arrived for a driver and waits for its next turn: one queue that any thread may append to.
//!
//! Wake-once: only the first arrival after a turn wakes the driver. What users and peers send is bounded in bytes, each apart, so
//! that neither keeps the other out; answers to the driver's own requests are not, for there are no more of them than requests.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use synod_protocols::log::SnapshotMeta;
use synod_protocols::{LogIndex, NodeId, Protocol, Recovered, RequestId, SessionId};
use synod_transport::BulkReceiver;
use tokio::sync::{broadcast, oneshot};

use crate::address::MachineId;
use crate::driver::host::Host;
use crate::driver::seat::Seat;
use crate::driver::thaw::{ThawFault, Thawed};
use crate::storage::{ReadFault, SnapshotFault, WriteFault};

/// Something that has arrived.
pub(crate) enum Arrival<P: Protocol> {
    /// From a peer's driver.
    Frame { from: NodeId, session: SessionId, body: Bytes },
    /// From a peer's driver, a snapshot most likely.
    Bulk { from: NodeId, session: SessionId, header: Bytes, stream: Box<dyn BulkReceiver> },
    /// A link came up.
    Reachable { peer: NodeId, session: SessionId },
    /// A link went down.
    Unreachable { peer: NodeId, session: SessionId },
    /// A watched peer has fallen silent.
    Silent { peer: NodeId },
    /// A user's request.
    Command { machine: MachineId, command: P::Command, answer: Answer<P> },
    /// A machine is to be hosted.
    Create(Box<Creation<P>>),
    /// A machine is to be hosted no longer.
    Remove { machine: MachineId, done: oneshot::Sender<bool> },
    /// Somebody wants to hear a machine's events.
    Observe { machine: MachineId, observer: oneshot::Sender<Option<broadcast::Receiver<P::Event>>> },
    /// The write in flight has ended.
    Written(Result<(), WriteFault>),
    /// Whether the log has room for entries.
    Space(bool),
    /// Entries were read back.
    Loaded { seat: Seat, request: RequestId, result: Result<Vec<(LogIndex, Bytes)>, ReadFault> },
    /// A snapshot was written, and has so many bytes.
    SnapshotTaken { seat: Seat, result: Result<(SnapshotMeta, u64), SnapshotFault> },
    /// A snapshot was sent.
    SnapshotSent { seat: Seat, to: NodeId, index: LogIndex, delivered: bool },
    /// A snapshot was received.
    SnapshotReceived { seat: Seat, from: NodeId, message: P::Message, meta: SnapshotMeta },
    /// A received snapshot is the newest, and this is what it holds.
    Installed { seat: Seat, result: Result<(SnapshotMeta, Thawed), ThawFault> },
    /// The snapshot of a machine that is about to be hosted was read.
    Thawed { machine: MachineId, result: Result<(SnapshotMeta, Thawed), ThawFault> },
    /// Let what was promised become durable, then stop.
    Shutdown { done: oneshot::Sender<()> },
}

/// Who waits for a command's reply. Dropped without one, the waiting side learns that the outcome is unknown.
pub(crate) struct Answer<P: Protocol>(pub(crate) oneshot::Sender<Result<P::Reply, Unanswered>>);

impl<P: Protocol> Answer<P> {
    pub(crate) fn give(self, result: Result<P::Reply, Unanswered>) {
        // A caller that has lost interest has dropped its end.
        let _ = self.0.send(result);
    }
}

/// Why a command gets no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// There is no such machine.
    NoSuchMachine,
    /// The driver had stopped before it took the command.
    Stopped,
}

/// A machine to be hosted, with all that was found of it.
pub(crate) struct Creation<P: Protocol> {
    pub(crate) machine: MachineId,
    pub(crate) name: Arc<str>,
    pub(crate) config: P::Config,
    pub(crate) recovered: Recovered<P::Record>,
    pub(crate) host: Box<dyn FnOnce() -> Box<dyn Host<P>> + Send>,
    pub(crate) done: oneshot::Sender<Result<(), Uncreated>>,
}

/// Why a machine could not be hosted.
#[derive(Debug)]
pub(crate) enum Uncreated {
    /// It is hosted already.
    Exists,
    /// Its snapshot cannot be read, or the host did not take it.
    Snapshot(ThawFault),
    /// The driver stops.
    Stopped,
}

/// How many bytes may wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FeedLimits {
    /// Of users.
    pub(crate) user_bytes: usize,
    /// Of peers.
    pub(crate) peer_bytes: usize,
}

/// The queue of one driver.
pub(crate) struct Feed<P: Protocol> {
    limits: FeedLimits,
    waiting: Mutex<Waiting<P>>,
    waker: AtomicWaker,
}

struct Waiting<P: Protocol> {
    arrivals: Vec<Arrival<P>>,
    user_bytes: usize,
    peer_bytes: usize,
    closed: bool,
}

/// Why something was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Too much waits already.
    Full,
    /// The driver takes nothing any more.
    Closed,
}

impl<P: Protocol> Feed<P> {
    pub(crate) fn new(limits: FeedLimits) -> Arc<Self> {
        let waiting = Waiting { arrivals: Vec::new(), user_bytes: 0, peer_bytes: 0, closed: false };
        Arc::new(Self { limits, waiting: Mutex::new(waiting), waker: AtomicWaker::new() })
    }

    /// Takes what a user sent, if there is room.
    pub(crate) fn push_user(&self, bytes: usize, arrival: Arrival<P>) -> Result<(), Refused> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(Refused::Closed);
        }
        if waiting.user_bytes > 0 && waiting.user_bytes + bytes > self.limits.user_bytes {
            return Err(Refused::Full);
        }
        waiting.user_bytes += bytes;
        self.append(waiting, arrival);
        Ok(())
    }

    /// Takes what a peer sent, if there is room.
    pub(crate) fn push_peer(&self, bytes: usize, arrival: Arrival<P>) -> Result<(), Refused> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(Refused::Closed);
        }
        if waiting.peer_bytes > 0 && waiting.peer_bytes + bytes > self.limits.peer_bytes {
            return Err(Refused::Full);
        }
        waiting.peer_bytes += bytes;
        self.append(waiting, arrival);
        Ok(())
    }

    /// Takes an answer to the driver's own request. Once the driver has stopped, nobody waits for it.
    pub(crate) fn push(&self, arrival: Arrival<P>) {
        let waiting = self.lock();
        if !waiting.closed {
            self.append(waiting, arrival);
        }
    }

    /// Takes everything that has arrived, in order.
    pub(crate) fn take(&self) -> Vec<Arrival<P>> {
        let mut waiting = self.lock();
        waiting.user_bytes = 0;
        waiting.peer_bytes = 0;
        std::mem::take(&mut waiting.arrivals)
    }

    /// Takes nothing any more; gives what had arrived.
    pub(crate) fn close(&self) -> Vec<Arrival<P>> {
        let mut waiting = self.lock();
        waiting.closed = true;
        std::mem::take(&mut waiting.arrivals)
    }

    /// Whether something waits; if not, `waker` is woken when something comes.
    pub(crate) fn poll(&self, waker: &Waker) -> bool {
        self.waker.register(waker);
        !self.lock().arrivals.is_empty()
    }

    fn append(&self, mut waiting: MutexGuard<'_, Waiting<P>>, arrival: Arrival<P>) {
        let first = waiting.arrivals.is_empty();
        waiting.arrivals.push(arrival);
        drop(waiting);
        if first {
            self.waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<P>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
