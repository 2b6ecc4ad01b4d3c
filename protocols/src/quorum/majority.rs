//! Arithmetic of a majority of voters: what a quorum has reached, and how a vote stands.
//!
//! Knows neither terms nor logs. A joint configuration is two of these, both of which have to agree (Raft §6).

use std::collections::BTreeSet;

use crate::types::NodeId;

/// A set of voters of which more than half decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Majority {
    /// Ascending.
    voters: Box<[NodeId]>,
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
        Self { voters: voters.into_iter().collect() }
    }

    /// The greatest value that a quorum has reached, given what each voter has; `None` when no quorum has any.
    ///
    /// Takes time quadratic in the number of voters, which is small, and no memory.
    pub fn reached<T: Copy + Ord>(&self, value: impl Fn(NodeId) -> Option<T>) -> Option<T> {
        const FEW: usize = 7;
        if self.voters.len() <= FEW {
            // Every value is asked for once.
            let mut values = [None; FEW];
            for (held, &voter) in values.iter_mut().zip(&*self.voters) {
                *held = value(voter);
            }
            return self.best(values[..self.voters.len()].iter().copied());
        }
        self.best(self.voters.iter().map(|&voter| value(voter)))
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
    pub const fn voters(&self) -> &[NodeId] {
        &self.voters
    }

    /// The greatest of these values, one for each voter, that is not above those of a quorum.
    fn best<T: Copy + Ord>(&self, values: impl Iterator<Item = Option<T>> + Clone) -> Option<T> {
        let mut best = None;
        for candidate in values.clone().flatten() {
            if best.is_some_and(|best| candidate <= best) {
                continue;
            }
            if values.clone().flatten().filter(|&held| held >= candidate).count() >= self.quorum() {
                best = Some(candidate);
            }
        }
        best
    }

    /// How many voters decide.
    fn quorum(&self) -> usize {
        self.voters.len() / 2 + 1
    }
}
