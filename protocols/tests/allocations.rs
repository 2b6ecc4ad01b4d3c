//! Heap allocations on the leader's path, counted by an allocator of this test's own: a cost that no machine changes.
//!
//! Three machines are pumped on one thread, and only what happens inside the leader is counted. Payloads are made before.

use std::alloc::System;
use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use synod_protocols::raft::{Command, Config, Message, Raft, Reply, Role};
use synod_protocols::{Effect, Input, NodeId, Outbox, Protocol, Recovered, SessionId, Timestamp, Token};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const LEADER: usize = 0;
const NOW: Timestamp = Timestamp(1_000_000_000);

struct Group {
    machines: Vec<Raft>,
    outboxes: Vec<Outbox<Raft>>,
    effects: Vec<Effect<Raft>>,
    wire: VecDeque<(usize, usize, Message)>,
    tokens: u64,
    applied: u64,
    /// Allocations inside the leader.
    counted: usize,
}

impl Group {
    fn elected() -> Self {
        let ids: BTreeSet<NodeId> = (1..=3).map(NodeId).collect();
        let machine = |&id: &NodeId| {
            let config = Config { snapshot_entries: u64::MAX, ..Config::lan(id, ids.clone()) };
            Raft::restore(config.into(), id.0, Recovered::default())
        };
        let mut group = Self {
            machines: ids.iter().map(machine).collect(),
            outboxes: ids.iter().map(|_| Outbox::default()).collect(),
            effects: Vec::new(),
            wire: VecDeque::new(),
            tokens: 0,
            applied: 0,
            counted: 0,
        };
        group.command(Command::Campaign);
        group.settle();
        assert_eq!(group.machines[LEADER].role(), Role::Leader);
        group
    }

    fn command(&mut self, command: Command) {
        self.tokens += 1;
        self.step(LEADER, Input::Command { token: Token(self.tokens), command });
    }

    /// Lets everything happen that follows, with writes that are durable at once.
    fn settle(&mut self) {
        loop {
            while let Some((from, to, message)) = self.wire.pop_front() {
                self.step(
                    to,
                    Input::Message { from: NodeId(from as u64 + 1), session: SessionId(1), message },
                );
            }
            let due = (0..3).find(|&node| self.machines[node].next_deadline().is_some_and(|at| at <= NOW));
            match due {
                Some(node) => self.step(node, Input::Timeout),
                None => return,
            }
        }
    }

    fn step(&mut self, node: usize, input: Input<Raft>) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let region = Region::new(ALLOCATOR);
            self.machines[node].handle(NOW, input, &mut self.outboxes[node]);
            if node == LEADER {
                let change = region.change();
                self.counted += change.allocations + change.reallocations;
            }
            let mut effects = std::mem::take(&mut self.effects);
            self.outboxes[node].take_into(&mut effects);
            inputs.extend(effects.drain(..).filter_map(|effect| self.carry_out(node, effect)));
            self.effects = effects;
        }
    }

    fn carry_out(&mut self, node: usize, effect: Effect<Raft>) -> Option<Input<Raft>> {
        match effect {
            Effect::Send { to, message, .. } => self.wire.push_back((node, to.0 as usize - 1, message)),
            Effect::Persist { id, .. } | Effect::Truncate { id, .. } | Effect::Compact { id, .. } => {
                return Some(Input::Persisted(id));
            }
            Effect::Apply { entries } => {
                let results = entries.iter().map(|entry| (entry.index, Bytes::new())).collect();
                return Some(Input::Applied { upto: entries.last()?.index, results, wake: None });
            }
            Effect::Reply { reply, .. } => self.applied += u64::from(matches!(reply, Reply::Applied { .. })),
            _ => {}
        }
        None
    }

    /// Allocations inside the leader for each of `count` entries proposed at once, after as many to warm up.
    fn per_entry(&mut self, count: usize) -> f64 {
        const ROUNDS: usize = 50;
        let mut total = 0;
        for round in 0..2 * ROUNDS {
            let payloads: Vec<Bytes> = (0..count).map(|_| Bytes::from_static(b"0123456789abcdef")).collect();
            let (before, applied) = (self.counted, self.applied);
            for payload in payloads {
                self.command(Command::Propose { session: None, payload });
            }
            self.settle();
            assert_eq!(self.applied - applied, count as u64, "every proposal took effect");
            if round >= ROUNDS {
                total += self.counted - before;
            }
        }
        total as f64 / (ROUNDS * count) as f64
    }
}

/// For one entry at a time: the batch that log, disk, peers and application share. For many at once it is shared by all of them. What is left
/// over is the growth of queues, which doubles and so becomes rarer.
#[test]
fn the_leader_allocates_for_each_write_and_not_for_each_entry() {
    for (count, most) in [(1, 1.1), (64, 0.03), (1_024, 0.005)] {
        let per_entry = Group::elected().per_entry(count);
        println!("{count} at once: {per_entry:.4} allocations an entry");
        assert!(per_entry <= most, "{count} at once: {per_entry} allocations an entry, at most {most}");
    }
}
