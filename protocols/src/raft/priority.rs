//! Priorities: a node that is preferred asks for leadership once it knows that it would get it.
//!
//! Not a matter of elections. Whoever can win one leads, whatever its priority, so that priorities cost neither votes nor time when a
//! leader is missing. They take effect afterwards, by an ordinary transfer (`transfer.rs`), as in the priority takeover of MongoDB
//! and unlike in libraries whose voters refuse a low priority or whose nodes wait before they campaign.
//!
//! **The protocol.** A follower P with a priority above zero that has followed the same leader L for some election timeouts asks the other
//! voters who they follow (`Canvass`). Who follows L in the same term says so, with its own priority (`CanvassReply`). When a quorum
//! has answered, which has heard P and was heard by it, and L has said that its priority is lower, P asks L for its place (`Claim`). L
//! hands over, as if one of its users had asked, if P has everything that is committed.
//!
//! **Why it does no harm.** A transfer is as safe as any. A P that reaches no quorum asks questions that change nothing and disturbs nobody.
//! Each transfer leads to a higher priority, so that they end. P's patience doubles with each claim until it has led for as long as it had
//! to wait: where leadership does not stay with P, it moves ever more rarely. A group that sleeps does not care who leads it.

use crate::protocol::Outbox;
use crate::quorum::Tally;
use crate::raft::membership::{Duty, Voice};
use crate::raft::message::Message;
use crate::raft::progress::Pace;
use crate::raft::state::{Raft, Standing, Timer};
use crate::raft::votes::Votes;
use crate::types::{NodeId, Term, Timestamp};

/// For how many election timeouts a leader is left in peace at first.
const PEACE: u32 = 4;

impl Raft {
    /// Sees to it that this node, if it is preferred, looks at its prospects in time.
    pub(super) fn aspire(&mut self, now: Timestamp) {
        let about = (self.term, self.leader);
        let asleep = self.is_asleep();
        let Some(ambition) = &mut self.ambition else { return };
        if ambition.about != about {
            ambition.turn_to(about);
            self.timers.clear(Timer::Claim);
        }
        let content = match self.leader == Some(self.config.id) {
            true => ambition.claims == 0,
            false => self.leader.is_none() || ambition.outranks == Some(false),
        };
        if asleep || content {
            self.timers.clear(Timer::Claim);
        } else if self.timers.deadline(Timer::Claim).is_none() {
            let patience = self.config.election_timeout * PEACE * ambition.patience();
            self.timers.set(Timer::Claim, now.after(patience));
        }
    }

    /// This node has led for long, or has followed for long and asks who would follow it.
    pub(super) fn on_claim_timeout(&mut self, out: &mut Outbox<Self>) {
        let leads = self.is_leader();
        let may = matches!(self.standing, Standing::Follower)
            && self.leader.is_some()
            && self.may_lead()
            && self.space
            && self.durable_write >= self.ballot_write;
        let Some(ambition) = &mut self.ambition else { return };
        if leads {
            ambition.claims = 0;
        }
        if !may {
            return;
        }
        let mut heard = Votes::default();
        heard.record(self.config.id, true);
        ambition.heard = Some(heard);
        let question = Message::Canvass { term: self.term, voice: self.voice() };
        for peer in self.peers() {
            // Early: a question, which promises nothing.
            out.send_early(peer, question.clone());
        }
    }

    /// Tells a preferred node that this one follows the same leader, or is it. Who does not is silent, lest a term of its own unseat
    /// a leader that works.
    pub(super) fn on_canvass(&self, from: NodeId, term: Term, voice: Voice, out: &mut Outbox<Self>) {
        if term != self.term || self.leader.is_none() || self.is_stranger(from, voice) {
            return out.reached("canvass not answered");
        }
        // Not early: who cannot write could not vote either.
        let priority = self.config.priority;
        out.send(from, Message::CanvassReply { term, priority, voice: self.voice() });
    }

    /// Takes the answer of another voter; with those of a quorum, the leader's among them, leadership is asked for.
    pub(super) fn on_canvass_reply(&mut self, from: NodeId, priority: u32, out: &mut Outbox<Self>) {
        let follows = matches!(self.standing, Standing::Follower);
        let Self { ambition: Some(ambition), leader: Some(leader), configurations, .. } = self else {
            return;
        };
        let Some(heard) = ambition.heard.as_mut().filter(|_| follows) else { return };
        heard.record(from, true);
        if from == *leader {
            ambition.outranks = Some(priority < self.config.priority);
        }
        let quorum = configurations.current().quorum().tally(|voter| heard.of(voter)) == Tally::Won;
        if quorum && ambition.outranks == Some(true) {
            ambition.heard = None;
            ambition.claims = ambition.claims.saturating_add(1);
            // What comes of it is awaited with more patience than before.
            self.timers.clear(Timer::Claim);
            // Early: a wish, which promises nothing.
            out.send_early(*leader, Message::Claim { term: self.term, priority: self.config.priority });
        }
    }

    /// Hands leadership to a node of a higher priority that a quorum hears, if it has what is committed.
    pub(super) fn on_claim(
        &mut self,
        now: Timestamp,
        from: NodeId,
        term: Term,
        priority: u32,
        out: &mut Outbox<Self>,
    ) {
        let Standing::Leader(lead) = &self.standing else { return };
        let settled = !self.membership().is_joint() && self.membership().goal().is_none();
        let follows = lead.progress.get(&from).is_some_and(|peer| {
            peer.member.duty == Duty::Voter
                && peer.pace == Pace::Replicate
                && peer.matched >= self.commit
                && now.since(peer.contact) < self.config.election_timeout
        });
        let free = self.handover.is_none() && self.commit >= lead.first;
        if term == self.term && priority > self.config.priority && settled && follows && free {
            out.reached("leadership handed to a higher priority");
            self.hand_over(now, None, from, out);
        } else {
            out.reached("claim to leadership not heeded");
        }
    }
}
