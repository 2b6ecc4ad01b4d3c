//! One object, operation by operation: which answers are right, and what it holds afterwards.
//!
//! Knows nothing of time or of concurrency. An operation whose answer nobody learnt may have had any.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::sim::check::call::{Access, Call, Returned};
use crate::sim::check::deed::{Deed, Step};
use crate::sim::check::mask::Mask;
use crate::sim::check::model::{Misfit, Model, Start};
use crate::sim::check::state::State;
use crate::sim::check::symbols::{Symbol, Symbols, Texts, Value};

/// The object of a model, and the numbers of what its history speaks of.
#[derive(Debug)]
pub(super) struct Machine {
    model: Model,
    symbols: Symbols,
    texts: Texts,
    places: BTreeMap<Value, usize>,
    /// No call takes away from a counter.
    only_grows: bool,
}

impl Machine {
    /// The object of a history with these calls and answers, what it holds at first, and the calls in numbers.
    pub(super) fn prepare<'a>(
        model: Model,
        start: &Start,
        operations: impl Iterator<Item = (&'a Call, Option<&'a Returned>)> + Clone,
    ) -> Result<(Self, State, Vec<Deed>), Misfit> {
        let (symbols, texts) = (Symbols::new(), Texts::default());
        let mut machine = Self { model, symbols, texts, places: BTreeMap::new(), only_grows: true };
        for (call, returned) in operations.clone() {
            machine.learn(call, returned);
        }
        let state = machine.begin(start).ok_or(Misfit::Start { model })?;
        let mut deeds = Vec::new();
        for (operation, (call, returned)) in operations.enumerate() {
            deeds.push(machine.deed(call, returned).ok_or(Misfit::Operation { operation, model })?);
        }
        Ok((machine, state, deeds))
    }

    /// What the object holds after a deed; `None` when it would have answered otherwise.
    pub(super) fn step(&mut self, state: &State, deed: &Deed) -> Option<State> {
        match (state, deed) {
            (State::Register(held), Deed::Read(seen)) => agrees(*held, *seen).then(|| state.clone()),
            (State::Register(_), Deed::Write(new)) => Some(State::Register(*new)),
            (State::Register(held), Deed::CompareAndSet { expected, new, swapped }) => {
                let swaps = held == expected;
                agrees(swaps, *swapped).then_some(State::Register(if swaps { *new } else { *held }))
            }
            (State::Text(held), Deed::ReadText(seen)) => agrees(*held, *seen).then(|| state.clone()),
            (State::Text(_), Deed::WriteText(new)) => Some(State::Text(*new)),
            (State::Text(held), Deed::Append(more)) => Some(State::Text(self.texts.append(*held, more))),
            (State::Total(total), Deed::ReadTotal(seen)) => agrees(*total, *seen).then(|| state.clone()),
            (State::Total(total), Deed::Add(amount)) => Some(State::Total(total + i128::from(*amount))),
            (State::Elements(held), Deed::ReadElements(seen)) => {
                seen.as_ref().is_none_or(|seen| **held == *seen).then(|| state.clone())
            }
            (State::Elements(held), Deed::Insert(element)) => {
                let mut elements = Mask::clone(held);
                elements.insert(element.0);
                Some(State::Elements(Rc::new(elements)))
            }
            (State::Items(items), Deed::Enqueue(item)) => {
                Some(State::Items(items.iter().chain([item]).copied().collect()))
            }
            (State::Items(items), Deed::Dequeue(seen)) => {
                let Some((head, rest)) = items.split_first() else {
                    return agrees(Symbol::NIL, *seen).then(|| state.clone());
                };
                agrees(*head, *seen).then(|| State::Items(rest.into()))
            }
            (State::Taken(taken), Deed::Acquire) => (!taken).then_some(State::Taken(true)),
            (State::Taken(taken), Deed::Release) => taken.then_some(State::Taken(false)),
            (State::Registers(values), Deed::Transact(steps)) => transact(values, steps),
            _ => None,
        }
    }

    /// Whether a deed can never be done once the object holds this.
    pub(super) fn is_lost(&self, state: &State, deed: &Deed) -> bool {
        match (state, deed) {
            (State::Elements(held), Deed::ReadElements(Some(seen))) => !held.is_within(seen),
            (State::Total(total), Deed::ReadTotal(Some(seen))) => self.only_grows && total > seen,
            _ => false,
        }
    }

    /// A state in words.
    pub(super) fn describe(&self, state: &State) -> String {
        let list = |symbols: &mut dyn Iterator<Item = Symbol>| {
            let values: Vec<String> = symbols.map(|symbol| self.symbols.value(symbol).to_string()).collect();
            values.join(", ")
        };
        match state {
            State::Register(held) => self.symbols.value(*held).to_string(),
            State::Text(text) => format!("{:?}", self.texts.spell(*text)),
            State::Total(total) => total.to_string(),
            State::Elements(elements) => format!("{{{}}}", list(&mut elements.iter().map(Symbol))),
            State::Items(items) => format!("[{}]", list(&mut items.iter().copied())),
            State::Taken(taken) => if *taken { "taken" } else { "free" }.to_owned(),
            State::Registers(values) => {
                let pairs = self
                    .places
                    .iter()
                    .map(|(key, &place)| format!("{key}: {}", self.symbols.value(values[place])));
                format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// About how many bytes the numbers take.
    pub(super) fn bytes(&self) -> usize {
        self.texts.bytes()
    }

    /// Numbers the elements of sets and the keys of registers, so that states are as wide as all of them.
    fn learn(&mut self, call: &Call, returned: Option<&Returned>) {
        match call {
            Call::Insert(element) => {
                self.symbols.number(element);
            }
            Call::Transact(accesses) => {
                for access in accesses {
                    let (Access::Read(key) | Access::Write(key, _)) = access;
                    let place = self.places.len();
                    self.places.entry(key.clone()).or_insert(place);
                }
            }
            Call::Add(amount) => self.only_grows &= *amount >= 0,
            Call::Read
            | Call::Write(_)
            | Call::CompareAndSet { .. }
            | Call::Append(_)
            | Call::Enqueue(_)
            | Call::Dequeue
            | Call::Acquire
            | Call::Release => {}
        }
        if let Some(Returned::Elements(elements)) = returned {
            elements.iter().for_each(|element| _ = self.symbols.number(element));
        }
    }

    fn begin(&mut self, start: &Start) -> Option<State> {
        match (self.model, start) {
            (Model::Register | Model::CasRegister, Start::Usual) => Some(State::Register(Symbol::NIL)),
            (Model::Register | Model::CasRegister, Start::Value(value)) => {
                Some(State::Register(self.symbols.number(value)))
            }
            (Model::Kv, Start::Usual) => Some(State::Text(Texts::EMPTY)),
            (Model::Kv, Start::Value(Value::Text(text))) => {
                Some(State::Text(self.texts.append(Texts::EMPTY, text)))
            }
            (Model::Counter, Start::Usual) => Some(State::Total(0)),
            (Model::Counter, Start::Value(Value::Integer(total))) => Some(State::Total(i128::from(*total))),
            (Model::Set, Start::Usual) => Some(State::Elements(Rc::new(Mask::empty(self.symbols.len())))),
            (Model::Set, Start::Elements(elements)) => {
                elements.iter().for_each(|element| _ = self.symbols.number(element));
                Some(State::Elements(Rc::new(self.mask(elements.iter()))))
            }
            (Model::Queue, Start::Usual) => Some(State::Items(Rc::from([]))),
            (Model::Queue, Start::Items(items)) if !items.contains(&Value::Nil) => {
                Some(State::Items(items.iter().map(|item| self.symbols.number(item)).collect()))
            }
            (Model::Mutex, Start::Usual) => Some(State::Taken(false)),
            (Model::MultiRegister, Start::Usual) => Some(self.registers(Symbol::NIL)),
            (Model::MultiRegister, Start::Value(value)) => {
                let symbol = self.symbols.number(value);
                Some(self.registers(symbol))
            }
            _ => None,
        }
    }

    fn registers(&self, symbol: Symbol) -> State {
        State::Registers(vec![symbol; self.places.len()].into())
    }

    fn mask<'a>(&mut self, elements: impl Iterator<Item = &'a Value>) -> Mask {
        let mut mask = Mask::empty(self.symbols.len());
        elements.for_each(|element| mask.insert(self.symbols.number(element).0));
        mask
    }

    fn deed(&mut self, call: &Call, returned: Option<&Returned>) -> Option<Deed> {
        let done = matches!(returned, None | Some(Returned::Done));
        match (self.model, call) {
            (Model::Register | Model::CasRegister, Call::Read) => {
                Some(Deed::Read(seen(returned)?.map(|value| self.symbols.number(value))))
            }
            (Model::Register | Model::CasRegister, Call::Write(value)) if done => {
                Some(Deed::Write(self.symbols.number(value)))
            }
            (Model::CasRegister, Call::CompareAndSet { expected, new }) => {
                let swapped = match returned {
                    None => None,
                    Some(Returned::Swapped(swapped)) => Some(*swapped),
                    Some(_) => return None,
                };
                let (expected, new) = (self.symbols.number(expected), self.symbols.number(new));
                Some(Deed::CompareAndSet { expected, new, swapped })
            }
            (Model::Kv, Call::Read) => match seen(returned)? {
                None => Some(Deed::ReadText(None)),
                Some(Value::Text(text)) => Some(Deed::ReadText(Some(self.texts.append(Texts::EMPTY, text)))),
                Some(_) => None,
            },
            (Model::Kv, Call::Write(Value::Text(text))) if done => {
                Some(Deed::WriteText(self.texts.append(Texts::EMPTY, text)))
            }
            (Model::Kv, Call::Append(text)) if done => Some(Deed::Append(text.clone())),
            (Model::Counter, Call::Read) => match seen(returned)? {
                None => Some(Deed::ReadTotal(None)),
                Some(Value::Integer(total)) => Some(Deed::ReadTotal(Some(i128::from(*total)))),
                Some(_) => None,
            },
            (Model::Counter, Call::Add(amount)) if done => Some(Deed::Add(*amount)),
            (Model::Set, Call::Read) => match returned {
                None => Some(Deed::ReadElements(None)),
                Some(Returned::Elements(elements)) => {
                    Some(Deed::ReadElements(Some(self.mask(elements.iter()))))
                }
                Some(_) => None,
            },
            (Model::Set, Call::Insert(element)) if done => Some(Deed::Insert(self.symbols.number(element))),
            (Model::Queue, Call::Enqueue(item)) if done && *item != Value::Nil => {
                Some(Deed::Enqueue(self.symbols.number(item)))
            }
            (Model::Queue, Call::Dequeue) => {
                Some(Deed::Dequeue(seen(returned)?.map(|value| self.symbols.number(value))))
            }
            (Model::Mutex, Call::Acquire) if done => Some(Deed::Acquire),
            (Model::Mutex, Call::Release) if done => Some(Deed::Release),
            (Model::MultiRegister, Call::Transact(accesses)) => self.transaction(accesses, returned),
            _ => None,
        }
    }

    fn transaction(&mut self, accesses: &[Access], returned: Option<&Returned>) -> Option<Deed> {
        let seen = match returned {
            None => None,
            Some(Returned::Seen(seen)) => Some(seen),
            Some(_) => return None,
        };
        let reads = accesses.iter().filter(|access| matches!(access, Access::Read(_))).count();
        if seen.is_some_and(|seen| seen.len() != reads) {
            return None;
        }
        let mut seen = seen.map(|seen| seen.iter());
        let mut steps = Vec::new();
        for access in accesses {
            steps.push(match access {
                Access::Read(key) => {
                    let value = seen.as_mut().and_then(Iterator::next);
                    Step::Read(self.places[key], value.map(|value| self.symbols.number(value)))
                }
                Access::Write(key, value) => Step::Write(self.places[key], self.symbols.number(value)),
            });
        }
        Some(Deed::Transact(steps))
    }
}

fn agrees<T: PartialEq>(held: T, seen: Option<T>) -> bool {
    seen.is_none_or(|seen| seen == held)
}

/// The value of an answer that is one: `Some(None)` when there is no answer.
fn seen(returned: Option<&Returned>) -> Option<Option<&Value>> {
    match returned {
        None => Some(None),
        Some(Returned::Value(value)) => Some(Some(value)),
        Some(_) => None,
    }
}

fn transact(values: &Rc<[Symbol]>, steps: &[Step]) -> Option<State> {
    let mut after = Rc::clone(values);
    for step in steps {
        match step {
            Step::Read(place, seen) => {
                if !agrees(after[*place], *seen) {
                    return None;
                }
            }
            Step::Write(place, new) => Rc::make_mut(&mut after)[*place] = *new,
        }
    }
    Some(State::Registers(after))
}
