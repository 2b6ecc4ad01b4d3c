//! Raft under simulation: a sweep of seeds, the seeds kept from bugs found, and the proof that faults really struck.
//!
//! `SYNOD_SEEDS="A..B"` sweeps other seeds; `SYNOD_PROFILE` is one of `calm`, `network`, `process`, `swarm`, `safety`,
//! `liveness`, `wan`.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a report of speed needs a clock; no run sees it"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use synod_protocols::raft::simulation::{Failure, Options, Outcome, RARE_PATHS, run};
use synod_protocols::sim::{FaultKind, Profile, Report};

const QUICK: std::ops::Range<u64> = 0..25;

/// Rare paths that need more than a simulated world brings about.
const UNREACHABLE: [&str; 1] = ["no campaign after the last term"];

fn options() -> Options {
    let profile = match std::env::var("SYNOD_PROFILE").as_deref() {
        Ok("calm") => Profile::Calm,
        Ok("network") => Profile::Network,
        Ok("process") => Profile::Process,
        Ok("swarm") | Err(_) => Profile::Swarm,
        Ok("safety") => Profile::Safety,
        Ok("liveness") => Profile::Liveness,
        Ok("wan") => Profile::Wan,
        Ok(other) => panic!("SYNOD_PROFILE is no profile: {other:?}"),
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

/// Runs a seed, which must not fail.
fn run_seed(seed: u64, options: &Options) -> Outcome {
    let outcome = run(seed, options);
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
        for kind in FaultKind::of_machines() {
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
fn a_quorum_that_hears_each_other_gets_on_whatever_else_is_cut() {
    let options = Options { profile: Profile::Liveness, ..Options::default() };
    let mut shapes = 0;
    for seed in 0..12 {
        shapes += run_seed(seed, &options).faults.count(FaultKind::Shape).injected;
    }
    assert!(shapes >= 36, "{shapes}");
}

#[test]
fn continents_and_brutal_circumstances_break_nothing() {
    for profile in [Profile::Wan, Profile::Safety] {
        let options = Options { profile, ..Options::default() };
        for seed in 0..6 {
            assert!(run_seed(seed, &options).commands.ok > 0, "{profile:?} {seed}");
        }
    }
}

#[test]
fn the_list_of_rare_paths_is_what_the_machine_says() {
    let mut said: Vec<String> = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/raft"))
        .iter()
        .flat_map(|text| reached(text))
        .collect();
    said.sort();
    said.dedup();
    said.retain(|path| !UNREACHABLE.contains(&path.as_str()));
    assert_eq!(said, RARE_PATHS);
}

fn reached(text: &str) -> Vec<String> {
    let calls = text.split("out.reached(").skip(1);
    calls
        .filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next().map(str::to_owned))
        .collect()
}

/// The texts of all files in a folder but its tests.
fn sources(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the folder of the machine");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .filter(|path| path.file_name().is_some_and(|name| name != "tests" && name != "simulation"))
        .flat_map(|path| {
            if path.is_dir() {
                sources(&path)
            } else {
                vec![std::fs::read_to_string(&path).expect("a source")]
            }
        })
        .collect()
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
