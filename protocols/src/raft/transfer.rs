//! Leadership handed over by intent (dissertation §3.10).
//!
//! Not an election: the successor's campaign is an ordinary one that skips the pre-vote and is not held against it.

use crate::log::Position;
use crate::protocol::Outbox;
use crate::raft::command::{Refusal, Reply};
use crate::raft::election::Campaign;
use crate::raft::leadership::Leadership;
use crate::raft::membership::Duty;
use crate::raft::message::Message;
use crate::raft::state::{Handover, Raft, Standing, Timer};
use crate::raft::successor::SuccessorError;
use crate::types::{NodeId, Term, Timestamp, Token};

impl Leadership {
    /// Who is to lead next: whoever is named, if it can, or the voter that is furthest along.
    fn successor(&self, named: Option<NodeId>) -> Result<NodeId, SuccessorError> {
        let Some(named) = named else {
            let voters = self.progress.iter().filter(|(_, peer)| peer.member.duty == Duty::Voter);
            let furthest = voters.max_by_key(|(_, peer)| (peer.matched, peer.contact));
            return furthest.map(|(&peer, _)| peer).ok_or(SuccessorError::Nobody);
        };
        match self.progress.get(&named).map(|peer| peer.member.duty) {
            Some(Duty::Voter) => Ok(named),
            Some(Duty::Learner) => Err(SuccessorError::Learner(named)),
            Some(Duty::Witness | Duty::JoiningWitness) => Err(SuccessorError::Witness(named)),
            None => Err(SuccessorError::Stranger(named)),
        }
    }
}

impl Raft {
    /// Starts to hand leadership over. Proposals are refused until it is done or an election timeout has passed.
    pub(super) fn transfer(
        &mut self,
        now: Timestamp,
        token: Token,
        to: Option<NodeId>,
        out: &mut Outbox<Self>,
    ) {
        let Standing::Leader(lead) = &mut self.standing else {
            return Self::refuse(token, Refusal::NotLeader { leader: self.leader }, out);
        };
        if self.handover.is_some() {
            return Self::refuse(token, Refusal::Transferring, out);
        }
        if to == Some(self.config.id) {
            return out.reply_early(token, Reply::Transferred { to: self.config.id });
        }
        let to = match lead.successor(to) {
            Ok(to) => to,
            Err(error) => return Self::refuse(token, Refusal::Successor(error), out),
        };
        self.hand_over(now, Some(token), to, out);
    }

    /// Begins to hand over to a voter that can lead.
    pub(super) fn hand_over(
        &mut self,
        now: Timestamp,
        token: Option<Token>,
        to: NodeId,
        out: &mut Outbox<Self>,
    ) {
        let Standing::Leader(lead) = &mut self.standing else { return };
        // Before anybody may be asked to break a promise (RT-13).
        lead.lease.revoke();
        self.handover = Some(Handover { token, to });
        self.timers.set(Timer::Handover, now.after(self.config.election_timeout));
        self.urge_successor(out);
    }

    /// Asks the successor to campaign, once it holds the whole log; asked again with each heartbeat, in case it was lost.
    pub(super) fn urge_successor(&mut self, out: &mut Outbox<Self>) {
        let (Standing::Leader(lead), Some(handover)) = (&self.standing, self.handover) else { return };
        let last = self.log.last();
        if lead.progress.get(&handover.to).is_some_and(|peer| peer.matched == last.index) {
            out.send(handover.to, Message::TimeoutNow { term: self.term, last });
        }
    }

    /// Campaigns at the leader's wish, if the log reaches what the leader's does: otherwise the election could only disturb
    /// (RT-45).
    pub(super) fn on_timeout_now(
        &mut self,
        now: Timestamp,
        from: NodeId,
        term: Term,
        last: Position,
        out: &mut Outbox<Self>,
    ) {
        let asked =
            term == self.term && self.leader == Some(from) && matches!(self.standing, Standing::Follower);
        if asked && self.log.holds(last) && self.space && self.may_lead() {
            self.campaign(now, Campaign::ByTransfer, out);
        } else {
            out.reached("request to campaign ignored");
        }
    }

    /// The transfer has taken too long: this node leads on, if it still does (RT-45).
    pub(super) fn fail_handover(&mut self, out: &mut Outbox<Self>) {
        self.timers.clear(Timer::Handover);
        if let Some(handover) = self.handover.take() {
            out.reached("transfer abandoned");
            if let Some(token) = handover.token {
                Self::refuse(token, Refusal::TransferFailed, out);
            }
        }
    }

    /// Another leader is known: the transfer is answered.
    pub(super) fn settle_handover(&mut self, leader: NodeId, out: &mut Outbox<Self>) {
        match self.handover {
            Some(handover) if handover.to == leader => {
                self.handover = None;
                self.timers.clear(Timer::Handover);
                if let Some(token) = handover.token {
                    // Early: the other node's term is what it is, whatever this disk does.
                    out.reply_early(token, Reply::Transferred { to: leader });
                }
            }
            Some(_) => self.fail_handover(out),
            None => {}
        }
    }
}
