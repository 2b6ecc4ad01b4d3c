//! What a client believes of a service: who its members are, and who answered last as its leader.
//!
//! A belief, never a fact: a node that is asked and does not lead says so.

use synod_protocols::raft::Role;
use synod_protocols::{NodeId, Term};

use crate::services::replicated::standing::Standing;
use crate::services::replicated::watched::{Watched, Watcher};

/// The beliefs of one handle and its clones.
pub(crate) struct Guess {
    members: Vec<NodeId>,
    standing: Watched<Standing>,
}

impl Guess {
    /// Nothing but the members, of whom there has to be one.
    pub(crate) fn new(members: Vec<NodeId>) -> Self {
        assert!(!members.is_empty(), "a service has members");
        Self { members, standing: Watched::new(standing(None)) }
    }

    /// Takes a node for the leader, for it has answered as such.
    pub(crate) fn learn(&self, leader: NodeId) {
        if self.leader() != Some(leader) {
            self.standing.set(standing(Some(leader)));
        }
    }

    /// Takes a node for the leader no longer, for it did not answer.
    pub(crate) fn doubt(&self, node: NodeId) {
        if self.leader() == Some(node) {
            self.standing.set(standing(None));
        }
    }

    /// Takes nobody for the leader.
    pub(crate) fn forget(&self) {
        if self.leader().is_some() {
            self.standing.set(standing(None));
        }
    }

    /// Who is taken for the leader.
    pub(crate) fn leader(&self) -> Option<NodeId> {
        self.standing.get().leader
    }

    /// Who is taken for the leader, and changes of that.
    pub(crate) fn standing(&self) -> Watcher<Standing> {
        self.standing.watch()
    }

    /// The member whose turn it is, but for those to be avoided unless there is no other.
    pub(crate) fn next(&self, round: &mut usize, avoided: impl Fn(NodeId) -> bool) -> NodeId {
        for _ in 0..self.members.len() {
            let member = self.members[*round % self.members.len()];
            *round += 1;
            if !avoided(member) {
                return member;
            }
        }
        *round += 1;
        self.members[*round % self.members.len()]
    }
}

/// A client takes no part, so of role and term it knows nothing.
const fn standing(leader: Option<NodeId>) -> Standing {
    Standing { role: Role::Follower, term: Term::ZERO, leader }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_node_that_is_taken_for_the_leader_is_doubted() {
        let guess = Guess::new([1, 2].map(NodeId).to_vec());
        guess.learn(NodeId(2));
        guess.doubt(NodeId(1));
        assert_eq!(guess.standing().get().leader, Some(NodeId(2)));
        guess.doubt(NodeId(2));
        assert_eq!(guess.standing().get().leader, None);
    }

    #[test]
    fn every_member_has_its_turn_but_those_to_be_avoided() {
        let guess = Guess::new([1, 2, 3].map(NodeId).to_vec());
        let mut round = 0;
        let turns: Vec<u64> = (0..5).map(|_| guess.next(&mut round, |node| node.0 == 2).0).collect();
        assert_eq!(turns, [1, 3, 1, 3, 1]);
        let mut all: Vec<u64> = (0..3).map(|_| guess.next(&mut round, |_| true).0).collect();
        all.sort_unstable();
        assert_eq!(all, [1, 2, 3], "when there is no other, all have their turn too");
    }
}
