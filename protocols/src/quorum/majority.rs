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
    /// Asked with every acknowledgement: takes memory for more voters only than a group should have.
    pub fn reached<T: Copy + Ord>(&self, value: impl Fn(NodeId) -> Option<T>) -> Option<T> {
        const FEW: usize = 7;
        // Nothing at all is less than anything.
        if let [one, two, three] = *self.voters {
            let (one, two, three) = (value(one), value(two), value(three));
            return one.max(two).min(one.min(two).max(three));
        }
        let (mut few, mut many) = ([None; FEW], Vec::new());
        let held = match few.get_mut(..self.voters.len()) {
            Some(few) => few,
            None => {
                many.resize(self.voters.len(), None);
                &mut many[..]
            }
        };
        for (held, &voter) in held.iter_mut().zip(&*self.voters) {
            *held = value(voter);
        }
        held.sort_unstable_by(|one, other| other.cmp(one));
        held.get(self.quorum() - 1).copied().flatten()
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

    /// How many voters decide.
    fn quorum(&self) -> usize {
        self.voters.len() / 2 + 1
    }
}
