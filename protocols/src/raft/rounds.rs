//! What a node without a leader has heard in its rounds of pre-votes: who hears no leader either, and whose log is ahead.
//!
//! Not the votes themselves, nor what follows from any of it, which is in `catch_up.rs`.

use std::collections::{BTreeMap, BTreeSet};

use crate::log::Position;
use crate::types::{NodeId, Term};

/// Rounds of pre-votes that have to fail before a node catches up. Who is ahead and can win does so meanwhile.
pub(super) const PATIENCE: u32 = 2;

/// The rounds since a leader was heeded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rounds {
    /// How many, up to [`PATIENCE`].
    pub(super) count: u32,
    /// The term the newest is about.
    pub(super) proposed: Term,
    /// Who hears no leader, this node included.
    pub(super) free: BTreeSet<NodeId>,
    /// Whose log is ahead, and where it ends.
    pub(super) ahead: BTreeMap<NodeId, Position>,
    /// The term that was entered in order to catch up; `None` as soon as a leader is heeded.
    pub(super) entered: Option<Term>,
    /// What follows which position was asked for last.
    pub(super) asked: Option<Position>,
}
