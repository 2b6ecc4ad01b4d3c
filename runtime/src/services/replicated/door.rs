//! The way through the actors of other nodes to their replicas of a service, and what is said to those actors.
//!
//! Decides nothing: it finds the actor, asks it, and says what became of that.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix::Message;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use synod_macros::{Wire, interface};
use synod_protocols::{LogIndex, NodeId, Outcome};
use synod_transport::{PeerName, Role};

use crate::actor::{ActorRef, ActorSystem, LookupError};
use crate::address::stable_hash;
use crate::error::{AskError, Cause};
use crate::services::replicated::change::Change;
use crate::services::replicated::error::{ReplicaCause, ReplicaError};
use crate::services::replicated::forward::{Ask, Execute, Executed, Forward, Queried};
use crate::services::replicated::proof::Proof;

/// How many actors of a node answer for all its replicas: enough for its threads, and for one busy service not to hold up all others.
const DESKS: u64 = 8;

/// A command for the leader.
#[derive(Debug, Message, Serialize, Deserialize, Wire)]
#[rtype(result = "Result<Executed, ReplicaError>")]
#[wire(id = "synod.replica.Execute")]
pub struct ExecuteHere {
    pub(super) service: String,
    pub(super) request: Execute,
}

/// A query for the leader.
#[derive(Debug, Message, Serialize, Deserialize, Wire)]
#[rtype(result = "Result<Queried, ReplicaError>")]
#[wire(id = "synod.replica.Query")]
pub struct QueryHere {
    pub(super) service: String,
    pub(super) query: Ask,
}

/// A change of members for the leader.
#[derive(Debug, Message, Serialize, Deserialize, Wire)]
#[rtype(result = "Result<LogIndex, ReplicaError>")]
#[wire(id = "synod.replica.Change")]
pub struct ChangeHere {
    pub(super) service: String,
    pub(super) change: Change,
}

/// A wish for another leader, for the one there is.
#[derive(Debug, Message, Serialize, Deserialize, Wire)]
#[rtype(result = "Result<NodeId, ReplicaError>")]
#[wire(id = "synod.replica.Transfer")]
pub struct TransferHere {
    pub(super) service: String,
    pub(super) successor: Option<NodeId>,
}

/// A question to the leader: which index reflects everything acknowledged before?
#[derive(Debug, Message, Serialize, Deserialize, Wire)]
#[rtype(result = "Result<LogIndex, ReplicaError>")]
#[wire(id = "synod.replica.ReadIndex")]
pub struct ReadIndexHere {
    pub(super) service: String,
    pub(super) proof: Proof,
}

interface!(
    pub ReplicaApi = "synod.replica" { ExecuteHere, QueryHere, ChangeHere, TransferHere, ReadIndexHere }
);

/// The way to a service's replicas on other nodes.
pub struct Doors {
    system: ActorSystem,
    service: Arc<str>,
    members: Arc<BTreeMap<NodeId, PeerName>>,
    ways: Ways,
}

/// References to the actors of other nodes that worked, until one does not; clones share them.
#[derive(Clone, Default)]
pub(crate) struct Ways(Arc<Mutex<BTreeMap<String, ActorRef<ReplicaApi>>>>);

impl Ways {
    fn known(&self) -> MutexGuard<'_, BTreeMap<String, ActorRef<ReplicaApi>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of the actor that answers for a node's replica of a service.
pub(super) fn desk(service: &str, node: &PeerName, clients: bool) -> String {
    let number = stable_hash(service.as_bytes()) % DESKS;
    if clients { format!("replicas/{node}/{number}/clients") } else { format!("replicas/{node}/{number}") }
}

impl Doors {
    /// The way to these members' replicas of a service.
    #[must_use]
    pub fn new(
        system: ActorSystem,
        service: impl Into<Arc<str>>,
        members: impl Into<Arc<BTreeMap<NodeId, PeerName>>>,
    ) -> Self {
        Self { system, service: service.into(), members: members.into(), ways: Ways::default() }
    }

    /// The same, with what a node has learned of the way to others shared by all its services.
    pub(crate) fn sharing(self, ways: Ways) -> Self {
        Self { ways, ..self }
    }

    /// Asks the actor on `to`, and forgets its reference when that did not reach it. An actor of an earlier process of that node is
    /// looked for again at once: the node is back.
    fn ask<T: Send + 'static>(
        &self,
        to: NodeId,
        patience: Duration,
        ask: impl Fn(ActorRef<ReplicaApi>) -> BoxFuture<'static, Result<Result<T, ReplicaError>, AskError>>
        + Send
        + Sync
        + 'static,
    ) -> BoxFuture<'static, Result<T, ReplicaError>> {
        let (system, ways) = (self.system.clone(), self.ways.clone());
        let clients = system.role() == Role::Client;
        let named = self.members.get(&to).map(|member| desk(&self.service, member, clients));
        Box::pin(async move {
            let Some(name) = named else {
                return Err(ReplicaError::not_executed(ReplicaCause::Link(format!("{to} is no member"))));
            };
            let present = ways.known().get(&name).cloned();
            if let Some(door) = present {
                match ask(door).await {
                    Ok(answer) => return answer,
                    Err(error) => {
                        ways.known().remove(&name);
                        if error.cause != Cause::StaleIncarnation || error.outcome != Outcome::NotExecuted {
                            return Err(not_answered(error));
                        }
                    }
                }
            }
            let search = tokio::time::timeout(patience, system.lookup::<ReplicaApi>(&name));
            let door = search.await.map_err(|_| ReplicaError::not_executed(ReplicaCause::Timeout))?;
            let door = door.map_err(|error| not_found(&error))?;
            ways.known().insert(name.clone(), door.clone());
            ask(door).await.unwrap_or_else(|error| {
                ways.known().remove(&name);
                Err(not_answered(error))
            })
        })
    }
}

impl Forward for Doors {
    fn execute(
        &self,
        to: NodeId,
        request: Execute,
        patience: Duration,
    ) -> BoxFuture<'static, Result<Executed, ReplicaError>> {
        let service = self.service.clone();
        self.ask(to, patience, move |door| {
            let message = ExecuteHere { service: service.to_string(), request: request.clone() };
            Box::pin(async move { door.ask(message).deadline(patience).await })
        })
    }

    fn query(
        &self,
        to: NodeId,
        query: Ask,
        patience: Duration,
    ) -> BoxFuture<'static, Result<Queried, ReplicaError>> {
        let service = self.service.clone();
        self.ask(to, patience, move |door| {
            let message = QueryHere { service: service.to_string(), query: query.clone() };
            Box::pin(async move { door.ask(message).deadline(patience).await })
        })
    }

    fn change(
        &self,
        to: NodeId,
        change: Change,
        patience: Duration,
    ) -> BoxFuture<'static, Result<LogIndex, ReplicaError>> {
        let service = self.service.clone();
        self.ask(to, patience, move |door| {
            let message = ChangeHere { service: service.to_string(), change: change.clone() };
            Box::pin(async move { door.ask(message).deadline(patience).await })
        })
    }

    fn transfer(
        &self,
        to: NodeId,
        successor: Option<NodeId>,
        patience: Duration,
    ) -> BoxFuture<'static, Result<NodeId, ReplicaError>> {
        let service = self.service.clone();
        self.ask(to, patience, move |door| {
            let message = TransferHere { service: service.to_string(), successor };
            Box::pin(async move { door.ask(message).deadline(patience).await })
        })
    }

    fn read_index(
        &self,
        to: NodeId,
        proof: Proof,
        patience: Duration,
    ) -> BoxFuture<'static, Result<LogIndex, ReplicaError>> {
        let service = self.service.clone();
        self.ask(to, patience, move |door| {
            let message = ReadIndexHere { service: service.to_string(), proof };
            Box::pin(async move { door.ask(message).deadline(patience).await })
        })
    }
}

fn not_found(error: &LookupError) -> ReplicaError {
    ReplicaError::not_executed(ReplicaCause::Link(error.to_string()))
}

fn not_answered(error: AskError) -> ReplicaError {
    let cause = match error.cause {
        Cause::Timeout => ReplicaCause::Timeout,
        Cause::MailboxFull | Cause::LinkFull => ReplicaCause::Busy,
        other => ReplicaCause::Link(other.to_string()),
    };
    ReplicaError { cause, outcome: error.outcome }
}
