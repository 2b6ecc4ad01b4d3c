//! How a node that does not lead asks the one that does.
//!
//! Not tied to actors: whoever carries the requests implements [`Forward`], and gives them to the leader's [`super::Replica`].

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use synod_macros::Wire;
use synod_protocols::log::SessionTag;
use synod_protocols::{LogIndex, NodeId};

use crate::services::replicated::change::Change;
use crate::services::replicated::error::ReplicaError;
use crate::services::replicated::proof::Proof;

/// Carries requests to the replica of the same service on another node.
pub trait Forward: Send + Sync + 'static {
    /// Lets the replica on `to` execute a command, waiting for `patience` at most.
    fn execute(
        &self,
        to: NodeId,
        request: Execute,
        patience: Duration,
    ) -> BoxFuture<'static, Result<Executed, ReplicaError>>;

    /// Lets the replica on `to` answer a query from a state that reflects everything acknowledged before.
    fn query(
        &self,
        to: NodeId,
        query: Ask,
        patience: Duration,
    ) -> BoxFuture<'static, Result<Queried, ReplicaError>>;

    /// Lets the replica on `to` lead its group to other members; gives the index from which they are the members.
    fn change(
        &self,
        to: NodeId,
        change: Change,
        patience: Duration,
    ) -> BoxFuture<'static, Result<LogIndex, ReplicaError>>;

    /// Lets the replica on `to` hand leadership over, to `successor` or to the one that is furthest along; gives the new leader.
    fn transfer(
        &self,
        to: NodeId,
        successor: Option<NodeId>,
        patience: Duration,
    ) -> BoxFuture<'static, Result<NodeId, ReplicaError>>;

    /// Lets the replica on `to` say which index reflects everything acknowledged before, for a read elsewhere.
    fn read_index(
        &self,
        to: NodeId,
        proof: Proof,
        patience: Duration,
    ) -> BoxFuture<'static, Result<LogIndex, ReplicaError>>;
}

/// A command on its way to the leader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Wire)]
pub struct Execute {
    /// Who asks.
    pub session: Option<SessionTag>,
    /// The encoded command.
    pub payload: Bytes,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Wire)]
pub struct Executed {
    /// Its log index.
    pub index: LogIndex,
    /// The encoded result.
    pub result: Bytes,
}

/// A query on its way to the leader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Wire)]
pub struct Ask {
    /// The encoded query.
    pub payload: Bytes,
    /// What is to show that the leader leads.
    pub proof: Proof,
}

/// The answer to a query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Wire)]
pub struct Queried {
    /// The last index whose effect the answer reflects.
    pub index: LogIndex,
    /// The encoded answer.
    pub answer: Bytes,
}
