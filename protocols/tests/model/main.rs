//! The real machine under a model checker: every order of a few events, instead of many events in some orders.
//!
//! `SYNOD_MODEL=NAME cargo test --release -p synod-protocols --test model -- --ignored --nocapture` checks larger bounds.

mod bounds;
mod group;
mod naming;
mod network;
mod node;
mod properties;

use std::collections::BTreeSet;

use stateright::{Checker, Expectation, HasDiscoveries, Model};

use bounds::Bounds;
use group::Group;

/// States after which a quick check ends in any case.
const QUICK: usize = 400_000;

/// A number given in the surroundings.
fn setting(name: &str) -> Option<usize> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

/// Looks at every state within the bounds, or at the nearest ones up to a number; returns what came about in some.
fn check(bounds: Bounds, states: Option<usize>) -> BTreeSet<&'static str> {
    let name = bounds.name;
    let mut builder = Group::new(bounds)
        .checker()
        .threads(setting("SYNOD_THREADS").unwrap_or(1))
        .finish_when(HasDiscoveries::AnyFailures);
    if let Some(states) = states {
        builder = builder.target_state_count(states);
    }
    let checker = builder.spawn_bfs().join();
    let (all, unique, depth) = (checker.state_count(), checker.unique_state_count(), checker.max_depth());
    let failures: Vec<_> = checker
        .model()
        .properties()
        .into_iter()
        .filter(|property| property.expectation == Expectation::Always)
        .filter_map(|property| Some((property.name, checker.discovery(property.name)?)))
        .collect();
    let end = match states {
        _ if !failures.is_empty() => "stopped",
        Some(states) if states <= all => "cut short",
        _ => "complete",
    };
    println!("{name}: {all} states, {unique} unique, depth {depth}, {end}");
    for (rule, path) in &failures {
        println!("{name}: {rule} is broken after {} steps", path.clone().into_actions().len());
        for (state, action) in path.clone().into_vec() {
            println!("{state:?}\n{action:?}");
        }
    }
    assert!(
        failures.is_empty(),
        "{name}: {:?} broken",
        failures.iter().map(|(rule, _)| rule).collect::<Vec<_>>()
    );
    checker.discoveries().into_keys().collect()
}

/// The checks asked for by name in the surroundings, or all of them. Says whether it is all.
fn chosen(all: &[Bounds]) -> (bool, impl Iterator<Item = Bounds>) {
    let wanted = std::env::var("SYNOD_MODEL").unwrap_or_default();
    (wanted.is_empty(), all.iter().filter(move |bounds| wanted.is_empty() || wanted == bounds.name).cloned())
}

#[test]
fn no_order_of_a_few_events_breaks_a_rule() {
    let (all, checks) = chosen(&bounds::QUICK);
    let seen: BTreeSet<_> =
        checks.flat_map(|it| check(it, setting("SYNOD_STATES").or(Some(QUICK)))).collect();
    let missing: Vec<_> = properties::sights().filter(|sight| all && !seen.contains(sight)).collect();
    assert!(missing.is_empty(), "never came about: {missing:?}");
}

#[test]
#[ignore = "takes minutes to hours"]
fn no_order_of_more_events_breaks_a_rule() {
    let (_, checks) = chosen(&bounds::DEEP);
    checks.for_each(|bounds| drop(check(bounds, setting("SYNOD_STATES"))));
}
