//! Whether a history is one of a queue: a search over the items in the order in which they go through it.
//!
//! What a queue holds is never spelt out. The n-th item in is the n-th out, so an order of effects is a list of pairs, an enqueue and
//! the dequeue that took its item, and of the places in it at which somebody found the queue empty. A list is an order of effects if and
//! only if no operation in it is invoked after the return of one that comes later: of two pairs, the first enqueue is invoked before the
//! second enqueue returns and before the second dequeue does, the first dequeue before the second one returns; where the queue was
//! found empty, everything before goes before everything behind. (Greedily, each operation takes effect once all that go before it
//! have.) So a configuration is which enqueues and which dequeues are done, and items that were put in at once need no order before
//! they come out. Like Gibbons and Korach (SIAM J. Comput. 1997, §4), but equal items may go in twice.

use std::collections::BTreeSet;

use crate::sim::check::deed::Deed;
use crate::sim::check::effort::Effort;
use crate::sim::check::span::Span;
use crate::sim::check::symbols::Symbol;
use crate::sim::check::track::{Done, Due, Track};
use crate::types::Timestamp;

/// How many steps are taken between two questions whether to go on.
const STRETCH: u64 = 512;

/// How a search ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Passage {
    /// An order of effects, by the positions of the operations given.
    Order(Vec<usize>),
    /// There is none.
    Nothing,
    /// The caller wanted no more of it.
    Stopped,
}

/// What is done.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    enqueues: Done,
    dequeues: Done,
    looks: Done,
}

/// A step of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// An item went in and came out.
    Item { enqueue: usize, dequeue: usize },
    /// The queue was found empty.
    Look(usize),
}

/// A place on the way, and what is still to be tried from it.
#[derive(Debug)]
struct Frame {
    place: Place,
    /// The last invocation of a dequeue that is done.
    dequeued: Timestamp,
    length: usize,
    choices: Vec<(usize, usize)>,
    tried: usize,
}

/// A search under way.
#[derive(Debug)]
pub(super) struct Fifo {
    enqueues: Track,
    dequeues: Track,
    /// Dequeues that found nothing.
    looks: Track,
    list: Vec<Step>,
    frames: Vec<Frame>,
    seen: BTreeSet<Place>,
    effort: Effort,
}

impl Fifo {
    /// A search for an order of these operations on a queue that holds `items` at first.
    pub(super) fn new(items: &[Symbol], deeds: &[Deed], spans: &[Span]) -> Self {
        let (mut enqueues, mut dequeues, mut looks) = (Vec::new(), Vec::new(), Vec::new());
        for (at, &item) in (0..).map(Timestamp).zip(items) {
            // One after the other, before everything else.
            enqueues.push(Due { returned: at, invoked: at, item: Some(item), origin: None });
        }
        for (origin, (deed, span)) in deeds.iter().zip(spans).enumerate() {
            let due = |item| Due {
                returned: later(span.returned, items.len()),
                invoked: later(span.invoked, items.len()),
                item,
                origin: Some(origin),
            };
            match deed {
                Deed::Enqueue(item) => enqueues.push(due(Some(*item))),
                Deed::Dequeue(Some(Symbol::NIL)) => looks.push(due(None)),
                Deed::Dequeue(item) => dequeues.push(due(*item)),
                _ => unreachable!("a queue's deeds are enqueue and dequeue"),
            }
        }
        let mut fifo = Self {
            enqueues: Track::new(enqueues),
            dequeues: Track::new(dequeues),
            looks: Track::new(looks),
            list: Vec::new(),
            frames: Vec::new(),
            seen: BTreeSet::new(),
            effort: Effort::default(),
        };
        fifo.effort.completed = fifo.dequeues.known() + fifo.looks.known();
        fifo
    }

    /// Searches as long as `keep_going` says so.
    pub(super) fn run(mut self, keep_going: &mut impl FnMut(&Effort) -> bool) -> Passage {
        if self.enter(Place::default(), Timestamp(0)) {
            return Passage::Order(self.order());
        }
        while let Some(frame) = self.frames.last_mut() {
            let Some(&(enqueue, dequeue)) = frame.choices.get(frame.tried) else {
                self.frames.pop();
                continue;
            };
            frame.tried += 1;
            let (mut place, mut dequeued) = (frame.place.clone(), frame.dequeued);
            self.list.truncate(frame.length);
            self.effort.steps += 1;
            if self.effort.steps.is_multiple_of(STRETCH) && !keep_going(&self.effort) {
                return Passage::Stopped;
            }
            self.enqueues.finish(&mut place.enqueues, enqueue);
            self.dequeues.finish(&mut place.dequeues, dequeue);
            dequeued = dequeued.max(self.dequeues.due(dequeue).invoked);
            self.list.push(Step::Item { enqueue, dequeue });
            if self.enter(place, dequeued) {
                return Passage::Order(self.order());
            }
        }
        Passage::Nothing
    }

    /// Goes to a place, and lets those look who may find the queue empty there; true when nobody is left who has to do anything.
    fn enter(&mut self, mut place: Place, dequeued: Timestamp) -> bool {
        loop {
            let bound = self.bound(&place).min(self.enqueues.deadline(&place.enqueues));
            let look = self.looks.open(&place.looks, bound).first().copied();
            let Some(look) = look.filter(|_| dequeued <= self.enqueues.deadline(&place.enqueues)) else {
                break;
            };
            self.looks.finish(&mut place.looks, look);
            self.list.push(Step::Look(look));
        }
        if self.dequeues.is_over(&place.dequeues) && self.looks.is_over(&place.looks) {
            return true;
        }
        let bytes = place.enqueues.bytes() + place.dequeues.bytes() + place.looks.bytes();
        if !self.seen.insert(place.clone()) {
            return false;
        }
        self.effort.remembered += 1;
        self.effort.bytes += bytes as u64;
        self.effort.passed = self.effort.passed.max(self.list.len());
        let choices = self.choices(&place);
        self.frames.push(Frame { place, dequeued, length: self.list.len(), choices, tried: 0 });
        false
    }

    /// Until when a dequeue must have been invoked to be the next.
    fn bound(&self, place: &Place) -> Timestamp {
        self.dequeues.deadline(&place.dequeues).min(self.looks.deadline(&place.looks))
    }

    /// The pairs that may come next: first those whose dequeue returns first, last those whose dequeue nobody heard of.
    fn choices(&self, place: &Place) -> Vec<(usize, usize)> {
        let bound = self.bound(place);
        let enqueues =
            self.enqueues.open(&place.enqueues, bound.min(self.enqueues.deadline(&place.enqueues)));
        let item = |enqueue: usize| self.enqueues.due(enqueue).item;
        let mut choices = Vec::new();
        for dequeue in self.dequeues.open(&place.dequeues, bound) {
            match self.dequeues.due(dequeue).item {
                Some(taken) => choices.extend(
                    enqueues
                        .iter()
                        .filter(|&&enqueue| item(enqueue) == Some(taken))
                        .map(|&enqueue| (enqueue, dequeue)),
                ),
                // An item that perhaps went in need not perhaps have come out.
                None => choices.extend(
                    enqueues
                        .iter()
                        .filter(|&&enqueue| self.enqueues.due(enqueue).returned != Timestamp::NEVER)
                        .map(|&enqueue| (enqueue, dequeue)),
                ),
            }
        }
        choices
    }

    /// The order of effects of the list: each takes effect as soon as it is invoked and all before it have.
    fn order(&self) -> Vec<usize> {
        let mut effects: Vec<(Timestamp, usize)> = Vec::new();
        let (mut enqueued, mut dequeued, mut looked) = (Timestamp(0), Timestamp(0), Timestamp(0));
        let mut done = Done::default();
        let mut note = |at: Timestamp, due: &Due| effects.extend(due.origin.map(|origin| (at, origin)));
        for step in &self.list {
            match *step {
                Step::Item { enqueue, dequeue } => {
                    self.enqueues.finish(&mut done, enqueue);
                    let (put, taken) = (self.enqueues.due(enqueue), self.dequeues.due(dequeue));
                    enqueued = enqueued.max(put.invoked).max(looked);
                    note(enqueued, put);
                    dequeued = dequeued.max(taken.invoked).max(enqueued);
                    note(dequeued, taken);
                }
                Step::Look(look) => {
                    let due = self.looks.due(look);
                    looked = looked.max(due.invoked).max(enqueued).max(dequeued);
                    note(looked, due);
                }
            }
        }
        // What stays in the queue goes in last, in the order in which it has to.
        for left in (0..self.enqueues.known()).filter(|&left| !done.has(left)) {
            let due = self.enqueues.due(left);
            enqueued = enqueued.max(due.invoked).max(looked);
            note(enqueued, due);
        }
        // Stable: those at one instant stay in the order of the list.
        effects.sort_by_key(|(at, _)| *at);
        effects.into_iter().map(|(_, origin)| origin).collect()
    }
}

/// An instant, so much later; never stays never.
fn later(at: Timestamp, by: usize) -> Timestamp {
    Timestamp(at.0.saturating_add(by as u64))
}
