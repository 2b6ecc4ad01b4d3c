//! The search for an order: Wing and Gong's, depth first, with Lowe's memory of where it has been.
//!
//! A configuration is the next return that is not passed, which of the operations open there the order has taken in, and what the
//! object holds. Three rules leave out orders that are no better than others (each by an exchange of neighbours):
//! an operation that only looks is taken in as soon as it can be; one with an unknown outcome is taken in only if it changes
//! something; and after it comes an operation that needs it, for otherwise that one goes first.

use std::collections::BTreeSet;
use std::mem::size_of;

use crate::sim::check::effort::Effort;
use crate::sim::check::machine::Machine;
use crate::sim::check::mask::Mask;
use crate::sim::check::plan::{Cursor, Plan};
use crate::sim::check::state::State;

/// How many steps are taken between two questions whether to go on.
const STRETCH: u64 = 512;

/// How a search ended.
#[derive(Debug)]
pub(super) enum Found {
    /// An order that explains every answer.
    Order(Vec<usize>),
    /// There is none.
    Nothing(DeadEnd),
    /// The caller wanted no more of it.
    Stopped,
}

/// The farthest that any order goes.
#[derive(Debug)]
pub(super) struct DeadEnd {
    /// The return that no order passes.
    pub(super) position: usize,
    /// The longest order up to there.
    pub(super) order: Vec<usize>,
    /// What the object may hold there.
    pub(super) states: Vec<State>,
}

/// An operation of unknown outcome that was taken in last, and what the object held before.
type Doubt = Option<(usize, State)>;

/// What is remembered of a configuration beside its position.
type Key = (Mask, State, Doubt);

/// A configuration on the way, and what is still to be tried from it.
#[derive(Debug)]
struct Frame {
    position: usize,
    taken: Mask,
    state: State,
    doubt: Doubt,
    /// How long the order is.
    length: usize,
    choices: Vec<usize>,
    tried: usize,
}

/// A search under way.
#[derive(Debug)]
pub(super) struct Search<'a> {
    plan: &'a Plan,
    machine: &'a mut Machine,
    cursor: Cursor,
    order: Vec<usize>,
    frames: Vec<Frame>,
    /// By position, where it has been.
    seen: Vec<BTreeSet<Key>>,
    farthest: Option<(usize, Vec<usize>)>,
    effort: Effort,
}

impl<'a> Search<'a> {
    /// A search that has not begun.
    pub(super) fn new(plan: &'a Plan, machine: &'a mut Machine) -> Self {
        let effort = Effort { completed: plan.returns(), ..Effort::default() };
        let (cursor, seen) = (Cursor::new(plan), vec![BTreeSet::new(); plan.returns()]);
        let (order, frames) = (Vec::new(), Vec::new());
        Self { plan, machine, cursor, order, frames, seen, farthest: None, effort }
    }

    /// Searches from a state, as long as `keep_going` says so.
    pub(super) fn run(mut self, start: State, keep_going: &mut impl FnMut(&Effort) -> bool) -> Found {
        let taken = Mask::empty(self.plan.slots);
        if self.enter(0, taken, start, None) {
            return Found::Order(self.order);
        }
        while let Some(frame) = self.frames.last_mut() {
            let Some(&operation) = frame.choices.get(frame.tried) else {
                self.leave();
                continue;
            };
            frame.tried += 1;
            self.effort.steps += 1;
            if self.effort.steps.is_multiple_of(STRETCH) && !keep_going(&self.cost()) {
                return Found::Stopped;
            }
            if self.attempt(operation) {
                return Found::Order(self.order);
            }
        }
        let (position, order) = self.farthest.take().expect("a search that fails has left a configuration");
        let states: BTreeSet<State> = self.seen[position].iter().map(|(_, state, _)| state.clone()).collect();
        Found::Nothing(DeadEnd { position, order, states: states.into_iter().collect() })
    }

    /// Takes an operation in after the last configuration; true when that ends the search.
    fn attempt(&mut self, operation: usize) -> bool {
        let frame = self.frames.last().expect("something is tried from a configuration");
        let (plan, position) = (self.plan, frame.position);
        let planned = &plan.operations[operation];
        let Some(next) = self.machine.step(&frame.state, &planned.deed) else { return false };
        let unknown = planned.deadline.is_none();
        if unknown && next == frame.state {
            return false;
        }
        if let Some((doubtful, before)) = &frame.doubt
            && goes_first(plan, self.machine, operation, *doubtful, before, &next)
        {
            return false;
        }
        let mut taken = frame.taken.clone();
        taken.insert(planned.slot);
        let doubt = unknown.then(|| (operation, frame.state.clone()));
        self.order.truncate(frame.length);
        self.cursor.seek(plan, position);
        let lost = self.cursor.open().any(|open| {
            let open = &plan.operations[open];
            open.deadline.is_some() && !taken.has(open.slot) && self.machine.is_lost(&next, &open.deed)
        });
        if lost {
            return false;
        }
        self.order.push(operation);
        self.enter(position, taken, next, doubt)
    }

    /// Goes on from a configuration as far as there is no choice, and keeps it unless it is known; true at the end of the history.
    fn enter(&mut self, mut position: usize, mut taken: Mask, state: State, mut doubt: Doubt) -> bool {
        let plan = self.plan;
        loop {
            self.cursor.seek(plan, position);
            let before = self.order.len();
            for operation in self.cursor.open() {
                let planned = &plan.operations[operation];
                if planned.only_looks
                    && !taken.has(planned.slot)
                    && self.machine.step(&state, &planned.deed).is_some()
                {
                    taken.insert(planned.slot);
                    self.order.push(operation);
                }
            }
            if self.order.len() > before {
                doubt = None;
            }
            let passed = position;
            while position < plan.returns() {
                let slot = plan.operations[plan.returning(position)].slot;
                if !taken.has(slot) {
                    break;
                }
                taken.remove(slot);
                position += 1;
                // The slot may have another owner already: what is open differs behind each return.
                self.cursor.seek(plan, position);
            }
            if position == plan.returns() {
                return true;
            }
            if position == passed {
                break;
            }
        }
        self.keep(position, taken, state, doubt);
        false
    }

    /// Remembers a configuration and makes it the last one, unless it was remembered.
    fn keep(&mut self, position: usize, taken: Mask, state: State, doubt: Doubt) {
        let bytes = size_of::<Key>() + taken.bytes() + state.bytes();
        if !self.seen[position].insert((taken.clone(), state.clone(), doubt.clone())) {
            return;
        }
        self.effort.remembered += 1;
        self.effort.bytes += bytes as u64;
        self.effort.passed = self.effort.passed.max(position);
        let choices = self.choices(position, &taken, &doubt);
        let length = self.order.len();
        self.frames.push(Frame { position, taken, state, doubt, length, choices, tried: 0 });
    }

    /// What may come next where the cursor stands: first what returns first, last what perhaps never happened.
    fn choices(&self, position: usize, taken: &Mask, doubt: &Doubt) -> Vec<usize> {
        let operations = &self.plan.operations;
        let free = || self.cursor.open().filter(|&operation| !taken.has(operations[operation].slot));
        let needy: Vec<usize> = free().filter(|&operation| !operations[operation].deed.is_blind()).collect();
        let mut choices: Vec<usize> = free()
            .filter(|&operation| {
                let planned = &operations[operation];
                if planned.only_looks
                    || position >= planned.until
                    || !planned.twin.is_none_or(|twin| taken.has(operations[twin].slot))
                {
                    return false;
                }
                let follows = doubt.as_ref().is_none_or(|&(doubtful, _)| {
                    let before = &operations[doubtful].deed;
                    let in_turn = planned.deadline.is_none() && operation > doubtful;
                    planned.deed.may_need(before) || in_turn && planned.deed.commutes(before)
                });
                let needed =
                    |other: &usize| *other != operation && operations[*other].deed.may_need(&planned.deed);
                follows && (planned.deadline.is_some() || needy.iter().any(needed))
            })
            .collect();
        choices.sort_unstable_by_key(|&operation| {
            let deadline = operations[operation].deadline.unwrap_or(usize::MAX);
            (deadline, operation)
        });
        choices
    }

    /// Gives the last configuration up.
    fn leave(&mut self) {
        let frame = self.frames.pop().expect("a configuration is left that was entered");
        let farther = self
            .farthest
            .as_ref()
            .is_none_or(|(position, order)| (frame.position, frame.length) > (*position, order.len()));
        if farther {
            self.farthest = Some((frame.position, self.order[..frame.length].to_vec()));
        }
    }

    fn cost(&self) -> Effort {
        Effort { bytes: self.effort.bytes + self.machine.bytes() as u64, ..self.effort }
    }
}

/// Whether `operation` leads to the same state when it goes before a doubtful operation, or without it.
fn goes_first(
    plan: &Plan,
    machine: &mut Machine,
    operation: usize,
    doubtful: usize,
    before: &State,
    after: &State,
) -> bool {
    let operations = &plan.operations;
    let Some(between) = machine.step(before, &operations[operation].deed) else { return false };
    if between == *after {
        return true;
    }
    // Of two doubtful ones that may change places, the earlier goes first.
    if operations[operation].deadline.is_none() && operation > doubtful {
        return false;
    }
    machine.step(&between, &operations[doubtful].deed).is_some_and(|state| state == *after)
}
