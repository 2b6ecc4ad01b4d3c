//! The models as anybody would write them down, without numbers, tries or bits: the judge's object, and the generator's.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use stateright::semantics::SequentialSpec;
use synod_protocols::sim::check::{Access, Call, Model, Returned, Value};

/// One object.
#[derive(Clone, Debug)]
pub(crate) enum Naive {
    Register(Value),
    Text(String),
    Total(i64),
    Elements(BTreeSet<Value>),
    Items(VecDeque<Value>),
    Taken(bool),
    Registers(BTreeMap<Value, Value>),
}

impl Naive {
    /// The object of a model before the first operation.
    pub(crate) fn new(model: Model) -> Self {
        match model {
            Model::Register | Model::CasRegister => Self::Register(Value::Nil),
            Model::Kv => Self::Text(String::new()),
            Model::Counter => Self::Total(0),
            Model::Set => Self::Elements(BTreeSet::new()),
            Model::Queue => Self::Items(VecDeque::new()),
            Model::Mutex => Self::Taken(false),
            Model::MultiRegister => Self::Registers(BTreeMap::new()),
        }
    }

    /// Does what is asked; a mutex that is not in the right state answers what no client gets, and stays as it is.
    pub(crate) fn apply(&mut self, call: &Call) -> Returned {
        match (self, call) {
            (Self::Register(held), Call::Read) => Returned::Value(held.clone()),
            (Self::Register(held), Call::Write(value)) => {
                held.clone_from(value);
                Returned::Done
            }
            (Self::Register(held), Call::CompareAndSet { expected, new }) => {
                let swaps = held == expected;
                if swaps {
                    held.clone_from(new);
                }
                Returned::Swapped(swaps)
            }
            (Self::Text(held), Call::Read) => Returned::Value(Value::Text(held.clone())),
            (Self::Text(held), Call::Write(Value::Text(text))) => {
                held.clone_from(text);
                Returned::Done
            }
            (Self::Text(held), Call::Append(text)) => {
                held.push_str(text);
                Returned::Done
            }
            (Self::Total(total), Call::Read) => Returned::Value(Value::Integer(*total)),
            (Self::Total(total), Call::Add(amount)) => {
                *total += amount;
                Returned::Done
            }
            (Self::Elements(held), Call::Read) => Returned::Elements(held.clone()),
            (Self::Elements(held), Call::Insert(element)) => {
                held.insert(element.clone());
                Returned::Done
            }
            (Self::Items(items), Call::Enqueue(item)) => {
                items.push_back(item.clone());
                Returned::Done
            }
            (Self::Items(items), Call::Dequeue) => Returned::Value(items.pop_front().unwrap_or(Value::Nil)),
            (Self::Taken(taken), Call::Acquire) if !*taken => {
                *taken = true;
                Returned::Done
            }
            (Self::Taken(taken), Call::Release) if *taken => {
                *taken = false;
                Returned::Done
            }
            (Self::Taken(_), Call::Acquire | Call::Release) => Returned::Swapped(false),
            (Self::Registers(held), Call::Transact(accesses)) => {
                let mut seen = Vec::new();
                for access in accesses {
                    match access {
                        Access::Read(key) => seen.push(held.get(key).cloned().unwrap_or(Value::Nil)),
                        Access::Write(key, value) => _ = held.insert(key.clone(), value.clone()),
                    }
                }
                Returned::Seen(seen)
            }
            (object, call) => panic!("{object:?} knows no {call}"),
        }
    }
}

impl SequentialSpec for Naive {
    type Op = Call;
    type Ret = Returned;

    fn invoke(&mut self, call: &Call) -> Returned {
        self.apply(call)
    }
}
