//! The voices in one election or pre-election.
//!
//! Not the vote this node gave: that one is in the ballot, on disk.

use std::collections::BTreeMap;

use crate::types::NodeId;

/// The voices in one election.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Votes {
    said: BTreeMap<NodeId, bool>,
}

impl Votes {
    /// Notes a voter's first answer; a second one changes nothing.
    pub(super) fn record(&mut self, voter: NodeId, granted: bool) {
        self.said.entry(voter).or_insert(granted);
    }

    /// What a voter said.
    pub(super) fn of(&self, voter: NodeId) -> Option<bool> {
        self.said.get(&voter).copied()
    }
}
