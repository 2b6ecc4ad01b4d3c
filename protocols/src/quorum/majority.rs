//! Arithmetic of a majority of voters: what a quorum has reached, and how a vote stands.
//!
//! Knows neither terms nor logs. A joint configuration is two of these, both of which have to agree (Raft §6).

use std::collections::BTreeSet;

use crate::types::NodeId;

/// A set of voters of which more than half decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Majority {
    voters: BTreeSet<NodeId>,
}

/// How a vote stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tally {
    /// A quorum said yes.
    Won,
    /// A quorum can no longer say yes.
    Lost,
    /// Neither yet.
    Pending,
}

impl Majority {
    /// A majority of `voters`.
    #[must_use]
    pub fn new(voters: BTreeSet<NodeId>) -> Self {
        Self { voters }
    }

    /// The greatest value that a quorum has reached, given what each voter has; `None` when no quorum has any.
    ///
    /// Takes time quadratic in the number of voters, which is small, and no memory.
    pub fn reached<T: Copy + Ord>(&self, value: impl Fn(NodeId) -> Option<T>) -> Option<T> {
        let mut best = None;
        for &voter in &self.voters {
            let Some(candidate) = value(voter) else { continue };
            if best.is_some_and(|best| candidate <= best) {
                continue;
            }
            let holders =
                self.voters.iter().filter(|&&other| value(other).is_some_and(|held| held >= candidate));
            if holders.count() >= self.quorum() {
                best = Some(candidate);
            }
        }
        best
    }

    /// How a vote stands, given what each voter said.
    pub fn tally(&self, vote: impl Fn(NodeId) -> Option<bool>) -> Tally {
        let count = |said: bool| self.voters.iter().filter(|&&voter| vote(voter) == Some(said)).count();
        if count(true) >= self.quorum() {
            Tally::Won
        } else if self.voters.len() - count(false) < self.quorum() {
            Tally::Lost
        } else {
            Tally::Pending
        }
    }

    /// The voters.
    #[must_use]
    pub fn voters(&self) -> &BTreeSet<NodeId> {
        &self.voters
    }

    /// How many voters decide.
    fn quorum(&self) -> usize {
        self.voters.len() / 2 + 1
    }
}
