//! Snapshots: when to take one, what to forget afterwards, and how a follower takes over its leader's (Raft §7).
//!
//! Not their bytes or their transport, which are the driver's.

use crate::log::{MemoryLog, SnapshotMeta};
use crate::protocol::Outbox;
use crate::raft::command::{Refusal, Reply};
use crate::raft::config::Config;
use crate::raft::follower::Heading;
use crate::raft::membership::Membership;
use crate::raft::message::{AppendResult, Message};
use crate::raft::state::{Raft, Snapshots, Standing};
use crate::raft::status::{Event, Rejection};
use crate::types::{LogIndex, NodeId, Timestamp, Token};

/// How many times the entries after which a snapshot is taken are applied at most before a large one is written again.
const ENTRIES_MAX: u64 = 10;

/// Callers that may wait for a snapshot at a time.
const ASKERS_MAX: usize = 1 << 10;

impl Raft {
    /// A user wants a snapshot. One that contains everything applied is as good as another.
    pub(super) fn ask_snapshot(&mut self, token: Token, out: &mut Outbox<Self>) {
        if self.config.witness {
            return Self::refuse(token, Refusal::SnapshotFailed, out);
        }
        if self.snapshots.askers.len() >= ASKERS_MAX {
            return Self::refuse(token, Refusal::Busy, out);
        }
        self.snapshots.askers.push(token);
        self.snapshots.wanted = true;
        self.consider_snapshot(out);
    }

    /// Takes a snapshot when it is time and the application is between two batches of entries. Asked again whenever either
    /// changes, so that a trigger met while one is being written is not lost (RT-40).
    pub(super) fn consider_snapshot(&mut self, out: &mut Outbox<Self>) {
        let applied = self.applying.applied;
        if self.snapshots.taking || self.snapshots.installing.is_some() {
            return;
        }
        if applied <= self.snapshots.index {
            return self.answer_askers(out);
        }
        if !self.is_snapshot_due() || self.applying.issued != applied {
            return;
        }
        let Some(term) = self.log.term_at(applied) else { return };
        // The configuration is the one in force at the snapshot's last index, whatever followed it (RT-19). Who did not found the group
        // and is given the log from its first entry on does not know it before the first one comes.
        let Some(membership) = self.configurations.known_at(applied) else {
            out.reached("no snapshot before a configuration is known");
            return self.on_snapshot_failed(out);
        };
        let configuration = membership.encode();
        self.snapshots.taking = true;
        self.snapshots.wanted = false;
        self.snapshots.counted_from = applied;
        self.snapshots.counted_since = self.applying.issued_time;
        self.applying.bytes = 0;
        let time = self.applying.issued_time;
        out.take_snapshot(SnapshotMeta { index: applied, term, time, configuration });
    }

    /// A snapshot is durable: forget what it contains, but for a tail that spares peers a snapshot.
    pub(super) fn on_snapshot_taken(&mut self, meta: &SnapshotMeta, bytes: u64, out: &mut Outbox<Self>) {
        self.snapshots.taking = false;
        self.snapshots.bytes = bytes;
        if meta.index > self.snapshots.index {
            self.snapshots.index = meta.index;
            let upto = LogIndex(meta.index.0.saturating_sub(self.config.keep_entries));
            if upto > self.log.base().index && self.snapshots.installing.is_none() {
                self.log.compact(upto);
                self.configurations.compact(upto);
                out.compact(upto);
            }
        }
        if !self.snapshots.wanted {
            self.answer_askers(out);
        }
        self.consider_snapshot(out);
    }

    /// A snapshot could not be written. The policy starts to count anew, so that a broken disk is not tried without end.
    pub(super) fn on_snapshot_failed(&mut self, out: &mut Outbox<Self>) {
        self.snapshots.taking = false;
        self.snapshots.wanted = false;
        for token in std::mem::take(&mut self.snapshots.askers) {
            Self::refuse(token, Refusal::SnapshotFailed, out);
        }
    }

    /// The transfer of a snapshot to a peer has ended. Its acknowledgement comes from the peer's machine; until then the peer
    /// is asked with heartbeats.
    pub(super) fn on_snapshot_sent(
        &mut self,
        now: Timestamp,
        to: NodeId,
        index: LogIndex,
        delivered: bool,
        out: &mut Outbox<Self>,
    ) {
        let delivered = Some(index).filter(|_| delivered);
        let Standing::Leader(lead) = &mut self.standing else {
            return self.loan_ended(to, delivered, out);
        };
        let Some(progress) = lead.progress.get_mut(&to) else { return };
        if progress.awaited_lender().is_none() {
            progress.snapshot_ended(now, delivered);
        }
    }

    /// A whole snapshot has come: take it over, unless it is of a past leader or tells nothing that is not known (RT-20, RT-41).
    pub(super) fn on_snapshot_received(
        &mut self,
        now: Timestamp,
        from: NodeId,
        message: Message,
        meta: SnapshotMeta,
        out: &mut Outbox<Self>,
    ) {
        if self.is_beyond_reach(&message) {
            out.drop_snapshot(from);
            return self.reject(from, Rejection::TermBeyondReach, out);
        }
        let Message::Snapshot { leader, term, epoch } = message else {
            out.drop_snapshot(from);
            return self.reject(from, Rejection::BadSnapshot, out);
        };
        let heading = Heading { from: leader, term, epoch };
        if !self.heed(now, heading, out) {
            out.reached("snapshot of a past leader dropped");
            return out.drop_snapshot(from);
        }
        let Some(membership) =
            Membership::decode(&meta.configuration).filter(|_| meta.term <= term && !self.config.witness)
        else {
            out.drop_snapshot(from);
            return self.reject(from, Rejection::BadSnapshot, out);
        };
        if meta.index <= self.commit {
            // Whatever the snapshot says of a committed index, this log has it already.
            out.reached("snapshot behind the commit index dropped");
            out.drop_snapshot(from);
            return self.answer(heading, AppendResult::Matched(self.commit.min(self.log.last().index)), out);
        }
        if self.log.holds(meta.position()) {
            out.reached("snapshot of entries already held dropped");
            out.drop_snapshot(from);
            let index = meta.index;
            self.commit = index;
            self.apply_committed(out);
            return self.answer(heading, AppendResult::Matched(index), out);
        }
        self.install(now, heading, from, meta, membership, out);
    }

    /// The application's state is the snapshot's.
    pub(super) fn on_snapshot_installed(&mut self, meta: &SnapshotMeta, out: &mut Outbox<Self>) {
        if self.snapshots.installing != Some(meta.index) {
            return;
        }
        self.snapshots.installing = None;
        self.snapshots.index = meta.index;
        self.snapshots.counted_from = meta.index;
        self.snapshots.counted_since = meta.time;
        self.applying.applied = meta.index;
        self.applying.issued = meta.index;
        self.applying.issued_time = meta.time;
        self.applying.bytes = 0;
        out.emit(Event::SnapshotInstalled { index: meta.index });
        self.consider_snapshot(out);
        self.apply_committed(out);
    }

    /// Whether somebody asked for a snapshot, or entries, their bytes or log time make it worth one. A large state is not written again
    /// for a few entries: of snapshots no more is written than of the log, unless entries are many and small.
    fn is_snapshot_due(&self) -> bool {
        let Config { snapshot_entries, snapshot_bytes, snapshot_interval, .. } = *self.config;
        let Snapshots { counted_from, counted_since, wanted, bytes: last, .. } = self.snapshots;
        let entries = self.applying.applied.0.saturating_sub(counted_from.0);
        let bytes = self.applying.bytes;
        let pays = bytes >= last || entries >= snapshot_entries.saturating_mul(ENTRIES_MAX);
        wanted
            || (pays && (entries >= snapshot_entries || bytes >= snapshot_bytes))
            || (!snapshot_interval.is_zero()
                && self.applying.issued_time >= counted_since.after(snapshot_interval))
    }

    fn answer_askers(&mut self, out: &mut Outbox<Self>) {
        self.snapshots.wanted = false;
        let index = self.snapshots.index;
        for token in std::mem::take(&mut self.snapshots.askers) {
            // Early: the snapshot is durable.
            out.reply_early(token, Reply::SnapshotTaken { index });
        }
    }

    /// Replaces log and configuration by the snapshot's (RT-18, RT-20). The application follows when it is durable; until then
    /// nothing is applied, while entries after the snapshot are taken and acknowledged in the order of writes.
    fn install(
        &mut self,
        now: Timestamp,
        heading: Heading,
        sender: NodeId,
        meta: SnapshotMeta,
        membership: Membership,
        out: &mut Outbox<Self>,
    ) {
        self.orphan_waiting(LogIndex::ZERO, Refusal::LeadershipLost, out);
        self.clamp_writes(self.commit);
        self.log = MemoryLog::new(meta.position(), meta.time);
        self.clock = (meta.time, now);
        self.unwritten = meta.index.next();
        self.commit = meta.index;
        self.replace_configurations(meta.index, membership, out);
        self.loads.clear();
        self.snapshots.installing = Some(meta.index);
        self.applying.issued = self.applying.applied;
        let index = meta.index;
        let id = out.install_snapshot(sender, meta);
        self.writes.push_back((id, index));
        self.answer(heading, AppendResult::Matched(index), out);
    }
}
