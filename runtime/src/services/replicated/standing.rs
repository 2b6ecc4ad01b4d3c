//! How a replica stands in its group, as far as is known: who leads, and since when.

use synod_protocols::raft::Role;
use synod_protocols::{NodeId, Term};

/// How the replica stands, as far as its own machine has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) role: Role,
    pub(crate) term: Term,
    pub(crate) leader: Option<NodeId>,
}
