//! The queue before an actor: bounded in messages and bytes, first in, first out, filled from any thread, emptied by one pump.
//!
//! Not actix's mailbox, whose capacity does not bound. Here a full queue refuses at once and says so.

use std::any::TypeId;
use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::vec;

use bytes::Bytes;
use synod_protocols::Timestamp;

use super::message::LocalMessage;
use crate::cluster::Session;
use crate::error::Cause;

/// The queue of one actor.
pub(crate) struct Feed {
    /// The actor's slot and generation.
    pub(crate) actor: u64,
    pub(crate) interfaces: Vec<Offered>,
    limits: FeedLimits,
    state: Mutex<State>,
}

/// An interface of an actor.
pub(crate) struct Offered {
    /// Our type of the interface.
    pub(crate) key: TypeId,
    pub(crate) name: &'static str,
    /// The interface's number on this node.
    pub(crate) number: u16,
    /// Whether identities that are no members may call it.
    pub(crate) clients: bool,
}

/// How much a feed holds.
#[derive(Clone, Copy)]
pub(crate) struct FeedLimits {
    pub(crate) messages: usize,
    /// Of frames; a local message has the size of its type.
    pub(crate) bytes: usize,
}

/// What waits in a feed.
pub(crate) enum Item {
    Local(LocalItem),
    /// In a box, so that a queue of local messages is no wider than they are.
    Remote(Box<Run>),
}

/// A message of the same node.
pub(crate) struct LocalItem {
    /// The position of the interface among the actor's.
    pub(crate) interface: u16,
    /// The position of the message in the interface.
    pub(crate) message: u16,
    pub(crate) size: usize,
    pub(crate) call: Box<dyn LocalMessage>,
}

/// Frames for one actor that came with one read of one link.
pub(crate) struct Run {
    pub(crate) session: Arc<Session>,
    pub(crate) received: Timestamp,
    pub(crate) frames: vec::IntoIter<Bytes>,
}

/// What a pump has taken out for good.
#[derive(Default)]
pub(crate) struct Spent {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Item>,
    /// Messages and bytes in the queue and in the pump's hands.
    messages: usize,
    bytes: usize,
    waker: Option<Waker>,
    stopping: bool,
    closed: Option<Cause>,
}

impl Feed {
    pub(crate) fn new(actor: u64, interfaces: Vec<Offered>, limits: FeedLimits) -> Self {
        Self { actor, interfaces, limits, state: Mutex::default() }
    }

    /// Appends a message of this node; gives it back with the cause when it is refused.
    pub(crate) fn push(&self, item: LocalItem) -> Result<(), (LocalItem, Cause)> {
        let mut state = self.lock();
        if let Some(cause) = state.refusal(self.limits) {
            return Err((item, cause));
        }
        state.messages += 1;
        state.bytes += item.size;
        state.queue.push_back(Item::Local(item));
        wake(state);
        Ok(())
    }

    /// Appends frames; gives back with the cause those that are refused.
    pub(crate) fn push_frames(
        &self,
        session: &Arc<Session>,
        received: Timestamp,
        mut frames: Vec<Bytes>,
    ) -> Result<(), (Vec<Bytes>, Cause)> {
        let mut state = self.lock();
        let mut taken = 0;
        let mut cause = None;
        for frame in &frames {
            cause = state.refusal(self.limits);
            if cause.is_some() {
                break;
            }
            taken += 1;
            state.messages += 1;
            state.bytes += frame.len();
        }
        let refused = frames.split_off(taken);
        if !frames.is_empty() {
            let run = Run { session: session.clone(), received, frames: frames.into_iter() };
            state.queue.push_back(Item::Remote(Box::new(run)));
            wake(state);
        }
        match cause {
            Some(cause) => Err((refused, cause)),
            None => Ok(()),
        }
    }

    /// Moves everything that waits into `batch`; `false` when nothing does, and `waker` will be woken when something comes.
    pub(crate) fn pull(&self, batch: &mut VecDeque<Item>, spent: &mut Spent, waker: &Waker) -> bool {
        let mut state = self.lock();
        state.spend(spent);
        if state.queue.is_empty() {
            if state.waker.as_ref().is_none_or(|known| !known.will_wake(waker)) {
                state.waker = Some(waker.clone());
            }
            return false;
        }
        mem::swap(&mut state.queue, batch);
        true
    }

    /// Frees the room of what was taken out.
    pub(crate) fn settle(&self, spent: &mut Spent) {
        self.lock().spend(spent);
    }

    /// Asks the actor to stop; what waits is given back by whoever closes the feed.
    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        state.stopping = true;
        wake(state);
    }

    /// Whether somebody has asked the actor to stop; once for each time, for an actor may refuse.
    pub(crate) fn take_stop(&self) -> bool {
        mem::take(&mut self.lock().stopping)
    }

    /// Takes nothing more; gives what waited.
    pub(crate) fn close(&self, cause: Cause) -> VecDeque<Item> {
        let mut state = self.lock();
        state.closed.get_or_insert(cause);
        state.waker = None;
        mem::take(&mut state.queue)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn refusal(&self, limits: FeedLimits) -> Option<Cause> {
        // A feed that holds nothing takes one message of any size: who may send it was bounded before.
        let full = self.messages >= limits.messages || (self.bytes >= limits.bytes && self.messages > 0);
        self.closed.or(full.then_some(Cause::MailboxFull))
    }

    fn spend(&mut self, spent: &mut Spent) {
        let spent = mem::take(spent);
        self.messages -= spent.messages;
        self.bytes -= spent.bytes;
    }
}

fn wake(mut state: MutexGuard<'_, State>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::AskError;

    struct Nothing;

    impl LocalMessage for Nothing {
        fn refuse(self: Box<Self>, _error: AskError) -> Option<&'static str> {
            None
        }
    }

    fn item(size: usize) -> LocalItem {
        LocalItem { interface: 0, message: 0, size, call: Box::new(Nothing) }
    }

    #[test]
    fn room_is_bounded_in_messages_and_bytes_until_it_is_spent() {
        let feed = Feed::new(1, Vec::new(), FeedLimits { messages: 3, bytes: 100 });
        let cause = |size| feed.push(item(size)).err().map(|(_, cause)| cause);
        assert_eq!(cause(500), None, "an empty feed takes one message of any size");
        assert_eq!(cause(1), Some(Cause::MailboxFull));
        let (mut batch, mut spent) = (VecDeque::new(), Spent { messages: 0, bytes: 0 });
        assert!(feed.pull(&mut batch, &mut spent, Waker::noop()));
        assert_eq!(cause(1), Some(Cause::MailboxFull), "what is taken and not handled still counts");
        feed.settle(&mut Spent { messages: 1, bytes: 500 });
        assert_eq!([cause(1), cause(1), cause(1), cause(1)], [None, None, None, Some(Cause::MailboxFull)]);
        assert_eq!(feed.close(Cause::Stopped).len(), 3);
        assert_eq!(cause(1), Some(Cause::Stopped));
    }
}
