//! Why the map did not do what it was asked, and whether it may have done it nevertheless.
//!
//! A condition that did not hold is no error: it is an outcome of the operation.

use synod_protocols::{LogIndex, Outcome};

use crate::services::replicated::{ReplicaCause, ReplicaError};

/// An operation on the map that did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct KvError {
    /// What was wrong.
    pub cause: KvCause,
    /// Whether the operation may have taken effect.
    pub outcome: Outcome,
}

/// What was wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KvCause {
    /// No leader was found before the deadline.
    #[error("no leader is known")]
    NoLeader,
    /// The service has as much work as it may hold.
    #[error("the service is busy")]
    Busy,
    /// The disk has no room for new work.
    #[error("the disk is full")]
    NoSpace,
    /// The deadline passed.
    #[error("the deadline passed")]
    Timeout,
    /// The way to the leader broke.
    #[error("the link to the leader failed: {0}")]
    Link(String),
    /// The key breaks a rule; nothing changed.
    #[error("bad key: {0}")]
    BadKey(BadKey),
    /// The value, or the operations of a transaction together, exceed a limit; nothing changed.
    #[error("{size} bytes exceed the limit of {limit}")]
    TooLarge {
        /// The size asked for, in bytes.
        size: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The history that a watch asked for is no longer held.
    #[error("the history before index {oldest} is no longer held")]
    Compacted {
        /// The first index from which a watch can start.
        oldest: LogIndex,
    },
    /// The watch did not read fast enough and was closed; it can be taken up again after `last`.
    #[error("the watch fell behind after index {last}")]
    Slow {
        /// The last index of which every event was handed over.
        last: LogIndex,
    },
    /// There is no such lease, or it has run out; nothing changed.
    #[error("there is no such lease")]
    LeaseUnknown,
    /// The map holds as many leases as it may; nothing changed.
    #[error("the map holds its limit of leases")]
    LeaseLimit,
    /// The idempotency key, or the session's number, was used before for another request; this one changed nothing.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// A transaction has too many conditions and steps; nothing changed.
    #[error("{steps} steps exceed the limit of {limit}")]
    TooManySteps {
        /// How many it has.
        steps: usize,
        /// The limit.
        limit: usize,
    },
    /// The request is older than what is remembered of its session.
    #[error("the session no longer remembers this request")]
    SessionExpired,
    /// The command is of a form that the replicas do not understand; nothing changed.
    #[error("the replicas do not understand the command")]
    Unsupported,
    /// This node does not serve the map any more, or its disk has failed.
    #[error("the service has stopped")]
    Stopped,
    /// The map is on other nodes only, and this cannot be asked of them.
    #[error("the map has no replica here")]
    NoReplica,
}

/// Which rule a key breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// It is empty.
    #[error("it is empty")]
    Empty,
    /// It has more than 1,024 bytes.
    #[error("{size} bytes exceed the limit of 1024")]
    TooLong {
        /// Its size in bytes.
        size: usize,
    },
    /// It holds a control character.
    #[error("it holds a control character")]
    ControlCharacter,
}

impl KvError {
    /// An error that changed nothing.
    #[must_use]
    pub const fn not_executed(cause: KvCause) -> Self {
        Self { cause, outcome: Outcome::NotExecuted }
    }

    /// An error after which the operation may or may not have taken effect.
    #[must_use]
    pub const fn unknown(cause: KvCause) -> Self {
        Self { cause, outcome: Outcome::Unknown }
    }
}

impl From<ReplicaError> for KvError {
    fn from(error: ReplicaError) -> Self {
        let cause = match error.cause {
            ReplicaCause::NoLeader | ReplicaCause::NotLeader { .. } | ReplicaCause::LeadershipMoves => {
                KvCause::NoLeader
            }
            ReplicaCause::Busy => KvCause::Busy,
            ReplicaCause::NoSpace => KvCause::NoSpace,
            ReplicaCause::TooLarge { size, limit } => KvCause::TooLarge { size, limit },
            ReplicaCause::Timeout => KvCause::Timeout,
            ReplicaCause::Link(link) => KvCause::Link(link),
            ReplicaCause::Stopped => KvCause::Stopped,
            ReplicaCause::SessionExpired => KvCause::SessionExpired,
            ReplicaCause::Unsupported => KvCause::Unsupported,
            ReplicaCause::TagReused => KvCause::KeyReused,
            // Answers to changes of members and of the leader, which no operation on the map is.
            ReplicaCause::Members(_) | ReplicaCause::Successor(_) | ReplicaCause::ChangeInProgress => {
                KvCause::Busy
            }
        };
        Self { cause, outcome: error.outcome }
    }
}
