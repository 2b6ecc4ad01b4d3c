//! Raft under simulation: a sweep of seeds, the seeds kept from bugs found, and the proof that faults really struck.
//!
//! `SYNOD_SEEDS="A..B"` sweeps other seeds; `SYNOD_PROFILE` is one of `calm`, `network`, `process`, `swarm`.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a report of speed needs a clock; no run sees it"
)]

use std::time::{Duration, Instant};

use synod_protocols::raft::simulation::{Failure, Options, Outcome, run};
use synod_protocols::sim::{FaultKind, Profile, Report};

const QUICK: std::ops::Range<u64> = 0..25;

/// Every rare path of the machine, so that the report names those that a sweep never took.
const RARE_PATHS: [&str; 22] = [
    "answer of an earlier term ignored",
    "answer to an earlier replication ignored",
    "committed entries could not be read",
    "committed entries read back",
    "conflicting tail replaced",
    "entries not taken without space",
    "entries of an earlier term wait for one of this term",
    "follower without space",
    "late pre-vote ignored",
    "log on disk made to follow the snapshot",
    "no campaign while the disk stalls",
    "no campaign without space",
    "reads wait for the first commit of the term",
    "request to campaign ignored",
    "snapshot behind the commit index dropped",
    "snapshot of a past leader dropped",
    "snapshot of entries already held dropped",
    "snapshot sent to a peer that is behind the log",
    "stepped down without a quorum",
    "transfer abandoned",
    "unsent proposals taken back",
    "vote withheld from whoever does not hear the leader",
];

fn options() -> Options {
    let profile = match std::env::var("SYNOD_PROFILE").as_deref() {
        Ok("calm") => Profile::Calm,
        Ok("network") => Profile::Network,
        Ok("process") => Profile::Process,
        Ok("swarm") | Err(_) => Profile::Swarm,
        Ok(other) => panic!("SYNOD_PROFILE is calm, network, process or swarm, not {other:?}"),
    };
    Options { profile, ..Options::default() }
}

fn seeds() -> std::ops::Range<u64> {
    let Ok(text) = std::env::var("SYNOD_SEEDS") else { return QUICK };
    let bounds = text.split_once("..").map(|(low, high)| (low.parse(), high.parse()));
    match bounds {
        Some((Ok(low), Ok(high))) => low..high,
        _ => panic!("SYNOD_SEEDS reads A..B, not {text:?}"),
    }
}

fn kept_seeds() -> Vec<u64> {
    let lines = include_str!("seeds.txt").lines();
    let seeds =
        lines.filter_map(|line| line.split('#').next().map(str::trim).filter(|seed| !seed.is_empty()));
    seeds.map(|seed| seed.parse().expect("seeds.txt holds one number a line, then a comment")).collect()
}

/// Runs a seed; a machine that panics is told with the seed that made it.
fn run_seed(seed: u64, options: &Options) -> Outcome {
    let outcome = std::panic::catch_unwind(|| run(seed, options)).unwrap_or_else(|_| {
        panic!("SYNOD_SEEDS={seed}..{} replays this: a machine panicked, see above", seed + 1)
    });
    if let Some(failure) = &outcome.failure {
        fail(failure);
    }
    outcome
}

/// The seed stands first in the message, so that it is the first thing seen and the first thing replayed.
fn fail(failure: &Failure) -> ! {
    panic!("SYNOD_SEEDS={}..{} replays this.\n{failure}", failure.seed, failure.seed + 1);
}

fn add(report: &mut Report, outcome: &Outcome) {
    report.add(outcome.simulated, outcome.events, outcome.commands, &outcome.faults, &outcome.reached);
}

#[test]
fn no_seed_breaks_an_invariant_and_every_fault_strikes() {
    let options = options();
    let mut report = Report::default();
    report.expect(&RARE_PATHS);
    let started = Instant::now();
    for seed in seeds() {
        let outcome = run_seed(seed, &options);
        assert!(outcome.simulated >= options.duration, "seed {seed} ended early");
        assert!(outcome.commands.total() >= options.commands, "seed {seed} asked too little");
        add(&mut report, &outcome);
    }
    report.wall = started.elapsed();
    println!("{report}");
    if report.seeds >= QUICK.count() as u64 && options.profile == Profile::Swarm {
        for kind in FaultKind::ALL {
            assert!(report.faults.count(kind).injected > 0, "{kind} never struck");
        }
        assert!(
            report.commands.ok > report.commands.total() / 2,
            "most commands fail: {:?}",
            report.commands
        );
    }
}

#[test]
fn seeds_kept_from_bugs_pass() {
    for seed in kept_seeds() {
        run_seed(seed, &Options::default());
    }
}

#[test]
fn the_same_seed_is_the_same_run_and_another_seed_is_not() {
    let options = Options { duration: Duration::from_secs(20), commands: 500, ..Options::default() };
    let hashes: Vec<_> = (0..8).map(|seed| run(seed, &options).hash).collect();
    for (seed, hash) in hashes.iter().enumerate() {
        assert_eq!(run(seed as u64, &options).hash, *hash, "seed {seed}");
        assert_eq!(hashes.iter().filter(|other| *other == hash).count(), 1, "seed {seed} is like another");
    }
}

#[test]
fn on_a_calm_day_every_command_takes_effect_at_once() {
    let options = Options { profile: Profile::Calm, duration: Duration::from_secs(20), ..Options::default() };
    let outcome = run_seed(1, &options);
    assert!(outcome.commands.ok * 100 >= outcome.commands.total() * 99, "{:?}", outcome.commands);
}
