//! raft-rs with its own memory log, driven as its documentation says: ready, append, send, apply, advance.

use bytes::Bytes;
use raft::StateRole;
use raft::prelude::{ConfState, Config, Entry, Message, RawNode};
use raft::storage::MemStorage;

use crate::bare::Cluster;

/// Three nodes and what is on its way between them.
pub(crate) struct RaftRs {
    nodes: Vec<RawNode<MemStorage>>,
    wire: Vec<Message>,
    applied: usize,
}

const LEADER: usize = 0;

impl Cluster for RaftRs {
    fn elected() -> Self {
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let nodes = (1..=3).map(|id| {
            let config = Config {
                id,
                election_tick: 10,
                heartbeat_tick: 3,
                max_size_per_msg: 1 << 20,
                max_inflight_msgs: 256,
                batch_append: true,
                pre_vote: true,
                check_quorum: true,
                ..Config::default()
            };
            let storage = MemStorage::new_with_conf_state(ConfState::from((vec![1, 2, 3], vec![])));
            RawNode::new(&config, storage, &logger).expect("a proper configuration")
        });
        let mut cluster = Self { nodes: nodes.collect(), wire: Vec::new(), applied: 0 };
        cluster.nodes[LEADER].campaign().expect("a voter");
        cluster.pump();
        assert_eq!(cluster.nodes[LEADER].raft.state, StateRole::Leader);
        cluster.applied = 0;
        cluster
    }

    fn propose(&mut self, payload: Bytes) {
        // Its log holds vectors: the one copy is what its type asks for.
        self.nodes[LEADER].propose(Vec::new(), payload.into()).expect("a leader");
    }

    fn pump(&mut self) -> usize {
        loop {
            for message in std::mem::take(&mut self.wire) {
                let to = usize::try_from(message.to - 1).expect("one of three");
                self.nodes[to].step(message).expect("a message of a peer");
            }
            for node in 0..self.nodes.len() {
                self.ready(node);
            }
            if self.wire.is_empty() {
                return std::mem::take(&mut self.applied);
            }
        }
    }
}

impl RaftRs {
    fn ready(&mut self, number: usize) {
        let Self { nodes, wire, applied } = self;
        let node = &mut nodes[number];
        if !node.has_ready() {
            return;
        }
        let mut apply = |entries: Vec<Entry>| {
            if number == LEADER {
                *applied += entries.iter().filter(|entry| entry.index > 1).count();
            }
        };
        let mut ready = node.ready();
        wire.extend(ready.take_messages());
        apply(ready.take_committed_entries());
        if !ready.entries().is_empty() {
            node.store().wl().append(ready.entries()).expect("a memory log");
        }
        if let Some(state) = ready.hs() {
            node.store().wl().set_hardstate(state.clone());
        }
        wire.extend(ready.take_persisted_messages());
        let mut light = node.advance(ready);
        if let Some(commit) = light.commit_index() {
            node.store().wl().mut_hard_state().commit = commit;
        }
        wire.extend(light.take_messages());
        apply(light.take_committed_entries());
        node.advance_apply();
    }
}
