//! The clients of a simulated Raft group: appends and reads at a steady rate, retries, and what they may rely on.
//!
//! Checks what clients see: a read reflects everything acknowledged before it began, and an append lands behind it. What
//! must stand in the lists in the end is checked in `exactly_once.rs`.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use crate::log::SessionTag;
use crate::prng::Prng;
use crate::raft::simulation::client::{Action, Client, Request, Seen};
use crate::raft::simulation::habits::Habits;
use crate::raft::simulation::options::Options;
use crate::raft::{Command, Raft, Refusal, Reply};
use crate::sim::{Append, Commands, History, Lists, Violation, World};
use crate::types::{ClientId, NodeId, Outcome, Timestamp, Token};

const READS: &str = "linearizable reads";
const ONCE: &str = "exactly once";

/// Alarms: the number of the client and its generation, or this.
const NEXT_REQUEST: u64 = u64::MAX;

/// All clients of a run, and what they know.
#[derive(Debug)]
pub(super) struct Workload {
    habits: Habits,
    chance: Prng,
    clients: Vec<Client>,
    asked: BTreeMap<Token, usize>,
    history: History<Action, Seen>,
    commands: Commands,
    /// By key, how long its list is known to be: from acknowledged appends and from reads.
    known: BTreeMap<u32, u64>,
    last_client: ClientId,
    last_id: u64,
    nodes: u64,
    last_ok: Timestamp,
    stopped: bool,
}

impl Workload {
    pub(super) fn new(seed: u64, options: &Options, world: &mut World<Raft, Lists>) -> Self {
        let nodes = options.nodes_of(seed);
        let chance = Prng::fork(options.chance_of(seed), 0xC11E_0715);
        let habits = Habits::draw(&mut Prng::fork(seed, 0x0AB1_7500), options);
        let clients = (1..=habits.clients).map(|id| Client::new(ClientId(id), NodeId(1 + id % nodes)));
        world.alarm(Timestamp::ZERO, NEXT_REQUEST);
        Self {
            clients: clients.collect(),
            last_client: ClientId(habits.clients),
            habits,
            chance,
            asked: BTreeMap::new(),
            history: History::default(),
            commands: Commands::default(),
            known: BTreeMap::new(),
            last_id: 0,
            nodes,
            last_ok: Timestamp::ZERO,
            stopped: false,
        }
    }

    /// The mean time between two deeds of the operator, if there is one.
    pub(super) fn operator(&self) -> Option<Duration> {
        self.habits.operator
    }

    /// Takes an alarm that was set for it.
    pub(super) fn alarm(&mut self, world: &mut World<Raft, Lists>, alarm: u64) {
        match alarm {
            NEXT_REQUEST => self.next_request(world),
            client => self.wake(world, (client >> 32) as usize, client as u32),
        }
    }

    /// Takes the answers of the last step.
    pub(super) fn hear(&mut self, world: &mut World<Raft, Lists>) -> Result<(), Violation> {
        for position in 0..world.answers().len() {
            let answer = world.answers()[position].clone();
            let Some(client) = self.asked.remove(&answer.token) else { continue };
            let current =
                self.clients[client].request.as_ref().is_some_and(|it| it.token == Some(answer.token));
            if current {
                self.answered(world, client, answer.node, answer.reply)?;
            }
        }
        Ok(())
    }

    /// Lets clients ask nothing more; what is under way goes on.
    pub(super) fn stop(&mut self) {
        self.stopped = true;
    }

    /// Whether no client waits.
    pub(super) fn is_idle(&self) -> bool {
        self.clients.iter().all(|client| client.request.is_none())
    }

    /// When a command last took effect.
    pub(super) fn last_ok(&self) -> Timestamp {
        self.last_ok
    }

    /// How long clients wait for an answer.
    pub(super) fn answer_timeout(&self) -> Duration {
        self.habits.answer_timeout
    }

    /// How many commands were asked.
    pub(super) fn asked(&self) -> u64 {
        self.history.operations().len() as u64
    }

    /// How commands ended, and everything clients saw.
    pub(super) fn finish(self) -> (Commands, History<Action, Seen>) {
        let unknown = self.asked_and_open();
        (Commands { unknown: self.commands.unknown + unknown, ..self.commands }, self.history)
    }

    /// Everything clients asked and were told up to this moment.
    pub(super) fn history(&self) -> &History<Action, Seen> {
        &self.history
    }

    fn asked_and_open(&self) -> u64 {
        self.clients.iter().filter(|client| client.request.is_some()).count() as u64
    }

    fn next_request(&mut self, world: &mut World<Raft, Lists>) {
        if self.stopped {
            return;
        }
        let idle = self.chance.chance(self.habits.idle);
        let pause = if idle { self.habits.pace * 200 } else { self.habits.pace * 2 };
        let pause = self.chance.duration(Duration::ZERO, pause);
        world.alarm(world.now().after(pause), NEXT_REQUEST);
        let first = self.chance.below(self.clients.len() as u64) as usize;
        let count = self.clients.len();
        let burst = self.chance.between(1, self.habits.burst) as usize;
        let idle =
            (0..count).map(|step| (first + step) % count).filter(|&it| self.clients[it].request.is_none());
        let idle: Vec<_> = idle.take(burst).collect();
        for client in idle {
            self.begin(world, client);
        }
    }

    fn begin(&mut self, world: &mut World<Raft, Lists>, client: usize) {
        let now = world.now();
        let key = self.chance.below(self.habits.keys) as u32;
        let (action, tag) = if self.chance.chance(self.habits.reads) {
            (Action::Read { key }, None)
        } else {
            self.last_id += 1;
            (Action::Append { key, id: self.last_id }, self.next_tag(client))
        };
        let it = &mut self.clients[client];
        it.request = Some(Request {
            action,
            operation: self.history.invoke(now, it.id, action),
            tag,
            token: None,
            uncertain: false,
            deadline: now.after(self.habits.patience),
            floor: self.known.get(&key).copied().unwrap_or(0),
        });
        self.attempt(world, client);
    }

    fn next_tag(&mut self, client: usize) -> Option<SessionTag> {
        if !self.chance.chance(self.habits.tagged) {
            return None;
        }
        let client = &mut self.clients[client];
        client.sequence += 1;
        Some(SessionTag { client: client.id, sequence: client.sequence })
    }

    fn attempt(&mut self, world: &mut World<Raft, Lists>, client: usize) {
        let padding = self.chance.below(self.habits.padding) as usize;
        let it = &mut self.clients[client];
        let Some(request) = &mut it.request else { return };
        let command = match request.action {
            Action::Append { key, id } => {
                Command::Propose { session: request.tag, payload: Append { key, id }.encode(padding) }
            }
            Action::Read { .. } => Command::Read,
        };
        match world.submit(it.leader, command) {
            Some(token) => {
                request.token = Some(token);
                self.asked.insert(token, client);
                self.alarm_in(world, client, self.habits.answer_timeout);
            }
            None => self.try_later(world, client, None),
        }
    }

    /// The client's alarm: no answer came in time, or it is time for the next attempt.
    fn wake(&mut self, world: &mut World<Raft, Lists>, client: usize, generation: u32) {
        let it = &mut self.clients[client];
        let Some(request) = it.request.as_mut().filter(|_| it.generation == generation) else { return };
        match request.token.take() {
            Some(token) => {
                self.asked.remove(&token);
                self.unknown(world, client);
            }
            None => self.attempt(world, client),
        }
    }

    fn answered(
        &mut self,
        world: &mut World<Raft, Lists>,
        client: usize,
        node: NodeId,
        reply: Reply,
    ) -> Result<(), Violation> {
        let Some(request) = self.clients[client].request.as_mut() else { return Ok(()) };
        request.token = None;
        match reply {
            Reply::Applied { result, .. } => self.appended(world, client, node, &result),
            Reply::ReadReady { index } => {
                let key = match request.action {
                    Action::Read { key } | Action::Append { key, .. } => key,
                };
                let Some(reader) = world.node(node) else { return Ok(()) };
                if reader.applied() < index {
                    let details = format!("may be read at {index} and has applied {}", reader.applied());
                    return Err(violation(READS, world, node, details));
                }
                let length = reader.application().map_or(0, |lists| lists.list(key).len() as u64);
                self.saw(world, client, node, Seen::Length(length))
            }
            Reply::Refused(refusal) => {
                self.refused(world, client, refusal);
                Ok(())
            }
            Reply::Transferred { .. }
            | Reply::MembersChanged { .. }
            | Reply::SnapshotTaken { .. }
            | Reply::Status(_) => {
                let details = format!("answers {:?} with {reply:?}", self.clients[client].request);
                Err(violation(READS, world, node, details))
            }
        }
    }

    fn appended(
        &mut self,
        world: &World<Raft, Lists>,
        client: usize,
        node: NodeId,
        result: &Bytes,
    ) -> Result<(), Violation> {
        match Lists::position(result) {
            Some(position) => self.saw(world, client, node, Seen::Appended(position)),
            None => {
                let details = format!("answers {result:?} to {:?}", self.clients[client].request);
                Err(violation(ONCE, world, node, details))
            }
        }
    }

    fn saw(
        &mut self,
        world: &World<Raft, Lists>,
        client: usize,
        node: NodeId,
        seen: Seen,
    ) -> Result<(), Violation> {
        let Some(request) = self.clients[client].request.take() else { return Ok(()) };
        let (key, length, enough) = match (request.action, seen) {
            (Action::Append { key, .. } | Action::Read { key }, Seen::Appended(at)) => {
                (key, at, at > request.floor)
            }
            (Action::Append { key, .. } | Action::Read { key }, Seen::Length(it)) => {
                (key, it, it >= request.floor)
            }
        };
        if !enough {
            let details =
                format!("{seen:?} of key {key}, whose list was {} long before: {request:?}", request.floor);
            return Err(violation(READS, world, node, details));
        }
        let known = self.known.entry(key).or_default();
        *known = (*known).max(length);
        self.history.succeed(world.now(), request.operation, seen);
        self.commands.ok += 1;
        self.last_ok = world.now();
        self.clients[client].leader = node;
        Ok(())
    }

    fn refused(&mut self, world: &mut World<Raft, Lists>, client: usize, refusal: Refusal) {
        let hint = match refusal {
            Refusal::NotLeader { leader } => leader,
            _ => None,
        };
        match refusal.outcome() {
            Outcome::NotExecuted => self.try_later(world, client, hint),
            Outcome::Unknown => self.unknown(world, client),
        }
    }

    /// An attempt may have taken effect: it may be repeated if the repetition is recognised.
    fn unknown(&mut self, world: &mut World<Raft, Lists>, client: usize) {
        let Some(request) = &mut self.clients[client].request else { return };
        let repeatable = match request.action {
            Action::Append { .. } => request.tag.is_some(),
            Action::Read { .. } => true,
        };
        request.uncertain |= matches!(request.action, Action::Append { .. });
        if repeatable {
            self.try_later(world, client, None);
        } else {
            // Asks its next question elsewhere: a node that is cut off would never answer that one either.
            let it = &mut self.clients[client];
            it.leader = NodeId(it.leader.0 % self.nodes + 1);
            self.give_up(world, client);
        }
    }

    fn try_later(&mut self, world: &mut World<Raft, Lists>, client: usize, hint: Option<NodeId>) {
        let any = NodeId(self.chance.between(1, self.nodes));
        let it = &mut self.clients[client];
        it.leader = hint.unwrap_or(any);
        if it.request.as_ref().is_some_and(|request| request.deadline <= world.now()) {
            self.give_up(world, client);
            return;
        }
        let pause = if hint.is_some() { Duration::from_millis(2) } else { Duration::from_millis(40) };
        let pause = self.chance.duration(pause / 2, pause);
        self.alarm_in(world, client, pause);
    }

    fn give_up(&mut self, world: &World<Raft, Lists>, client: usize) {
        let Some(request) = self.clients[client].request.take() else { return };
        if request.uncertain {
            self.commands.unknown += 1;
        } else {
            self.history.fail(world.now(), request.operation);
            self.commands.refused += 1;
        }
        // A session begins with the request numbered 1; a client that does not know whether it did begins another. Half of those
        // that do know go on, so that a late earlier request meets a later one.
        if request.tag.is_some_and(|tag| tag.sequence <= 1) || self.chance.chance(0.5) {
            self.last_client = self.last_client.next();
            self.clients[client].id = self.last_client;
            self.clients[client].sequence = 0;
        }
    }

    fn alarm_in(&mut self, world: &mut World<Raft, Lists>, client: usize, pause: Duration) {
        let it = &mut self.clients[client];
        it.generation = it.generation.wrapping_add(1);
        world.alarm(world.now().after(pause), (client as u64) << 32 | u64::from(it.generation));
    }
}

fn violation(
    invariant: &'static str,
    world: &World<Raft, Lists>,
    node: NodeId,
    details: String,
) -> Violation {
    Violation { invariant, at: world.now(), node: Some(node), details }
}
