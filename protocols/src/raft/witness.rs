//! What a witness does in place of holding data: it keeps where its log begins, and forgets what is committed.
//!
//! A witness votes and acknowledges like any voter, by the same positions; it applies nothing, takes no snapshots, and never leads.
//! Its log begins at an anchor: a committed position, in a cell of its disk.

use crate::log::{MemoryLog, SnapshotMeta};
use crate::protocol::Outbox;
use crate::raft::follower::Heading;
use crate::raft::membership::Membership;
use crate::raft::message::AppendResult;
use crate::raft::record::Record;
use crate::raft::state::Raft;
use crate::raft::status::Rejection;
use crate::types::{LogIndex, LogTime, Timestamp};

impl Raft {
    /// The leader's log begins later than this one ends: begin there.
    pub(super) fn on_anchor(
        &mut self,
        now: Timestamp,
        heading: Heading,
        meta: SnapshotMeta,
        out: &mut Outbox<Self>,
    ) {
        if !self.heed(now, heading, out) {
            return;
        }
        let membership = Membership::decode(&meta.configuration);
        let Some(membership) = membership.filter(|_| self.config.witness && meta.term <= heading.term) else {
            return self.reject(heading.from, Rejection::BadSnapshot, out);
        };
        let index = meta.index;
        if index > self.commit && !self.log.holds(meta.position()) {
            self.clamp_writes(self.commit);
            self.log = MemoryLog::new(meta.position(), meta.time);
            self.unwritten = index.next();
            self.commit = index;
            self.replace_configurations(index, membership, out);
            self.settle(meta, out);
            out.truncate(LogIndex(1));
            let id = out.compact(index);
            self.writes.push_back((id, index));
        } else if index > self.commit {
            self.commit = index;
            self.forget_committed(out);
        }
        let held = self.log.last().index;
        self.answer(heading, AppendResult::Matched(index.max(self.commit).min(held)), out);
    }

    /// Forgets what is committed, once it is as much as a member with data would put into a snapshot.
    pub(super) fn forget_committed(&mut self, out: &mut Outbox<Self>) {
        let upto = self.commit.min(self.durable);
        if upto.0.saturating_sub(self.log.base().index.0) < self.config.snapshot_entries {
            return;
        }
        let Some(term) = self.log.term_at(upto) else { return };
        let Some(membership) = self.configurations.known_at(upto) else { return };
        let configuration = membership.encode();
        self.settle(SnapshotMeta { index: upto, term, time: LogTime::ZERO, configuration }, out);
        self.log.compact(upto);
        self.configurations.compact(upto);
        out.compact(upto);
    }

    /// Writes where the log begins before anything below is forgotten: a crash in between finds both.
    fn settle(&mut self, anchor: SnapshotMeta, out: &mut Outbox<Self>) {
        self.snapshots.index = anchor.index;
        out.persist(vec![Record::Anchor(anchor)]);
    }
}
