//! Thousands of small histories, linearizable ones and ones with an answer changed, judged by stateright's tester too: it shares no
//! line and no idea with ours beyond the definition. What was refuted is then cut where ours says, and both must agree about the cut.

use stateright::semantics::{ConsistencyTester, LinearizabilityTester};
use synod_protocols::sim::check::{Call, Model, Returned, Start, Verdict, check};
use synod_protocols::sim::{Ending, Operation};
use synod_protocols::types::Timestamp;

use crate::generator::{Options, draw, mutate};
use crate::naive::Naive;

/// Per model; the tester tries every order, so histories are small.
const HISTORIES: u64 = 1_500;

#[test]
fn registers_agree() {
    agree(Model::Register);
}

#[test]
fn cas_registers_agree() {
    agree(Model::CasRegister);
}

#[test]
fn keys_agree() {
    agree(Model::Kv);
}

#[test]
fn counters_agree() {
    agree(Model::Counter);
}

#[test]
fn sets_agree() {
    agree(Model::Set);
}

#[test]
fn queues_agree() {
    agree(Model::Queue);
}

#[test]
fn mutexes_agree() {
    agree(Model::Mutex);
}

#[test]
fn multi_registers_agree() {
    agree(Model::MultiRegister);
}

fn agree(model: Model) {
    let (mut accepted, mut refused) = (0, 0);
    for seed in 0..HISTORIES {
        let operations = 4 + seed as usize % 6;
        let options =
            Options { model, operations, clients: 3, values: 3, unknown: 0.2, fail: 0.1, looks: 0.55 };
        let mut history = draw(seed, options);
        if seed % 4 > 0 {
            spoil(seed, model, &mut history);
        }
        let expected = judged(model, &history, Timestamp::NEVER);
        let verdict = check(model, &Start::Usual, &history, |_| true).expect("the history fits the model");
        match verdict {
            Verdict::Linearizable(order) => {
                assert!(expected, "{model}, seed {seed}: accepted as {order:?}: {history:#?}");
                explains(model, &history, &order);
                accepted += 1;
            }
            Verdict::NotLinearizable(refutation) => {
                assert!(!expected, "{model}, seed {seed}: refused by {refutation:?}: {history:#?}");
                assert!(refutation.shortest, "{model}, seed {seed}");
                let end = history[refutation.last].ended;
                assert!(!judged(model, &history, end), "{model}, seed {seed}: the part can be explained");
                let shorter = Timestamp(end.0 - 1);
                assert!(judged(model, &history, shorter), "{model}, seed {seed}: a shorter part fails");
                refused += 1;
            }
            Verdict::Unknown => panic!("{model}, seed {seed}: nobody stopped it"),
        }
    }
    assert!(accepted > HISTORIES / 6 && refused > HISTORIES / 6, "{accepted} accepted, {refused} refused");
}

/// Changes an answer; a mutex gives none, so one of its calls becomes the other.
fn spoil(seed: u64, model: Model, history: &mut [Operation<Call, Returned>]) {
    if model == Model::Mutex {
        let call = &mut history[seed as usize % 4].action;
        *call = if *call == Call::Acquire { Call::Release } else { Call::Acquire };
    } else {
        mutate(seed, 3, history);
    }
}

/// Stateright's judgement of what happened up to an instant.
fn judged(model: Model, history: &[Operation<Call, Returned>], end: Timestamp) -> bool {
    let mut tester = LinearizabilityTester::new(Naive::new(model));
    let mut events: Vec<(Timestamp, bool, usize)> = Vec::new();
    for (number, operation) in history.iter().enumerate() {
        if operation.ending != Ending::Fail {
            events.push((operation.invoked, false, number));
        }
        if matches!(operation.ending, Ending::Ok(_)) {
            events.push((operation.ended, true, number));
        }
    }
    events.sort_unstable();
    for (_, returns, number) in events.into_iter().take_while(|(at, ..)| *at <= end) {
        let operation = &history[number];
        let told = match &operation.ending {
            Ending::Ok(returned) if returns => tester.on_return(operation.client.0, returned.clone()),
            _ => tester.on_invoke(operation.client.0, operation.action.clone()),
        };
        told.expect("the history is well formed");
    }
    tester.is_consistent()
}

/// Whether an order has every answered operation once, respects time, and gives every answer.
fn explains(model: Model, history: &[Operation<Call, Returned>], order: &[usize]) {
    let mut object = Naive::new(model);
    for (position, &number) in order.iter().enumerate() {
        let returned = object.apply(&history[number].action);
        if let Ending::Ok(expected) = &history[number].ending {
            assert_eq!(returned, *expected, "{order:?} does not explain {number} of {history:#?}");
        }
        let later =
            order[position + 1..].iter().find(|&&later| history[later].ended < history[number].invoked);
        assert_eq!(later, None, "{order:?} turns time round in {history:#?}");
        assert!(!order[..position].contains(&number), "{order:?} has {number} twice");
    }
    for (number, operation) in history.iter().enumerate() {
        let answered = matches!(operation.ending, Ending::Ok(_));
        assert!(!answered || order.contains(&number), "{order:?} has no {number} of {history:#?}");
    }
}
