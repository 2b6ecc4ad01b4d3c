//! What a node with a priority knows of the leader it follows and of its own prospects.
//!
//! Not what it does about them, which is in `priority.rs`.

use crate::raft::votes::Votes;
use crate::types::{NodeId, Term};

/// How often the patience of a node doubles at most.
const DOUBLINGS: u32 = 5;

/// What a node with a priority knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ambition {
    /// The term and its leader that all this is about.
    pub(super) about: (Term, Option<NodeId>),
    /// Who follows the same leader and hears this node, in the round under way.
    pub(super) heard: Option<Votes>,
    /// Whether the leader's priority is lower, as far as it has said.
    pub(super) outranks: Option<bool>,
    /// How often this node has asked for leadership since it last had it for long.
    pub(super) claims: u32,
}

impl Ambition {
    /// Another leader, or none: what was known of the one before is past.
    pub(super) fn turn_to(&mut self, about: (Term, Option<NodeId>)) {
        *self = Self { about, claims: self.claims, ..Self::default() };
    }

    /// By how much patience has grown.
    pub(super) fn patience(&self) -> u32 {
        1 << self.claims.min(DOUBLINGS)
    }
}
