//! How a leader is found: pre-vote, vote, stickiness (Raft §5.2 and §5.4.1; dissertation §4.2.3 and §9.6).
//!
//! Not what a leader does, nor how it gives up office by intent.

use crate::log::Position;
use crate::protocol::Outbox;
use crate::quorum::Tally;
use crate::raft::command::Refusal;
use crate::raft::membership::Voice;
use crate::raft::message::Message;
use crate::raft::reserve::Reserve;
use crate::raft::state::{Raft, Standing, Timer};
use crate::raft::votes::Votes;
use crate::types::{NodeId, Term, Timestamp};

impl Raft {
    /// No leader was heard for too long.
    pub(super) fn on_election_timeout(&mut self, now: Timestamp, out: &mut Outbox<Self>) {
        if self.is_leader() || !self.may_lead() {
            return;
        }
        self.arm_election(now);
        if self.is_pledged(now) {
            out.reached("no campaign against a promise");
            return;
        }
        if !self.space {
            // A leader has to append an entry, for which there is no room; whoever has room may lead.
            out.reached("no campaign without space");
            return;
        }
        if self.reserve.holds_back() {
            out.reached("removed voter holds back");
            return;
        }
        if self.durable_write < self.ballot_write {
            // One more ballot would only queue up behind the one the disk has not taken (RT-44).
            out.reached("no campaign while the disk stalls");
            return;
        }
        self.seek_office(now, out);
    }

    /// Campaigns, after asking whether that would succeed.
    pub(super) fn seek_office(&mut self, now: Timestamp, out: &mut Outbox<Self>) {
        self.leader = None;
        if !self.config.pre_vote {
            self.campaign(now, Campaign::OnTimeout, out);
            return;
        }
        let mut votes = Votes::default();
        votes.record(self.config.id, true);
        let message =
            Message::PreVote { proposed: self.term.next(), last: self.log.last(), voice: self.voice() };
        for peer in self.peers() {
            // Early: a question, which promises nothing.
            out.send_early(peer, message.clone());
        }
        self.open_round();
        self.standing = Standing::PreCandidate(votes);
        self.count_pre_votes(now, out);
    }

    /// Starts an election: votes for itself, and asks the others once that vote is durable.
    pub(super) fn campaign(&mut self, now: Timestamp, reason: Campaign, out: &mut Outbox<Self>) {
        if self.term.next() == self.term {
            // Only a member that lies brings the last term about. A campaign within it could follow a vote for somebody else.
            out.reached("no campaign after the last term");
            return;
        }
        self.term = self.term.next();
        self.snapshots.loans.clear();
        self.vote = Some(self.config.id);
        self.leader = None;
        self.standing = Standing::Candidate(Votes::default());
        self.persist_ballot(out);
        self.arm_election(now);
        let transfer = reason == Campaign::ByTransfer;
        let message = Message::Vote { term: self.term, last: self.log.last(), transfer, voice: self.voice() };
        for peer in self.peers() {
            out.send(peer, message.clone());
        }
    }

    /// Counts this node's own vote once it is durable, not before: alone it would be a quorum without a disk.
    pub(super) fn count_own_vote(&mut self, now: Timestamp, out: &mut Outbox<Self>) {
        let own = self.config.id;
        let Standing::Candidate(votes) = &mut self.standing else { return };
        if self.durable_write >= self.ballot_write && votes.of(own).is_none() {
            votes.record(own, true);
            self.count_votes(now, out);
        }
    }

    /// Answers whether a vote would be granted. Changes nothing.
    pub(super) fn on_pre_vote(
        &mut self,
        now: Timestamp,
        from: NodeId,
        proposed: Term,
        Candidate { last, voice }: Candidate,
        out: &mut Outbox<Self>,
    ) {
        let free = !self.is_stranger(from, voice) && !self.is_loyal(now);
        let granted = proposed > self.term && last >= self.log.last() && free;
        out.send(from, Message::PreVoteReply { term: self.term, proposed, granted, voice: self.voice() });
        if free && !granted {
            self.tell_ahead(now, from, proposed, last, out);
        }
        self.dismiss(from, out);
    }

    /// Takes the answer to a pre-vote. A term ahead of this node's was adopted before (RT-35).
    pub(super) fn on_pre_vote_reply(
        &mut self,
        now: Timestamp,
        from: NodeId,
        proposed: Term,
        granted: bool,
        out: &mut Outbox<Self>,
    ) {
        let current = self.term.next();
        if granted {
            self.note_free(now, from, proposed, out);
        }
        let Standing::PreCandidate(votes) = &mut self.standing else {
            out.reached("late pre-vote ignored");
            return;
        };
        if proposed == current {
            votes.record(from, granted);
            self.count_pre_votes(now, out);
        }
    }

    /// Grants or refuses a vote; the grant is on disk, with its term, before it is sent.
    pub(super) fn on_vote(
        &mut self,
        now: Timestamp,
        from: NodeId,
        term: Term,
        candidate: Candidate,
        campaign: Campaign,
        out: &mut Outbox<Self>,
    ) {
        let Candidate { last, voice } = candidate;
        if self.is_stranger(from, voice) {
            // It has lost what it promised; what it says of its log and of terms is nobody's word.
            out.reached("vote withheld from a disk that is not the member's");
            return;
        }
        if term > self.term {
            if campaign == Campaign::OnTimeout && self.is_loyal(now) {
                out.reached("vote withheld from whoever does not hear the leader");
                return;
            }
            self.adopt_term(now, term, None, out);
        }
        let free = self.vote.is_none_or(|vote| vote == from) && matches!(self.standing, Standing::Follower);
        let free = free && self.leader.is_none();
        // It may have promised the leader of an earlier term, which may not know of this one.
        let bound = campaign == Campaign::OnTimeout && self.is_pledged(now);
        let granted = term == self.term && free && !bound && last >= self.log.last();
        if granted {
            self.arm_election(now);
            if self.vote.is_none() {
                self.vote = Some(from);
                self.persist_ballot(out);
            }
        }
        out.send(from, Message::VoteReply { term: self.term, granted, voice: self.voice() });
    }

    /// Takes the answer to a request for a vote.
    pub(super) fn on_vote_reply(
        &mut self,
        now: Timestamp,
        from: NodeId,
        term: Term,
        granted: bool,
        out: &mut Outbox<Self>,
    ) {
        let Standing::Candidate(votes) = &mut self.standing else { return };
        if term == self.term {
            votes.record(from, granted);
            self.count_votes(now, out);
        }
    }

    /// Enters a higher term. A timer under way stays: only a vote granted or a leader heard resets it.
    pub(super) fn adopt_term(
        &mut self,
        now: Timestamp,
        term: Term,
        leader: Option<NodeId>,
        out: &mut Outbox<Self>,
    ) {
        debug_assert!(term > self.term, "terms only grow");
        self.step_down(now, leader, out);
        self.term = term;
        self.vote = None;
        self.snapshots.loans.clear();
        self.persist_ballot(out);
    }

    /// Follows `leader`, which speaks in this node's term.
    pub(super) fn follow(&mut self, now: Timestamp, leader: NodeId, out: &mut Outbox<Self>) {
        if !matches!(self.standing, Standing::Follower) {
            self.step_down(now, Some(leader), out);
        }
        self.leader = Some(leader);
        self.leader_contact = Some(now);
        self.pledged = Some(now);
        self.rounds = None;
        self.reserve = Reserve::default();
        self.hibernation.reassure();
        self.arm_election(now);
        self.settle_handover(leader, out);
    }

    /// Becomes a follower. What a leader never handed to disk or network never happened; what it did may yet.
    pub(super) fn step_down(&mut self, now: Timestamp, leader: Option<NodeId>, out: &mut Outbox<Self>) {
        self.leader = leader;
        let was = std::mem::replace(&mut self.standing, Standing::Follower);
        match was {
            Standing::Follower => return,
            Standing::PreCandidate(_) | Standing::Candidate(_) => {}
            Standing::Leader(mut lead) => {
                let refusal = Refusal::NotLeader { leader };
                for token in lead.reads.drain() {
                    Self::refuse(token, refusal, out);
                }
                if let Some(token) = lead.changer.take() {
                    Self::refuse(token, Refusal::LeadershipLost, out);
                }
                if self.unwritten <= self.log.last().index {
                    out.reached("unsent proposals taken back");
                    self.orphan_waiting(self.unwritten, refusal, out);
                    self.log.truncate(self.unwritten);
                    self.configurations.truncate(self.unwritten);
                }
                self.leave_office(now);
            }
        }
        self.arm_election(now);
    }

    /// Whether a member speaks from another disk than the configuration in force names for it.
    pub(super) fn is_stranger(&self, from: NodeId, voice: Voice) -> bool {
        self.membership().member(from).is_some_and(|member| !member.recognises(voice))
    }

    /// Whether this node hears a leader, or is one, or has promised to be loyal for longer: then it helps nobody to unseat it
    /// (dissertation §4.2.3).
    pub(super) fn is_loyal(&self, now: Timestamp) -> bool {
        let hears = self.leader.is_some()
            && self.leader_contact.is_some_and(|heard| now.since(heard) < self.config.election_timeout);
        self.config.check_quorum && (self.is_leader() || hears) || self.is_pledged(now)
    }

    fn leave_office(&mut self, now: Timestamp) {
        for timer in [Timer::Heartbeat, Timer::Flush, Timer::Tick] {
            self.timers.clear(timer);
        }
        self.drop_peer_loads();
        if !self.waiting.is_empty() {
            // Long enough for a successor to be elected and to tell what became of them.
            self.timers.set(Timer::Orphans, now.after(self.config.election_timeout * 4));
        }
    }

    fn count_pre_votes(&mut self, now: Timestamp, out: &mut Outbox<Self>) {
        let Standing::PreCandidate(votes) = &self.standing else { return };
        match self.membership().quorum().tally(|voter| votes.of(voter)) {
            Tally::Won => self.campaign(now, Campaign::OnTimeout, out),
            Tally::Lost => self.standing = Standing::Follower,
            Tally::Pending => {}
        }
    }

    fn count_votes(&mut self, now: Timestamp, out: &mut Outbox<Self>) {
        let Standing::Candidate(votes) = &self.standing else { return };
        match self.membership().quorum().tally(|voter| votes.of(voter)) {
            Tally::Won => self.take_office(now, out),
            Tally::Lost => self.standing = Standing::Follower,
            Tally::Pending => {}
        }
    }
}

/// What a candidate says of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    /// Where its log ends.
    pub(super) last: Position,
    /// Its disk.
    pub(super) voice: Voice,
}

/// Why a candidate campaigns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Campaign {
    /// It hears no leader.
    OnTimeout,
    /// The leader asked it to.
    ByTransfer,
}
