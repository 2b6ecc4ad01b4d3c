//! A broken promise: which one, by whom, and what was seen.
//!
//! Says nothing about how the world got there; the outcome of a run adds the seed and the last events.

use std::fmt;

use crate::types::{NodeId, Timestamp};

/// What an invariant, or the simulator's own contract, found broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The invariant's name.
    pub invariant: &'static str,
    /// When, in virtual time.
    pub at: Timestamp,
    /// The node whose step showed it, if it was one node's.
    pub node: Option<NodeId>,
    /// What was expected and what was seen, in words.
    pub details: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} broken at {:.6} s", self.invariant, self.at.0 as f64 / 1e9)?;
        if let Some(node) = self.node {
            write!(f, " by node {node}")?;
        }
        write!(f, ": {}", self.details)
    }
}
