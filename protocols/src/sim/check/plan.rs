//! A history laid out for the search: invocations and returns in order, and a slot for each operation that is open.
//!
//! An operation has a slot from its invocation to its return; slots are used again. An operation whose outcome is unknown never
//! returns and keeps its slot. So a set of slots says which open operations an order has taken in, and what returned before is in
//! it anyway: Lowe's bitset (2017, §4.1) without the part that all orders share.

use std::collections::{BTreeMap, BTreeSet};

use crate::sim::check::deed::Deed;
use crate::sim::check::sought::Sought;
use crate::sim::check::span::Span;
use crate::types::Timestamp;

/// An operation of a plan.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) deed: Deed,
    /// Its position among the operations given.
    pub(super) origin: usize,
    pub(super) slot: u32,
    /// The position of its return among all returns; `None` when the outcome is unknown.
    pub(super) deadline: Option<usize>,
    /// Before how many returns it can explain something, when the outcome is unknown.
    pub(super) until: usize,
    pub(super) only_looks: bool,
    /// The last one before it with the same deed, when the outcomes of both are unknown: which of the two took effect makes no
    /// difference, so this one waits for it.
    pub(super) twin: Option<usize>,
}

/// An invocation or a return of an operation of the plan.
#[derive(Clone, Copy, Debug)]
enum Event {
    Invoke(usize),
    Return(usize),
}

/// A history laid out.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) operations: Vec<Planned>,
    /// How many slots there are.
    pub(super) slots: usize,
    events: Vec<Event>,
    /// The operations that return, in that order, with the positions of the events.
    returns: Vec<(usize, usize)>,
}

impl Plan {
    /// Lays out deeds and when they were open. Of those whose outcome is unknown, the ones that can explain nothing are left out.
    pub(super) fn new(deeds: Vec<Deed>, spans: &[Span]) -> Self {
        let sought = Sought::of(&deeds, spans);
        let mut order: Vec<(Timestamp, Kind, usize)> = Vec::new();
        for (origin, (deed, span)) in deeds.iter().zip(spans).enumerate() {
            if span.returned != Timestamp::NEVER {
                order.push((span.invoked, Kind::Invoke, origin));
                order.push((span.returned, Kind::Return, origin));
            } else if sought.until(deed).is_some_and(|until| until >= span.invoked) {
                order.push((span.invoked, Kind::Invoke, origin));
            }
        }
        order.sort_unstable();
        let ends: Vec<Timestamp> =
            order.iter().filter(|(_, kind, _)| *kind == Kind::Return).map(|(at, ..)| *at).collect();
        let mut plan = Self { operations: Vec::new(), slots: 0, events: Vec::new(), returns: Vec::new() };
        let mut deeds: Vec<Option<Deed>> = deeds.into_iter().map(Some).collect();
        let mut operations: BTreeMap<usize, usize> = BTreeMap::new();
        let mut free = BTreeSet::new();
        for (_, kind, origin) in order {
            match kind {
                Kind::Invoke => {
                    let deed = deeds[origin].take().expect("an operation is invoked once");
                    operations.insert(origin, plan.operations.len());
                    let known = spans[origin].returned != Timestamp::NEVER;
                    let until = match sought.until(&deed) {
                        Some(until) if !known => ends.partition_point(|end| *end <= until),
                        _ => usize::MAX,
                    };
                    plan.invoke(origin, deed, until, if known { Some(&mut free) } else { None });
                }
                Kind::Return => {
                    let operation = operations[&origin];
                    plan.operations[operation].deadline = Some(plan.returns.len());
                    plan.returns.push((plan.events.len(), operation));
                    plan.events.push(Event::Return(operation));
                    free.insert(plan.operations[operation].slot);
                }
            }
        }
        plan.find_twins();
        plan
    }

    /// How many operations return.
    pub(super) fn returns(&self) -> usize {
        self.returns.len()
    }

    /// The operation of a return.
    pub(super) fn returning(&self, position: usize) -> usize {
        self.returns[position].1
    }

    /// Slots that others gave back go only to operations that return: one that never does would keep it from the others.
    fn invoke(&mut self, origin: usize, deed: Deed, until: usize, free: Option<&mut BTreeSet<u32>>) {
        let slot = free.and_then(BTreeSet::pop_first).unwrap_or_else(|| {
            self.slots += 1;
            u32::try_from(self.slots - 1).expect("fewer than 2^32 operations are open at once")
        });
        self.events.push(Event::Invoke(self.operations.len()));
        let only_looks = deed.only_looks();
        self.operations.push(Planned { deed, origin, slot, deadline: None, until, only_looks, twin: None });
    }

    fn find_twins(&mut self) {
        // By their words: a deed has no order of its own, and equal ones are written equally.
        let mut last: BTreeMap<String, usize> = BTreeMap::new();
        for operation in 0..self.operations.len() {
            let planned = &mut self.operations[operation];
            if planned.deadline.is_none() {
                planned.twin = last.insert(format!("{:?}", planned.deed), operation);
            }
        }
    }
}

/// At one instant, invocations come first: operations that touch count as concurrent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Invoke,
    Return,
}

/// A place in a plan, just before a return, with what is open there.
#[derive(Debug)]
pub(super) struct Cursor {
    /// How many events lie behind it.
    events: usize,
    open: Vec<Option<usize>>,
}

impl Cursor {
    /// Before the first event.
    pub(super) fn new(plan: &Plan) -> Self {
        Self { events: 0, open: vec![None; plan.slots] }
    }

    /// Goes to the place just before a return, forwards or backwards; behind the last return is after all events.
    pub(super) fn seek(&mut self, plan: &Plan, position: usize) {
        let target = plan.returns.get(position).map_or(plan.events.len(), |(event, _)| *event);
        while self.events < target {
            let (slot, open) = match plan.events[self.events] {
                Event::Invoke(operation) => (plan.operations[operation].slot, Some(operation)),
                Event::Return(operation) => (plan.operations[operation].slot, None),
            };
            self.open[slot as usize] = open;
            self.events += 1;
        }
        while self.events > target {
            self.events -= 1;
            let (slot, open) = match plan.events[self.events] {
                Event::Invoke(operation) => (plan.operations[operation].slot, None),
                Event::Return(operation) => (plan.operations[operation].slot, Some(operation)),
            };
            self.open[slot as usize] = open;
        }
    }

    /// The operations that are open here.
    pub(super) fn open(&self) -> impl Iterator<Item = usize> {
        self.open.iter().flatten().copied()
    }
}
