//! What a simulated world has to know of Raft.

use std::sync::Arc;

use crate::log::SnapshotMeta;
use crate::raft::simulation::intact;
use crate::raft::{Config, Message, Raft, Record, Role};
use crate::sim::{Holder, Subject};
use crate::types::{NodeId, StoreId};

/// What a message without entries takes, roughly.
const HEADER: usize = 64;

impl Subject for Raft {
    fn situate(config: &mut Arc<Config>, store: StoreId, rejoin: bool) {
        let config = Arc::make_mut(config);
        config.store = store;
        config.rejoin = rejoin;
    }

    fn can_spare(node: NodeId, holders: &[Holder<Self>]) -> bool {
        intact::can_spare(node, holders)
    }

    fn leads(&self) -> bool {
        self.role() == Role::Leader
    }

    fn message_size(message: &Message) -> usize {
        match message {
            Message::Append { entries, .. } | Message::PullReply { entries, .. } => {
                HEADER + entries.iter().map(crate::log::Entry::size).sum::<usize>()
            }
            Message::PreVote { .. } => HEADER + 1,
            Message::PreVoteReply { granted, .. } => HEADER + 2 + usize::from(*granted),
            Message::Dismissed { .. } => HEADER + 20,
            Message::Vote { .. } => HEADER + 4,
            Message::VoteReply { granted, .. } => HEADER + 5 + usize::from(*granted),
            Message::AppendReply { .. } => HEADER + 7,
            Message::Heartbeat { .. } => HEADER + 8,
            Message::HeartbeatReply { .. } => HEADER + 9,
            Message::Snapshot { .. } => HEADER + 10,
            Message::Lend { .. } => HEADER + 15,
            Message::Lent { .. } => HEADER + 16,
            Message::Ahead { .. } => HEADER + 13,
            Message::Pull { .. } => HEADER + 14,
            Message::TimeoutNow { .. } => HEADER + 11,
            Message::Canvass { .. } => HEADER + 17,
            Message::CanvassReply { .. } => HEADER + 18,
            Message::Claim { .. } => HEADER + 19,
            Message::Anchor { meta, .. } => HEADER + 12 + meta.configuration.len(),
            Message::Sleep { .. } => HEADER + 12,
            Message::SleepReply { asleep, .. } => HEADER + 13 + usize::from(*asleep),
        }
    }

    fn record_size(record: &Record) -> usize {
        match record {
            Record::Entry(entry) => entry.size(),
            Record::Ballot { .. } => 16,
            Record::Founding(bytes) => bytes.len(),
            Record::Anchor(meta) => 32 + meta.configuration.len(),
        }
    }

    fn ends_at(record: &Record, snapshot: &SnapshotMeta) -> bool {
        match record {
            Record::Entry(entry) => entry.index == snapshot.index && entry.term == snapshot.term,
            Record::Ballot { .. } | Record::Founding(_) | Record::Anchor(_) => false,
        }
    }
}
