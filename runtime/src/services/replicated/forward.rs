//! How a node that does not lead asks the one that does.
//!
//! Not tied to actors: whoever carries the requests implements [`Forward`], and gives them to the leader's [`super::Replica`].

use std::time::Duration;

use actix::Message;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use synod_macros::Wire;
use synod_protocols::log::SessionTag;
use synod_protocols::{ClientId, LogIndex, NodeId};

use crate::services::replicated::error::ReplicaError;
use crate::wire::{Schema, Wire};

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
        payload: Bytes,
        patience: Duration,
    ) -> BoxFuture<'static, Result<Queried, ReplicaError>>;
}

/// A member asks the leader's replica to let a command take effect. Owed: [`Executed`], once it has.
#[derive(Clone, Debug, PartialEq, Eq, Message, Wire, Serialize, Deserialize)]
#[rtype(result = "Result<Executed, ReplicaError>")]
#[wire(id = "synod.replica.Execute")]
pub struct Execute {
    /// Who asks.
    pub session: Option<SessionTag>,
    /// The encoded command.
    #[serde(with = "crate::wire::slice")]
    pub payload: Bytes,
}

/// A member asks the leader's replica a question. Owed: [`Queried`], from a state that reflects everything acknowledged before.
#[derive(Clone, Debug, PartialEq, Eq, Message, Wire, Serialize, Deserialize)]
#[rtype(result = "Result<Queried, ReplicaError>")]
#[wire(id = "synod.replica.Ask")]
pub struct Ask {
    /// The encoded query.
    #[serde(with = "crate::wire::slice")]
    pub payload: Bytes,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq, Wire, Serialize, Deserialize)]
pub struct Executed {
    /// Its log index.
    pub index: LogIndex,
    /// The encoded result.
    #[serde(with = "crate::wire::slice")]
    pub result: Bytes,
}

/// The answer to a query.
#[derive(Clone, Debug, PartialEq, Eq, Wire, Serialize, Deserialize)]
pub struct Queried {
    /// The last index whose effect the answer reflects.
    pub index: LogIndex,
    /// The encoded answer.
    #[serde(with = "crate::wire::slice")]
    pub answer: Bytes,
}

impl Wire for SessionTag {
    fn describe(schema: &mut Schema) {
        schema.word("session tag");
        schema.member::<(ClientId, u64)>();
    }
}
