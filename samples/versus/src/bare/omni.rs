//! OmniPaxos with its own memory log.

use bytes::Bytes;
use omnipaxos::messages::Message;
use omnipaxos::storage::{Entry, NoSnapshot};
use omnipaxos::util::LogEntry;
use omnipaxos::{ClusterConfig, OmniPaxos, ServerConfig};
use omnipaxos_storage::memory_storage::MemoryStorage;

use crate::bare::Cluster;

/// One entry of its log.
#[derive(Clone, Debug)]
struct Write(Bytes);

impl Entry for Write {
    type Snapshot = NoSnapshot;
}

type Node = OmniPaxos<Write, MemoryStorage<Write>>;

/// Three nodes and what is on its way between them.
pub(crate) struct Omni {
    nodes: Vec<Node>,
    wire: Vec<Message<Write>>,
    spare: Vec<Message<Write>>,
    applied: [usize; 3],
    leader: usize,
}

impl Cluster for Omni {
    fn elected() -> Self {
        let nodes = (1..=3).map(|pid| {
            let cluster = ClusterConfig { configuration_id: 1, nodes: vec![1, 2, 3], flexible_quorum: None };
            let server = ServerConfig { pid, ..ServerConfig::default() };
            cluster.build_for_server(server, MemoryStorage::default()).expect("a proper configuration")
        });
        let mut cluster =
            Self { nodes: nodes.collect(), wire: Vec::new(), spare: Vec::new(), applied: [0; 3], leader: 0 };
        for _ in 0..1_000 {
            for node in &mut cluster.nodes {
                node.tick();
            }
            cluster.pump();
        }
        let (leader, ready) = cluster.nodes[0].get_current_leader().expect("a leader");
        assert!(ready, "a leader that takes writes");
        cluster.leader = usize::try_from(leader - 1).expect("one of three");
        cluster
    }

    fn propose(&mut self, payload: Bytes) {
        self.nodes[self.leader].append(Write(payload)).expect("a leader");
    }

    fn pump(&mut self) -> usize {
        let before = self.applied[self.leader];
        loop {
            for node in &mut self.nodes {
                node.take_outgoing_messages(&mut self.wire);
            }
            if self.wire.is_empty() {
                return self.applied[self.leader] - before;
            }
            std::mem::swap(&mut self.wire, &mut self.spare);
            for message in self.spare.drain(..) {
                let to = usize::try_from(message.get_receiver() - 1).expect("one of three");
                self.nodes[to].handle_incoming(message);
            }
            for (node, applied) in self.nodes.iter().zip(&mut self.applied) {
                if node.get_decided_idx() > *applied {
                    let entries = node.read_decided_suffix(*applied).expect("what was decided");
                    *applied += entries.iter().filter(|entry| is_write(entry)).count();
                }
            }
        }
    }
}

fn is_write(entry: &LogEntry<Write>) -> bool {
    match entry {
        LogEntry::Decided(Write(payload)) => {
            debug_assert!(payload.len() <= 1_024);
            true
        }
        _ => false,
    }
}
