//! Ten thousand operations of ten clients on one object: the answer within a bounded number of steps, for every model.

use synod_protocols::sim::Ending;
use synod_protocols::sim::check::{Call, Model, Returned, Start, Value, Verdict, check};

use crate::generator::{Options, draw, mutate};

const OPERATIONS: usize = 10_000;

fn options(model: Model, values: u64, unknown: f64) -> Options {
    Options { model, operations: OPERATIONS, clients: 10, values, unknown, fail: 0.02, looks: 0.5 }
}

/// The verdict and its steps; [`Verdict::Unknown`] beyond the bound.
fn judge(
    model: Model,
    history: &[synod_protocols::sim::Operation<Call, Returned>],
    bound: u64,
) -> (Verdict, u64) {
    let mut steps = 0;
    let verdict = check(model, &Start::Usual, history, |effort| {
        steps = effort.steps;
        effort.steps < bound
    });
    (verdict.expect("the history fits the model"), steps)
}

#[test]
fn a_linearizable_history_of_any_model_is_accepted_in_few_steps() {
    for model in Model::ALL {
        // Additions of many amounts that nobody knows of make a knapsack of a counter; see below.
        let few = if model == Model::Counter { 1 } else { 5 };
        for (values, unknown) in [(5, 0.0), (1_000_000, 0.0), (few, 0.01)] {
            let history = draw(7, options(model, values, unknown));
            let (verdict, steps) = judge(model, &history, 2_000_000);
            println!("{model}, {values} values, {unknown} unknown: {steps} steps");
            assert!(
                matches!(verdict, Verdict::Linearizable(_)),
                "{model}, {values}, {unknown}: {steps} steps"
            );
        }
    }
}

#[test]
fn queues_that_stay_short_or_grow_long_are_accepted_whatever_is_unknown() {
    for (looks, values, unknown) in
        [(0.7, 3, 0.0), (0.45, 3, 0.0), (0.5, 2, 0.05), (0.7, 5, 0.05), (0.45, 50, 0.05)]
    {
        for seed in 0..3 {
            let history = draw(seed, Options { looks, ..options(Model::Queue, values, unknown) });
            let (verdict, steps) = judge(Model::Queue, &history, 5_000_000);
            println!("{looks} out, {values} values, {unknown} unknown: {steps} steps");
            assert!(
                matches!(verdict, Verdict::Linearizable(_)),
                "{looks} out, {values} values, {unknown} unknown, seed {seed}: {steps} steps"
            );
        }
    }
}

#[test]
fn a_counter_with_unknown_additions_of_many_amounts_is_accepted() {
    for seed in 0..3 {
        let history = draw(seed, options(Model::Counter, 1_000_000, 0.01));
        let (verdict, steps) = judge(Model::Counter, &history, 20_000_000);
        println!("seed {seed}: {steps} steps");
        assert!(matches!(verdict, Verdict::Linearizable(_)), "seed {seed}: {steps} steps");
    }
}

#[test]
fn unknown_writes_that_can_be_told_apart_do_not_explode() {
    for model in [Model::Register, Model::CasRegister, Model::Set, Model::MultiRegister] {
        let history = draw(3, options(model, 1_000_000, 0.05));
        let (verdict, steps) = judge(model, &history, 20_000_000);
        println!("{model}: {steps} steps");
        assert!(matches!(verdict, Verdict::Linearizable(_)), "{model}: {steps} steps");
    }
}

#[test]
fn a_changed_answer_in_the_middle_is_found() {
    for model in [Model::Register, Model::CasRegister, Model::Kv, Model::Counter, Model::Set, Model::Queue] {
        let mut history = draw(11, options(model, 1_000_000, 0.0));
        let tells = |ending: &Ending<Returned>| {
            matches!(ending, Ending::Ok(Returned::Value(_) | Returned::Elements(_)))
        };
        let spoiled = (OPERATIONS / 2..).find(|&number| tells(&history[number].ending)).unwrap();
        match &mut history[spoiled].ending {
            Ending::Ok(Returned::Value(Value::Text(text))) => text.push('!'),
            Ending::Ok(Returned::Value(value)) => *value = Value::Integer(-5),
            Ending::Ok(Returned::Elements(elements)) => _ = elements.insert(Value::Integer(-5)),
            other => panic!("{other:?} tells nothing"),
        }
        let (verdict, steps) = judge(model, &history, 5_000_000);
        println!("{model}: {steps} steps");
        let Verdict::NotLinearizable(refutation) = verdict else { panic!("{model}: {steps} steps") };
        assert_eq!(refutation.last, spoiled, "{model}");
        assert!(refutation.shortest, "{model}");
        assert!(refutation.part.len() < OPERATIONS / 2 + 40, "{model}: {}", refutation.part.len());
    }
}

#[test]
fn stale_answers_among_few_values_are_found_or_explained() {
    let mut refuted = 0;
    for seed in 0..10 {
        let mut history = draw(seed, Options { clients: 3, ..options(Model::CasRegister, 4, 0.001) });
        assert!(mutate(seed, 4, &mut history));
        let (verdict, steps) = judge(Model::CasRegister, &history, 5_000_000);
        assert_ne!(verdict, Verdict::Unknown, "seed {seed}: {steps} steps");
        refuted += u64::from(matches!(verdict, Verdict::NotLinearizable(_)));
    }
    assert!(refuted >= 3, "{refuted} of 10");
}
