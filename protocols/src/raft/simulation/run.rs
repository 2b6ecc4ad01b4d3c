//! One run: a safety phase in which faults strike, then a core of nodes is made well and has to come to a good end.
//!
//! A run that fails is repeated with its last events in words; equal seeds make that the same run.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crate::prng::Prng;
use crate::raft::Raft;
use crate::raft::invariants::Suite;
use crate::raft::simulation::client::{Action, Seen};
use crate::raft::simulation::exactly_once;
use crate::raft::simulation::intact::least_core;
use crate::raft::simulation::operator::{OPERATOR, Operator};
use crate::raft::simulation::options::Options;
use crate::raft::simulation::settings::settings;
use crate::raft::simulation::workload::Workload;
use crate::sim::{
    Commands, Demand, History, Invariant, Lists, Node, Schedule, Step, Tally, TraceLine, Violation, World,
    WorldConfig,
};
use crate::types::{LogIndex, NodeId, Term, Timestamp};

const LIVENESS: &str = "liveness";

/// How long a core that was made well may take at least until a command takes effect, and until it is at rest.
const RECOVERY: Duration = Duration::from_secs(20);

/// Within how many election timeouts a quorum that hears each other finds a leader.
const SETTLING: u32 = 10;

/// How often leadership moves at most, while nothing changes, to nodes that are preferred. Their patience doubles each time.
const MOVES: u64 = 6;

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

/// Runs one seed from first start to rest. A machine that panics breaks the invariant "assertions".
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
    operator: Operator,
    schedule: Schedule,
    /// The nodes that are made well when the faults end.
    core: BTreeSet<NodeId>,
    /// The election timeout of every node.
    patience: Duration,
}

impl<'a> Run<'a> {
    fn new(seed: u64, options: &'a Options, tail: usize) -> Self {
        let mut schedule = options.schedule(seed);
        let nodes = options.nodes_of(seed);
        let configs = settings(seed, options.profile, nodes, &schedule.world);
        let witnesses = configs.first().map(|config| config.witnesses.clone()).unwrap_or_default();
        let founders = configs.iter().filter(|config| !config.voters.is_empty()).count() as u64;
        let patience = configs.first().map_or(Duration::ZERO, |config| config.election_timeout);
        let config = WorldConfig { trace_tail: tail, trace_words: tail > 0, ..schedule.world.clone() };
        let mut world =
            World::new(options.chance_of(seed), config, configs.into_iter().map(Arc::new).collect());
        for (at, fault) in std::mem::take(&mut schedule.faults) {
            world.plan(at, fault);
        }
        let workload = Workload::new(seed, options, &mut world);
        let chance = Prng::fork(options.chance_of(seed), 0x00BE_7A70);
        // Where a witness has decided, any holder of data may be needed in the end.
        schedule.heals_all |= !witnesses.is_empty();
        let operator = Operator::new(chance, workload.operator(), [founders, nodes], witnesses, &mut world);
        let (suite, core) = (Suite::default(), BTreeSet::new());
        Self { seed, options, world, suite, workload, operator, schedule, core, patience }
    }

    fn finish(mut self) -> Outcome {
        let played = catch_unwind(AssertUnwindSafe(|| self.play()));
        let result = played.unwrap_or_else(|panic| Err(self.panicked(panic.as_ref())));
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
        for demand in std::mem::take(&mut self.schedule.demands) {
            self.meet(demand)?;
        }
        self.advance(self.options.safe_until())?;
        self.core = match self.schedule.heals_all {
            true => self.schedule.order.iter().copied().collect(),
            false => least_core(&self.world, &self.schedule.order),
        };
        self.world.make_well(&self.core, &self.schedule.fates);
        self.operator.gather(&self.core, &mut self.world);
        let well = self.world.now();
        self.advance(well.after(self.recovery()).min(self.options.end()))?;
        self.require_progress(well)?;
        while self.world.now() < self.options.end() || self.workload.asked() < self.options.commands_owed() {
            self.advance(self.world.now().after(Duration::from_millis(500)))?;
        }
        self.workload.stop();
        self.operator.stop();
        self.rest()?;
        let scene = self.world.scene(0);
        self.suite.finish(&scene)?;
        let core = self.world.nodes().iter().filter(|node| self.holds_data(node));
        core.into_iter()
            .try_for_each(|node| exactly_once::check(self.workload.history(), self.world.now(), node))
    }

    /// Lets a span pass in which a quorum hears each other while other paths are cut: it has to find a leader within some election
    /// timeouts, and from then on to keep it and to get on.
    fn meet(&mut self, demand: Demand) -> Result<(), Violation> {
        self.advance(demand.from)?;
        let patience = self.workload.answer_timeout();
        let settled = demand.from.after(self.patience * SETTLING + patience);
        self.advance(settled.min(demand.until))?;
        let (term, moves) = (self.term(), self.moves());
        let pause = self.patience * 2 + patience;
        while self.world.now().after(pause) <= demand.until {
            let since = self.world.now();
            self.advance(since.after(pause))?;
            let (got_on, now) = (self.workload.last_ok() > since, self.term());
            let details = match (got_on, now.0 <= term.0 + moves) {
                (true, true) => continue,
                (false, _) => format!(
                    "a quorum hears each other since {} ns, and no command took effect since {} ns",
                    demand.from.0, since.0
                ),
                (true, false) => format!(
                    "went from term {term} to {now}, though nothing changed since {} ns",
                    demand.from.0
                ),
            };
            return Err(Violation { invariant: LIVENESS, at: self.world.now(), node: None, details });
        }
        self.advance(demand.until)
    }

    /// The greatest term that anybody is in.
    fn term(&self) -> Term {
        let machines = self.world.nodes().iter().filter_map(|node| node.machine());
        machines.map(|machine| machine.status().term).max().unwrap_or_default()
    }

    /// How often leadership may move while nothing changes: never, but where somebody is preferred. Such a transfer fails where a message
    /// of it is lost.
    fn moves(&self) -> u64 {
        let mut machines = self.world.nodes().iter().filter_map(|node| node.machine());
        if machines.any(|machine| machine.config.priority > 0) { MOVES } else { 0 }
    }

    fn recovery(&self) -> Duration {
        RECOVERY.max(self.patience * 8)
    }

    fn panicked(&self, panic: &(dyn Any + Send)) -> Violation {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        let words =
            words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words");
        Violation { invariant: "assertions", at: self.world.now(), node: None, details: words.to_owned() }
    }

    /// Lets everything happen up to an instant.
    fn advance(&mut self, until: Timestamp) -> Result<(), Violation> {
        while self.world.next_time().is_some_and(|next| next <= until) {
            match self.world.step()? {
                Some(Step::Node(node)) => {
                    self.suite.check(&self.world.scene(node))?;
                    self.workload.hear(&mut self.world)?;
                }
                Some(Step::Alarm(OPERATOR)) => self.operator.act(&mut self.world),
                Some(Step::Alarm(alarm)) => self.workload.alarm(&mut self.world, alarm),
                Some(Step::World) | None => {}
            }
        }
        self.world.wait(until);
        Ok(())
    }

    /// Waits until a command takes effect. A backlog of earlier ones, which comes first, may take long, standing still not.
    fn require_progress(&mut self, well: Timestamp) -> Result<(), Violation> {
        let last = well.after(self.recovery() * 15);
        let mut limit = well.after(self.recovery());
        let mut furthest = LogIndex::ZERO;
        while self.workload.last_ok() <= well {
            let applied = self.core_ends().last().map_or(LogIndex::ZERO, |end| end.0);
            if applied > furthest {
                furthest = applied;
                limit = self.world.now().after(self.recovery()).min(last);
            }
            if self.world.now() >= limit {
                let details = format!(
                    "no command took effect within {:?} of {:?} being well: {}",
                    self.recovery(),
                    self.core,
                    self.told()
                );
                return Err(Violation { invariant: LIVENESS, at: self.world.now(), node: None, details });
            }
            self.advance(self.world.now().after(Duration::from_millis(500)))?;
        }
        Ok(())
    }

    /// Waits until clients are done and the core's applications are equally far. A backlog may take long, standing still not.
    fn rest(&mut self) -> Result<(), Violation> {
        let last = self.world.now().after(self.recovery() * 15);
        let mut limit = self.world.now().after(self.recovery());
        let mut slowest = LogIndex::ZERO;
        loop {
            self.advance(self.world.now().after(Duration::from_millis(500)))?;
            let ends = self.core_ends();
            let applied = ends.first().map_or(LogIndex::ZERO, |end| end.0);
            if applied > slowest {
                slowest = applied;
                limit = self.world.now().after(self.recovery()).min(last);
            }
            let level = ends.len() == 1 && ends.iter().all(|end| end.0 == end.1 && end.1 == end.2);
            if level && self.workload.is_idle() && self.operator.is_done(&self.world) {
                // Answers that are owed are on their way at most for a moment more.
                return self.advance(self.world.now().after(self.recovery() / 4));
            }
            if self.world.now() >= limit {
                let details = format!(
                    "the core did not come to rest: (applied, commit, last) {ends:?}: {}",
                    self.told()
                );
                return Err(Violation { invariant: LIVENESS, at: self.world.now(), node: None, details });
            }
        }
    }

    /// Whether a node of the core has the whole application in the end, which a witness has not.
    fn holds_data(&self, node: &Node<Raft, Lists>) -> bool {
        self.core.contains(&node.id()) && node.machine().is_none_or(|machine| !machine.is_witness())
    }

    /// How every node stands, in words.
    fn told(&self) -> String {
        let nodes = self.world.nodes().iter();
        let told = nodes.map(|node| node.machine().map_or_else(|| format!("{} is down", node.id()), tell));
        told.collect::<Vec<_>>().join("; ")
    }

    /// Where the core's machines are: last applied, committed and written index of each, the slowest first.
    fn core_ends(&self) -> BTreeSet<(LogIndex, LogIndex, LogIndex)> {
        let core = self.world.nodes().iter().filter(|node| self.holds_data(node));
        core.filter_map(|node| node.machine().map(Raft::status))
            .map(|status| (status.applied, status.commit, status.last_index))
            .collect()
    }
}

/// How a machine stands, in words.
fn tell(machine: &Raft) -> String {
    let status = machine.status();
    let (id, role, term, commit, last) =
        (status.id, status.role, status.term, status.commit, status.last_index);
    let at = machine.configurations.index();
    format!("{id} {role:?} in term {term}, committed {commit} of {last}, since {at} {}", status.membership)
}
