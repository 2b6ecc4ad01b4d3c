//! Histories of clients that use one object at once, drawn from a seed.
//!
//! Each operation takes effect on a real object at one moment while it is open, so what comes out is linearizable until an answer is changed.

use std::collections::BTreeSet;

use synod_protocols::prng::Prng;
use synod_protocols::sim::check::{Access, Call, Model, Returned, Value};
use synod_protocols::sim::{Ending, History, Operation, OperationId};
use synod_protocols::types::{ClientId, Timestamp};

use crate::naive::Naive;

/// What histories to draw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) model: Model,
    pub(crate) operations: usize,
    pub(crate) clients: u64,
    /// How many different values are written.
    pub(crate) values: u64,
    /// How likely it is that a client never hears.
    pub(crate) unknown: f64,
    /// How likely it is that an operation fails.
    pub(crate) fail: f64,
    /// How likely it is that an operation takes or asks rather than gives.
    pub(crate) looks: f64,
}

enum Stage {
    Asked,
    Done(Returned),
}

/// One history that is linearizable.
pub(crate) fn draw(seed: u64, options: Options) -> Vec<Operation<Call, Returned>> {
    let mut prng = Prng::new(seed);
    let mut object = Naive::new(options.model);
    let mut history = History::default();
    let mut clients: Vec<ClientId> = (0..options.clients).map(ClientId).collect();
    let mut open: Vec<Option<(OperationId, Call, Stage)>> = (0..options.clients).map(|_| None).collect();
    let mut next_client = options.clients;
    let mut asked = 0;
    let mut line = 0;
    while asked < options.operations || open.iter().any(Option::is_some) {
        line += 1;
        let now = Timestamp(line);
        let at = prng.below(options.clients) as usize;
        match open[at].take() {
            None if asked < options.operations => {
                asked += 1;
                let call = call(&mut prng, options);
                open[at] = Some((history.invoke(now, clients[at], call.clone()), call, Stage::Asked));
            }
            None => {}
            Some((id, call, Stage::Asked)) => {
                if prng.chance(options.fail) {
                    history.fail(now, id);
                } else if prng.chance(options.unknown / 2.0) {
                    (clients[at], next_client) = (ClientId(next_client), next_client + 1);
                } else {
                    let returned = object.apply(&call);
                    let waits = options.model == Model::Mutex && returned == Returned::Swapped(false);
                    if waits && asked == options.operations {
                        (clients[at], next_client) = (ClientId(next_client), next_client + 1);
                    } else if waits {
                        open[at] = Some((id, call, Stage::Asked));
                        // A mutex that everybody waits for is given up by one of those who wait.
                        if open.iter().all(Option::is_some) {
                            open[at] = None;
                            history.fail(now, id);
                        }
                    } else {
                        open[at] = Some((id, call, Stage::Done(returned)));
                    }
                }
            }
            Some((id, _, Stage::Done(returned))) => {
                if prng.chance(options.unknown / 2.0) {
                    (clients[at], next_client) = (ClientId(next_client), next_client + 1);
                } else {
                    history.succeed(now, id, returned);
                }
            }
        }
    }
    history.operations().to_vec()
}

/// Changes an answer of a history to another one of its kind; false when there is none to change.
pub(crate) fn mutate(seed: u64, values: u64, operations: &mut [Operation<Call, Returned>]) -> bool {
    let mut prng = Prng::fork(seed, 1);
    let answered: Vec<usize> = (0..operations.len())
        .filter(|&operation| match &operations[operation].ending {
            Ending::Ok(Returned::Seen(seen)) => !seen.is_empty(),
            Ending::Ok(Returned::Value(_) | Returned::Swapped(_) | Returned::Elements(_)) => true,
            Ending::Ok(Returned::Done) | Ending::Fail | Ending::Info => false,
        })
        .collect();
    let Some(&chosen) = prng.pick(&answered) else { return false };
    let Ending::Ok(returned) = &mut operations[chosen].ending else { unreachable!("it was answered") };
    let other = || Value::Integer(Prng::fork(seed, 2).below(values) as i64);
    match returned {
        Returned::Value(Value::Text(text)) => {
            if text.pop().is_none() {
                text.push('a');
            }
        }
        Returned::Value(value) => *value = other(),
        Returned::Swapped(swapped) => *swapped = !*swapped,
        Returned::Elements(elements) => {
            if !elements.remove(&other()) {
                elements.insert(other());
            }
        }
        Returned::Seen(seen) => seen[0] = other(),
        Returned::Done => unreachable!("it tells something"),
    }
    true
}

fn call(prng: &mut Prng, options: Options) -> Call {
    let looks = prng.chance(options.looks);
    let number = prng.below(options.values) as i64;
    let value = Value::Integer(number);
    match options.model {
        Model::Register | Model::CasRegister | Model::Kv | Model::Counter | Model::Set if looks => Call::Read,
        Model::CasRegister if prng.chance(0.5) => {
            let expected = Value::Integer(prng.below(options.values) as i64);
            Call::CompareAndSet { expected, new: value }
        }
        Model::Register | Model::CasRegister => Call::Write(value),
        Model::Kv if prng.chance(0.1) => Call::Write(Value::Text(letter(number))),
        Model::Kv => Call::Append(letter(number)),
        Model::Counter => Call::Add(number + 1),
        Model::Set => Call::Insert(value),
        Model::Queue if looks => Call::Dequeue,
        Model::Queue => Call::Enqueue(value),
        Model::Mutex if looks => Call::Acquire,
        Model::Mutex => Call::Release,
        Model::MultiRegister => {
            let keys: BTreeSet<u64> = (0..2).map(|_| prng.below(3)).collect();
            let accesses = keys.into_iter().map(|key| {
                let key = Value::Integer(key as i64);
                if prng.chance(0.5) { Access::Read(key) } else { Access::Write(key, value.clone()) }
            });
            Call::Transact(accesses.collect())
        }
    }
}

fn letter(number: i64) -> String {
    // Of one and of two letters, so that texts can be equal that were put together in different ways.
    ["a", "b", "ab", "ba"][number as usize % 4].to_owned()
}
