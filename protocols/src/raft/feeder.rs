//! How a leader speaks to one peer: appends, heartbeats, or a snapshot when its log does not reach back far enough.
//!
//! Decides what to say from what is known of the peer; changes nothing but that knowledge.

use crate::log::{Entries, Entry, MemoryLog, Position, SnapshotMeta};
use crate::protocol::Outbox;
use crate::raft::config::Config;
use crate::raft::configurations::Configurations;
use crate::raft::message::Message;
use crate::raft::progress::{Pace, Progress};
use crate::raft::state::Raft;
use crate::types::{LogIndex, LogTime, NodeId, Term, Timestamp};

/// What a leader needs to speak.
pub(super) struct Feeder<'a> {
    pub(super) config: &'a Config,
    pub(super) log: &'a MemoryLog,
    pub(super) configurations: &'a Configurations,
    pub(super) term: Term,
    pub(super) commit: LogIndex,
    /// What a witness may be told of.
    pub(super) witnessed: LogIndex,
    pub(super) snapshot: LogIndex,
    /// Who has a snapshot to lend, presumably.
    pub(super) lender: Option<NodeId>,
    pub(super) now: Timestamp,
}

impl Feeder<'_> {
    /// Sends what the peer lacks, as far as its window is open. Returns where to read from when that is not in memory.
    pub(super) fn feed(
        &self,
        peer: NodeId,
        progress: &mut Progress,
        out: &mut Outbox<Raft>,
    ) -> Option<LogIndex> {
        let last = self.end_for(progress);
        while progress.open(self.config) {
            let index = progress.next.previous();
            let Some(term) = self.log.term_at(index) else {
                self.send_snapshot(peer, progress, out);
                return None;
            };
            if progress.next > last {
                return None;
            }
            let (count, bytes) = (self.config.max_append_entries, self.config.max_append_bytes);
            let Some(entries) = self.log.range(progress.next, last, count, bytes) else {
                progress.loading = true;
                return Some(progress.next);
            };
            self.append(peer, progress, Position { term, index }, entries, out);
        }
        None
    }

    /// The last entry that the peer may be told of.
    pub(super) fn end_for(&self, progress: &Progress) -> LogIndex {
        let last = self.log.last().index;
        if progress.member.duty.holds_data() { last } else { last.min(self.witnessed) }
    }

    /// Sends entries that follow `previous`.
    pub(super) fn append(
        &self,
        peer: NodeId,
        progress: &mut Progress,
        previous: Position,
        entries: Entries,
        out: &mut Outbox<Raft>,
    ) {
        // Checked in release builds too: an append with a hole before it would be believed (RT-24).
        let Some(last) = entries.last().map(|entry| entry.index) else { return };
        assert_eq!(entries[0].index, previous.index.next(), "an append follows its previous position");
        progress.sent(last, entries.bytes());
        progress.spoken = Some(self.now);
        let (term, epoch, commit) = (self.term, progress.epoch, self.commit);
        let entries = if progress.member.duty.holds_data() {
            entries
        } else {
            entries.iter().cloned().map(Entry::withheld).collect()
        };
        // Early: the leader's disk works while the entries travel; its own part is counted when it is durable (dissertation
        // §10.2.1). The term was durable before this node became leader.
        out.send_early(peer, Message::Append { term, epoch, previous, commit, entries });
    }

    /// Says that the leader is there, and asks what is in doubt.
    pub(super) fn heartbeat(
        &self,
        peer: NodeId,
        progress: &mut Progress,
        round: u64,
        out: &mut Outbox<Raft>,
    ) {
        let base = self.log.base();
        progress.probe_within(base.index);
        let probe = progress
            .doubt()
            .map(|index| self.log.term_at(index).map_or(base, |term| Position { term, index }));
        progress.spoken = Some(self.now);
        // The peer may lack what it has not acknowledged (RT-26).
        let commit = self.commit.min(progress.matched);
        // Early: it promises nothing about this node's disk.
        out.send_early(
            peer,
            Message::Heartbeat { term: self.term, epoch: progress.epoch, round, commit, probe },
        );
    }

    /// A witness needs no data: the log begins for it where it begins here, or where members are first known.
    fn send_anchor(&self, peer: NodeId, progress: &mut Progress, out: &mut Outbox<Raft>) {
        out.reached("witness sent where the log begins");
        // A log that was found with a snapshot ahead of where it begins does not tell which members there were before that.
        let index = self.log.base().index.max(self.configurations.begin());
        let Some(term) = self.log.term_at(index) else { return };
        let configuration = self.configurations.at(index).encode();
        let meta = SnapshotMeta { index, term, time: LogTime::ZERO, configuration };
        progress.probe(index.next(), true);
        progress.spoken = Some(self.now);
        // Early: the position was committed, hence durable on a quorum, long before it was compacted away.
        out.send_early(peer, Message::Anchor { term: self.term, epoch: progress.epoch, meta });
    }

    fn send_snapshot(&self, peer: NodeId, progress: &mut Progress, out: &mut Outbox<Raft>) {
        debug_assert!(
            matches!(progress.pace, Pace::Probe { .. } | Pace::Replicate),
            "no snapshot is under way"
        );
        if !progress.member.duty.holds_data() {
            return self.send_anchor(peer, progress, out);
        }
        out.reached("snapshot sent to a peer that is behind the log");
        let lender = self.lender.filter(|&lender| lender != peer && !progress.forsaken);
        if let Some(lender) = lender {
            progress.send_snapshot(self.log.base().index, Some(lender));
            return self.ask_to_lend(lender, peer, progress, out);
        }
        progress.send_snapshot(self.snapshot, None);
        let (leader, term, epoch) = (self.config.id, self.term, progress.epoch);
        out.send_snapshot(peer, Message::Snapshot { leader, term, epoch });
    }

    /// Asks `lender` to send its snapshot to `peer`; asked again it does no more than it did.
    pub(super) fn ask_to_lend(
        &self,
        lender: NodeId,
        peer: NodeId,
        progress: &Progress,
        out: &mut Outbox<Raft>,
    ) {
        let (term, epoch, attempt) = (self.term, progress.epoch, progress.attempt);
        let least = self.log.base().index;
        // Early: a question, which promises nothing.
        out.send_early(lender, Message::Lend { term, epoch, to: peer, attempt, least });
    }
}
