//! From one publication to all subscribers of a node: read once, handed on by one task of each topic, in order.
//!
//! What waits for it is bounded; a subscriber without room misses what is published meanwhile, and nobody waits for it.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::actor::Core;
use crate::scope::Decoder;
use crate::topics::meters::{Dropped, Meters};

/// How many publications wait for the task of a topic at most, and how many bytes of them.
const WAITING_MAX: usize = 4096;
const WAITING_BYTES_MAX: usize = 16 << 20;
/// After how many of them the task lets others go first.
const AT_A_TIME: usize = 16;

/// The subscribers of a topic without the type of its messages.
pub(super) trait Fan: Any + Send + Sync {
    /// Takes a publication of another node. Does not block.
    fn offer(&self, payload: Bytes);

    /// Whether nobody subscribes.
    fn is_empty(&self) -> bool;

    /// The subscribers with the type.
    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

/// What a subscriber does with a publication; `false` when it has no room.
pub(super) type Hearing<M> = Box<dyn Fn(M) -> bool + Send>;

/// Who a subscriber is among those of its topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    /// An actor.
    Actor(u64),
    /// A subscription of a program, by the order in which they came.
    Stream(u64),
}

/// The subscribers of a topic.
pub(super) struct Hub<M> {
    meters: Meters,
    subscribers: Mutex<BTreeMap<Who, Hearing<M>>>,
    waiting: Sender<Waiting<M>>,
    bytes: AtomicUsize,
    /// How many programs have ever subscribed.
    streams: AtomicU64,
}

enum Waiting<M> {
    /// From another node.
    Frame(Bytes),
    /// From this one.
    Value(M),
}

impl<M: DeserializeOwned + Clone + Send + 'static> Hub<M> {
    /// A topic without subscribers, whose task runs at this place of the node.
    pub(super) fn start(core: &Arc<Core>, place: usize, meters: Meters) -> Arc<Self> {
        let (waiting, publications) = channel(WAITING_MAX);
        let hub = Arc::new(Self {
            meters,
            subscribers: Mutex::default(),
            waiting,
            bytes: AtomicUsize::new(0),
            streams: AtomicU64::new(0),
        });
        // It ends with the last handle: nobody can publish or subscribe then.
        let work = Arc::downgrade(&hub);
        let decoder = Decoder::new(core.clone());
        let limit = core.settings.limits.message_bytes_max;
        core.run(place, spread(work, publications, decoder, limit));
        hub
    }

    /// Another program, whichever handle of the topic it has.
    pub(super) fn newcomer(&self) -> Who {
        Who::Stream(self.streams.fetch_add(1, Ordering::Relaxed))
    }

    /// Adds a subscriber; `false` when it is one.
    pub(super) fn enter(&self, who: Who, hearing: Hearing<M>) -> bool {
        let mut subscribers = self.subscribers();
        if subscribers.contains_key(&who) {
            return false;
        }
        subscribers.insert(who, hearing);
        self.meters.subscribers.inc();
        true
    }

    /// Takes a subscriber out; says whether it was one.
    pub(super) fn leave(&self, who: Who) -> bool {
        let gone = self.subscribers().remove(&who);
        if gone.is_some() {
            self.meters.subscribers.dec();
        }
        gone.is_some()
    }

    /// Takes a publication of this node. Does not block.
    pub(super) fn offer_value(&self, message: M) {
        if self.waiting.try_send(Waiting::Value(message)).is_err() {
            self.meters.dropped(Dropped::Node).inc();
        }
    }

    fn hand(&self, publication: Waiting<M>, decoder: &mut Decoder, limit: usize) {
        let message = match publication {
            Waiting::Value(message) => message,
            Waiting::Frame(payload) => {
                self.bytes.fetch_sub(payload.len(), Ordering::Relaxed);
                match decoder.decode(&payload, limit) {
                    Ok(message) => message,
                    Err(error) => {
                        tracing::debug!(%error, kind = std::any::type_name::<M>(), "a publication cannot be read");
                        self.meters.dropped(Dropped::Unreadable).inc();
                        return;
                    }
                }
            }
        };
        let (mut heard, mut missed) = (0, 0);
        for hearing in self.subscribers().values() {
            if hearing(message.clone()) { heard += 1 } else { missed += 1 }
        }
        self.meters.delivered.inc_by(heard);
        self.meters.dropped(Dropped::Subscriber).inc_by(missed);
    }

    fn subscribers(&self) -> MutexGuard<'_, BTreeMap<Who, Hearing<M>>> {
        self.subscribers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M: DeserializeOwned + Clone + Send + 'static> Fan for Hub<M> {
    fn offer(&self, payload: Bytes) {
        let bytes = payload.len();
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let has_room = before + bytes <= WAITING_BYTES_MAX;
        if !has_room || self.waiting.try_send(Waiting::Frame(payload)).is_err() {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.meters.dropped(Dropped::Node).inc();
        }
    }

    fn is_empty(&self) -> bool {
        self.subscribers().is_empty()
    }

    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

async fn spread<M: DeserializeOwned + Clone + Send + 'static>(
    hub: Weak<Hub<M>>,
    mut publications: Receiver<Waiting<M>>,
    mut decoder: Decoder,
    limit: usize,
) {
    let mut batch = Vec::new();
    while publications.recv_many(&mut batch, AT_A_TIME).await > 0 {
        let Some(hub) = hub.upgrade() else { return };
        for publication in batch.drain(..) {
            hub.hand(publication, &mut decoder, limit);
        }
        drop(hub);
        tokio::task::yield_now().await;
    }
}
