//! Pairs of nodes under a simulated network: who is told of whom, when, and what is said while nobody asks.

use std::time::Duration;

use crate::liveness::{Command, Config, ConfigError, Event, Liveness, Message, Record};
use crate::log::SnapshotMeta;
use crate::protocol::{Effect, Input, Outbox, Protocol, Recovered};
use crate::sim::{Fault, LinkConfig, NetworkConfig, Step, Subject, World, WorldConfig};
use crate::types::{NodeId, SessionId, Timestamp, Token};

impl Subject for Liveness {
    fn leads(&self) -> bool {
        false
    }
    fn message_size(_: &Message) -> usize {
        16
    }
    fn record_size(record: &Record) -> usize {
        match *record {}
    }
    fn ends_at(record: &Record, _: &SnapshotMeta) -> bool {
        match *record {}
    }
}

struct Net {
    world: World<Liveness, ()>,
    /// Everything that happened at nodes since the last look.
    steps: usize,
}

impl Net {
    /// Three nodes whose links never go down: only beats tell.
    fn new(seed: u64, network: NetworkConfig) -> Self {
        let links =
            LinkConfig { idle_timeout: Duration::from_secs(3_600), reconnect: Duration::from_millis(1) };
        let config = WorldConfig { network, links, ..WorldConfig::calm() };
        let machines = [1, 2, 3].map(|id| Config::sim(NodeId(id)));
        let mut net = Self { world: World::new(seed, config, machines.into()), steps: 0 };
        net.run(100);
        net
    }

    fn ask(&mut self, node: u64, command: Command) {
        self.world.submit(NodeId(node), command).expect("the node is up");
    }

    fn watch(&mut self, node: u64, peer: u64) {
        self.ask(node, Command::Watch { peer: NodeId(peer) });
    }

    fn release(&mut self, node: u64, peer: u64) {
        self.ask(node, Command::Release { peer: NodeId(peer) });
    }

    fn strike(&mut self, fault: Fault) {
        let now = self.world.now();
        self.world.plan(now, fault);
    }

    /// Lets so many milliseconds pass; gives who was told what, and when in milliseconds.
    fn run(&mut self, millis: u64) -> Vec<(u64, NodeId, Event)> {
        let start = self.world.now();
        let end = start.after(Duration::from_millis(millis));
        let mut told = Vec::new();
        self.world.alarm(end, 0);
        loop {
            let step = self.world.step().expect("the machine keeps the contract").expect("the alarm rings");
            let since = self.world.now().since(start).as_millis() as u64;
            told.extend(self.world.events().iter().map(|&(node, event)| (since, node, event)));
            match step {
                Step::Node(_) => self.steps += 1,
                Step::World => {}
                Step::Alarm(_) => return told,
            }
        }
    }
}

fn suspected(peer: u64) -> Event {
    Event::Suspected { peer: NodeId(peer) }
}

fn heard(peer: u64) -> Event {
    Event::Heard { peer: NodeId(peer) }
}

#[test]
fn a_pair_of_which_nobody_wants_anything_exchanges_nothing() {
    let mut net = Net::new(1, NetworkConfig::calm());
    net.steps = 0;
    net.run(10_000);
    assert_eq!(net.steps, 0, "nobody asked");
    net.watch(1, 2);
    net.watch(1, 2);
    net.run(10_000);
    // Two beats an interval of 60 ms and the timers for them, and nothing at the third node.
    assert!((330..=700).contains(&net.steps), "{} steps", net.steps);
    net.release(1, 2);
    net.run(1_000);
    assert!(net.world.node(NodeId(2)).and_then(|node| node.machine()).is_some_and(|it| it.pairs() == 1));
    net.release(1, 2);
    net.run(1_000);
    net.steps = 0;
    net.run(10_000);
    assert_eq!(net.steps, 0, "the last watcher has gone");
}

#[test]
fn a_dead_peer_is_suspected_within_a_timeout_and_an_interval_and_trusted_when_it_is_back() {
    for seed in 0..50 {
        let mut net = Net::new(seed, NetworkConfig::calm());
        net.watch(1, 2);
        net.watch(2, 1);
        net.watch(3, 2);
        assert_eq!(net.run(5_000), [], "seed {seed}: the living are not suspected");
        net.strike(Fault::Crash(NodeId(2)));
        let told = net.run(1_000);
        let who: Vec<_> = told.iter().map(|&(_, node, event)| (node.0, event)).collect();
        assert!(
            who == [(1, suspected(2)), (3, suspected(2))] || who == [(3, suspected(2)), (1, suspected(2))]
        );
        assert!(told.iter().all(|&(at, ..)| (240..=365).contains(&at)), "seed {seed}: {told:?}");
        net.strike(Fault::Restart(NodeId(2)));
        let told = net.run(1_000);
        assert_eq!(told.len(), 2, "seed {seed}: {told:?}");
        assert!(told.iter().all(|&(at, _, event)| at < 100 && event == heard(2)), "seed {seed}: {told:?}");
    }
}

#[test]
fn behind_a_one_way_cut_the_deaf_end_suspects_and_the_other_does_not() {
    let mut net = Net::new(7, NetworkConfig::calm());
    net.watch(1, 2);
    net.watch(2, 1);
    net.run(1_000);
    net.strike(Fault::OneWayCut(NodeId(1), NodeId(2)));
    let told = net.run(5_000);
    assert_eq!(told.iter().map(|it| (it.1.0, it.2)).collect::<Vec<_>>(), [(2, suspected(1))]);
    net.strike(Fault::Heal);
    assert_eq!(net.run(1_000).iter().map(|it| (it.1.0, it.2)).collect::<Vec<_>>(), [(2, heard(1))]);
}

#[test]
fn a_lost_beat_does_no_harm() {
    let lossy = NetworkConfig { loss: 0.05, ..NetworkConfig::calm() };
    let mut wrong = 0;
    for seed in 0..20 {
        let mut net = Net::new(seed, lossy.clone());
        net.watch(1, 2);
        wrong += net.run(10_000).len();
    }
    // Four beats in a row are lost about once in a hundred thousand.
    assert!(wrong <= 4, "{wrong} wrong opinions in 200 s");
}

#[test]
fn a_paused_node_does_not_suspect_everybody_when_it_goes_on() {
    let mut net = Net::new(3, NetworkConfig::calm());
    net.watch(1, 2);
    net.watch(2, 1);
    net.run(1_000);
    net.strike(Fault::Pause(NodeId(1), Duration::from_secs(2)));
    let told = net.run(5_000);
    assert_eq!(told.iter().map(|it| (it.1.0, it.2)).collect::<Vec<_>>(), [(2, suspected(1)), (2, heard(1))]);
}

/// A machine on its own, with what it says.
struct Alone {
    machine: Liveness,
    out: Outbox<Liveness>,
}

impl Alone {
    fn new() -> Self {
        Self {
            machine: Liveness::restore(Config::sim(NodeId(1)), 0, Recovered::default()),
            out: Outbox::default(),
        }
    }

    fn hear(&mut self, millis: u64, input: Input<Liveness>) -> Vec<Event> {
        self.machine.handle(Timestamp(millis * 1_000_000), input, &mut self.out);
        let emitted = |effect| if let Effect::Emit { event, .. } = effect { Some(event) } else { None };
        self.out.take().into_iter().filter_map(emitted).collect()
    }

    fn command(&mut self, millis: u64, command: Command) {
        assert_eq!(self.hear(millis, Input::Command { token: Token(millis + 1), command }), []);
    }
}

#[test]
fn a_broken_link_is_a_suspicion_at_once_and_only_of_who_is_watched() {
    let mut alone = Alone::new();
    alone.command(0, Command::Watch { peer: NodeId(2) });
    assert_eq!(alone.hear(10, Input::Unreachable { peer: NodeId(3) }), []);
    assert_eq!(alone.hear(10, Input::Unreachable { peer: NodeId(2) }), [suspected(2)]);
    assert_eq!(alone.hear(11, Input::Unreachable { peer: NodeId(2) }), [], "told once");
    assert!(alone.machine.suspects(NodeId(2)));
    let beat =
        Input::Message { from: NodeId(2), session: SessionId(2), message: Message::Beat { wanted: false } };
    assert_eq!(alone.hear(12, beat), [heard(2)]);
    alone.command(13, Command::Release { peer: NodeId(2) });
    assert_eq!(alone.hear(14, Input::Unreachable { peer: NodeId(2) }), []);
    assert_eq!(alone.hear(2_000, Input::Timeout), [], "nobody is watched any more");
    assert_eq!(alone.machine.next_deadline(), None);
}

#[test]
fn a_node_that_was_held_up_itself_gives_the_others_the_time() {
    let mut alone = Alone::new();
    alone.command(0, Command::Watch { peer: NodeId(2) });
    assert_eq!(alone.hear(10_000, Input::Timeout), [], "its beats may be waiting to be read");
    assert_eq!(alone.hear(10_060, Input::Timeout), []);
    let after: Vec<u64> =
        (2..8).filter(|n| !alone.hear(10_000 + n * 60, Input::Timeout).is_empty()).collect();
    assert_eq!(after, [4], "300 ms after the beat at which it noticed, less what had passed before");
}

#[test]
fn impatience_is_refused() {
    let config = Config::lan(NodeId(1));
    assert_eq!(config.validate(), Ok(()));
    assert_eq!(Config { interval: Duration::ZERO, ..config }.validate(), Err(ConfigError::NoInterval));
    let hasty = Config { timeout: Duration::from_millis(150), ..config };
    assert!(matches!(hasty.validate(), Err(ConfigError::Impatient { .. })));
}
