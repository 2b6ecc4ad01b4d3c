//! What a leader does: take proposals, write and send them, count acknowledgements, commit (Raft §5.3 and §5.4).
//!
//! Not the follower's side, nor reads, snapshots and transfer.

use bytes::Bytes;

use crate::log::{Body, Entry, Position, SessionTag};
use crate::protocol::Outbox;
use crate::raft::command::Refusal;
use crate::raft::feeder::Feeder;
use crate::raft::leadership::Leadership;
use crate::raft::membership::{Duty, Voice};
use crate::raft::message::{AppendResult, Epoch};
use crate::raft::promises::Beat;
use crate::raft::state::{Load, Raft, Standing, Timer};
use crate::raft::status::Rejection;
use crate::raft::waiting::Waiting;
use crate::types::{LogIndex, NodeId, SessionId, Timestamp, Token};

impl Raft {
    /// Begins a term of office with an entry of its own, by which earlier terms' entries get committed (§5.4.2).
    pub(super) fn take_office(&mut self, now: Timestamp, out: &mut Outbox<Self>) {
        debug_assert!(self.durable_write >= self.ballot_write, "this node's own vote is durable");
        let first = self.log.last().index.next();
        let mut lead = Leadership::new((self.config.id, self.config.store), first);
        lead.attend(self.config.id, self.membership(), first, now);
        self.standing = Standing::Leader(Box::new(lead));
        self.leader = Some(self.config.id);
        self.rounds = None;
        self.timers.clear(Timer::Election);
        self.timers.clear(Timer::Orphans);
        self.timers.set(Timer::Heartbeat, now.after(self.config.heartbeat_interval));
        self.fail_handover(out);
        self.append(now, Body::Noop);
        self.arm_tick(now);
    }

    /// Takes a proposal, or says why not.
    pub(super) fn propose(
        &mut self,
        now: Timestamp,
        token: Token,
        session: Option<SessionTag>,
        payload: Bytes,
        out: &mut Outbox<Self>,
    ) {
        let body = Body::Command { session, payload };
        if let Err(refusal) = self.admit(&body) {
            return Self::refuse(token, refusal, out);
        }
        let bytes = body.size();
        self.append(now, body);
        self.waiting_bytes += bytes;
        self.waiting.push(self.log.last().index, Waiting { token, time: self.log.last_time(), bytes });
    }

    /// Writes and sends everything that has gathered: one write, one append to each peer.
    pub(super) fn flush(&mut self, now: Timestamp, out: &mut Outbox<Self>) {
        if !self.is_leader() {
            return;
        }
        self.log.seal();
        self.persist_entries(out);
        self.start_round(now, out);
        self.feed_peers(now, out);
    }

    /// Speaks to every peer that has heard nothing for a while, and steps down when no quorum has been heard.
    pub(super) fn on_heartbeat_timeout(&mut self, now: Timestamp, out: &mut Outbox<Self>) {
        if !self.hears_quorum(now) {
            out.reached("stepped down without a quorum");
            self.step_down(now, None, out);
            return;
        }
        self.timers.set(Timer::Heartbeat, now.after(self.config.heartbeat_interval));
        self.drive_members(now, out);
        // A voter with data that has fallen silent leaves it to the witness to decide.
        self.feed_witnesses(now);
        if self.lull(now, out) {
            return;
        }
        self.attend_lenders(now, out);
        self.prolong_lease(now);
        let interval = self.config.heartbeat_interval;
        let Some((lead, feeder)) = self.feeder(now) else { return };
        for (&peer, progress) in &mut lead.progress {
            let silent = progress.spoken.is_none_or(|spoken| now.since(spoken) >= interval);
            if silent || progress.round < lead.reads.last_round {
                feeder.heartbeat(peer, progress, lead.reads.last_round, out);
            }
        }
        self.urge_successor(out);
    }

    /// Takes what a peer says about how far its log agrees.
    pub(super) fn on_append_reply(
        &mut self,
        now: Timestamp,
        from: NodeId,
        Answer { epoch, voice, rejoin: _ }: Answer,
        result: AppendResult,
        out: &mut Outbox<Self>,
    ) {
        let last = self.log.last().index;
        let patience = self.config.election_timeout;
        let Self { standing: Standing::Leader(lead), log, .. } = self else { return };
        let Some(progress) = lead.progress.get_mut(&from) else { return };
        if progress.epoch != epoch {
            out.reached("answer to an earlier replication ignored");
            return;
        }
        if !progress.accepts(voice) {
            return out.reached("word of another disk ignored");
        }
        progress.contact = now;
        match result {
            AppendResult::Matched(index) | AppendResult::NoSpace(index) if index > last => {
                return self.reject(from, Rejection::Unsent, out);
            }
            AppendResult::Matched(index) => progress.acknowledge(index),
            AppendResult::NoSpace(index) => {
                out.reached("follower without space");
                progress.acknowledge(index);
                progress.probe(index.next(), true);
            }
            AppendResult::Conflict { rejected, hint } => {
                if !progress.is_current_conflict(rejected, now, patience) {
                    return;
                }
                // Where the follower's hint lies below the log, or contradicts all of it, only a snapshot helps.
                let agreed = log.last_within(hint).map_or(LogIndex::ZERO, |position| position.index);
                progress.probe(agreed.next().min(rejected), false);
            }
            AppendResult::Stale => return,
        }
        progress.learn(last, now, patience);
        if progress.next <= last && progress.open(&self.config) || lead.has_witness {
            self.flush_soon(now);
        }
        self.advance_commit(now, out);
        self.urge_successor(out);
    }

    /// Takes the sign of life, and the confirmation of reads that comes with it.
    pub(super) fn on_heartbeat_reply(
        &mut self,
        now: Timestamp,
        from: NodeId,
        Answer { epoch, voice, rejoin }: Answer,
        beat: Beat,
        out: &mut Outbox<Self>,
    ) {
        let Standing::Leader(lead) = &mut self.standing else { return };
        let last_round = lead.reads.last_round;
        let Some(progress) = lead.progress.get_mut(&from) else { return };
        if progress.epoch != epoch {
            out.reached("answer to an earlier replication ignored");
            return;
        }
        if !progress.accepts(voice) {
            out.reached("word of another disk ignored");
            return self.note_stranger(now, from, voice, rejoin, out);
        }
        progress.contact = now;
        if beat.round > last_round {
            return self.reject(from, Rejection::Unsent, out);
        }
        progress.round = progress.round.max(beat.round);
        lead.lease.note_promise(from, epoch, beat, &self.config);
        self.confirm_reads(now, out);
    }

    /// Commits what a quorum holds durably, if it is of this term (§5.4.2, Fig. 8; RT-01). This node's own part counts once its
    /// disk has it (RT-10); a quorum of others may be there first.
    pub(super) fn advance_commit(&mut self, now: Timestamp, out: &mut Outbox<Self>) {
        let open = self.commit < self.log.last().index;
        let (Standing::Leader(lead), true) = (&self.standing, open) else { return };
        let (own, durable) = (self.config.id, self.durable);
        let reached = self.membership().quorum().reached(|voter| {
            if voter == own { Some(durable) } else { lead.progress.get(&voter).map(|peer| peer.matched) }
        });
        let Some(reached) = reached.filter(|&index| index > self.commit) else { return };
        if self.log.term_at(reached) != Some(self.term) {
            out.reached("entries of an earlier term wait for one of this term");
            return;
        }
        let first_of_term = self.commit < lead.first;
        let waits = first_of_term && lead.reads.wait();
        self.commit = reached;
        if waits {
            self.flush_soon(now);
        }
        self.apply_committed(out);
        self.drive_members(now, out);
    }

    /// A link to a peer came up: whatever was under way may be lost, so ask again where the logs agree.
    pub(super) fn on_reachable(
        &mut self,
        now: Timestamp,
        peer: NodeId,
        _session: SessionId,
        out: &mut Outbox<Self>,
    ) {
        let Some((lead, feeder)) = self.feeder(now) else { return };
        let Some(progress) = lead.progress.get_mut(&peer) else { return };
        progress.probe(LogIndex::ZERO, true);
        feeder.heartbeat(peer, progress, lead.reads.last_round, out);
    }

    /// A link to a peer went down: send nothing but heartbeats until it answers.
    pub(super) fn on_unreachable(&mut self, peer: NodeId) {
        let Standing::Leader(lead) = &mut self.standing else { return };
        if let Some(progress) = lead.progress.get_mut(&peer) {
            progress.probe(LogIndex::ZERO, true);
        }
    }

    /// Entries for a peer were read back.
    pub(super) fn feed_loaded(
        &mut self,
        now: Timestamp,
        peer: NodeId,
        from: LogIndex,
        entries: Vec<Entry>,
        out: &mut Outbox<Self>,
    ) {
        let Some((lead, feeder)) = self.feeder(now) else { return };
        let Some(progress) = lead.progress.get_mut(&peer) else { return };
        progress.loading = false;
        if progress.next != from || !progress.open(feeder.config) {
            return;
        }
        let end = feeder.end_for(progress);
        let entries: Vec<_> = entries.into_iter().take_while(|entry| entry.index <= end).collect();
        let previous = from.previous();
        match feeder.log.term_at(previous) {
            // Nothing came back: the log was compacted meanwhile, or could not be read. Ask the peer before trying again.
            Some(_) if entries.is_empty() => progress.probe(from, true),
            Some(term) => {
                feeder.append(peer, progress, Position { term, index: previous }, entries.into(), out);
            }
            None => {}
        }
        self.flush_soon(now);
    }

    /// Appends an entry to the log of this leader; it is written and sent with the next flush.
    pub(super) fn append(&mut self, now: Timestamp, body: Body) {
        debug_assert!(self.is_leader(), "only a leader appends (RT-04)");
        let time = self.log_time(now);
        self.log.append(Entry { term: self.term, index: self.log.last().index.next(), time, body });
        self.clock = (time, now);
        self.flush_soon(now);
    }

    /// A moment at which the application wants to be called has come: an entry carries the time to it.
    pub(super) fn on_tick(&mut self, now: Timestamp) {
        if self.is_leader() && self.space && self.wake.is_some_and(|wake| self.log_time(now) >= wake) {
            self.append(now, Body::Noop);
        }
        self.arm_tick(now);
    }

    /// Waits for the log time at which the application wants to be called, unless an entry of that time is in the log already.
    pub(super) fn arm_tick(&mut self, now: Timestamp) {
        self.timers.clear(Timer::Tick);
        let Some(wake) = self.wake.filter(|&wake| wake > self.log.last_time()) else { return };
        if self.is_leader() && self.space {
            let wait = wake.0.saturating_sub(self.log_time(now).0);
            self.timers.set(Timer::Tick, Timestamp(now.0.saturating_add(wait)));
        }
    }

    /// The leader's part and the means to send, borrowed side by side; `None` when this node does not lead.
    pub(super) fn feeder(&mut self, now: Timestamp) -> Option<(&mut Leadership, Feeder<'_>)> {
        let witnessed = self.witnessed(now);
        let Self {
            standing: Standing::Leader(lead),
            config,
            log,
            configurations,
            term,
            commit,
            snapshots,
            ..
        } = self
        else {
            return None;
        };
        let snapshot = snapshots.index;
        let (term, commit, lender) = (*term, *commit, lead.lender);
        Some((lead, Feeder { config, log, configurations, term, commit, witnessed, snapshot, lender, now }))
    }

    /// What witnesses wait for may have come about.
    pub(super) fn feed_witnesses(&mut self, now: Timestamp) {
        if matches!(&self.standing, Standing::Leader(lead) if lead.has_witness) {
            self.flush_soon(now);
        }
    }

    /// How far witnesses may be told of the log: no further than another voter holds the data, lest a witness be left with the
    /// longest log when this node dies, and nobody could win. While no other voter with data is heard and the witness is
    /// needed to decide, no further than this node's own disk has it.
    fn witnessed(&self, now: Timestamp) -> LogIndex {
        let Standing::Leader(lead) = &self.standing else { return LogIndex::ZERO };
        if !lead.has_witness {
            return self.log.last().index;
        }
        let others = || lead.progress.values().filter(|peer| peer.member.duty == Duty::Voter);
        let patience = self.config.election_timeout;
        let heard = others().any(|peer| now.since(peer.contact) < patience);
        if !heard && self.membership().is_voter(self.config.id) {
            return self.durable;
        }
        others().map(|peer| peer.matched).max().unwrap_or(LogIndex::ZERO)
    }

    fn feed_peers(&mut self, now: Timestamp, out: &mut Outbox<Self>) {
        let mut wanted = Vec::new();
        let Some((lead, feeder)) = self.feeder(now) else { return };
        for (&peer, progress) in &mut lead.progress {
            if let Some(from) = feeder.feed(peer, progress, out) {
                wanted.push((peer, from));
            }
        }
        for (peer, from) in wanted {
            let request = self.new_request();
            self.loads.insert(request, Load::Peer(peer, from));
            let to = self.config.append_end(from).min(self.durable);
            out.load(request, from, to, self.config.max_append_bytes);
        }
    }

    fn admit(&self, body: &Body) -> Result<(), Refusal> {
        if !self.is_leader() {
            return Err(Refusal::NotLeader { leader: self.leader });
        }
        if self.handover.is_some() || !self.membership().is_voter(self.config.id) {
            return Err(Refusal::Transferring);
        }
        if !self.space {
            return Err(Refusal::NoSpace);
        }
        let limit = self.config.max_uncommitted_bytes;
        let bytes = body.size();
        let largest = limit.min(self.config.max_entry_bytes);
        if bytes > largest {
            return Err(Refusal::TooLarge { limit: largest });
        }
        // Commits may run ahead of this node's own disk, but what it has not taken stays in memory.
        let disk_behind = self.log.cached_bytes() > limit.saturating_add(self.config.cache_bytes);
        if disk_behind || self.waiting_bytes + bytes > limit {
            return Err(Refusal::Busy);
        }
        Ok(())
    }

    /// Whether a quorum was heard within the election timeout (dissertation §6.2). Hearing, not being heard, is what counts: a
    /// leader behind a one-way link has no right to stay.
    fn hears_quorum(&self, now: Timestamp) -> bool {
        let Standing::Leader(lead) = &self.standing else { return false };
        if !self.config.check_quorum {
            return true;
        }
        let own = self.config.id;
        let heard = self.membership().quorum().reached(|voter| {
            if voter == own {
                Some(now)
            } else {
                lead.progress.get(&voter).map(|peer| peer.contact.max(self.hibernation.woken))
            }
        });
        heard.is_some_and(|heard| now.since(heard) <= self.config.election_timeout)
    }
}

/// What every answer to a leader says of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) epoch: Epoch,
    pub(super) voice: Voice,
    pub(super) rejoin: bool,
}
