//! What of a Raft machine is compared before and after each step, and how a difference is told.

use crate::raft::{Raft, Role};
use crate::types::{LogIndex, NodeId, Term};

/// What anybody would want to know first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glance {
    role: Role,
    term: Term,
    leader: Option<NodeId>,
    vote: Option<NodeId>,
    commit: LogIndex,
    is_dead: bool,
}

impl Glance {
    pub(super) fn of(raft: &Raft) -> Self {
        Self {
            role: raft.role(),
            term: raft.term,
            leader: raft.leader,
            vote: raft.vote,
            commit: raft.commit,
            is_dead: raft.is_dead(),
        }
    }

    /// Each change, as the end of a sentence about the node.
    pub(super) fn changes(before: Option<&Self>, after: &Self) -> Vec<String> {
        let Some(before) = before else {
            return vec![format!("starts in term {}, {} committed", after.term, after.commit)];
        };
        let mut changes = Vec::new();
        if after.is_dead && !before.is_dead {
            changes.push("stops for ever: its disk has failed".to_owned());
            return changes;
        }
        let has_voted = (before.term, before.vote) != (after.term, after.vote);
        let vote = after.vote.filter(|_| has_voted && after.role == Role::Follower);
        let stands_elsewhere =
            (before.role, before.term, before.leader) != (after.role, after.term, after.leader);
        if stands_elsewhere && (vote.is_none() || after.leader.is_some()) {
            changes.push(after.standing());
        }
        changes.extend(vote.map(|vote| format!("votes for {vote:?} in term {}", after.term)));
        if before.commit != after.commit {
            changes.push(format!("commits {}", after.commit));
        }
        changes
    }

    fn standing(&self) -> String {
        let term = self.term;
        match (self.role, self.leader) {
            (Role::Follower, Some(leader)) => format!("follows {leader:?} in term {term}"),
            (Role::Follower, None) => format!("follows nobody in term {term}"),
            (Role::PreCandidate, _) => format!("asks whether it could win term {}", term.next()),
            (Role::Candidate, _) => format!("campaigns for term {term}"),
            (Role::Leader, _) => format!("leads term {term}"),
        }
    }
}
