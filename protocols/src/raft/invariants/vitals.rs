//! The few numbers of a machine that invariants compare from step to step; cheap to copy, unlike a status.

use crate::raft::{Raft, Role};
use crate::sim::Node;
use crate::types::{LogIndex, NodeId, Term};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Vitals {
    pub(super) life: u64,
    pub(super) term: Term,
    pub(super) vote: Option<NodeId>,
    pub(super) leads: bool,
    pub(super) commit: LogIndex,
    pub(super) applied: LogIndex,
}

impl Vitals {
    /// The numbers of a living node's machine.
    pub(super) fn of<A>(node: &Node<Raft, A>) -> Option<Self> {
        let machine = node.machine()?;
        Some(Self {
            life: node.life(),
            term: machine.term,
            vote: machine.vote,
            leads: machine.role() == Role::Leader,
            commit: machine.commit,
            applied: machine.applying.applied,
        })
    }
}
