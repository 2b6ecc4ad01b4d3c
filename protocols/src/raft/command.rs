//! What a node's own users ask of its Raft machine, and the one answer to each question.
//!
//! Not between nodes: a request for the leader is forwarded by whoever drives the machine.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use thiserror::Error;

use crate::log::SessionTag;
use crate::raft::membership::{Duty, MembersError};
use crate::raft::status::Status;
use crate::raft::successor::SuccessorError;
use crate::types::{LogIndex, LogTime, NodeId, Outcome};

/// A request; its token gets exactly one [`Reply`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Let a command take effect on the replicated application. Leader only.
    Propose {
        /// Who asks, so that a retry is recognised where commands are applied.
        session: Option<SessionTag>,
        /// The encoded command.
        payload: Bytes,
    },
    /// Say when the local application reflects everything acknowledged before this request (dissertation §6.4). Leader only.
    Read,
    /// The same, by a round that trusts no clock, also where a lease would do. Leader only.
    ReadConfirmed,
    /// Hand leadership over, to the given voter or to the one that is furthest along. Leader only.
    Transfer {
        /// The next leader.
        to: Option<NodeId>,
    },
    /// Lead the group to other members, any set to any set, by as many steps as it takes; answered when the last one is
    /// committed. A later change takes the place of one that waits for learners to catch up. Leader only.
    ChangeMembers {
        /// Every member there shall be, and its duty.
        members: BTreeMap<NodeId, Duty>,
        /// The members among them whose disk was lost, and which are to be taken in anew with the disk from which they speak.
        replace: BTreeSet<NodeId>,
    },
    /// Write a snapshot of the application, whatever the policy says.
    Snapshot,
    /// Say how things stand.
    Status,
    /// Wait for the leader's word if this machine sleeps: somebody could not reach it. Answered with [`Reply::Status`] at once.
    Wake,
    /// Campaign without waiting for the election timeout; answered with [`Reply::Status`] at once.
    Campaign,
}

/// The answer to a [`Command`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The proposal is committed and has taken effect here.
    Applied {
        /// Its position.
        index: LogIndex,
        /// Its log time.
        time: LogTime,
        /// The application's answer.
        result: Bytes,
    },
    /// The local application may be read: it reflects everything up to `index`, which was the commit index at or after the request.
    ReadReady {
        /// The index that was confirmed.
        index: LogIndex,
    },
    /// Another node leads.
    Transferred {
        /// The new leader.
        to: NodeId,
    },
    /// The group has the members that were asked for, and has committed it.
    MembersChanged {
        /// The entry that carries the configuration.
        index: LogIndex,
    },
    /// A snapshot is durable.
    SnapshotTaken {
        /// The last index it contains.
        index: LogIndex,
    },
    /// How things stand.
    Status(Box<Status>),
    /// It was not done, or it is not known to be done.
    Refused(Refusal),
}

/// Why a request was not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// This node does not lead. Nothing changed.
    #[error("not the leader")]
    NotLeader {
        /// Who does, as far as this node knows.
        leader: Option<NodeId>,
    },
    /// Too much is waiting already. Nothing changed.
    #[error("too many requests are waiting")]
    Busy,
    /// The payload alone exceeds what an entry may hold. Nothing changed.
    #[error("the payload exceeds {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The disk has no room. Nothing changed.
    #[error("the disk is full")]
    NoSpace,
    /// Leadership is being handed over. Nothing changed.
    #[error("leadership is being handed over")]
    Transferring,
    /// Leadership cannot be handed to whom it was asked for. Nothing changed.
    #[error("{0}")]
    Successor(SuccessorError),
    /// The transfer did not come about in time, or another node was elected. Leadership may still move.
    #[error("leadership was not taken over")]
    TransferFailed,
    /// No group can be like that. Nothing changed.
    #[error("{0}")]
    Members(MembersError),
    /// The group is between two configurations, or its leader has not committed anything yet. Nothing changed.
    #[error("a change of members is under way")]
    ChangeInProgress,
    /// Another change took the place of this one. Steps of it may have been taken.
    #[error("another change of members took its place")]
    Superseded,
    /// The snapshot could not be written. The log is as it was.
    #[error("the snapshot could not be written")]
    SnapshotFailed,
    /// This node lost leadership while the request was under way; it may yet take effect.
    #[error("leadership was lost before the request was committed")]
    LeadershipLost,
    /// A write failed while the request was under way; it may yet take effect.
    #[error("a write to disk failed")]
    StorageFailed,
    /// A write failed before; the machine does nothing any more. Nothing changed.
    #[error("stopped after a failed write")]
    Stopped,
}

impl Refusal {
    /// Whether the request may have taken effect.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::NotLeader { .. }
            | Self::Busy
            | Self::TooLarge { .. }
            | Self::NoSpace
            | Self::Transferring
            | Self::Successor(_)
            | Self::Members(_)
            | Self::ChangeInProgress
            | Self::SnapshotFailed
            | Self::Stopped => Outcome::NotExecuted,
            Self::Superseded | Self::TransferFailed | Self::LeadershipLost | Self::StorageFailed => {
                Outcome::Unknown
            }
        }
    }
}
