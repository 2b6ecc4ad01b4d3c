//! A queue under faults, from one seed: producers and consumers die, stop, are cut off and retire, and every message is accounted for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;

use crate::delivery::{
    Command, Config, ConsumerId, ConsumerOptions, Delivery, Event, Message, Order, ProducerOptions, Record,
    Refusal, Reply, Sequence, StreamId, Ticket,
};
use crate::log::SnapshotMeta;
use crate::prng::Prng;
use crate::sim::{DiskConfig, Fault, NetworkConfig, Step, Subject, Tally, World, WorldConfig};
use crate::types::{NodeId, Timestamp, Token};

impl Subject for Delivery {
    fn leads(&self) -> bool {
        false
    }
    fn message_size(message: &Message) -> usize {
        match message {
            Message::Deliver { payload, .. } => 64 + payload.len(),
            Message::State { beyond, .. } => 48 + 16 * beyond.len(),
            Message::Offer => 1,
            Message::Ready { .. } => 17,
            Message::Probe { .. } => 25,
            Message::Gone { .. } => 10,
            Message::Leave { .. } => 11,
            Message::Closed { .. } => 12,
        }
    }
    fn record_size(_: &Record) -> usize {
        32
    }
    fn ends_at(_: &Record, _: &SnapshotMeta) -> bool {
        false
    }
}

/// What a study is about.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) order: Order,
    pub(super) durable: bool,
    pub(super) in_hand: u32,
    pub(super) producers: Vec<u64>,
    pub(super) consumers: Vec<u64>,
    /// Whether producers may die.
    pub(super) mortal: bool,
}

/// What a study came to.
#[derive(Debug, Default)]
pub(super) struct Studied {
    pub(super) accepted: u64,
    pub(super) handed: u64,
    pub(super) again: u64,
    pub(super) confirmed: u64,
    pub(super) resent: u64,
    pub(super) reassigned: u64,
    pub(super) faults: Tally,
    pub(super) reached: BTreeMap<&'static str, u64>,
}

/// A message wherever it is.
type Place = (NodeId, StreamId, Sequence);

/// What one consumer was handed, by the order of its life.
#[derive(Default)]
struct Life {
    in_hand: BTreeSet<Ticket>,
    confirmed: BTreeSet<Place>,
    last: BTreeMap<(NodeId, StreamId), Sequence>,
}

enum Asked {
    Produce(NodeId),
    Send(NodeId, u64),
    Consume(NodeId),
    Other,
}

enum Due {
    Send,
    Strike,
    Handled(Ticket, bool),
    Consume(NodeId),
}

pub(super) struct Study {
    seed: u64,
    plan: Plan,
    world: World<Delivery, ()>,
    chance: Prng,
    lives: BTreeMap<NodeId, u64>,
    asked: BTreeMap<Token, Asked>,
    due: BTreeMap<u64, Due>,
    alarms: u64,
    streams: BTreeMap<NodeId, StreamId>,
    consumers: BTreeMap<ConsumerId, (NodeId, Life)>,
    /// What is said in each place: by whoever was accepted there, or handed it first.
    said: BTreeMap<Place, Bytes>,
    accepted: BTreeSet<Place>,
    confirmed: BTreeSet<Place>,
    next: u64,
    studied: Studied,
}

const WINDOW: usize = 40;

impl Study {
    pub(super) fn new(seed: u64, plan: Plan) -> Self {
        let network = NetworkConfig { loss: 0.05, duplicate: 0.05, reorder: 0.1, ..NetworkConfig::calm() };
        let disk = DiskConfig { sync_max: Duration::from_millis(8), ..DiskConfig::calm() };
        let config = WorldConfig { network, disk, ..WorldConfig::calm() };
        let machines = [1, 2, 3].map(|id| Config::lan(NodeId(id)));
        Self {
            seed,
            plan,
            world: World::new(seed, config, machines.into()),
            chance: Prng::fork(seed, 77),
            lives: BTreeMap::new(),
            asked: BTreeMap::new(),
            due: BTreeMap::new(),
            alarms: 0,
            streams: BTreeMap::new(),
            consumers: BTreeMap::new(),
            said: BTreeMap::new(),
            accepted: BTreeSet::new(),
            confirmed: BTreeSet::new(),
            next: 0,
            studied: Studied::default(),
        }
    }

    /// Half a minute under faults, then peace until everything is confirmed.
    pub(super) fn run(mut self) -> Studied {
        self.plan_in(Duration::ZERO, Due::Send);
        self.plan_in(Duration::from_millis(300), Due::Strike);
        self.until(Timestamp::ZERO.after(Duration::from_secs(30)));
        self.due.retain(|_, due| !matches!(due, Due::Send | Due::Strike));
        let now = self.world.now();
        self.world.plan(now, Fault::Heal);
        for node in 1..=3 {
            self.world.plan(now, Fault::Restart(NodeId(node)));
        }
        self.until(now.after(Duration::from_secs(40)));
        self.account();
        self.studied.faults = self.world.tally();
        self.studied.reached = self.world.reached().clone();
        self.studied
    }

    fn until(&mut self, end: Timestamp) {
        while self.world.next_time().is_some_and(|next| next <= end) {
            let step = self.world.step().unwrap_or_else(|broken| panic!("seed {}: {broken:?}", self.seed));
            let answers: Vec<_> =
                self.world.answers().iter().map(|answer| (answer.token, answer.reply)).collect();
            for (token, reply) in answers {
                self.hear(token, reply);
            }
            for (node, event) in self.world.events().to_vec() {
                self.see(node, event);
            }
            match step {
                Some(Step::Alarm(alarm)) => self.act(alarm),
                Some(Step::Node(_)) => self.open_roles(),
                Some(Step::World) | None => {}
            }
        }
    }

    /// Lets machines that have started take their roles.
    fn open_roles(&mut self) {
        for id in (1..=3).map(NodeId) {
            let node = self.world.node(id).expect("there are three");
            let (life, is_up) = (node.life(), node.is_up());
            if !is_up || self.lives.insert(id, life) == Some(life) {
                continue;
            }
            if self.plan.producers.contains(&id.0) {
                let Plan { order, durable, .. } = self.plan;
                let options = ProducerOptions { order, durable, messages_max: WINDOW, bytes_max: 4_000 };
                self.ask(id, Command::Produce(options), Asked::Produce(id));
            }
            self.consume(id);
        }
    }

    fn consume(&mut self, id: NodeId) {
        if self.plan.consumers.contains(&id.0) {
            let in_hand = self.plan.in_hand;
            let options = ConsumerOptions { ahead: 16, bytes: 1_000, in_hand };
            self.ask(id, Command::Consume(options), Asked::Consume(id));
        }
    }

    fn ask(&mut self, node: NodeId, command: Command, asked: Asked) {
        if let Some(token) = self.world.submit(node, command) {
            self.asked.insert(token, asked);
        }
    }

    fn plan_in(&mut self, delay: Duration, due: Due) {
        self.alarms += 1;
        self.due.insert(self.alarms, due);
        let at = self.world.now().after(delay);
        self.world.alarm(at, self.alarms);
    }

    fn act(&mut self, alarm: u64) {
        match self.due.remove(&alarm) {
            None => {}
            Some(Due::Send) => {
                for producer in self.plan.producers.clone() {
                    self.next += 1;
                    let payload = self.words(self.next);
                    self.ask(
                        NodeId(producer),
                        Command::Send(payload),
                        Asked::Send(NodeId(producer), self.next),
                    );
                }
                let pause = self.chance.duration(Duration::ZERO, Duration::from_millis(40));
                self.plan_in(pause, Due::Send);
            }
            Some(Due::Strike) => {
                self.strike();
                let pause = self.chance.duration(Duration::from_millis(200), Duration::from_secs(4));
                self.plan_in(pause, Due::Strike);
            }
            Some(Due::Handled(ticket, done)) => self.handled(ticket, done),
            Some(Due::Consume(node)) => self.consume(node),
        }
    }

    fn words(&self, number: u64) -> Bytes {
        let length = 8 + (number % 90) as usize;
        number.to_le_bytes().into_iter().cycle().take(length).collect()
    }

    fn strike(&mut self) {
        let now = self.world.now();
        let node = NodeId(self.chance.between(1, 3));
        let span = self.chance.duration(Duration::from_millis(50), Duration::from_secs(9));
        let may_die = self.plan.mortal || !self.plan.producers.contains(&node.0);
        match self.chance.below(7) {
            0 | 1 if may_die => {
                self.world.plan(now, Fault::Crash(node));
                self.world.plan(now.after(span / 4), Fault::Restart(node));
            }
            2 => self.world.plan(now, Fault::Pause(node, span)),
            3 => {
                self.world.plan(now, Fault::Partition(BTreeSet::from([node])));
                self.world.plan(now.after(span), Fault::Heal);
            }
            4 => {
                self.world.plan(now, Fault::OneWayPartition(BTreeSet::from([node])));
                self.world.plan(now.after(span), Fault::Heal);
            }
            5 => {
                self.ask(node, Command::Retire, Asked::Other);
                self.plan_in(span / 2, Due::Consume(node));
            }
            _ => {}
        }
    }

    /// A handler is through with a message, in one way or the other.
    fn handled(&mut self, ticket: Ticket, done: bool) {
        let Some((node, life)) = self.consumers.get_mut(&ticket.consumer) else { return };
        let node = *node;
        life.in_hand.remove(&ticket);
        let place = (ticket.producer, ticket.stream, ticket.sequence);
        let command = if done {
            life.confirmed.insert(place);
            self.confirmed.insert(place);
            Command::Confirm(ticket)
        } else {
            Command::Return(ticket)
        };
        self.ask(node, command, Asked::Other);
    }

    fn hear(&mut self, token: Token, reply: Reply) {
        let seed = self.seed;
        match (self.asked.remove(&token), reply) {
            (Some(Asked::Produce(node)), Reply::Producing { stream, messages, bytes, .. }) => {
                assert!(messages <= WINDOW && bytes <= 4_000, "seed {seed}: room for {messages}, {bytes}");
                let before = self.streams.insert(node, stream);
                let is_kept = before.is_none_or(|before| before == stream);
                assert!(is_kept || !self.plan.durable, "seed {seed}: {node} has forgotten its stream");
            }
            (Some(Asked::Send(node, number)), Reply::Accepted(sequence)) => {
                let place = (node, self.streams[&node], sequence);
                assert!(self.accepted.insert(place), "seed {seed}: {place:?} was accepted twice");
                self.say(place, self.words(number));
                self.studied.accepted += 1;
            }
            (Some(Asked::Send(..)), Reply::Refused(refusal)) => {
                assert!(matches!(refusal, Refusal::Full | Refusal::Idle), "seed {seed}: {refusal:?}");
            }
            (Some(Asked::Consume(node)), Reply::Consuming(consumer)) => {
                self.consumers.insert(consumer, (node, Life::default()));
            }
            (Some(Asked::Consume(_)), Reply::Refused(Refusal::Taken))
            | (Some(Asked::Other), _)
            | (None, _) => {}
            (Some(_), reply) => panic!("seed {seed}: {reply:?} is no answer"),
        }
    }

    fn say(&mut self, place: Place, payload: Bytes) {
        let said = self.said.entry(place).or_insert_with(|| payload.clone());
        assert_eq!(*said, payload, "seed {}: two messages at {place:?}", self.seed);
    }

    fn see(&mut self, node: NodeId, event: Event) {
        match event {
            Event::Hand { ticket, attempt, payload } => self.handed(ticket, attempt, payload),
            Event::Confirmed(count) => self.studied.confirmed += count,
            Event::Resent(count) => self.studied.resent += count,
            Event::Reassigned(count) => self.studied.reassigned += count,
            Event::Accepted | Event::Room { .. } | Event::Repeated | Event::Returned => {}
        }
        let unconfirmed =
            self.world.node(node).and_then(|node| node.machine()).map_or(0, Delivery::unconfirmed);
        // A durable producer that starts again finds what was confirmed shortly before it went down.
        let most = if self.plan.durable && self.plan.mortal { 2 * WINDOW } else { WINDOW };
        assert!(unconfirmed <= most, "seed {}: {unconfirmed} are unconfirmed at {node}", self.seed);
    }

    fn handed(&mut self, ticket: Ticket, attempt: u32, payload: Bytes) {
        let seed = self.seed;
        let Ticket { consumer, producer, stream, sequence } = ticket;
        let place = (producer, stream, sequence);
        self.say(place, payload);
        self.studied.handed += 1;
        self.studied.again += u64::from(attempt > 0);
        let Some((_, life)) = self.consumers.get_mut(&consumer) else {
            panic!("seed {seed}: {ticket:?} was handed to nobody")
        };
        assert!(!life.confirmed.contains(&place), "seed {seed}: {ticket:?} again after it was confirmed");
        assert!(life.in_hand.insert(ticket), "seed {seed}: {ticket:?} twice at a time");
        assert!(life.in_hand.len() <= self.plan.in_hand as usize, "seed {seed}: too many at a time");
        if self.plan.order == Order::Sequential && self.plan.in_hand == 1 {
            let last = life.last.insert((producer, stream), sequence);
            assert!(last.is_none_or(|last| last <= sequence), "seed {seed}: {ticket:?} after {last:?}");
            let from = last.unwrap_or(Sequence(1)).0;
            for before in (from..sequence.0).map(Sequence) {
                let confirmed = self.confirmed.contains(&(producer, stream, before));
                assert!(confirmed, "seed {seed}: {ticket:?} before {before:?}");
            }
        }
        let longest = if self.chance.below(50) == 0 { 7_000 } else { 30 };
        let takes = self.chance.duration(Duration::ZERO, Duration::from_millis(longest));
        let done = self.chance.below(8) > 0;
        self.plan_in(takes, Due::Handled(ticket, done));
    }

    /// Everything that was accepted was confirmed, and the producer knows.
    fn account(&self) {
        let seed = self.seed;
        for place in &self.accepted {
            let (node, stream, _) = place;
            // What a producer that is not durable had accepted went with its process.
            if self.plan.durable || self.streams[node] == *stream {
                assert!(self.confirmed.contains(place), "seed {seed}: {place:?} was lost");
            }
        }
        for node in self.world.nodes() {
            let left = node.machine().expect("all are up").unconfirmed();
            assert_eq!(left, 0, "seed {seed}: {} does not know of {left}", node.id());
        }
        if !self.plan.mortal {
            let accepted = self.accepted.len() as u64;
            assert_eq!(self.studied.confirmed, accepted, "seed {seed}: confirmed so often");
        }
    }
}
