//! Why leadership cannot be handed to whom it was asked for.
//!
//! Not the transfer itself, which is in `transfer.rs`.

use thiserror::Error;

use crate::types::NodeId;

/// Why a node cannot succeed the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SuccessorError {
    /// It is no member of the group.
    #[error("node {0} is no member of the group")]
    Stranger(NodeId),
    /// It has no vote, and nobody would elect it.
    #[error("node {0} is a learner: only a voter can lead")]
    Learner(NodeId),
    /// It holds no data.
    #[error("node {0} is a witness: only a voter that holds the data can lead")]
    Witness(NodeId),
    /// Nobody was named, and there is nobody but the leader who could lead.
    #[error("no other voter holds the data")]
    Nobody,
}
