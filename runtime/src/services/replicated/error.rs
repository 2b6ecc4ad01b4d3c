//! Why a request to a replicated service failed, and whether it may have taken effect.
//!
//! The same on the node that was asked and on the wire between it and the leader.

use serde::{Deserialize, Serialize};
use synod_macros::Wire;
use synod_protocols::raft::Refusal;
use synod_protocols::{NodeId, Outcome};

use crate::driver::CommandError;
use crate::services::replicated::no_successor::NoSuccessor;
use crate::services::replicated::unfit::Unfit;

/// A request that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Wire, thiserror::Error)]
#[error("{cause}")]
pub struct ReplicaError {
    /// What was wrong.
    pub cause: ReplicaCause,
    /// Whether the request may have taken effect.
    pub outcome: Outcome,
}

/// What was wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Wire, thiserror::Error)]
pub enum ReplicaCause {
    /// No leader is known.
    #[error("no leader is known")]
    NoLeader,
    /// The node asked does not lead.
    #[error("the node does not lead")]
    NotLeader {
        /// Who does, as far as that node knows.
        leader: Option<NodeId>,
    },
    /// Leadership moves, by intent or not, before the request was committed.
    #[error("leadership moves")]
    LeadershipMoves,
    /// Too much is waiting already.
    #[error("too much is waiting")]
    Busy,
    /// The disk has no room.
    #[error("the disk is full")]
    NoSpace,
    /// The encoded request exceeds a limit.
    #[error("{size} bytes exceed the limit of {limit}")]
    TooLarge {
        /// The size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The deadline passed.
    #[error("the deadline passed")]
    Timeout,
    /// The way to the leader failed.
    #[error("the leader could not be asked: {0}")]
    Link(String),
    /// The replica has stopped, or its disk has failed.
    #[error("the replica has stopped")]
    Stopped,
    /// The request is older than what is remembered of its session.
    #[error("the session no longer remembers the request")]
    SessionExpired,
    /// The replicas do not understand the request; it changed nothing on any of them.
    #[error("the replicas do not understand the request")]
    Unsupported,
    /// The request's tag was used for another command, which took effect.
    #[error("the request's tag was used for another command")]
    TagReused,
    /// No group can have these members.
    #[error("{0}")]
    Members(Unfit),
    /// Leadership cannot be handed to whom it was asked for.
    #[error("{0}")]
    Successor(NoSuccessor),
    /// Another change of members is under way, or took this one's place.
    #[error("another change of members is under way")]
    ChangeInProgress,
}

impl ReplicaError {
    /// The request did not take effect.
    #[must_use]
    pub const fn not_executed(cause: ReplicaCause) -> Self {
        Self { cause, outcome: Outcome::NotExecuted }
    }

    /// The request may have taken effect.
    #[must_use]
    pub const fn unknown(cause: ReplicaCause) -> Self {
        Self { cause, outcome: Outcome::Unknown }
    }

    /// Whether the same request may fare better a moment later, or elsewhere.
    pub(crate) const fn is_passing(&self) -> bool {
        match self.cause {
            ReplicaCause::NoLeader
            | ReplicaCause::NotLeader { .. }
            | ReplicaCause::LeadershipMoves
            | ReplicaCause::Busy
            | ReplicaCause::Link(_) => true,
            ReplicaCause::NoSpace
            | ReplicaCause::TooLarge { .. }
            | ReplicaCause::Timeout
            | ReplicaCause::Stopped
            | ReplicaCause::SessionExpired
            | ReplicaCause::Unsupported
            | ReplicaCause::TagReused
            | ReplicaCause::Members(_)
            | ReplicaCause::Successor(_)
            | ReplicaCause::ChangeInProgress => false,
        }
    }

    pub(crate) fn refused(refusal: Refusal, size: usize) -> Self {
        let cause = match refusal {
            Refusal::NotLeader { leader } => ReplicaCause::NotLeader { leader },
            Refusal::Busy => ReplicaCause::Busy,
            Refusal::TooLarge { limit } => ReplicaCause::TooLarge { size, limit },
            Refusal::NoSpace => ReplicaCause::NoSpace,
            Refusal::Transferring | Refusal::TransferFailed | Refusal::LeadershipLost => {
                ReplicaCause::LeadershipMoves
            }
            Refusal::Successor(error) => ReplicaCause::Successor(error.into()),
            Refusal::Members(error) => ReplicaCause::Members(error.into()),
            Refusal::ChangeInProgress | Refusal::Superseded => ReplicaCause::ChangeInProgress,
            Refusal::SnapshotFailed | Refusal::StorageFailed | Refusal::Stopped => ReplicaCause::Stopped,
        };
        Self { cause, outcome: refusal.outcome() }
    }

    pub(crate) const fn undriven(error: CommandError) -> Self {
        let cause = match error {
            CommandError::Busy => ReplicaCause::Busy,
            CommandError::NoSuchMachine | CommandError::Stopped | CommandError::Lost => ReplicaCause::Stopped,
        };
        Self { cause, outcome: error.outcome() }
    }
}
