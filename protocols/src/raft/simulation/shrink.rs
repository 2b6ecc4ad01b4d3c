//! A smaller run that breaks the same invariant: faults, chance, nodes and clients are left out while it still does.
//!
//! Delta debugging (Zeller & Hildebrandt, TSE 2002) over what a schedule holds. A run without one of its faults is another run,
//! whose chance may fall otherwise; so every attempt is made with several draws of the chance. Knows no clock: the caller says when
//! to stop.

use std::collections::BTreeSet;

use crate::raft::simulation::options::Options;
use crate::raft::simulation::reduction::{Quiet, Reduction};
use crate::raft::simulation::run::{Failure, run};
use crate::sim::Fault;
use crate::types::Timestamp;

/// With how many draws of the chance a smaller run is tried.
const DRAWS: u64 = 4;

/// The smallest failing run found so far.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The seed.
    pub seed: u64,
    /// What repeats the run.
    pub options: Options,
    /// What it breaks.
    pub failure: Failure,
    /// The faults that strike in it, and when.
    pub faults: Vec<(Timestamp, Fault)>,
    /// How many runs it took to find.
    pub runs: u64,
}

/// Looks for a smaller run of a seed that fails; `None` when the seed does not fail at all. `go_on` is asked before every run, and
/// the search also ends when nothing smaller fails any more.
pub fn shrink(seed: u64, options: &Options, go_on: impl FnMut(&Shrunk) -> bool) -> Option<Shrunk> {
    let failure = run(seed, &Options { tail: 0, ..options.clone() }).failure?;
    let faults = options.schedule(seed).faults;
    let options = Options { nodes: Some(options.nodes_of(seed)), ..options.clone() };
    let best = Shrunk { seed, options, failure, faults, runs: 1 };
    let mut search = Search { best, go_on, stopped: false };
    search.drop_what_came_later();
    search.fewer_nodes();
    loop {
        let before = search.best.options.clone();
        search.fewer_faults();
        search.calmer();
        search.shorter();
        search.fewer_clients();
        if search.stopped || search.best.options == before {
            break;
        }
    }
    let mut best = search.best;
    // Once more, with its last events in words.
    best.failure = run(seed, &best.options).failure?;
    Some(best)
}

struct Search<F> {
    best: Shrunk,
    go_on: F,
    stopped: bool,
}

impl<F: FnMut(&Shrunk) -> bool> Search<F> {
    /// Faults behind the moment at which the invariant broke do not change the run.
    fn drop_what_came_later(&mut self) {
        let end = self.best.failure.violation.at;
        let struck = |(position, (at, _)): (usize, &(Timestamp, Fault))| (*at <= end).then_some(position);
        let keep: BTreeSet<usize> = self.best.faults.iter().enumerate().filter_map(struck).collect();
        self.attempt(|reduction, _| reduction.keep = Some(keep));
    }

    fn fewer_nodes(&mut self) {
        for nodes in 1..self.best.options.nodes.unwrap_or(1) {
            let other = |reduction: &mut Reduction, size: &mut Option<u64>| {
                // The faults of another number of nodes are others.
                reduction.keep = None;
                *size = Some(nodes);
            };
            if self.attempt(other) {
                return self.drop_what_came_later();
            }
        }
    }

    /// Leaves out runs of faults, long ones first.
    fn fewer_faults(&mut self) {
        let mut length = self.kept().len().div_ceil(2);
        while length > 0 {
            let mut from = 0;
            while from < self.kept().len() {
                let kept = self.kept();
                let rest = kept.iter().take(from).chain(kept.iter().skip(from + length)).copied().collect();
                if !self.attempt(|reduction, _| reduction.keep = Some(rest)) {
                    from += length;
                }
                if self.stopped {
                    return;
                }
            }
            length /= 2;
        }
    }

    fn calmer(&mut self) {
        for quiet in Quiet::ALL {
            if !self.best.options.reduction.quiet.contains(&quiet) {
                self.attempt(|reduction, _| {
                    reduction.quiet.insert(quiet);
                });
            }
        }
    }

    /// Lets the safety phase end earlier, which matters where the end is what fails.
    fn shorter(&mut self) {
        let end = self.best.options.safe_until();
        for part in [4, 2] {
            if self.attempt(|reduction, _| reduction.until = Some(Timestamp(end.0 / part))) {
                return;
            }
        }
    }

    fn fewer_clients(&mut self) {
        let present = self.best.options.reduction.clients.unwrap_or(u64::MAX);
        for clients in [1, 2, 4, 8].into_iter().filter(|&clients| clients < present) {
            if self.attempt(|reduction, _| reduction.clients = Some(clients)) {
                return;
            }
        }
    }

    fn kept(&self) -> BTreeSet<usize> {
        let reduction = &self.best.options.reduction;
        reduction.keep.clone().unwrap_or_else(|| (0..self.best.faults.len()).collect())
    }

    /// Tries a change with several draws of the chance, and keeps it if the same invariant breaks.
    fn attempt(&mut self, change: impl FnOnce(&mut Reduction, &mut Option<u64>)) -> bool {
        let mut options = Options { tail: 0, ..self.best.options.clone() };
        change(&mut options.reduction, &mut options.nodes);
        let present = options.reduction.salt;
        for draw in 0..DRAWS {
            self.stopped = self.stopped || !(self.go_on)(&self.best);
            if self.stopped {
                return false;
            }
            options.reduction.salt = if draw == 0 { present } else { present + draw };
            self.best.runs += 1;
            let failure = run(self.best.seed, &options).failure;
            let same = failure.filter(|it| it.violation.invariant == self.best.failure.violation.invariant);
            if let Some(failure) = same {
                self.best.failure = failure;
                self.best.faults = options.schedule(self.best.seed).faults;
                self.best.options = Options { tail: self.best.options.tail, ..options };
                return true;
            }
        }
        false
    }
}
