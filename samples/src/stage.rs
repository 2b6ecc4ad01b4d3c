//! Starts a sample as its arguments say: for real, or with `--sim --seed N` in virtual time.
//!
//! Knows nothing of what a sample does.

use std::error::Error;
use std::future::Future;
use std::process::ExitCode;

use synod::prelude::*;

/// Where a sample is performed.
pub enum Stage {
    /// In the operating system's processes and time.
    Real,
    /// In virtual time.
    Simulated(Simulation),
}

/// Runs a sample whose cluster has these nodes; the exit code says whether everything came out right.
pub fn perform<F>(sample: &str, nodes: &[&str], story: impl FnOnce(Stage) -> F) -> ExitCode
where
    F: Future<Output = Result<(), Box<dyn Error>>>,
{
    let result = match seed(std::env::args().skip(1)) {
        Ok(None) => System::new().block_on(story(Stage::Real)),
        Ok(Some(seed)) => in_virtual_time(nodes, seed, story),
        Err(mistake) => Err(mistake.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{sample}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn in_virtual_time<F>(nodes: &[&str], seed: u64, story: impl FnOnce(Stage) -> F) -> Result<(), Box<dyn Error>>
where
    F: Future<Output = Result<(), Box<dyn Error>>>,
{
    let outcome = simulate(seed, nodes, |simulation| story(Stage::Simulated(simulation)));
    // Printed before the verdict, so that a failure can be replayed.
    println!(
        "seed {seed}: {} events and {} packets in {:.3} simulated seconds, hashes {:016x} {:016x}",
        outcome.events.count,
        outcome.packets.count,
        outcome.simulated.as_secs_f64(),
        outcome.events.hash,
        outcome.packets.hash
    );
    outcome.value
}

/// The seed of a simulation; `None` when the sample is to run for real.
fn seed(arguments: impl Iterator<Item = String>) -> Result<Option<u64>, String> {
    let usage = |what: String| format!("{what}; write nothing to run for real, or --sim --seed N");
    let arguments: Vec<String> = arguments.collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [] => Ok(None),
        ["--sim"] => Ok(Some(0)),
        ["--sim", "--seed", seed] | ["--seed", seed, "--sim"] => {
            seed.parse().map(Some).map_err(|_| usage(format!("{seed:?} is no seed, a number from 0 on")))
        }
        _ => Err(usage(format!("cannot make sense of {:?}", words.join(" ")))),
    }
}
