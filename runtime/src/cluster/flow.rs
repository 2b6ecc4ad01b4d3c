//! What may still be sent to each actor of one peer: the sending end's view of the windows that the actors' feeds grant.
//!
//! A window bounds what is on the way to an actor and waits there, in messages and bytes; a message of any size goes while there is
//! room for both. The receiving end's view is the feed's ledger. Both end with their link: over another one the windows are as announced.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::actor::Line;
use crate::wire::{Grant, INITIAL_BYTES, Load};

/// How many windows are kept before those that nobody uses are looked for.
const LOOK_AT: usize = 1 << 12;

/// The window of one actor, shared by all references to it.
#[derive(Debug)]
pub(crate) struct Flow {
    /// What was sent and is not known to have left the actor's feed.
    outstanding: AtomicU64,
    window: AtomicU64,
    /// The window before the feed's first word; `None` at a node that grants no credit.
    initial: Option<Load>,
    state: AtomicU8,
    line: Line,
}

/// Why nothing may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shut {
    /// The window is used up.
    Exhausted,
    /// The actor has stopped.
    Gone,
    /// The link has ended.
    Lost,
}

const OPEN: u8 = 0;
const GONE: u8 = 1;
const LOST: u8 = 2;

impl Flow {
    fn new(initial: Option<Load>) -> Self {
        let window = initial.unwrap_or(Load { messages: u32::MAX, blocks: u32::MAX });
        Self {
            outstanding: AtomicU64::new(0),
            window: AtomicU64::new(window.packed()),
            initial,
            state: AtomicU8::new(OPEN),
            line: Line::default(),
        }
    }

    /// Whether one more message may be sent by somebody who has not waited for it.
    pub(crate) fn admits(&self) -> Result<(), Shut> {
        self.has_room()?;
        if self.line.is_empty() { Ok(()) } else { Err(Shut::Exhausted) }
    }

    /// Completes as soon as one more message may be sent, in the order of those who wait, with what `send` gives. It fails as
    /// [`Shut`] says, and may be called in vain.
    pub(crate) async fn wait<T>(&self, mut send: impl FnMut() -> Option<T>) -> Result<T, Shut> {
        let attempt = || match self.has_room() {
            Ok(()) => send().map(Ok),
            Err(Shut::Exhausted) => None,
            Err(shut) => Some(Err(shut)),
        };
        self.line.wait(|| self.room(), attempt).await
    }

    /// Counts a message before anybody can have received it.
    pub(crate) fn charge(&self, load: Load) {
        if self.initial.is_some() {
            self.outstanding.fetch_add(load.packed(), Ordering::SeqCst);
        }
    }

    /// Takes back what was counted and did not leave, or was not taken; `false` when there was less, which no honest peer says.
    pub(crate) fn release(&self, load: Load) -> bool {
        let less = |packed| {
            let outstanding = Load::unpacked(packed);
            load.is_within(outstanding).then(|| (outstanding - load).packed())
        };
        let released = self.outstanding.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok();
        if released {
            self.admit();
        }
        released
    }

    fn resize(&self, window: Load) {
        self.window.store(window.packed(), Ordering::SeqCst);
        self.admit();
    }

    fn shut(&self, state: u8) {
        self.state.store(state, Ordering::SeqCst);
        self.admit();
    }

    /// Lets as many try as may be sent: one message that leaves may make room for many, and there may be no other word for long.
    fn admit(&self) {
        if !self.line.is_empty() {
            self.line.admit(self.room());
        }
    }

    fn has_room(&self) -> Result<(), Shut> {
        match self.state.load(Ordering::SeqCst) {
            OPEN => {}
            GONE => return Err(Shut::Gone),
            _ => return Err(Shut::Lost),
        }
        let (window, outstanding) = self.loads();
        if window.has_room_beside(outstanding) { Ok(()) } else { Err(Shut::Exhausted) }
    }

    /// How many may try: all when there is nothing to wait for any longer.
    fn room(&self) -> usize {
        let (window, outstanding) = self.loads();
        match self.has_room() {
            Ok(()) => (window - outstanding).messages as usize,
            Err(Shut::Exhausted) => 0,
            Err(Shut::Gone | Shut::Lost) => usize::MAX,
        }
    }

    fn loads(&self) -> (Load, Load) {
        let outstanding = Load::unpacked(self.outstanding.load(Ordering::SeqCst));
        (Load::unpacked(self.window.load(Ordering::SeqCst)), outstanding)
    }

    /// Whether the feed's side, if it knows of this window at all, believes it to be as announced.
    fn is_as_announced(&self) -> bool {
        let fresh = self.initial.is_none_or(|initial| self.window.load(Ordering::SeqCst) == initial.packed());
        fresh && self.outstanding.load(Ordering::SeqCst) == 0
    }
}

/// The windows of all actors of one peer.
#[derive(Default)]
pub(crate) struct Flows {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    by_target: BTreeMap<u64, Arc<Flow>>,
    look_at: usize,
    closed: bool,
}

impl Flows {
    /// The window of an actor, at first of so many messages.
    pub(crate) fn open(&self, target: u64, announced: Option<u32>) -> Arc<Flow> {
        let initial = announced.map(|messages| Load::window(messages.max(1), INITIAL_BYTES));
        let mut state = self.lock();
        if state.closed {
            let lost = Flow::new(initial);
            lost.shut(LOST);
            return Arc::new(lost);
        }
        if let Some(flow) = state.by_target.get(&target) {
            return flow.clone();
        }
        if state.by_target.len() >= state.look_at.max(LOOK_AT) {
            // Those that the peer has forgotten and nobody here refers to. What is sent to them later begins anew at both ends.
            state.by_target.retain(|_, flow| Arc::strong_count(flow) > 1 || !flow.is_as_announced());
            state.look_at = 2 * state.by_target.len();
        }
        let flow = Arc::new(Flow::new(initial));
        state.by_target.insert(target, flow.clone());
        flow
    }

    /// The word of an actor's feed; `false` when it says what cannot be.
    pub(crate) fn hear(&self, target: u64, spent: Load, grant: Grant) -> bool {
        let flow = {
            let mut state = self.lock();
            match grant {
                Grant::Gone => state.by_target.remove(&target),
                Grant::Same | Grant::Window(_) | Grant::Initial => state.by_target.get(&target).cloned(),
            }
        };
        // Of one that was forgotten because nothing was outstanding, there is nothing to say.
        let Some(flow) = flow else { return spent == Load::default() || grant == Grant::Gone };
        let understood = flow.release(spent);
        match grant {
            Grant::Same => {}
            Grant::Window(window) => flow.resize(window),
            Grant::Initial => {
                if let Some(initial) = flow.initial {
                    flow.resize(initial);
                }
            }
            Grant::Gone => flow.shut(GONE),
        }
        understood || grant == Grant::Gone
    }

    /// The link has ended: whoever waits has to look for another.
    pub(crate) fn close(&self) {
        let all = {
            let mut state = self.lock();
            state.closed = true;
            std::mem::take(&mut state.by_target)
        };
        for flow in all.into_values() {
            flow.shut(LOST);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use futures_util::FutureExt;

    use super::*;
    use crate::actor::Parked;

    const ONE: Load = Load::of(10);

    fn charged(flows: &Flows, messages: usize) -> Arc<Flow> {
        let flow = flows.open(7, Some(2));
        (0..messages).for_each(|_| flow.charge(ONE));
        flow
    }

    #[test]
    fn a_used_up_window_opens_with_the_word_of_the_feed_for_whoever_waits_first() {
        let flows = Flows::default();
        let flow = charged(&flows, 2);
        assert_eq!(flow.admits(), Err(Shut::Exhausted));
        let mut waiting = Box::pin(flow.wait(|| {
            flow.charge(ONE);
            Some("sent")
        }));
        assert_eq!((&mut waiting).now_or_never(), None);
        assert!(flows.hear(7, ONE, Grant::Same));
        assert_eq!(flow.admits(), Err(Shut::Exhausted), "who waits goes before who comes");
        assert_eq!((&mut waiting).now_or_never(), Some(Ok("sent")));
        drop(waiting);
        assert_eq!(flow.admits(), Err(Shut::Exhausted));
        assert!(flows.hear(7, Load::default(), Grant::Window(Load::window(3, 1 << 20))));
        assert_eq!(flow.admits(), Ok(()));
    }

    #[test]
    fn a_large_message_that_was_handled_makes_room_for_all_who_fit() {
        let flows = Flows::default();
        let flow = flows.open(7, Some(10));
        let large = Load::of(INITIAL_BYTES);
        flow.charge(large);
        let send = || {
            flow.charge(ONE);
            Some(())
        };
        let mut waiting: Vec<_> = (0..5).map(|_| Parked::new(flow.wait(send))).collect();
        assert!(waiting.iter_mut().all(|waiting| waiting.poll().is_pending()));
        assert!(flows.hear(7, large, Grant::Same));
        let woken = waiting.iter().filter(|waiting| waiting.is_woken()).count();
        assert_eq!(woken, 5, "nobody will say anything more of so empty a window");
        assert!(waiting.iter_mut().all(|waiting| waiting.poll() == Poll::Ready(Ok(()))));
    }

    #[test]
    fn whoever_comes_goes_behind_whoever_was_told_and_has_not_run_yet() {
        let flows = Flows::default();
        let flow = charged(&flows, 2);
        let send = || {
            flow.charge(ONE);
            Some(())
        };
        let (mut first, mut second) = (Parked::new(flow.wait(send)), Parked::new(flow.wait(send)));
        assert!(first.poll().is_pending());
        assert!(flows.hear(7, ONE, Grant::Same));
        assert!(second.poll().is_pending(), "the room is for another");
        assert_eq!(first.poll(), Poll::Ready(Ok(())));
        assert!(second.poll().is_pending());
        assert!(flows.hear(7, ONE, Grant::Same));
        assert!(second.is_woken());
        assert_eq!(second.poll(), Poll::Ready(Ok(())));
    }

    #[test]
    fn what_does_not_leave_leaves_its_room_to_whoever_waits_behind() {
        let flows = Flows::default();
        let flow = charged(&flows, 2);
        let mut failing = Parked::new(flow.wait(|| Some("too large")));
        let mut behind = Parked::new(flow.wait(|| Some("sent")));
        assert!(failing.poll().is_pending() && behind.poll().is_pending());
        assert!(flows.hear(7, ONE, Grant::Same));
        assert_eq!(failing.poll(), Poll::Ready(Ok("too large")));
        drop(failing);
        assert!(behind.is_woken());
        assert_eq!(behind.poll(), Poll::Ready(Ok("sent")));
    }

    #[test]
    fn the_end_of_the_actor_and_of_the_link_are_told_to_those_who_wait() {
        for (shut, end) in [(Shut::Gone, None), (Shut::Lost, Some(()))] {
            let flows = Flows::default();
            let flow = charged(&flows, 2);
            let mut waiting = Box::pin(flow.wait(|| Some(())));
            assert_eq!((&mut waiting).now_or_never(), None);
            match end {
                None => assert!(flows.hear(7, Load::default(), Grant::Gone)),
                Some(()) => flows.close(),
            }
            assert_eq!((&mut waiting).now_or_never(), Some(Err(shut)));
            assert_eq!(flow.admits(), Err(shut));
        }
    }

    #[test]
    fn a_word_of_more_than_was_sent_is_not_believed() {
        let flows = Flows::default();
        let flow = charged(&flows, 1);
        assert!(!flows.hear(7, ONE + ONE, Grant::Same));
        assert!(!flows.hear(8, ONE, Grant::Same), "nothing was sent there");
        flow.charge(ONE);
        assert_eq!(flow.admits(), Err(Shut::Exhausted));
        let free = flows.open(9, None);
        (0..10).for_each(|_| free.charge(ONE));
        assert_eq!(free.admits(), Ok(()), "its node grants no credit, and so needs none");
    }

    #[test]
    fn what_nobody_uses_and_the_peer_has_forgotten_is_forgotten() {
        let flows = Flows::default();
        let held = flows.open(0, Some(2));
        flows.open(1, Some(2)).charge(ONE);
        for target in 2..3 * LOOK_AT as u64 {
            let flow = flows.open(target, Some(2));
            flow.charge(ONE);
            assert!(flows.hear(target, ONE, Grant::Initial));
        }
        let state = flows.lock();
        assert!(state.by_target.len() < LOOK_AT + 10, "{}", state.by_target.len());
        assert!(Arc::ptr_eq(&state.by_target[&0], &held), "a reference is there");
        assert!(state.by_target.contains_key(&1), "something is on its way");
    }
}
