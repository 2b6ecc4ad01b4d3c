//! The queue before an actor: bounded in messages and bytes, first in, first out, filled from any thread, emptied by one pump.
//!
//! Not actix's mailbox, whose capacity does not bound. Here a full queue refuses messages of this node and says so; whoever can waits
//! for room. Messages of peers have room by the windows that they were granted, whatever waits here beside them.

use std::any::TypeId;
use std::collections::VecDeque;
use std::mem;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::vec;

use bytes::Bytes;
use synod_protocols::Timestamp;
use synod_transport::{Peer, Role};

use super::ledger::{Closing, Ledger, Word};
use super::line::Line;
use super::message::LocalMessage;
use super::policy::Callers;
use super::signals::Signals;
use super::terminated::{BondEnded, Reason};
use crate::cluster::Session;
use crate::error::Cause;
use crate::wire::{INITIAL_BYTES, Load};

/// The queue of one actor.
pub(crate) struct Feed {
    /// The actor's slot and generation.
    pub(crate) actor: u64,
    pub(crate) interfaces: Vec<Offered>,
    /// What is wanted of the actor beside its messages.
    pub(crate) signals: Signals,
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
    /// The window that its manifest announces, in messages; it only becomes smaller.
    pub(crate) window: Arc<AtomicU32>,
    /// Who may, if not everybody.
    pub(crate) callers: Option<Callers>,
}

impl Offered {
    /// Whether a peer may call it.
    pub(crate) fn is_for(&self, peer: &Peer) -> bool {
        let role = match peer.role {
            Role::Member => true,
            Role::Client => self.clients,
        };
        role && self.callers.as_ref().is_none_or(|callers| callers.admit(peer))
    }
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
    /// Of those, what came over this link.
    pub(crate) from: Option<(Arc<Session>, Load)>,
}

/// What became of frames that came.
pub(crate) struct Fed {
    /// Whether the feed keeps account of the link from here on.
    pub(crate) opened: bool,
    /// Those that are refused, and why.
    pub(crate) refused: Option<(Vec<Bytes>, Cause)>,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Item>,
    /// Messages and bytes in the queue and in the pump's hands.
    messages: usize,
    bytes: usize,
    waker: Option<Waker>,
    closed: Option<Cause>,
    ledger: Ledger,
    /// Who waits for room; not there before somebody did.
    line: Option<Arc<Line>>,
}

impl Feed {
    pub(crate) fn new(actor: u64, interfaces: Vec<Offered>, limits: FeedLimits) -> Self {
        Self { actor, interfaces, signals: Signals::default(), limits, state: Mutex::default() }
    }

    /// Whether a peer may call whatever the actor serves.
    pub(crate) fn is_open_to(&self, peer: &Peer) -> bool {
        self.interfaces.iter().all(|offered| offered.is_for(peer))
    }

    /// Appends a message of this node; gives it back with the cause when it is refused.
    pub(crate) fn push(&self, item: LocalItem) -> Result<(), (LocalItem, Cause)> {
        let state = self.lock();
        if state.line.as_ref().is_some_and(|line| !line.is_empty()) {
            return Err((item, state.closed.unwrap_or(Cause::MailboxFull)));
        }
        self.append(state, item)
    }

    /// Appends a message of this node as soon as there is room; gives it back with the cause when there will be none. A message
    /// whose sender gives up waiting is not appended.
    pub(crate) async fn push_patiently(&self, item: LocalItem) -> Result<(), (LocalItem, Cause)> {
        let line = self.lock().line.get_or_insert_default().clone();
        let mut item = Some(item);
        let attempt = || match self.append(self.lock(), item.take()?) {
            Err((refused, Cause::MailboxFull)) => {
                item = Some(refused);
                None
            }
            done => Some(done),
        };
        line.wait(attempt).await
    }

    fn append(&self, mut state: MutexGuard<'_, State>, item: LocalItem) -> Result<(), (LocalItem, Cause)> {
        if let Some(cause) = state.refusal(self.limits) {
            return Err((item, cause));
        }
        state.messages += 1;
        state.bytes += item.size;
        state.queue.push_back(Item::Local(item));
        wake(state);
        Ok(())
    }

    /// Appends frames of a peer.
    pub(crate) fn push_frames(
        &self,
        session: &Arc<Session>,
        received: Timestamp,
        mut frames: Vec<Bytes>,
    ) -> Fed {
        let mut state = self.lock();
        if let Some(cause) = state.closed {
            return Fed { opened: false, refused: Some((frames, cause)) };
        }
        let opened = state.ledger.open(session, || self.announced());
        let mut taken = 0;
        for frame in &frames {
            if !state.ledger.enter(session, Load::of(frame.len()), self.limits.window()) {
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
        Fed { opened, refused: (!refused.is_empty()).then_some((refused, Cause::MailboxFull)) }
    }

    /// The least that a peer can have been told of the window by a manifest.
    fn announced(&self) -> Load {
        let windows = self.interfaces.iter().map(|offered| offered.window.load(Ordering::Relaxed));
        Load::window(windows.min().unwrap_or(1), INITIAL_BYTES)
    }

    /// Moves everything that waits into `batch`; `false` when nothing does, and `waker` will be woken when something comes.
    pub(crate) fn pull(&self, batch: &mut VecDeque<Item>, waker: &Waker) -> bool {
        let mut state = self.lock();
        if state.queue.is_empty() {
            if state.waker.as_ref().is_none_or(|known| !known.will_wake(waker)) {
                state.waker = Some(waker.clone());
            }
            return false;
        }
        mem::swap(&mut state.queue, batch);
        true
    }

    /// Frees the room of what was taken out; gives what a peer is to be told of it.
    pub(crate) fn settle(&self, spent: &mut Spent) -> Option<Word> {
        self.lock().spend(spent, self.limits)
    }

    /// Whether something of a link waits.
    pub(crate) fn holds(&self, session: &Arc<Session>) -> bool {
        self.lock().ledger.holds(session)
    }

    /// Keeps account of a link no longer, if nothing of it waits.
    pub(crate) fn forget(&self, session: &Arc<Session>) -> Closing {
        self.lock().ledger.close(session)
    }

    /// A link has ended; gives whether there was an account of it.
    pub(crate) fn part(&self, session: &Arc<Session>) -> bool {
        self.lock().ledger.part(session)
    }

    /// Asks the actor to stop; what waits is given back by whoever closes the feed.
    pub(crate) fn stop(&self, reason: Reason) {
        self.signals.stop(reason);
        wake(self.lock());
    }

    /// A child of the actor may not be started again.
    pub(crate) fn fall(&self) {
        self.signals.fall();
        wake(self.lock());
    }

    /// Another actor has ended to which this one is bound: it is told if it listens, else ended unless all was in order.
    pub(crate) fn bond_ended(&self, ended: BondEnded) {
        if let Err(ended) = self.signals.tell(ended)
            && !ended.terminated.reason.is_orderly()
        {
            self.kill(Reason::Bonded);
        }
    }

    /// Ends the actor without asking it; what waits is given back by whoever closes the feed.
    pub(crate) fn kill(&self, reason: Reason) {
        self.signals.kill(reason);
        wake(self.lock());
    }

    /// Takes nothing more; gives what waited, and what peers are to be told.
    pub(crate) fn close(&self, cause: Cause) -> (VecDeque<Item>, Vec<Word>) {
        let mut state = self.lock();
        state.closed.get_or_insert(cause);
        state.waker = None;
        if let Some(line) = &state.line {
            line.dismiss();
        }
        (mem::take(&mut state.queue), state.ledger.end())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FeedLimits {
    /// The window of a peer that has the feed for itself.
    fn window(self) -> Load {
        // Far from where sums of loads would end.
        Load::window(u32::try_from(self.messages).unwrap_or(u32::MAX).min(1 << 30), self.bytes)
    }
}

impl State {
    fn refusal(&self, limits: FeedLimits) -> Option<Cause> {
        // A feed that holds nothing takes one message of any size: who may send it was bounded before.
        let full = self.messages >= limits.messages || (self.bytes >= limits.bytes && self.messages > 0);
        self.closed.or(full.then_some(Cause::MailboxFull))
    }

    fn spend(&mut self, spent: &mut Spent, limits: FeedLimits) -> Option<Word> {
        let Spent { messages, bytes, from } = mem::take(spent);
        self.messages -= messages;
        self.bytes -= bytes;
        if let Some(line) = &self.line
            && self.refusal(limits).is_none()
        {
            line.admit(limits.messages - self.messages);
        }
        let (session, load) = from?;
        self.ledger.spend(&session, load, limits.window())
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
    use futures_util::FutureExt;

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
        let mut batch = VecDeque::new();
        assert!(feed.pull(&mut batch, Waker::noop()));
        assert_eq!(cause(1), Some(Cause::MailboxFull), "what is taken and not handled still counts");
        feed.settle(&mut Spent { messages: 1, bytes: 500, from: None });
        assert_eq!([cause(1), cause(1), cause(1), cause(1)], [None, None, None, Some(Cause::MailboxFull)]);
        assert_eq!(feed.close(Cause::Stopped).0.len(), 3);
        assert_eq!(cause(1), Some(Cause::Stopped));
    }

    #[test]
    fn whoever_waits_for_room_gets_it_before_whoever_comes_and_hears_of_the_end() {
        let feed = Feed::new(1, Vec::new(), FeedLimits { messages: 1, bytes: 100 });
        assert!(feed.push(item(1)).is_ok());
        let (mut first, mut second) =
            (Box::pin(feed.push_patiently(item(1))), Box::pin(feed.push_patiently(item(1))));
        assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());
        feed.settle(&mut Spent { messages: 1, bytes: 1, from: None });
        assert!(feed.push(item(1)).is_err(), "others were there before");
        assert!((&mut first).now_or_never().is_some_and(|pushed| pushed.is_ok()));
        assert!((&mut second).now_or_never().is_none());
        feed.close(Cause::Stopped);
        let refused = (&mut second).now_or_never().and_then(Result::err);
        assert_eq!(refused.map(|(_, cause)| cause), Some(Cause::Stopped));
    }
}
