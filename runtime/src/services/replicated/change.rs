//! A change of a group's members on its way to the leader.
//!
//! Says what shall be, not how to come there: asking again does no harm.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use synod_macros::Wire;
use synod_protocols::NodeId;
use synod_protocols::raft::{Command, Duty};

/// Every member that a group shall have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Wire)]
pub struct Change {
    /// Those who hold the data and vote.
    pub voters: BTreeSet<NodeId>,
    /// Those who vote and keep positions only.
    pub witnesses: BTreeSet<NodeId>,
    /// Those who hold the data and have no vote.
    pub learners: BTreeSet<NodeId>,
    /// Those among them who have lost their disk and shall be taken in with the one they have.
    pub replace: BTreeSet<NodeId>,
}

impl Change {
    /// The node that stands in two of the lists, if one does.
    #[must_use]
    pub fn listed_twice(&self) -> Option<NodeId> {
        let mut seen = BTreeSet::new();
        self.duties().map(|(node, _)| node).find(|&node| !seen.insert(node))
    }

    pub(crate) fn command(&self) -> Command {
        let members: BTreeMap<NodeId, Duty> = self.duties().collect();
        Command::ChangeMembers { members, replace: self.replace.clone() }
    }

    fn duties(&self) -> impl Iterator<Item = (NodeId, Duty)> {
        let lists =
            [(&self.voters, Duty::Voter), (&self.witnesses, Duty::Witness), (&self.learners, Duty::Learner)];
        lists.into_iter().flat_map(|(nodes, duty)| nodes.iter().map(move |&node| (node, duty)))
    }
}
