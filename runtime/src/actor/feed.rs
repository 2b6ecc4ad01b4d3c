//! The queue before an actor: bounded in messages and bytes, first in, first out, filled from any thread, emptied by one pump.
//!
//! Not actix's mailbox, whose capacity does not bound. Here a full queue refuses messages of this node and says so; whoever can waits
//! for room. Messages of peers have room by the windows that they were granted, whatever waits here beside them.

use std::collections::VecDeque;
use std::mem;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::vec;

use bytes::Bytes;
use synod_protocols::Timestamp;
use synod_transport::Peer;

use super::asks::{AskId, Asks, Entered};
use super::ledger::{Closing, Ledger, Word};
use super::line::Line;
use super::message::LocalMessage;
use super::offer::{FeedLimits, Offer};
use super::signals::Signals;
use super::terminated::{BondEnded, Reason};
use crate::cluster::Session;
use crate::error::{AskError, Cause};
use crate::wire::{INITIAL_BYTES, Load};

/// The queue of one actor.
pub(crate) struct Feed {
    /// The actor's slot and generation.
    pub(crate) actor: u64,
    pub(crate) offer: Arc<Offer>,
    /// What is wanted of the actor beside its messages.
    pub(crate) signals: Signals,
    state: Mutex<State>,
}

/// What waits in a feed.
pub(crate) enum Item {
    Local(LocalItem),
    /// In a box, so that a queue of local messages is no wider than they are.
    Remote(Box<Run>),
}

/// A message that was not taken, and why.
pub(crate) type Refused = (LocalItem, Cause);

/// A message of the same node.
pub(crate) struct LocalItem {
    /// The position of the interface among the actor's.
    pub(crate) interface: u16,
    /// The position of the message in the interface.
    pub(crate) message: u16,
    pub(crate) size: u32,
    /// Its asker, if it has one that waits in this feed.
    pub(crate) ask: Option<AskId>,
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
    /// Who waits for an answer; not there before somebody asked.
    asks: Option<Box<Asks>>,
}

impl Feed {
    pub(crate) fn new(actor: u64, offer: Arc<Offer>) -> Self {
        Self { actor, offer, signals: Signals::default(), state: Mutex::default() }
    }

    /// Whether a peer may call whatever the actor serves.
    pub(crate) fn is_open_to(&self, peer: &Peer) -> bool {
        self.offer.interfaces.iter().all(|offered| offered.is_for(peer))
    }

    /// Appends a message of this node; gives it back with the cause when it is refused.
    pub(crate) fn push(&self, item: LocalItem) -> Result<(), Refused> {
        self.append_behind(item, |_, _| ())
    }

    /// As [`Feed::push`], for a message whose answer is awaited in this task, until then.
    pub(crate) fn push_ask(
        &self,
        item: LocalItem,
        deadline: Timestamp,
        task: &Waker,
    ) -> Result<Entered, Refused> {
        self.append_behind(item, |state, item| state.enter(item, deadline, task))
    }

    /// Appends a message of this node as soon as there is room; gives it back with the cause when there will be none. A message
    /// whose sender gives up waiting is not appended.
    pub(crate) async fn push_patiently(&self, item: LocalItem) -> Result<(), Refused> {
        self.append_patiently(item, |_, _| ()).await
    }

    /// As [`Feed::push_patiently`], for a message whose answer is awaited until then.
    pub(crate) async fn push_ask_patiently(
        &self,
        item: LocalItem,
        deadline: Timestamp,
    ) -> Result<Entered, Refused> {
        // Whoever awaits the answer says in which task when he begins to.
        self.append_patiently(item, |state, item| state.enter(item, deadline, Waker::noop())).await
    }

    /// Behind those who wait for room.
    fn append_behind<T>(
        &self,
        item: LocalItem,
        enter: impl FnOnce(&mut State, &mut LocalItem) -> T,
    ) -> Result<T, Refused> {
        let state = self.lock();
        if state.line.as_ref().is_some_and(|line| !line.is_empty()) {
            return Err((item, state.closed.unwrap_or(Cause::MailboxFull)));
        }
        self.append(state, item, enter)
    }

    async fn append_patiently<T>(
        &self,
        item: LocalItem,
        enter: impl Fn(&mut State, &mut LocalItem) -> T,
    ) -> Result<T, Refused> {
        let line = self.lock().line.get_or_insert_default().clone();
        let mut item = Some(item);
        let attempt = || match self.append(self.lock(), item.take()?, &enter) {
            Err((refused, Cause::MailboxFull)) => {
                item = Some(refused);
                None
            }
            done => Some(done),
        };
        line.wait(|| self.lock().room(self.offer.limits), attempt).await
    }

    fn append<T>(
        &self,
        mut state: MutexGuard<'_, State>,
        mut item: LocalItem,
        enter: impl FnOnce(&mut State, &mut LocalItem) -> T,
    ) -> Result<T, Refused> {
        if let Some(cause) = state.refusal(self.offer.limits) {
            return Err((item, cause));
        }
        let entered = enter(&mut state, &mut item);
        state.messages += 1;
        state.bytes += item.size as usize;
        state.queue.push_back(Item::Local(item));
        wake(state);
        Ok(entered)
    }

    /// The ask is over; gives what went wrong, if something did.
    pub(crate) fn leave(&self, ask: AskId) -> Option<AskError> {
        self.lock().asks.as_mut()?.leave(ask)
    }

    /// The asker goes on waiting, in this task; gives what went wrong, if something did.
    pub(crate) fn stay(&self, ask: AskId, task: &Waker) -> Option<AskError> {
        self.lock().asks.as_mut()?.stay(ask, task)
    }

    /// Says why an ask will have no answer, before what would have carried it is dropped.
    pub(crate) fn fail(&self, ask: AskId, fault: AskError) {
        if let Some(asks) = &mut self.lock().asks {
            asks.tell(ask, fault);
        }
    }

    /// Fails the asks that have waited for too long; gives when the next one will have.
    pub(crate) fn expire(&self, now: Timestamp) -> Option<Timestamp> {
        let (late, due) = self.lock().asks.as_mut()?.expire(now);
        late.into_iter().for_each(Waker::wake);
        due
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
            if !state.ledger.enter(session, Load::of(frame.len()), self.offer.limits.window()) {
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
        let windows = self.offer.interfaces.iter().map(|offered| offered.window.load(Ordering::Relaxed));
        Load::window(windows.min().unwrap_or(1), INITIAL_BYTES)
    }

    /// Frees the room of messages of this node that were taken out, and moves everything that waits into `batch`; `false` when nothing
    /// does, and `waker` will be woken when something comes.
    pub(crate) fn pull(&self, batch: &mut VecDeque<Item>, spent: Spent, waker: &Waker) -> bool {
        let mut state = self.lock();
        let word = state.spend(spent, self.offer.limits);
        debug_assert!(word.is_none(), "what came over a link is settled");
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
    pub(crate) fn settle(&self, spent: Spent) -> Option<Word> {
        self.lock().spend(spent, self.offer.limits)
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
            line.admit(usize::MAX);
        }
        (mem::take(&mut state.queue), state.ledger.end())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spent {
    pub(crate) fn is_nothing(&self) -> bool {
        // What came over a link may have been counted among the messages before.
        self.messages == 0 && self.from.is_none()
    }
}

impl State {
    fn enter(&mut self, item: &mut LocalItem, deadline: Timestamp, task: &Waker) -> Entered {
        let entered = self.asks.get_or_insert_default().enter(deadline, task);
        item.ask = Some(entered.ask);
        entered
    }

    fn refusal(&self, limits: FeedLimits) -> Option<Cause> {
        // A feed that holds nothing takes one message of any size: who may send it was bounded before.
        let full = self.messages >= limits.messages || (self.bytes >= limits.bytes && self.messages > 0);
        self.closed.or(full.then_some(Cause::MailboxFull))
    }

    /// How many may try to append one: all when there is nothing to wait for any longer.
    fn room(&self, limits: FeedLimits) -> usize {
        match self.refusal(limits) {
            None => limits.messages - self.messages,
            Some(Cause::MailboxFull) => 0,
            Some(_) => usize::MAX,
        }
    }

    fn spend(&mut self, spent: Spent, limits: FeedLimits) -> Option<Word> {
        if spent.is_nothing() {
            return None;
        }
        let Spent { messages, bytes, from } = spent;
        self.messages -= messages;
        self.bytes -= bytes;
        if let Some(line) = &self.line {
            line.admit(self.room(limits));
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
    use crate::actor::Parked;

    struct Nothing;

    impl LocalMessage for Nothing {
        fn id(&self) -> &'static str {
            "nothing"
        }
    }

    fn feed(messages: usize) -> Feed {
        let limits = FeedLimits { messages, bytes: 100 };
        Feed::new(1, Arc::new(Offer { interfaces: Vec::new(), limits }))
    }

    fn item(size: u32) -> LocalItem {
        LocalItem { interface: 0, message: 0, size, ask: None, call: Box::new(Nothing) }
    }

    #[test]
    fn room_is_bounded_in_messages_and_bytes_until_it_is_spent() {
        let feed = feed(3);
        let cause = |size| feed.push(item(size)).err().map(|(_, cause)| cause);
        assert_eq!(cause(500), None, "an empty feed takes one message of any size");
        assert_eq!(cause(1), Some(Cause::MailboxFull));
        let mut batch = VecDeque::new();
        assert!(feed.pull(&mut batch, Spent::default(), Waker::noop()));
        assert_eq!(cause(1), Some(Cause::MailboxFull), "what is taken and not handled still counts");
        feed.settle(Spent { messages: 1, bytes: 500, from: None });
        assert_eq!([cause(1), cause(1), cause(1), cause(1)], [None, None, None, Some(Cause::MailboxFull)]);
        assert_eq!(feed.close(Cause::Stopped).0.len(), 3);
        assert_eq!(cause(1), Some(Cause::Stopped));
    }

    #[test]
    fn whoever_waits_for_room_gets_it_before_whoever_comes_and_hears_of_the_end() {
        let feed = feed(1);
        assert!(feed.push(item(1)).is_ok());
        let (mut first, mut second) =
            (Box::pin(feed.push_patiently(item(1))), Box::pin(feed.push_patiently(item(1))));
        assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());
        feed.settle(Spent { messages: 1, bytes: 1, from: None });
        assert!(feed.push(item(1)).is_err(), "others were there before");
        let mut third = Parked::new(feed.push_patiently(item(1)));
        assert!(third.poll().is_pending(), "also when it is ready to wait");
        drop(third);
        assert!((&mut first).now_or_never().is_some_and(|pushed| pushed.is_ok()));
        assert!((&mut second).now_or_never().is_none());
        feed.close(Cause::Stopped);
        let refused = (&mut second).now_or_never().and_then(Result::err);
        assert_eq!(refused.map(|(_, cause)| cause), Some(Cause::Stopped));
    }
}
