//! A simulated world: nodes, disks, links and a network under one queue of events in virtual time.
//!
//! Carries out every effect of every machine by the rules of [`crate::protocol`]. It decides nothing about protocols and
//! checks no invariant of theirs; it does refuse effects that no driver could carry out. Equal seeds give equal runs.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::prng::Prng;
use crate::sim::application::Application;
use crate::sim::clock::Clock;
use crate::sim::disk::{Disk, DiskConfig};
use crate::sim::event::{Arrival, Event};
use crate::sim::fault::{FaultKind, Tally};
use crate::sim::invariant::{Answer, Happening, Scene};
use crate::sim::links::{LinkConfig, Links};
use crate::sim::network::{Network, NetworkConfig};
use crate::sim::node::{Node, Process};
use crate::sim::queue::Queue;
use crate::sim::subject::Subject;
use crate::sim::trace::{Trace, TraceLine};
use crate::sim::violation::Violation;
use crate::types::{LogIndex, NodeId, StoreId, Timestamp, Token};

/// How a world behaves beside the faults that are planned for it.
#[derive(Clone, Debug)]
pub struct WorldConfig {
    /// The network between nodes.
    pub network: NetworkConfig,
    /// Which nodes lie apart, and what that adds to the delay of each message between them.
    pub distances: Vec<(NodeId, NodeId, Duration)>,
    /// When links go down and up.
    pub links: LinkConfig,
    /// Each node's disk.
    pub disk: DiskConfig,
    /// The longest time that the application takes for a job.
    pub job_max: Duration,
    /// Arrivals come at multiples of this, so that several come at one instant; at least a nanosecond.
    pub grain: Duration,
    /// By how many millionths clocks may run fast or slow.
    pub drift_ppm: i32,
    /// How many events the trace keeps.
    pub trace_tail: usize,
    /// Whether the trace keeps inputs in words, which is slow.
    pub trace_words: bool,
}

impl WorldConfig {
    /// A world without faults of its own.
    #[must_use]
    pub const fn calm() -> Self {
        Self {
            network: NetworkConfig::calm(),
            distances: Vec::new(),
            links: LinkConfig { idle_timeout: Duration::from_secs(3), reconnect: Duration::from_millis(20) },
            disk: DiskConfig::calm(),
            job_max: Duration::from_micros(100),
            grain: Duration::from_micros(10),
            drift_ppm: 0,
            trace_tail: 0,
            trace_words: false,
        }
    }
}

/// What a step was, for whoever runs the workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A node took an input, or lived or died; invariants have something to look at.
    Node(usize),
    /// Something else passed.
    World,
    /// An alarm that the workload set.
    Alarm(u64),
}

/// More steps than this at one instant are taken for a machine that asks for a timeout again and again.
const STEPS_PER_INSTANT: u64 = 1_000_000;

/// The world. Nodes are numbered from 1; their positions count from 0.
#[derive(Debug)]
pub struct World<P: Subject, A> {
    pub(super) seed: u64,
    pub(super) config: WorldConfig,
    pub(super) now: Timestamp,
    pub(super) queue: Queue<Event<P>>,
    pub(super) nodes: Vec<Node<P, A>>,
    pub(super) network: Network,
    pub(super) links: Links,
    pub(super) chance: Prng,
    pub(super) tally: Tally,
    pub(super) trace: Trace,
    pub(super) happenings: Vec<Happening>,
    pub(super) answers: Vec<Answer<P>>,
    pub(super) events: Vec<(NodeId, P::Event)>,
    pub(super) reached: BTreeMap<&'static str, u64>,
    pub(super) last_token: Token,
    /// Until when those who come to lead are struck, and how soon.
    pub(super) coups: (Timestamp, Duration),
    /// Whether no fault strikes any more.
    pub(super) at_peace: bool,
    steps_now: u64,
}

impl<P: Subject, A: Application> World<P, A> {
    /// A world of one node per configuration, all of them started on empty disks. `Config` number i is node i + 1's.
    #[must_use]
    pub fn new(seed: u64, config: WorldConfig, machines: Vec<P::Config>) -> Self {
        let ids = (1..=machines.len() as u64).map(NodeId);
        let mut network = Network::new(Prng::fork(seed, 1).next_u64(), config.network.clone(), ids.clone());
        for &(one, other, distance) in &config.distances {
            network.part(one, other, distance);
        }
        let nodes = machines.into_iter().zip(ids).map(|(machine, id)| {
            let disk = Disk::new(Prng::fork(seed, 1_000 + id.0).next_u64(), config.disk.clone());
            let store = StoreId(Prng::fork(seed, 2_000 + id.0).next_u64() | 1);
            Node::new(id, machine, disk, store)
        });
        let nodes: Vec<_> = nodes.collect();
        let mut world = Self {
            seed,
            now: Timestamp::ZERO,
            queue: Queue::default(),
            links: Links::new(nodes.len()),
            nodes,
            network,
            chance: Prng::fork(seed, 2),
            tally: Tally::default(),
            trace: Trace::new(config.trace_tail),
            happenings: Vec::new(),
            answers: Vec::new(),
            events: Vec::new(),
            reached: BTreeMap::new(),
            last_token: Token::ZERO,
            coups: (Timestamp::ZERO, Duration::ZERO),
            at_peace: false,
            steps_now: 0,
            config,
        };
        for node in 0..world.nodes.len() {
            world.start(node);
        }
        world.refresh_links();
        world
    }

    /// Lets the next event happen. `None` when nothing is left to happen.
    ///
    /// # Errors
    /// A machine asked for something that no driver could carry out.
    pub fn step(&mut self) -> Result<Option<Step>, Violation> {
        self.happenings.clear();
        self.answers.clear();
        self.events.clear();
        let Some((at, event)) = self.queue.pop() else { return Ok(None) };
        self.count_step(at)?;
        let step = match event {
            Event::Node { node, life, arrival } => self.arrive(node, life, arrival)?,
            Event::Timer { node } => self.timer(node)?,
            Event::Resume { node, until } => self.resume(node, until),
            Event::Room { node } => self.give_room(node),
            Event::LinkExpires(pair, generation) => self.expire_link(pair, generation),
            Event::LinkConnects(pair, generation) => self.connect_link(pair, generation),
            Event::Fault(fault) => self.strike(&fault),
            Event::Order(fault) => self.carry_out_fault(&fault),
            Event::Alarm(alarm) => Step::Alarm(alarm),
        };
        Ok(Some(step))
    }

    /// What the last step looks like to invariants; `actor` is the node of [`Step::Node`].
    #[must_use]
    pub fn scene(&self, actor: usize) -> Scene<'_, P, A> {
        Scene {
            now: self.now,
            actor,
            happenings: &self.happenings,
            answers: &self.answers,
            nodes: &self.nodes,
        }
    }

    /// Asks a living node's machine, at this instant; `None` when the node is dead. The answer is in [`World::answers`]
    /// after a later step, unless the node dies first.
    pub fn submit(&mut self, node: NodeId, command: P::Command) -> Option<Token> {
        let position = self.position(node)?;
        if !self.nodes[position].is_up() {
            return None;
        }
        self.last_token = self.last_token.next();
        let token = self.last_token;
        self.plan_arrival(self.now, position, Arrival::Command { token, command });
        Some(token)
    }

    /// Plans a call of the workload.
    pub fn alarm(&mut self, at: Timestamp, alarm: u64) {
        self.queue.push(at.max(self.now), Event::Alarm(alarm));
    }

    /// The answers that reached callers in the last step.
    #[must_use]
    pub fn answers(&self) -> &[Answer<P>] {
        &self.answers
    }

    /// What machines told observers in the last step.
    #[must_use]
    pub fn events(&self) -> &[(NodeId, P::Event)] {
        &self.events
    }

    /// Lets time pass in which nothing happens, up to an instant before the next event: where everybody sleeps, it passes all the same.
    pub fn wait(&mut self, until: Timestamp) {
        let until = self.next_time().map_or(until, |next| until.min(next));
        if until > self.now {
            self.now = until;
            self.steps_now = 0;
        }
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// When the next event is due.
    #[must_use]
    pub fn next_time(&self) -> Option<Timestamp> {
        self.queue.next_time()
    }

    /// Every node, by position.
    #[must_use]
    pub fn nodes(&self) -> &[Node<P, A>] {
        &self.nodes
    }

    /// One node.
    #[must_use]
    pub fn node(&self, id: NodeId) -> Option<&Node<P, A>> {
        self.nodes.get(self.position(id)?)
    }

    /// The rare paths that machines said they took, and how often.
    #[must_use]
    pub fn reached(&self) -> &BTreeMap<&'static str, u64> {
        &self.reached
    }

    /// The trace of the run.
    #[must_use]
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The faults asked for and injected up to this moment, of the world, its network and its disks together.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let mut tally = self.tally.clone();
        tally.merge(self.network.tally());
        for node in &self.nodes {
            tally.merge(node.disk.tally());
        }
        tally
    }

    pub(super) fn start(&mut self, node: usize) {
        let config = &self.config;
        let now = self.now;
        let drift = i64::from(config.drift_ppm);
        let drift = self.chance.between(0, 2 * drift.unsigned_abs()) as i64 - drift;
        let origin = 1 + self.chance.below(1_000_000_000_000);
        if self.config.drift_ppm != 0 {
            self.tally.request(FaultKind::ClockDrift);
        }
        if drift != 0 {
            self.tally.inject(FaultKind::ClockDrift);
        }
        let it = &mut self.nodes[node];
        it.life += 1;
        let seed = Prng::fork(self.seed, it.id.0 << 32 | it.life).next_u64();
        let mut situated = it.config.clone();
        P::situate(&mut situated, it.store, it.rejoin);
        let machine = P::restore(situated, seed, it.disk.recover());
        let mut application = A::default();
        let mut applied = LogIndex::ZERO;
        if let Some(snapshot) = it.disk.durable().snapshot() {
            application.restore(&snapshot.meta, &snapshot.state);
            applied = snapshot.meta.index;
        }
        self.happenings.push(Happening::Started);
        if applied > LogIndex::ZERO {
            self.happenings.push(Happening::Restored { index: applied, state: application.digest() });
        }
        let clock = Clock::new(now, origin, drift as i32);
        it.process = Some(Process::new(machine, clock, application, applied));
        self.note(node, "start", self.nodes[node].life, String::new);
        self.arm(node);
        if !self.nodes[node].disk.has_room() {
            self.plan_arrival(now, node, Arrival::Space(false));
        }
    }

    fn count_step(&mut self, at: Timestamp) -> Result<(), Violation> {
        if at > self.now {
            self.now = at;
            self.steps_now = 0;
        }
        self.steps_now += 1;
        if self.steps_now > STEPS_PER_INSTANT {
            let details = format!("{STEPS_PER_INSTANT} steps passed and no time did");
            return Err(Violation { invariant: "time passes", at, node: None, details });
        }
        Ok(())
    }

    /// Plans a timer event for the machine's deadline, unless one is planned that comes no later.
    pub(super) fn arm(&mut self, node: usize) {
        let now = self.now;
        let process = self.process(node);
        let Some(deadline) = process.machine.next_deadline().filter(|&deadline| deadline < Timestamp::NEVER)
        else {
            return;
        };
        let at = process.clock.world(deadline).max(now);
        if process.armed.is_none_or(|armed| at < armed) {
            process.armed = Some(at);
            self.queue.push(at, Event::Timer { node });
        }
    }

    pub(super) fn plan_arrival(&mut self, at: Timestamp, node: usize, arrival: Arrival<P>) {
        let grain = self.config.grain.as_nanos() as u64;
        let at = Timestamp(at.0.div_ceil(grain) * grain).max(self.now);
        let life = self.nodes[node].life;
        self.queue.push(at, Event::Node { node, life, arrival });
    }

    pub(super) fn note(
        &mut self,
        node: usize,
        kind: &'static str,
        digest: u64,
        details: impl FnOnce() -> String,
    ) {
        let line =
            TraceLine { at: self.now, node: NodeId(node as u64 + 1), kind, digest, details: details() };
        self.trace.record(line);
    }

    /// The process of a node that is known to live.
    pub(super) fn process(&mut self, node: usize) -> &mut Process<P, A> {
        self.nodes[node].process.as_mut().expect("only living nodes take inputs")
    }

    pub(super) fn position(&self, node: NodeId) -> Option<usize> {
        let position = usize::try_from(node.0.checked_sub(1)?).ok()?;
        (position < self.nodes.len()).then_some(position)
    }
}
