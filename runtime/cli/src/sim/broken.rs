//! Looks for the smallest run that breaks what a seed broke, for a bounded time, and tells it.
//!
//! How a run is made smaller stands in the simulation itself.

use std::fmt;
use std::panic;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use synod::protocols::raft::simulation::{Options, Shrunk, shrink};

/// The smallest run found.
pub(crate) struct Smaller {
    /// What it is.
    pub(crate) run: Shrunk,
    /// How many faults the seed's own run has.
    pub(crate) faults_before: usize,
}

/// Looks for at most so long; `None` when the seed breaks nothing.
pub(crate) fn find_smaller(seed: u64, options: &Options, longest: Duration) -> Option<Smaller> {
    let bar = ProgressBar::new_spinner();
    let start = Instant::now();
    // The sweep has shown where a machine panics; hundreds of repetitions say nothing more.
    let loud = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let run = shrink(seed, options, |best| {
        bar.set_message(format!("{} runs, {} faults left", best.runs, best.faults.len()));
        bar.tick();
        start.elapsed() < longest
    });
    panic::set_hook(loud);
    bar.finish_and_clear();
    Some(Smaller { run: run?, faults_before: options.schedule(seed).faults.len() })
}

impl fmt::Display for Smaller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, faults_before } = self;
        let nodes = run.options.nodes_of(run.seed);
        let (faults, runs) = (run.faults.len(), run.runs);
        writeln!(f, "seed {}: {}", run.seed, run.failure.violation)?;
        writeln!(f, "the smallest of {runs} runs: {nodes} nodes, {faults} of {faults_before} faults")?;
        for (at, fault) in &run.faults {
            writeln!(f, "  {:>12.6} {fault:?}", at.0 as f64 / 1e9)?;
        }
        writeln!(f, "its last events")?;
        run.failure.tail.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}
