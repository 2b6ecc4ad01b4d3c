//! Large messages on their way in, and what has to wait for them: frames for a target that were sent after one are held back until it
//! is there as a whole, so that the target gets everything in the order in which it was sent. Other targets go on.
//!
//! Delivers nothing: it says what is to be delivered, and whoever does so keeps the guard meanwhile, so that nothing overtakes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// How many large messages of one link may be out of order before their places.
const EARLY_MAX: usize = 1 << 12;

/// How far numbers may be ahead of the first large message that is not done with.
const AHEAD_MAX: u64 = 1 << 16;

/// How many places of one link may be empty.
const PLACES_MAX: usize = 1 << 16;

/// What one link has announced and not brought.
#[derive(Default)]
pub(crate) struct Arrivals {
    state: Mutex<State>,
    /// How many targets have frames held back: looked at for every frame.
    targets: AtomicUsize,
}

#[derive(Default)]
struct State {
    /// Frames and places by target, from the first place on.
    held: BTreeMap<u64, VecDeque<Item>>,
    /// Bytes of the frames held back, large ones included.
    bytes: usize,
    /// Places that are announced and empty: whose they are, if they are in somebody's order.
    places: BTreeMap<u64, Option<u64>>,
    /// Large messages whose place has not come yet.
    early: BTreeMap<u64, Bytes>,
    /// Every number up to this one is done with, and these beyond it.
    done_to: u64,
    done: BTreeSet<u64>,
}

enum Item {
    Frame(Bytes),
    Place(u64),
}

/// Access to the table, for as long as what it said is being delivered.
pub(crate) struct Opened<'a> {
    state: MutexGuard<'a, State>,
    targets: &'a AtomicUsize,
}

/// What becomes of a large message that is there as a whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// These frames are to be delivered, in this order; it may be none of them yet.
    Deliver(Vec<Bytes>),
    /// Its place has not come yet: it waits.
    Early,
    /// It was there before.
    Again,
    /// Too many wait for their places.
    TooMany,
}

impl Arrivals {
    /// Whether anything is held back at all.
    pub(crate) fn is_holding(&self) -> bool {
        self.targets.load(Ordering::Acquire) > 0
    }

    /// Opens the table.
    pub(crate) fn open(&self) -> Opened<'_> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Opened { state, targets: &self.targets }
    }
}

impl Opened<'_> {
    /// Holds a frame back if it has to wait for a large one; gives it back when it need not. `Err` when more than `limit` bytes
    /// would wait.
    pub(crate) fn hold(&mut self, target: u64, frame: Bytes, limit: usize) -> Result<Option<Bytes>, Bytes> {
        let state = &mut *self.state;
        let Some(queue) = state.held.get_mut(&target) else { return Ok(Some(frame)) };
        if state.bytes + frame.len() > limit {
            return Err(frame);
        }
        state.bytes += frame.len();
        queue.push_back(Item::Frame(frame));
        Ok(None)
    }

    /// A place has come, in the order of `target` if it is in anybody's. If the large message was there before, gives what is to be
    /// delivered then.
    pub(crate) fn place(&mut self, number: u64, target: Option<u64>) -> Option<Vec<Bytes>> {
        let full = self.state.places.len() >= PLACES_MAX;
        if full || self.is_done(number) || self.state.places.contains_key(&number) {
            return None;
        }
        self.state.places.insert(number, target);
        if let Some(target) = target {
            self.state.held.entry(target).or_default().push_back(Item::Place(number));
        }
        self.targets.fetch_max(self.state.held.len(), Ordering::Release);
        let whole = self.state.early.remove(&number)?;
        self.state.bytes -= whole.len();
        // It was within its limit when it came.
        match self.whole(number, whole, usize::MAX) {
            Taken::Deliver(ready) => Some(ready),
            Taken::Early | Taken::Again | Taken::TooMany => None,
        }
    }

    /// A large message is there as a whole; not taken when it has to wait and more than `limit` bytes would.
    pub(crate) fn whole(&mut self, number: u64, whole: Bytes, limit: usize) -> Taken {
        if self.is_done(number) || self.state.early.contains_key(&number) {
            return Taken::Again;
        }
        let full = self.state.early.len() >= EARLY_MAX || self.state.bytes + whole.len() > limit;
        if full && !self.is_first(number) {
            return Taken::TooMany;
        }
        let Some(target) = self.state.places.remove(&number) else {
            self.state.bytes += whole.len();
            self.state.early.insert(number, whole);
            return Taken::Early;
        };
        self.is_over(number);
        let ready = match target {
            Some(target) => self.fill(target, number, Some(whole)),
            None => vec![whole],
        };
        Taken::Deliver(ready)
    }

    /// A large message will not come; `None` when it is done with already, else what has waited for nothing else.
    pub(crate) fn without(&mut self, number: u64) -> Option<Vec<Bytes>> {
        if self.is_done(number) {
            return None;
        }
        self.is_over(number);
        let target = self.state.places.remove(&number).flatten();
        Some(target.map(|target| self.fill(target, number, None)).unwrap_or_default())
    }

    /// Nothing more will come: all that was held back, by target.
    pub(crate) fn end(&mut self) -> Vec<Bytes> {
        let held = std::mem::take(&mut *self.state).held;
        let frames = held.into_values().flatten().filter_map(|item| match item {
            Item::Frame(frame) => Some(frame),
            Item::Place(_) => None,
        });
        frames.collect()
    }

    /// Puts a large message in its place, or takes the place away, and gives what is first in line then.
    fn fill(&mut self, target: u64, number: u64, whole: Option<Bytes>) -> Vec<Bytes> {
        let state = &mut *self.state;
        let Some(queue) = state.held.get_mut(&target) else { return Vec::new() };
        let here = |item: &Item| matches!(item, Item::Place(found) if *found == number);
        if let Some(position) = queue.iter().position(here) {
            match whole {
                Some(whole) => {
                    state.bytes += whole.len();
                    queue[position] = Item::Frame(whole);
                }
                None => drop(queue.remove(position)),
            }
        }
        let mut ready = Vec::new();
        while let Some(Item::Frame(_)) = queue.front() {
            if let Some(Item::Frame(frame)) = queue.pop_front() {
                state.bytes -= frame.len();
                ready.push(frame);
            }
        }
        if queue.is_empty() {
            state.held.remove(&target);
        }
        ready
    }

    /// Whether a large message could be delivered as soon as it is there.
    fn is_first(&self, number: u64) -> bool {
        match self.state.places.get(&number) {
            Some(None) => true,
            Some(Some(target)) => {
                let first = self.state.held.get(target).and_then(|queue| queue.front());
                matches!(first, Some(Item::Place(found)) if *found == number)
            }
            None => false,
        }
    }

    /// Whether a large message came, or will not be taken.
    pub(crate) fn is_done(&self, number: u64) -> bool {
        number <= self.state.done_to || self.state.done.contains(&number)
    }

    /// Whether no honest peer is at this number: what is kept of those that are done with is bounded by that.
    pub(crate) fn is_beyond(&self, number: u64) -> bool {
        number.saturating_sub(self.state.done_to) > AHEAD_MAX
    }

    fn is_over(&mut self, number: u64) {
        let state = &mut *self.state;
        state.done.insert(number);
        while state.done.remove(&state.done_to.saturating_add(1)) {
            state.done_to += 1;
        }
    }
}

impl Drop for Opened<'_> {
    /// What was taken out is delivered: others need not look into the table for it. Not before, lest a frame that was sent later, and
    /// finds nothing held, comes first.
    fn drop(&mut self) {
        self.targets.store(self.state.held.len(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 20;

    fn frame(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    fn ready(frames: &[&'static str]) -> Taken {
        Taken::Deliver(frames.iter().map(|text| frame(text)).collect())
    }

    #[test]
    fn what_was_sent_after_a_large_message_waits_for_it_and_other_targets_do_not() {
        let arrivals = Arrivals::default();
        assert!(!arrivals.is_holding());
        let mut open = arrivals.open();
        assert_eq!(open.place(1, Some(7)), None);
        assert!(arrivals.is_holding());
        assert_eq!(open.hold(8, frame("other"), LIMIT), Ok(Some(frame("other"))));
        assert_eq!(open.hold(7, frame("a"), LIMIT), Ok(None));
        assert_eq!(open.place(2, Some(7)), None);
        assert_eq!(open.hold(7, frame("b"), LIMIT), Ok(None));
        assert_eq!(open.whole(2, frame("second"), LIMIT), ready(&[]), "the first one is not there");
        assert_eq!(open.whole(1, frame("first"), LIMIT), ready(&["first", "a", "second", "b"]));
        assert_eq!(open.whole(1, frame("first"), LIMIT), Taken::Again);
        assert_eq!(open.hold(7, frame("c"), LIMIT), Ok(Some(frame("c"))));
        assert!(arrivals.is_holding(), "they are on their way to the feed, and nothing may overtake them");
        drop(open);
        assert!(!arrivals.is_holding());
    }

    #[test]
    fn one_that_comes_before_its_place_waits_for_it() {
        let arrivals = Arrivals::default();
        let mut open = arrivals.open();
        assert_eq!(open.whole(1, frame("early"), LIMIT), Taken::Early);
        assert_eq!(open.whole(1, frame("early"), LIMIT), Taken::Again);
        assert_eq!(open.place(1, Some(7)), Some(vec![frame("early")]));
        assert_eq!(open.place(2, None), None);
        assert_eq!(open.whole(2, frame("an answer"), LIMIT), ready(&["an answer"]));
        assert_eq!((open.state.bytes, open.state.done_to, open.state.done.len()), (0, 2, 0));
    }

    #[test]
    fn one_that_will_not_come_lets_the_rest_go() {
        let arrivals = Arrivals::default();
        let mut open = arrivals.open();
        open.place(1, Some(7));
        assert_eq!(open.hold(7, frame("a"), LIMIT), Ok(None));
        assert_eq!(open.without(1), Some(vec![frame("a")]));
        assert_eq!(open.without(1), None);
        assert_eq!(open.without(2), Some(Vec::new()), "nor its place");
        assert_eq!(open.place(2, Some(7)), None);
        assert_eq!(open.hold(7, frame("b"), LIMIT), Ok(Some(frame("b"))));
    }

    #[test]
    fn what_waits_is_bounded_and_not_lost_with_the_link() {
        let arrivals = Arrivals::default();
        let mut open = arrivals.open();
        open.place(1, Some(7));
        assert_eq!(open.hold(7, frame("0123456789"), LIMIT), Ok(None));
        assert_eq!(open.hold(7, frame("0123456789+"), LIMIT), Err(frame("0123456789+")));
        assert_eq!(open.hold(7, frame("abc"), LIMIT), Ok(None));
        assert_eq!(open.end(), [frame("0123456789"), frame("abc")]);
        drop(open);
        assert!(!arrivals.is_holding());
    }

    #[test]
    fn however_many_come_before_one_that_is_missing_each_is_settled() {
        let arrivals = Arrivals::default();
        let mut open = arrivals.open();
        open.place(1, None);
        for number in 2..=5_000 {
            open.place(number, None);
            assert_eq!(open.whole(number, frame("x"), LIMIT), ready(&["x"]));
        }
        open.place(5_001, Some(7));
        assert_eq!(open.hold(7, frame("behind"), LIMIT), Ok(None));
        assert_eq!(open.without(5_001), Some(vec![frame("behind")]));
        assert_eq!([AHEAD_MAX, AHEAD_MAX + 1].map(|number| open.is_beyond(number)), [false, true]);
    }

    #[test]
    fn large_messages_that_wait_are_bounded_too() {
        let arrivals = Arrivals::default();
        let mut open = arrivals.open();
        open.place(1, Some(7));
        open.place(2, Some(7));
        open.place(3, Some(7));
        assert_eq!(open.whole(2, frame("0123456789"), LIMIT), ready(&[]));
        assert_eq!(open.whole(3, frame("0123456789+"), LIMIT), Taken::TooMany);
        assert_eq!(open.whole(4, frame("0123456789+"), LIMIT), Taken::TooMany);
        assert_eq!(open.without(3), Some(Vec::new()));
        let first = open.whole(1, frame("0123456789012345678901"), LIMIT);
        assert_eq!(
            first,
            ready(&["0123456789012345678901", "0123456789"]),
            "who waits for nobody is not bounded here"
        );
        assert_eq!(open.state.bytes, 0);
    }
}
