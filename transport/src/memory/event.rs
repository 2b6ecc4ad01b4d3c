//! What is due at one node of the simulated network, ordered by time and then by birth.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::pipe::Pipe;
use crate::contract::{CloseReason, Refusal};
use crate::lane::{Lane, REPLAYED};
use crate::peer::{Address, Peer, PeerName};
use crate::session::Resume;

/// Something that is due at one node.
pub(crate) enum Event {
    /// The user wants a link.
    Connect(Address),
    /// The user wants it no longer.
    Forget(Address),
    /// Time to dial.
    Dial(u64),
    /// A dial reaches the other end.
    DialArrives(u64),
    /// A dial was not answered.
    DialFails(u64, String),
    /// A peer was refused.
    Refused(Refusal),
    /// A connection is open, whose other end takes frames of so many bytes; the number is its id at both ends.
    Opened(Peer, u64, usize),
    /// Time to say again over a connection which session this end holds.
    Propose(u64),
    /// The other end says which session it holds.
    Resume(u64, Resume),
    /// The open batch of a lane can leave.
    Flush(u64, Lane),
    /// A batch of so many frames arrives.
    Arrive(u64, Lane, Bytes, usize),
    /// A batch that this node sent has arrived.
    Written(u64, Lane, usize),
    /// Time to say what has been received.
    Acknowledge(u64),
    /// The other end says what it has received.
    Acknowledged(u64, [u64; REPLAYED]),
    /// A datagram arrives.
    Datagram(u64, Bytes),
    /// A bulk stream arrives.
    Bulk(u64, Bytes, Arc<Pipe>),
    /// A sign of life arrives.
    Heard(u64),
    /// Time to show life.
    KeepAlive(u64),
    /// Time to see whether the link is idle.
    IdleCheck(u64),
    /// The connection ends.
    End(u64, CloseReason, Told),
    /// The user has closed the session.
    Close(PeerName, u64),
    /// Time to see whether the session has been without a connection for too long.
    Lapse(PeerName, u64),
    /// The transport dials no longer.
    Retire,
    /// The transport stops: all its links end.
    Stop(CloseReason),
}

/// Whether the other end of a connection has to be told that it ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// It is told, if the network lets it through.
    Peer,
    /// It knows, or must not know.
    Nobody,
}

/// The events of one node.
pub(crate) struct Inbox {
    due: Mutex<Due>,
    pub(crate) wake: Notify,
}

#[derive(Default)]
struct Due {
    events: BTreeMap<(Instant, u64), Event>,
    births: u64,
    shut: bool,
}

impl Inbox {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { due: Mutex::default(), wake: Notify::new() })
    }

    /// Makes an event due at `at`; dropped when the inbox is shut.
    pub(crate) fn post(&self, at: Instant, event: Event) {
        let mut due = self.lock();
        if due.shut {
            return;
        }
        due.births += 1;
        let key = (at, due.births);
        due.events.insert(key, event);
        let first = due.events.first_key_value().is_some_and(|(earliest, _)| *earliest == key);
        drop(due);
        if first {
            self.wake.notify_one();
        }
    }

    /// Makes an event due at once.
    pub(crate) fn post_now(&self, event: Event) {
        self.post(Instant::now(), event);
    }

    /// The first event that is due, else when the next one will be.
    pub(crate) fn next(&self, now: Instant) -> Result<Event, Option<Instant>> {
        let mut due = self.lock();
        match due.events.first_entry() {
            Some(entry) if entry.key().0 <= now => Ok(entry.remove()),
            Some(entry) => Err(Some(entry.key().0)),
            None => Err(None),
        }
    }

    /// Drops everything, and everything to come.
    pub(crate) fn shut(&self) {
        let events = {
            let mut due = self.lock();
            due.shut = true;
            std::mem::take(&mut due.events)
        };
        // Outside the lock: what an event holds may post when it is dropped.
        drop(events);
        self.wake.notify_one();
    }

    /// Whether the inbox is shut.
    pub(crate) fn is_shut(&self) -> bool {
        self.lock().shut
    }

    fn lock(&self) -> MutexGuard<'_, Due> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
