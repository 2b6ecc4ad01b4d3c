//! What a committed entry costs a group of three: messages, writes that have to be synced, records, and how often an entry travels. Costs
//! that no machine changes, so that one round, one sync or one copy too many fails here and not in a benchmark.
//!
//! Three machines are pumped on one thread, and time stands still: what is said beside the work itself, such as heartbeats, is not counted
//! because it must not be there.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use synod_protocols::raft::{Command, Config, Message, Raft, Record, Reply, Role};
use synod_protocols::{Effect, Input, NodeId, Outbox, Protocol, Recovered, SessionId, Timestamp, Token};

const LEADER: usize = 0;
/// Entries in an append.
const MOST: usize = 1_000;
const NOW: Timestamp = Timestamp(1_000_000_000);

/// What all three nodes did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Costs {
    appends: usize,
    answers: usize,
    other_messages: usize,
    /// Entries in messages.
    carried: usize,
    /// Writes, each of which has to be synced unless a driver lets several share one.
    writes: usize,
    /// Entries in writes.
    written: usize,
    /// Cells in writes: terms, votes, configurations.
    cells: usize,
}

struct Group {
    machines: Vec<Raft>,
    outboxes: Vec<Outbox<Raft>>,
    wire: VecDeque<(usize, usize, Message)>,
    tokens: u64,
    applied: usize,
    costs: Costs,
}

impl Group {
    fn elected() -> Self {
        let ids: BTreeSet<NodeId> = (1..=3).map(NodeId).collect();
        let machine = |&id: &NodeId| {
            let (snapshot_entries, max_append_entries) = (u64::MAX, MOST);
            let config = Config { snapshot_entries, max_append_entries, ..Config::lan(id, ids.clone()) };
            Raft::restore(config.into(), id.0, Recovered::default())
        };
        let mut group = Self {
            machines: ids.iter().map(machine).collect(),
            outboxes: ids.iter().map(|_| Outbox::default()).collect(),
            wire: VecDeque::new(),
            tokens: 0,
            applied: 0,
            costs: Costs::default(),
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
                let from = NodeId(from as u64 + 1);
                self.step(to, Input::Message { from, session: SessionId(1), message });
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
            self.machines[node].handle(NOW, input, &mut self.outboxes[node]);
            for effect in self.outboxes[node].take() {
                inputs.extend(self.carry_out(node, effect));
            }
        }
    }

    fn carry_out(&mut self, node: usize, effect: Effect<Raft>) -> Option<Input<Raft>> {
        match effect {
            Effect::Send { to, message, .. } => {
                self.count_message(&message);
                self.wire.push_back((node, to.0 as usize - 1, message));
            }
            Effect::Persist { id, records } => {
                self.costs.writes += 1;
                let entries = records.iter().filter(|record| matches!(**record, Record::Entry(_))).count();
                self.costs.written += entries;
                self.costs.cells += records.len() - entries;
                return Some(Input::Persisted(id));
            }
            Effect::Truncate { id, .. } | Effect::Compact { id, .. } => {
                self.costs.writes += 1;
                return Some(Input::Persisted(id));
            }
            Effect::Apply { entries } => {
                let results = entries.iter().map(|entry| (entry.index, Bytes::new())).collect();
                return Some(Input::Applied { upto: entries.last()?.index, results, wake: None });
            }
            Effect::Reply { reply, .. } => {
                self.applied += usize::from(matches!(reply, Reply::Applied { .. }))
            }
            Effect::Emit { .. } => {}
            other => panic!("nothing else is asked for: {other:?}"),
        }
        None
    }

    fn count_message(&mut self, message: &Message) {
        match message {
            Message::Append { entries, .. } => {
                self.costs.appends += 1;
                self.costs.carried += entries.len();
            }
            Message::AppendReply { .. } => self.costs.answers += 1,
            _ => self.costs.other_messages += 1,
        }
    }

    /// What `count` entries cost that are proposed at once, when the group has warmed up.
    fn of(&mut self, count: usize) -> Costs {
        for _ in 0..3 {
            (self.costs, self.applied) = (Costs::default(), 0);
            for _ in 0..count {
                let payload = Bytes::from_static(b"0123456789abcdef");
                self.command(Command::Propose { session: None, payload });
            }
            self.settle();
            assert_eq!(self.applied, count, "every proposal took effect");
        }
        self.costs
    }
}

/// One append to each follower and its answer; one write on each disk. That an entry is committed, followers hear with the next one.
#[test]
fn an_entry_costs_two_appends_two_answers_and_one_write_on_each_disk() {
    let expected = Costs { appends: 2, answers: 2, carried: 2, writes: 3, written: 3, ..Costs::default() };
    assert_eq!(Group::elected().of(1), expected);
}

#[test]
fn entries_that_are_proposed_together_cost_as_many_messages_and_writes_as_one() {
    for count in [2, 64, MOST] {
        let together = Costs { appends: 2, answers: 2, writes: 3, ..Costs::default() };
        let expected = Costs { carried: 2 * count, written: 3 * count, ..together };
        assert_eq!(Group::elected().of(count), expected, "{count} at once");
    }
}

/// However many entries wait, none of them travels twice, and each message carries as many as it may.
#[test]
fn a_backlog_is_cut_into_as_few_messages_as_hold_it() {
    let count = 4_000;
    let appends = 2 * count / MOST;
    let costs = Group::elected().of(count);
    assert_eq!((costs.carried, costs.written), (2 * count, 3 * count));
    assert_eq!((costs.appends, costs.answers), (appends, appends));
    assert_eq!(costs.writes, 1 + appends, "one of the leader, one for each append of a follower");
    assert_eq!((costs.other_messages, costs.cells), (0, 0));
}

/// A read confirms that its leader leads with one round for all reads that wait, and writes nothing.
#[test]
fn reads_that_wait_together_share_one_round_and_no_write() {
    for count in [1, 64] {
        let mut group = Group::elected();
        group.of(1);
        group.costs = Costs::default();
        for _ in 0..count {
            group.command(Command::Read);
        }
        group.settle();
        // Two heartbeats and their answers.
        assert_eq!(group.costs, Costs { other_messages: 4, ..Costs::default() }, "{count} at once");
    }
}
