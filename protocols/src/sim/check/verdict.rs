//! The question and its answer: is this history linearizable, and if not, which is the shortest part of it that is not?

use crate::sim::check::call::{Call, Returned};
use crate::sim::check::effort::Effort;
use crate::sim::check::fifo::{Fifo, Passage};
use crate::sim::check::machine::Machine;
use crate::sim::check::model::{Misfit, Model, Start};
use crate::sim::check::plan::Plan;
use crate::sim::check::search::{DeadEnd, Found, Search};
use crate::sim::check::span::Span;
use crate::sim::check::state::State;
use crate::sim::history::{Ending, Operation};
use crate::types::Timestamp;

/// How many states a refutation tells.
const STATES_TOLD: usize = 8;

/// Whether a history is linearizable. Numbers are positions among the operations given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is, by this order of effects; what is not in it had none or cannot be told from what had none.
    Linearizable(Vec<usize>),
    /// It is not.
    NotLinearizable(Refutation),
    /// The caller stopped the search before it knew.
    Unknown,
}

/// Why a history is not linearizable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refutation {
    /// The operation whose return ends the part: what happened before it can be explained, with its answer it cannot.
    pub last: usize,
    /// The operation that found no place in the longest order; mostly the last one.
    pub stuck: usize,
    /// The operations invoked before that return, in the order in which they were invoked, without those that failed.
    pub part: Vec<usize>,
    /// The longest order of effects that explains the answers of the part before the stuck one.
    pub order: Vec<usize>,
    /// What the object holds where the stuck operation has to be placed, in words: at most eight states, of the orders that were
    /// tried. Writes of unknown outcome that no answer speaks of are not tried.
    pub states: Vec<String>,
    /// No shorter beginning of the history fails. False when the search for one was stopped.
    pub shortest: bool,
}

/// Checks a history of one object. Operations that touch in time count as concurrent.
///
/// `keep_going` is asked every few hundred steps and may hold a clock and a limit of memory.
///
/// # Errors
/// [`Misfit`] when calls, answers or the start are none of the model's; nothing was checked then.
pub fn check(
    model: Model,
    start: &Start,
    operations: &[Operation<Call, Returned>],
    mut keep_going: impl FnMut(&Effort) -> bool,
) -> Result<Verdict, Misfit> {
    let everything = Part::before(operations, Timestamp::NEVER);
    let stuck = match everything.explain(model, start, &mut keep_going)? {
        Explained::Order(order) => return Ok(Verdict::Linearizable(order)),
        Explained::Stopped => return Ok(Verdict::Unknown),
        Explained::Not(refutation) => refutation,
    };
    let shortest = shorten(model, start, operations, stuck, &mut keep_going)?;
    let told = if model == Model::Queue {
        tell_queue(start, operations, shortest, &mut keep_going)?
    } else {
        shortest
    };
    Ok(Verdict::NotLinearizable(told))
}

/// Finds what explains the answers before the one that refutes a queue, and what the queue holds then.
fn tell_queue(
    start: &Start,
    operations: &[Operation<Call, Returned>],
    refutation: Refutation,
    keep_going: &mut impl FnMut(&Effort) -> bool,
) -> Result<Refutation, Misfit> {
    let stuck = refutation.last;
    let before = operations[stuck].ended.0.saturating_sub(1);
    let part = || Part::before(operations, Timestamp(before));
    let Explained::Order(order) = part().explain(Model::Queue, start, keep_going)? else {
        return Ok(Refutation { stuck, ..refutation });
    };
    let states = vec![part().replay(Model::Queue, start, &order)?];
    Ok(Refutation { stuck, order, states, ..refutation })
}

/// Finds the shortest beginning that fails. Beginnings of a linearizable history are linearizable, so it can be bisected; an answer
/// that comes later than the stuck operation's may be what refuted the whole.
fn shorten(
    model: Model,
    start: &Start,
    operations: &[Operation<Call, Returned>],
    found: Refutation,
    keep_going: &mut impl FnMut(&Effort) -> bool,
) -> Result<Refutation, Misfit> {
    let mut ends: Vec<Timestamp> =
        operations.iter().filter(|operation| is_ok(operation)).map(|operation| operation.ended).collect();
    ends.sort_unstable();
    ends.dedup();
    let position = |end: Timestamp| ends.partition_point(|&other| other < end);
    // Everything before `low` can be explained, what ends with `high` cannot.
    let mut low = position(operations[found.stuck].ended);
    let mut high = ends.len() - 1;
    let mut best = found;
    let mut middle = low;
    while low <= high {
        match Part::before(operations, ends[middle]).explain(model, start, keep_going)? {
            Explained::Stopped => return Ok(Refutation { shortest: false, ..best }),
            Explained::Order(_) => low = middle + 1,
            Explained::Not(refutation) => {
                low = low.max(position(operations[refutation.stuck].ended));
                best = refutation;
                if middle == low {
                    break;
                }
                high = middle;
            }
        }
        middle = low + (high - low) / 2;
    }
    Ok(Refutation { shortest: true, ..best })
}

fn is_ok(operation: &Operation<Call, Returned>) -> bool {
    matches!(operation.ending, Ending::Ok(_))
}

/// The beginning of a history: what was answered up to an instant, and what was open then.
struct Part<'a> {
    operations: &'a [Operation<Call, Returned>],
    /// The operations of it, in the order in which they were invoked.
    chosen: Vec<usize>,
    end: Timestamp,
}

/// What a search made of a part.
enum Explained {
    Order(Vec<usize>),
    Not(Refutation),
    Stopped,
}

impl<'a> Part<'a> {
    fn before(operations: &'a [Operation<Call, Returned>], end: Timestamp) -> Self {
        let mut chosen: Vec<usize> = (0..operations.len())
            .filter(|&operation| {
                operations[operation].ending != Ending::Fail && operations[operation].invoked <= end
            })
            .collect();
        chosen.sort_by_key(|&operation| operations[operation].invoked);
        Self { operations, chosen, end }
    }

    /// The answer of an operation, if it came within the part.
    fn answer(&self, operation: usize) -> Option<&'a Returned> {
        match &self.operations[operation].ending {
            Ending::Ok(returned) if self.operations[operation].ended <= self.end => Some(returned),
            Ending::Ok(_) | Ending::Fail | Ending::Info => None,
        }
    }

    fn explain(
        self,
        model: Model,
        start: &Start,
        keep_going: &mut impl FnMut(&Effort) -> bool,
    ) -> Result<Explained, Misfit> {
        let calls = self.chosen.iter().map(|&chosen| (&self.operations[chosen].action, self.answer(chosen)));
        let (mut machine, state, deeds) =
            Machine::prepare(model, start, calls).map_err(|misfit| match misfit {
                Misfit::Operation { operation, model } => {
                    Misfit::Operation { operation: self.chosen[operation], model }
                }
                Misfit::Start { model } => Misfit::Start { model },
            })?;
        if let State::Items(items) = &state {
            return Ok(match Fifo::new(items, &deeds, &self.spans()).run(keep_going) {
                Passage::Order(order) => {
                    Explained::Order(order.into_iter().map(|position| self.chosen[position]).collect())
                }
                Passage::Stopped => Explained::Stopped,
                Passage::Nothing => Explained::Not(self.refute_queue()),
            });
        }
        let plan = Plan::new(deeds, &self.spans());
        Ok(match Search::new(&plan, &mut machine).run(state, keep_going) {
            Found::Order(order) => Explained::Order(self.originals(&plan, &order)),
            Found::Stopped => Explained::Stopped,
            Found::Nothing(end) => Explained::Not(self.refute(&plan, &machine, &end)),
        })
    }

    /// What the object holds after these operations, in words.
    fn replay(self, model: Model, start: &Start, order: &[usize]) -> Result<String, Misfit> {
        let calls =
            order.iter().map(|&operation| (&self.operations[operation].action, self.answer(operation)));
        let (mut machine, mut state, deeds) = Machine::prepare(model, start, calls)?;
        for deed in &deeds {
            state = machine.step(&state, deed).expect("the order explains the answers");
        }
        Ok(machine.describe(&state))
    }

    fn spans(&self) -> Vec<Span> {
        self.chosen
            .iter()
            .map(|&chosen| {
                let answered = self.answer(chosen).is_some();
                let Operation { invoked, ended, .. } = self.operations[chosen];
                Span { invoked, returned: if answered { ended.max(invoked) } else { Timestamp::NEVER } }
            })
            .collect()
    }

    fn originals(&self, plan: &Plan, order: &[usize]) -> Vec<usize> {
        order.iter().map(|&operation| self.chosen[plan.operations[operation].origin]).collect()
    }

    /// Nothing is known yet but that there is no order: where it stands is found by shortening.
    fn refute_queue(self) -> Refutation {
        let answered = || self.chosen.iter().copied().filter(|&chosen| self.answer(chosen).is_some());
        let ended = |&chosen: &usize| self.operations[chosen].ended;
        let ends = answered().min_by_key(ended).zip(answered().max_by_key(ended));
        let (stuck, last) = ends.expect("a history without answers has an order");
        Refutation { last, stuck, part: self.chosen, order: Vec::new(), states: Vec::new(), shortest: false }
    }

    fn refute(&self, plan: &Plan, machine: &Machine, end: &DeadEnd) -> Refutation {
        let origin = |position| self.chosen[plan.operations[plan.returning(position)].origin];
        Refutation {
            last: origin(plan.returns() - 1),
            stuck: origin(end.position),
            part: self.chosen.clone(),
            order: self.originals(plan, &end.order),
            states: end.states.iter().take(STATES_TOLD).map(|state| machine.describe(state)).collect(),
            shortest: false,
        }
    }
}
