//! Machines on virtual time, with a latency for messages, a time for writes, and links that can be cut. No faults of its own, no
//! invariants: that is the simulator's part.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use crate::prng::Prng;
use crate::protocol::{Effect, Input, Outbox, Protocol, Recovered};
use crate::raft::{Command, Config, Message, Raft, Role};
use crate::types::{LogIndex, NodeId, SessionId, Timestamp, Token, WriteId};

/// How long a message takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Latency {
    /// Always this long.
    Fixed(Duration),
    /// Anything in between, with equal chance.
    Uniform(Duration, Duration),
}

/// Which of the rules are on that keep a leader in office, or bring one there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// Neither: Raft as in the paper.
    Plain,
    /// Pre-vote, check-quorum and stickiness.
    Sticky,
    /// These, and the catch-up candidacy.
    CatchUp,
}

impl Rules {
    /// These settings with the rules that are on.
    pub(super) fn put_into(self, config: Config) -> Config {
        let on = self != Self::Plain;
        Config { pre_vote: on, check_quorum: on, catch_up: self == Self::CatchUp, ..config }
    }
}

/// Something that will happen.
#[derive(Clone, Debug)]
enum Happening {
    Arrives { from: NodeId, to: NodeId, message: Message },
    Due(NodeId),
    Durable(NodeId, WriteId),
}

#[derive(Clone, Debug)]
struct Actor {
    machine: Raft,
    outbox: Outbox<Raft>,
    durable: WriteId,
    held: VecDeque<(WriteId, NodeId, Message)>,
    armed: Timestamp,
    down: bool,
}

/// Machines and what is on its way between them.
#[derive(Clone, Debug)]
pub struct Stage {
    now: Timestamp,
    queue: BTreeMap<(Timestamp, u64), Happening>,
    actors: BTreeMap<NodeId, Actor>,
    cut: BTreeSet<(NodeId, NodeId)>,
    chance: Prng,
    latency: Latency,
    write: Duration,
    planned: u64,
    asked: u64,
}

impl Latency {
    /// None.
    pub const NONE: Self = Self::Fixed(Duration::ZERO);

    fn draw(self, chance: &mut Prng) -> Duration {
        match self {
            Self::Fixed(latency) => latency,
            Self::Uniform(least, most) => chance.duration(least, most),
        }
    }
}

impl Stage {
    /// Nodes 1 to `nodes`, all alike but for their names; nothing takes time yet.
    #[must_use]
    pub fn new(nodes: u64, seed: u64, tune: impl Fn(Config) -> Config) -> Self {
        let voters: BTreeSet<NodeId> = (1..=nodes).map(NodeId).collect();
        let actor = |id: NodeId| {
            let config = tune(Config::lan(id, voters.clone())).into();
            let machine = Raft::restore(config, Prng::fork(seed, id.0).next_u64(), Recovered::default());
            let (outbox, held) = (Outbox::default(), VecDeque::new());
            Actor { machine, outbox, durable: WriteId::ZERO, held, armed: Timestamp::NEVER, down: false }
        };
        let mut stage = Self {
            now: Timestamp(1),
            queue: BTreeMap::new(),
            actors: voters.iter().map(|&id| (id, actor(id))).collect(),
            cut: BTreeSet::new(),
            chance: Prng::fork(seed, 0),
            latency: Latency::NONE,
            write: Duration::ZERO,
            planned: 0,
            asked: 0,
        };
        voters.into_iter().for_each(|id| stage.arm(id));
        stage
    }

    /// A group in which node `leader` leads, everybody knows it, and nothing is on its way.
    ///
    /// # Panics
    /// When that does not come about, which a group without faults brings about.
    #[must_use]
    pub fn led_by(nodes: u64, leader: u64, seed: u64, tune: impl Fn(Config) -> Config) -> Self {
        let mut stage = Self::new(nodes, seed, tune);
        stage.command(leader, Command::Campaign);
        stage.settle();
        assert_eq!(stage.leader(), Some(NodeId(leader)), "a group without faults elects who asks first");
        // The heartbeat after it tells what is committed.
        let heartbeat = stage.now;
        while stage.now.since(heartbeat) < stage.actors[&NodeId(leader)].machine.config.heartbeat_interval * 2
        {
            stage.step();
        }
        stage.settle();
        stage
    }

    /// From here on, messages and writes take this long, and chance is that of `seed`.
    pub fn begin(&mut self, seed: u64, latency: Latency, write: Duration) {
        (self.latency, self.write, self.chance) = (latency, write, Prng::fork(seed, 0));
        for (id, actor) in &mut self.actors {
            actor.machine.prng = Prng::fork(seed, id.0);
        }
    }

    /// The leader speaks to everybody at once, which takes no time, and is gone. All others have waited for nothing since this instant.
    ///
    /// # Panics
    /// When nobody leads.
    pub fn last_heartbeat(&mut self) {
        let leader = self.leader().expect("somebody leads");
        let latency = std::mem::replace(&mut self.latency, Latency::NONE);
        let before = self.planned;
        let deadline = self.actors[&leader].machine.config.heartbeat_interval * 2;
        let begun = self.now;
        let others = self.actors.len() - 1;
        while self.on_their_way(before) < others && self.now.since(begun) < deadline {
            self.step();
        }
        self.actor(leader).down = true;
        let instant = self.now;
        while self.queue.first_key_value().is_some_and(|((at, _), _)| *at <= instant) {
            self.step();
        }
        self.latency = latency;
    }

    /// A node is gone.
    pub fn stop(&mut self, node: u64) {
        self.actor(NodeId(node)).down = true;
    }

    /// Two nodes do not hear each other any more.
    pub fn cut(&mut self, one: u64, other: u64) {
        self.cut.insert((NodeId(one), NodeId(other)));
        self.cut.insert((NodeId(other), NodeId(one)));
    }

    /// All nodes hear each other again.
    pub fn heal(&mut self) {
        self.cut.clear();
    }

    /// Proposes something to every node that leads.
    pub fn propose(&mut self) {
        let leaders: Vec<u64> =
            self.living().filter(|(_, machine)| machine.role() == Role::Leader).map(|(id, _)| id.0).collect();
        for leader in leaders {
            self.command(leader, Command::Propose { session: None, payload: Bytes::from_static(b"x") });
        }
    }

    /// Lets the next thing happen.
    ///
    /// # Panics
    /// When nothing will ever happen: machines wait for something at all times.
    pub fn step(&mut self) {
        let ((at, _), happening) = self.queue.pop_first().expect("a machine waits for something");
        self.now = at;
        match happening {
            Happening::Arrives { from, to, message } => {
                if !self.cut.contains(&(from, to)) {
                    self.input(to, Input::Message { from, session: SessionId(1), message });
                }
            }
            Happening::Due(id) => {
                if self.actors[&id].armed == at {
                    self.actor(id).armed = Timestamp::NEVER;
                    let due = self.actors[&id].machine.next_deadline().is_some_and(|deadline| deadline <= at);
                    if due { self.input(id, Input::Timeout) } else { self.arm(id) }
                }
            }
            Happening::Durable(id, write) => {
                let actor = self.actor(id);
                actor.durable = actor.durable.max(write);
                self.input(id, Input::Persisted(write));
                self.release(id);
            }
        }
    }

    /// Lets happen whatever takes no time.
    pub fn settle(&mut self) {
        let now = self.now;
        while self.queue.first_key_value().is_some_and(|((at, _), _)| *at <= now) {
            self.step();
        }
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// When the next thing happens.
    #[must_use]
    pub fn next_time(&self) -> Timestamp {
        self.queue.first_key_value().map_or(Timestamp::NEVER, |((at, _), _)| *at)
    }

    /// The living node that leads, the one of the latest term if several believe it.
    #[must_use]
    pub fn leader(&self) -> Option<NodeId> {
        let leading = self.living().filter(|(_, machine)| machine.role() == Role::Leader);
        leading.max_by_key(|(_, machine)| machine.term).map(|(id, _)| id)
    }

    /// The latest term of a living node.
    #[must_use]
    pub fn term(&self) -> u64 {
        self.living().map(|(_, machine)| machine.term.0).max().unwrap_or_default()
    }

    /// The last index that any living node knows to be committed.
    #[must_use]
    pub fn commit(&self) -> LogIndex {
        self.living().map(|(_, machine)| machine.status().commit).max().unwrap_or(LogIndex::ZERO)
    }

    fn living(&self) -> impl Iterator<Item = (NodeId, &Raft)> {
        self.actors.iter().filter(|(_, actor)| !actor.down).map(|(&id, actor)| (id, &actor.machine))
    }

    /// How many messages that were sent after the so many-th plan are on their way.
    fn on_their_way(&self, after: u64) -> usize {
        let sent = |(key, happening): &(&(Timestamp, u64), &Happening)| {
            key.1 > after && matches!(happening, Happening::Arrives { .. })
        };
        self.queue.iter().filter(sent).count()
    }

    fn actor(&mut self, id: NodeId) -> &mut Actor {
        self.actors.get_mut(&id).expect("a node of the stage")
    }

    fn command(&mut self, node: u64, command: Command) {
        self.asked += 1;
        let token = Token(self.asked);
        self.input(NodeId(node), Input::Command { token, command });
    }

    fn input(&mut self, id: NodeId, input: Input<Raft>) {
        let now = self.now;
        let actor = self.actor(id);
        if actor.down {
            return;
        }
        actor.machine.handle(now, input, &mut actor.outbox);
        let effects = actor.outbox.take();
        drop(actor.outbox.take_reached());
        for effect in effects {
            self.carry_out(id, effect);
        }
        self.arm(id);
    }

    fn carry_out(&mut self, from: NodeId, effect: Effect<Raft>) {
        match effect {
            Effect::Send { to, message, after } => {
                if after > self.actors[&from].durable {
                    self.actor(from).held.push_back((after, to, message));
                } else {
                    self.send(from, to, message);
                }
            }
            Effect::Persist { id, .. } | Effect::Truncate { id, .. } | Effect::Compact { id, .. } => {
                let at = self.now.after(self.write);
                self.plan(at, Happening::Durable(from, id));
            }
            Effect::Apply { entries } => {
                let upto = entries.last().map_or(LogIndex::ZERO, |entry| entry.index);
                let answered =
                    entries.iter().filter(|entry| matches!(entry.body, crate::log::Body::Command { .. }));
                let results = answered.map(|entry| (entry.index, Bytes::new())).collect();
                self.input(from, Input::Applied { upto, results, wake: None });
            }
            // Nobody listens, and logs are far too short for the rest.
            _ => {}
        }
    }

    fn send(&mut self, from: NodeId, to: NodeId, message: Message) {
        if self.actors.contains_key(&to) && !self.cut.contains(&(from, to)) {
            let at = self.now.after(self.latency.draw(&mut self.chance));
            self.plan(at, Happening::Arrives { from, to, message });
        }
    }

    fn release(&mut self, id: NodeId) {
        let durable = self.actors[&id].durable;
        while self.actors[&id].held.front().is_some_and(|(after, ..)| *after <= durable) {
            if let Some((_, to, message)) = self.actor(id).held.pop_front() {
                self.send(id, to, message);
            }
        }
    }

    fn arm(&mut self, id: NodeId) {
        let now = self.now;
        let actor = self.actor(id);
        let Some(deadline) = actor.machine.next_deadline() else { return };
        let at = deadline.max(now);
        if at < actor.armed && at < Timestamp::NEVER {
            actor.armed = at;
            self.plan(at, Happening::Due(id));
        }
    }

    fn plan(&mut self, at: Timestamp, happening: Happening) {
        self.planned += 1;
        self.queue.insert((at, self.planned), happening);
    }
}
