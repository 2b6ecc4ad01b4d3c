//! One run: a safety phase in which faults strike, then a core of nodes is made well and has to come to a good end.
//!
//! A run that fails is repeated with its last events in words; equal seeds make that the same run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use crate::prng::Prng;
use crate::raft::invariants::Suite;
use crate::raft::simulation::client::{Action, Seen};
use crate::raft::simulation::exactly_once;
use crate::raft::simulation::options::Options;
use crate::raft::simulation::workload::Workload;
use crate::raft::{Config, Raft};
use crate::sim::{
    Commands, History, Invariant, Lists, Schedule, Step, Tally, TraceLine, Violation, World, WorldConfig,
};
use crate::types::{LogIndex, NodeId, Timestamp};

const LIVENESS: &str = "liveness";

/// How long a core that was made well may take until a command takes effect, and until it is at rest.
const RECOVERY: Duration = Duration::from_secs(20);

/// What one seed came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// The hash of every event; the same for the same seed and options.
    pub hash: u64,
    /// How many events happened.
    pub events: u64,
    /// How much virtual time passed.
    pub simulated: Duration,
    /// How commands ended.
    pub commands: Commands,
    /// The faults asked for and injected.
    pub faults: Tally,
    /// The rare paths taken.
    pub reached: BTreeMap<&'static str, u64>,
    /// What clients asked and were told.
    pub history: History<Action, Seen>,
    /// What was broken, if anything was.
    pub failure: Option<Failure>,
}

/// A broken invariant and how it came to it.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed that shows it.
    pub seed: u64,
    /// What was broken.
    pub violation: Violation,
    /// The last events before.
    pub tail: Vec<TraceLine>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}: {}", self.seed, self.violation)?;
        self.tail.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

/// Runs one seed from first start to rest.
#[must_use]
pub fn run(seed: u64, options: &Options) -> Outcome {
    let outcome = Run::new(seed, options, 0).finish();
    if outcome.failure.is_some() && options.tail > 0 {
        return Run::new(seed, options, options.tail).finish();
    }
    outcome
}

struct Run<'a> {
    seed: u64,
    options: &'a Options,
    world: World<Raft, Lists>,
    suite: Suite,
    workload: Workload,
    core: BTreeSet<NodeId>,
    safe_until: Timestamp,
}

impl<'a> Run<'a> {
    fn new(seed: u64, options: &'a Options, tail: usize) -> Self {
        let safe_until = Timestamp::ZERO.after(options.duration * 3 / 4);
        let schedule = Schedule::generate(seed, options.profile, options.nodes, safe_until);
        let config = WorldConfig { trace_tail: tail, trace_words: tail > 0, ..schedule.world };
        let mut world = World::new(seed, config, configs(seed, options.nodes));
        for (at, fault) in schedule.faults {
            world.plan(at, fault);
        }
        let workload = Workload::new(seed, options.nodes, &mut world);
        Self { seed, options, world, suite: Suite::default(), workload, core: schedule.core, safe_until }
    }

    fn finish(mut self) -> Outcome {
        let result = self.play();
        let failure = result.err().map(|violation| Failure {
            seed: self.seed,
            violation,
            tail: self.world.trace().tail().cloned().collect(),
        });
        let (commands, history) = self.workload.finish();
        Outcome {
            seed: self.seed,
            hash: self.world.trace().hash(),
            events: self.world.trace().events(),
            simulated: self.world.now().since(Timestamp::ZERO),
            commands,
            faults: self.world.tally(),
            reached: self.world.reached().clone(),
            history,
            failure,
        }
    }

    fn play(&mut self) -> Result<(), Violation> {
        self.advance(self.safe_until)?;
        self.world.make_well(&self.core);
        let well = self.world.now();
        self.advance(well.after(RECOVERY).min(Timestamp::ZERO.after(self.options.duration)))?;
        self.require_progress(well)?;
        while self.world.now() < Timestamp::ZERO.after(self.options.duration)
            || self.workload.asked() < self.options.commands
        {
            self.advance(self.world.now().after(Duration::from_millis(500)))?;
        }
        self.workload.stop();
        self.rest()?;
        let scene = self.world.scene(0);
        self.suite.finish(&scene)?;
        let core = self.world.nodes().iter().filter(|node| self.core.contains(&node.id()));
        core.into_iter()
            .try_for_each(|node| exactly_once::check(self.workload.history(), self.world.now(), node))
    }

    /// Lets everything happen up to an instant.
    fn advance(&mut self, until: Timestamp) -> Result<(), Violation> {
        while self.world.next_time().is_some_and(|next| next <= until) {
            match self.world.step()? {
                Some(Step::Node(node)) => {
                    self.suite.check(&self.world.scene(node))?;
                    self.workload.hear(&mut self.world)?;
                }
                Some(Step::Alarm(alarm)) => self.workload.alarm(&mut self.world, alarm),
                Some(Step::World) | None => {}
            }
        }
        Ok(())
    }

    /// Waits until a command takes effect. A backlog of earlier ones, which comes first, may take long, standing still not.
    fn require_progress(&mut self, well: Timestamp) -> Result<(), Violation> {
        let last = well.after(RECOVERY * 15);
        let mut limit = well.after(RECOVERY);
        let mut furthest = LogIndex::ZERO;
        while self.workload.last_ok() <= well {
            let applied = self.core_ends().last().map_or(LogIndex::ZERO, |end| end.0);
            if applied > furthest {
                furthest = applied;
                limit = self.world.now().after(RECOVERY).min(last);
            }
            if self.world.now() >= limit {
                let details =
                    format!("no command took effect within {RECOVERY:?} of {:?} being well", self.core);
                return Err(Violation { invariant: LIVENESS, at: self.world.now(), node: None, details });
            }
            self.advance(self.world.now().after(Duration::from_millis(500)))?;
        }
        Ok(())
    }

    /// Waits until clients are done and the core's applications are equally far. A backlog may take long, standing still not.
    fn rest(&mut self) -> Result<(), Violation> {
        let last = self.world.now().after(RECOVERY * 15);
        let mut limit = self.world.now().after(RECOVERY);
        let mut slowest = LogIndex::ZERO;
        loop {
            self.advance(self.world.now().after(Duration::from_millis(500)))?;
            let ends = self.core_ends();
            let applied = ends.first().map_or(LogIndex::ZERO, |end| end.0);
            if applied > slowest {
                slowest = applied;
                limit = self.world.now().after(RECOVERY).min(last);
            }
            let level = ends.len() == 1 && ends.iter().all(|end| end.0 == end.1 && end.1 == end.2);
            if level && self.workload.is_idle() {
                // Answers that are owed are on their way at most for a moment more.
                return self.advance(self.world.now().after(RECOVERY / 4));
            }
            if self.world.now() >= limit {
                let details = format!("the core did not come to rest: (applied, commit, last) {ends:?}");
                return Err(Violation { invariant: LIVENESS, at: self.world.now(), node: None, details });
            }
        }
    }

    /// Where the core's machines are: last applied, committed and written index of each, the slowest first.
    fn core_ends(&self) -> BTreeSet<(LogIndex, LogIndex, LogIndex)> {
        let core = self.world.nodes().iter().filter(|node| self.core.contains(&node.id()));
        core.filter_map(|node| node.machine().map(Raft::status))
            .map(|status| (status.applied, status.commit, status.last_index))
            .collect()
    }
}

/// The settings of a seed's nodes: limits from tiny to ample, the same on every node.
fn configs(seed: u64, nodes: u64) -> Vec<Config> {
    let mut chance = Prng::fork(seed, 0xC0F1_6005);
    let voters: BTreeSet<_> = (1..=nodes).map(NodeId).collect();
    let heartbeat = chance.duration(Duration::from_millis(20), Duration::from_millis(100));
    let shared = Config {
        heartbeat_interval: heartbeat,
        election_timeout: heartbeat * chance.between(3, 12) as u32,
        max_append_entries: 1 << chance.below(8),
        max_append_bytes: 128 << chance.below(8),
        max_inflight_appends: 1 << chance.below(6),
        max_inflight_bytes: 1024 << chance.below(8),
        max_uncommitted_bytes: 4096 << chance.below(6),
        cache_bytes: 256 << chance.below(8),
        snapshot_entries: chance.between(20, 1_000),
        keep_entries: chance.below(200),
        // Safety must not hang on what only makes elections rare and calm.
        pre_vote: !chance.chance(0.125),
        check_quorum: !chance.chance(0.125),
        ..Config::sim(NodeId(1), voters.clone())
    };
    voters.into_iter().map(|id| Config { id, ..shared.clone() }).collect()
}
