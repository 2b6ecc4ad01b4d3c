//! Our own core, as its driver drives it: everything that has arrived, then what is due, writes durable at once.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use synod::protocols::log::Entry;
use synod::protocols::protocol::{Effect, Input, Outbox, Protocol, Recovered};
use synod::protocols::raft::{Command, Config, Message, Raft, Reply, Role};
use synod::protocols::{NodeId, SessionId, Timestamp, Token};

use crate::bare::Cluster;

/// Three machines and what is on its way between them.
pub(crate) struct Synod {
    now: Timestamp,
    nodes: Vec<Member>,
    wire: Vec<(usize, NodeId, Message)>,
    arriving: Vec<(usize, NodeId, Message)>,
    last_token: u64,
    answered: usize,
}

struct Member {
    id: NodeId,
    machine: Raft,
    outbox: Outbox<Raft>,
}

const LEADER: usize = 0;

impl Cluster for Synod {
    fn elected() -> Self {
        let ids: BTreeSet<NodeId> = (1..=3).map(NodeId).collect();
        let nodes = ids.iter().map(|&id| {
            let mut config = Config::lan(id, ids.clone());
            // The log stays in memory, as the others' does.
            config.cache_bytes = usize::MAX >> 1;
            config.snapshot_entries = u64::MAX;
            config.snapshot_bytes = u64::MAX;
            let recovered = Recovered::default();
            Member { id, machine: Raft::restore(config.into(), id.0, recovered), outbox: Outbox::default() }
        });
        let nodes = nodes.collect();
        let now = Timestamp(0).after(Duration::from_secs(1));
        let mut cluster =
            Self { now, nodes, wire: Vec::new(), arriving: Vec::new(), last_token: 0, answered: 0 };
        cluster.command(Command::Campaign);
        cluster.pump();
        assert_eq!(cluster.nodes[LEADER].machine.role(), Role::Leader);
        cluster.answered = 0;
        cluster
    }

    fn propose(&mut self, payload: Bytes) {
        self.command(Command::Propose { session: None, payload });
    }

    fn pump(&mut self) -> usize {
        loop {
            while !self.wire.is_empty() {
                let empty = std::mem::take(&mut self.arriving);
                let mut arriving = std::mem::replace(&mut self.wire, empty);
                for (to, from, message) in arriving.drain(..) {
                    self.step(to, Input::Message { from, session: SessionId(1), message });
                }
                self.arriving = arriving;
            }
            let mut quiet = true;
            for node in 0..self.nodes.len() {
                if self.nodes[node].machine.next_deadline().is_some_and(|deadline| deadline <= self.now) {
                    quiet = false;
                    self.step(node, Input::Timeout);
                }
            }
            if quiet {
                return std::mem::take(&mut self.answered);
            }
        }
    }
}

impl Synod {
    fn command(&mut self, command: Command) {
        self.last_token += 1;
        self.step(LEADER, Input::Command { token: Token(self.last_token), command });
    }

    /// Gives a machine an input, and then the answers to what it asks of its driver.
    fn step(&mut self, node: usize, input: Input<Raft>) {
        let Self { now, nodes, wire, answered, .. } = self;
        let Member { id, machine, outbox } = &mut nodes[node];
        machine.handle(*now, input, outbox);
        while !outbox.is_empty() {
            let (mut durable, mut committed) = (None, None);
            for effect in outbox.drain() {
                match effect {
                    // The log is in memory: what was asked for before is durable.
                    Effect::Send { to, message, after: _ } => {
                        let to = usize::try_from(to.0 - 1).expect("one of three");
                        wire.push((to, *id, message));
                    }
                    Effect::Persist { id, .. } | Effect::Truncate { id, .. } | Effect::Compact { id, .. } => {
                        durable = Some(id);
                    }
                    Effect::Apply { entries } => committed = Some(entries),
                    Effect::Reply { reply, .. } => match reply {
                        Reply::Applied { .. } => *answered += 1,
                        Reply::Status(_) => {}
                        other => panic!("an answer that was not asked for: {other:?}"),
                    },
                    Effect::Emit { .. } => {}
                    effect @ (Effect::Watch { .. }
                    | Effect::Load { .. }
                    | Effect::TakeSnapshot { .. }
                    | Effect::SendSnapshot { .. }
                    | Effect::InstallSnapshot { .. }
                    | Effect::DropSnapshot { .. }) => panic!("nothing leaves memory here: {effect:?}"),
                }
            }
            if let Some(id) = durable {
                machine.handle(*now, Input::Persisted(id), outbox);
            }
            if let Some(entries) = committed {
                machine.handle(*now, applied(node, &entries), outbox);
            }
        }
    }
}

/// What an application that only counts says: at the leader, where clients wait, a result for each write.
fn applied(node: usize, entries: &[Entry]) -> Input<Raft> {
    let upto = entries.last().expect("something to apply").index;
    let results = match node {
        LEADER => entries.iter().map(|entry| (entry.index, Bytes::new())).collect(),
        _ => Vec::new(),
    };
    Input::Applied { upto, results, wake: None }
}
