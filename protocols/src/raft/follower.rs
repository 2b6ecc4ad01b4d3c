//! What a follower does with what its leader sends: check, append, acknowledge once durable (Raft §5.3).
//!
//! Not how a leader is chosen, nor how a snapshot is taken over.

use crate::log::{Body, Entries, Entry, Position};
use crate::protocol::Outbox;
use crate::raft::command::Refusal;
use crate::raft::members::configurations_of;
use crate::raft::membership::Membership;
use crate::raft::message::{AppendResult, Epoch, Message};
use crate::raft::state::Raft;
use crate::raft::status::{Event, Rejection};
use crate::types::{LogIndex, NodeId, Term, Timestamp};

/// The frame of everything a leader says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heading {
    pub(super) from: NodeId,
    pub(super) term: Term,
    pub(super) epoch: Epoch,
}

impl Raft {
    /// Recognises the sender as leader of its term, or answers that its term is past. Says whether to listen.
    pub(super) fn heed(&mut self, now: Timestamp, heading: Heading, out: &mut Outbox<Self>) -> bool {
        let Heading { from, term, .. } = heading;
        if term < self.term {
            // It carries this node's term, by which a deposed leader learns of it.
            self.answer(heading, AppendResult::Stale, out);
            return false;
        }
        if term > self.term {
            self.adopt_term(now, term, Some(from), out);
        }
        if self.is_leader() || self.leader.is_some_and(|leader| leader != from) {
            self.reject(from, Rejection::SecondLeader, out);
            return false;
        }
        self.follow(now, from, out);
        true
    }

    /// Takes entries from the leader.
    pub(super) fn on_append(
        &mut self,
        now: Timestamp,
        heading: Heading,
        previous: Position,
        commit: LogIndex,
        entries: Entries,
        out: &mut Outbox<Self>,
    ) {
        if !self.heed(now, heading, out) {
            return;
        }
        if !is_ordered(heading.term, previous, &entries) {
            return self.reject(heading.from, Rejection::Disordered, out);
        }
        let carried = match self.readable(&entries) {
            Ok(carried) => carried,
            Err(reason) => return self.reject(heading.from, reason, out),
        };
        if let Some(conflict) = self.conflict(previous) {
            return self.answer(heading, conflict, out);
        }
        let end = previous.index.0 + entries.len() as u64;
        let Ok(matched) = self.merge(now, entries, carried, out) else {
            return self.reject(heading.from, Rejection::ContradictsCommit, out);
        };
        let matched = matched.unwrap_or(LogIndex(end));
        self.learn_commit(commit.min(matched), out);
        let result = if matched < LogIndex(end) {
            AppendResult::NoSpace(matched)
        } else {
            AppendResult::Matched(matched)
        };
        self.answer(heading, result, out);
    }

    /// Takes a sign of life, answers it, and says how far the log agrees where the leader asks.
    pub(super) fn on_heartbeat(
        &mut self,
        now: Timestamp,
        heading: Heading,
        round: u64,
        commit: LogIndex,
        probe: Option<Position>,
        out: &mut Outbox<Self>,
    ) {
        if !self.heed(now, heading, out) {
            return;
        }
        let reply = Message::HeartbeatReply {
            term: self.term,
            epoch: heading.epoch,
            round,
            voice: self.voice(),
            rejoin: self.config.rejoin && !self.has_voice(),
            promise: self.promise(),
        };
        if self.durable_write >= self.ballot_write {
            // Early: it says no more than that this node knows no higher term, and its term is on disk. A stalled disk must
            // not unseat the leader (RT-44).
            out.send_early(heading.from, reply);
        } else {
            out.send(heading.from, reply);
        }
        self.notice_reversion(commit, out);
        self.learn_commit(commit, out);
        let Some(probe) = probe else { return };
        let result = self.conflict(probe).unwrap_or(AppendResult::Matched(probe.index));
        self.answer(heading, result, out);
    }

    /// Answers the leader, once everything written before is durable.
    pub(super) fn answer(&self, heading: Heading, result: AppendResult, out: &mut Outbox<Self>) {
        let message =
            Message::AppendReply { term: self.term, epoch: heading.epoch, result, voice: self.voice() };
        out.send(heading.from, message);
    }

    /// Where the log parts from a presumed position; `None` when it holds it. What was compacted away was committed, and
    /// agrees with every leader's log.
    pub(super) fn conflict(&self, presumed: Position) -> Option<AppendResult> {
        if presumed.index <= self.log.base().index || self.log.holds(presumed) {
            return None;
        }
        let hint = self.log.last_within(presumed).unwrap_or(self.log.base());
        Some(AppendResult::Conflict { rejected: presumed.index, hint })
    }

    /// Appends what the log lacks, replacing from the first entry that differs and never anything after a prefix that agrees
    /// (RT-21). Returns how far the logs agree when not to the end, for want of space.
    pub(super) fn merge(
        &mut self,
        now: Timestamp,
        entries: Entries,
        mut carried: Vec<(LogIndex, Membership)>,
        out: &mut Outbox<Self>,
    ) -> Result<Option<LogIndex>, Contradiction> {
        let (base, last) = (self.log.base().index, self.log.last().index);
        let is_held = |e: &&Entry| e.index <= last && (e.index <= base || self.log.holds(e.position()));
        let held = entries.iter().take_while(is_held).count();
        let Some(first) = entries.get(held).map(|entry| entry.index) else { return Ok(None) };
        if first <= self.commit {
            return Err(Contradiction);
        }
        if !self.space {
            out.reached("entries not taken without space");
            return Ok(Some(first.previous()));
        }
        if first <= last {
            out.reached("conflicting tail replaced");
            self.forget_tail(first, out);
        }
        carried.retain(|(index, _)| *index >= first);
        if let Some(last) = entries.last() {
            self.clock = (last.time, now);
        }
        let end = entries.len();
        self.log.extend(self.kept(entries.into_slice(held..end)));
        self.adopt_configurations(&carried, out);
        self.persist_entries(out);
        self.trim_cache();
        Ok(None)
    }

    /// The configurations that entries carry, if this node can take them: these can be read, and only a witness is sent commands without
    /// bytes.
    pub(super) fn readable(&self, entries: &[Entry]) -> Result<Vec<(LogIndex, Membership)>, Rejection> {
        if !self.config.witness && entries.iter().any(|entry| entry.body == Body::Withheld) {
            return Err(Rejection::Withheld);
        }
        configurations_of(entries).map_err(|_| Rejection::BadConfiguration)
    }

    /// What this node keeps of some entries.
    fn kept(&self, entries: Entries) -> Entries {
        if !self.config.witness {
            return entries;
        }
        entries.iter().cloned().map(Entry::withheld).collect()
    }

    /// Forgets the entries from `from` on, in memory and on disk, and what was waiting for them.
    fn forget_tail(&mut self, from: LogIndex, out: &mut Outbox<Self>) {
        // Another copy of such an entry may be committed by a later leader, so that its fate is open.
        self.orphan_waiting(from, Refusal::LeadershipLost, out);
        self.log.truncate(from);
        if self.configurations.truncate(from) {
            out.reached("configuration taken back");
            self.tell_membership(out);
        }
        self.unwritten = self.unwritten.min(from);
        self.clamp_writes(from.previous());
        out.truncate(from);
    }

    /// A heartbeat names no commit index beyond what this node has acknowledged to this very leader, and a log never gets
    /// shorter under one leader: if this one does not reach it, the disk is not the one it was.
    fn notice_reversion(&mut self, acknowledged: LogIndex, out: &mut Outbox<Self>) {
        let last = self.log.last().index;
        if acknowledged > last && !std::mem::replace(&mut self.reverted, true) {
            let member = self.membership().member(self.config.id);
            let named =
                !self.config.rejoin && member.is_some_and(|member| member.store == Some(self.config.store));
            out.emit(Event::Reverted { last, acknowledged, named });
        }
    }

    /// Learns that entries are committed, as far as this log reaches (RT-26).
    pub(super) fn learn_commit(&mut self, commit: LogIndex, out: &mut Outbox<Self>) {
        let commit = commit.min(self.log.last().index);
        if commit > self.commit {
            self.commit = commit;
            self.apply_committed(out);
        }
    }
}

/// The leader's entry differs from a committed one.
pub(super) struct Contradiction;

/// Whether entries follow `previous` one by one, with terms and times that never decrease (RT-24).
pub(super) fn is_ordered(term: Term, previous: Position, entries: &[Entry]) -> bool {
    let Some(first) = entries.first() else { return previous.term <= term };
    let follows = |before: &Entry, after: &Entry| {
        before.index.0.checked_add(1) == Some(after.index.0)
            && before.term <= after.term
            && before.time <= after.time
    };
    previous.index.0.checked_add(1) == Some(first.index.0)
        && previous.term <= first.term
        && entries.windows(2).all(|pair| follows(&pair[0], &pair[1]))
        && entries.last().is_some_and(|last| last.term <= term)
}
