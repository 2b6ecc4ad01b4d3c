//! One majority, or two that both have to agree while a group moves from one set of voters to another (Raft §6).
//!
//! Knows neither terms nor logs, nor why the sets differ.

use std::collections::BTreeSet;

use crate::quorum::majority::{Majority, Tally};
use crate::types::NodeId;

/// The quorum system of a configuration that may be joint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joint {
    incoming: Majority,
    outgoing: Option<Majority>,
}

impl Joint {
    /// Decisions by a majority of `incoming`, and of `outgoing` too where it is given.
    #[must_use]
    pub fn new(incoming: BTreeSet<NodeId>, outgoing: Option<BTreeSet<NodeId>>) -> Self {
        Self { incoming: Majority::new(incoming), outgoing: outgoing.map(Majority::new) }
    }

    /// The greatest value that a quorum has reached, given what each voter has; `None` when no quorum has any.
    pub fn reached<T: Copy + Ord>(&self, value: impl Fn(NodeId) -> Option<T>) -> Option<T> {
        let incoming = self.incoming.reached(&value)?;
        match &self.outgoing {
            Some(outgoing) => Some(incoming.min(outgoing.reached(&value)?)),
            None => Some(incoming),
        }
    }

    /// How a vote stands, given what each voter said.
    pub fn tally(&self, vote: impl Fn(NodeId) -> Option<bool>) -> Tally {
        let incoming = self.incoming.tally(&vote);
        let outgoing = self.outgoing.as_ref().map_or(Tally::Won, |outgoing| outgoing.tally(&vote));
        match (incoming, outgoing) {
            (Tally::Won, Tally::Won) => Tally::Won,
            (Tally::Lost, _) | (_, Tally::Lost) => Tally::Lost,
            (Tally::Pending, Tally::Won | Tally::Pending) | (Tally::Won, Tally::Pending) => Tally::Pending,
        }
    }

    /// Whether a node's voice counts in either majority.
    #[must_use]
    pub fn contains(&self, node: NodeId) -> bool {
        self.incoming.voters().contains(&node)
            || self.outgoing.as_ref().is_some_and(|outgoing| outgoing.voters().contains(&node))
    }

    /// Every voter of either majority, ascending.
    #[must_use]
    pub fn voters(&self) -> BTreeSet<NodeId> {
        let outgoing = self.outgoing.iter().flat_map(|outgoing| outgoing.voters());
        self.incoming.voters().iter().chain(outgoing).copied().collect()
    }
}
