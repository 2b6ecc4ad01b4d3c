//! The world under a small protocol: a register that takes the greatest number it is told, on disk before it answers.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::log::SnapshotMeta;
use crate::protocol::{Input, Outbox, Place, Placed, Protocol, Recovered};
use crate::sim::{
    DiskConfig, Fault, FaultKind, Happening, NetworkConfig, Node, Step, Subject, World, WorldConfig,
};
use crate::types::{NodeId, Timestamp, Token};

#[derive(Clone, Debug)]
struct Greatest {
    peers: Vec<NodeId>,
    value: u64,
    next_gossip: Timestamp,
    failed: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Value(u64);

impl Placed for Value {
    fn place(&self) -> Place {
        Place::Cell(0)
    }
}

impl Greatest {
    fn raise(&mut self, value: u64, out: &mut Outbox<Self>) {
        if value > self.value {
            self.value = value;
            out.persist(vec![Value(value)]);
        }
    }
}

impl Protocol for Greatest {
    const NAME: &'static str = "greatest";
    type Config = Vec<NodeId>;
    type Message = u64;
    type Command = u64;
    type Reply = u64;
    type Event = ();
    type Record = Value;

    fn restore(peers: Vec<NodeId>, _seed: u64, recovered: Recovered<Value>) -> Self {
        let value = recovered.cells.first().map_or(0, |cell| cell.0);
        Self { peers, value, next_gossip: Timestamp::ZERO, failed: false }
    }

    fn handle(&mut self, now: Timestamp, input: Input<Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Command { token, command } if !self.failed => {
                self.raise(command, out);
                out.reply(token, self.value);
            }
            Input::Message { message, .. } => self.raise(message, out),
            Input::Timeout => {
                self.next_gossip = now.after(Duration::from_millis(50));
                for &peer in &self.peers {
                    out.send(peer, self.value);
                }
            }
            Input::WriteFailed => self.failed = true,
            _ => {}
        }
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        Some(self.next_gossip)
    }
}

impl Subject for Greatest {
    fn leads(&self) -> bool {
        false
    }
    fn message_size(message: &u64) -> usize {
        64 + *message as usize % 64
    }
    fn record_size(_: &Value) -> usize {
        8
    }
    fn ends_at(_: &Value, _: &SnapshotMeta) -> bool {
        false
    }
}

fn world(seed: u64, config: WorldConfig) -> World<Greatest, ()> {
    let ids = [1, 2, 3].map(NodeId);
    let machines = ids.map(|id| ids.into_iter().filter(|&peer| peer != id).collect());
    World::new(seed, config, machines.into())
}

fn run_until(world: &mut World<Greatest, ()>, until: Timestamp) -> Vec<(Token, u64)> {
    let mut answers = Vec::new();
    while world.next_time().is_some_and(|next| next <= until) {
        world.step().expect("the register keeps the contract");
        answers.extend(world.answers().iter().map(|answer| (answer.token, answer.reply)));
    }
    answers
}

fn at(millis: u64) -> Timestamp {
    Timestamp(millis * 1_000_000)
}

fn value(node: &Node<Greatest, ()>) -> Option<u64> {
    node.machine().map(|machine| machine.value)
}

fn slow_disk() -> WorldConfig {
    let span = Duration::from_millis(10);
    WorldConfig {
        disk: DiskConfig { sync_min: span, sync_max: span, ..DiskConfig::calm() },
        ..WorldConfig::calm()
    }
}

#[test]
fn an_answer_waits_for_the_sync_and_spreads() {
    let mut world = world(1, slow_disk());
    run_until(&mut world, at(100));
    let token = world.submit(NodeId(2), 7).expect("up");
    assert_eq!(run_until(&mut world, at(109)), []);
    assert_eq!(run_until(&mut world, at(111)), [(token, 7)]);
    run_until(&mut world, at(300));
    assert!(world.nodes().iter().all(|node| value(node) == Some(7)));
}

#[test]
fn a_crash_before_the_sync_loses_the_write_and_the_answer() {
    let (mut lost, mut kept) = (0, 0);
    for seed in 0..40 {
        let mut world = world(seed, slow_disk());
        run_until(&mut world, at(100));
        world.submit(NodeId(2), 7).expect("up");
        world.plan(at(105), Fault::Crash(NodeId(2)));
        world.plan(at(200), Fault::Restart(NodeId(2)));
        assert_eq!(run_until(&mut world, at(1_000)), [], "an answer of a dead process");
        match value(&world.nodes()[1]) {
            Some(0) => lost += 1,
            Some(7) => kept += 1,
            other => panic!("neither the old value nor the new one: {other:?}"),
        }
        assert_eq!(world.tally().count(FaultKind::Crash).injected, 1);
    }
    assert!(
        lost > 5 && kept > 5,
        "lost {lost} kept {kept}: either may happen to a write that was not synced"
    );
}

#[test]
fn a_failed_sync_is_told_and_nothing_is_answered() {
    let mut world = world(3, slow_disk());
    run_until(&mut world, at(100));
    world.plan(at(100), Fault::FailWrite(NodeId(1)));
    run_until(&mut world, at(101));
    world.submit(NodeId(1), 9).expect("up");
    assert_eq!(run_until(&mut world, at(500)), []);
    assert!(world.nodes()[0].machine().expect("up").failed);
    assert!(
        world.nodes()[1..].iter().all(|node| value(node) == Some(0)),
        "gossip of a value that is not durable"
    );
    assert_eq!(world.tally().count(FaultKind::WriteFailure).injected, 1);
}

#[test]
fn a_paused_process_takes_what_waited_when_it_goes_on() {
    let mut world = world(4, WorldConfig::calm());
    run_until(&mut world, at(100));
    world.plan(at(100), Fault::Pause(NodeId(3), Duration::from_millis(500)));
    run_until(&mut world, at(150));
    let token = world.submit(NodeId(3), 5).expect("up");
    assert_eq!(run_until(&mut world, at(599)), []);
    assert_eq!(run_until(&mut world, at(610)), [(token, 5)]);
    assert_eq!(world.tally().count(FaultKind::Pause).injected, 1);
}

#[test]
fn a_partition_keeps_news_on_its_side_until_it_heals() {
    let mut world = world(5, WorldConfig::calm());
    run_until(&mut world, at(100));
    world.plan(at(100), Fault::Partition(BTreeSet::from([NodeId(1)])));
    run_until(&mut world, at(101));
    world.submit(NodeId(1), 8).expect("up");
    run_until(&mut world, at(5_000));
    assert_eq!(world.nodes().iter().filter_map(value).collect::<Vec<_>>(), [8, 0, 0]);
    world.plan(at(5_000), Fault::Heal);
    run_until(&mut world, at(6_000));
    assert_eq!(world.nodes().iter().filter_map(value).collect::<Vec<_>>(), [8, 8, 8]);
}

#[test]
fn equal_seeds_give_equal_hashes_and_others_do_not() {
    let hash = |seed| {
        let network = NetworkConfig { loss: 0.1, duplicate: 0.1, reorder: 0.1, ..NetworkConfig::calm() };
        let mut world = world(seed, WorldConfig { network, drift_ppm: 1_000, ..WorldConfig::calm() });
        for step in 1..50 {
            world.alarm(at(step * 20), step);
        }
        while world.next_time().is_some_and(|next| next <= at(2_000)) {
            if let Some(Step::Alarm(alarm)) = world.step().expect("the register keeps the contract") {
                world.submit(NodeId(1 + alarm % 3), alarm);
            }
        }
        assert!(world.trace().events() > 300);
        world.trace().hash()
    };
    assert_eq!(hash(1), hash(1));
    assert_ne!(hash(1), hash(2));
}

#[test]
fn happenings_name_what_a_step_changed() {
    let mut world = world(6, WorldConfig::calm());
    run_until(&mut world, at(100));
    let token = world.submit(NodeId(1), 3).expect("up");
    assert_eq!(world.step(), Ok(Some(Step::Node(0))));
    assert_eq!(world.scene(0).happenings, [Happening::Asked(token)]);
}
