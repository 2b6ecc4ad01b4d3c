//! The actor through which other nodes and clients reach a replica, and the way through such actors to theirs.
//!
//! Decides nothing: it hands requests to the replica and answers back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::{Actor, Context, Handler, Message, ResponseFuture, Supervised};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use synod_macros::{Wire, interface};
use synod_protocols::{NodeId, Outcome};
use synod_transport::PeerName;

use crate::actor::{ActorRef, ActorSystem, LookupError, Remote, Served, SpawnError};
use crate::error::{AskError, Cause};
use crate::services::replicated::error::{ReplicaCause, ReplicaError};
use crate::services::replicated::forward::{Execute, Executed, Forward, Queried};
use crate::services::replicated::replica::Replica;
use crate::services::state_machine::StateMachine;

/// A command for the leader.
#[derive(Debug, Message, Serialize, Deserialize, Wire)]
#[rtype(result = "Result<Executed, ReplicaError>")]
#[wire(id = "synod.replica.Execute")]
pub struct ExecuteHere {
    request: Execute,
}

/// A query for the leader.
#[derive(Debug, Message, Serialize, Deserialize, Wire)]
#[rtype(result = "Result<Queried, ReplicaError>")]
#[wire(id = "synod.replica.Query")]
pub struct QueryHere {
    payload: Bytes,
}

interface!(pub ReplicaApi = "synod.replica" { ExecuteHere, QueryHere });

/// Answers for the replica of one service on one node, to members of the cluster; with `CLIENTS`, to its clients too.
struct Door<const CLIENTS: bool> {
    replica: Arc<dyn Answers>,
}

/// A replica without its type.
trait Answers: Send + Sync {
    fn execute(&self, request: Execute) -> BoxFuture<'static, Result<Executed, ReplicaError>>;
    fn query(&self, payload: Bytes) -> BoxFuture<'static, Result<Queried, ReplicaError>>;
}

/// The way to a service's replicas on other nodes.
pub struct Doors {
    system: ActorSystem,
    service: String,
    members: BTreeMap<NodeId, PeerName>,
    /// References that worked, until one does not.
    known: Arc<Mutex<BTreeMap<NodeId, ActorRef<ReplicaApi>>>>,
}

/// Lets the other members reach this node's replica of a service.
///
/// # Errors
/// [`SpawnError`] when the service is open already.
pub async fn open_door<S: StateMachine>(
    system: &ActorSystem,
    service: &str,
    replica: Replica<S>,
) -> Result<(), SpawnError> {
    open::<false>(system, service, Arc::new(replica)).await
}

/// Lets the other members and the cluster's clients reach this node's replica of a service.
///
/// # Errors
/// [`SpawnError`] when the service is open already.
pub async fn open_door_to_clients<S: StateMachine>(
    system: &ActorSystem,
    service: &str,
    replica: Replica<S>,
) -> Result<(), SpawnError> {
    open::<true>(system, service, Arc::new(replica)).await
}

async fn open<const CLIENTS: bool>(
    system: &ActorSystem,
    service: &str,
    replica: Arc<dyn Answers>,
) -> Result<(), SpawnError> {
    let name = door_name(service, system.name());
    system.spawn(name, move || Door::<CLIENTS> { replica: replica.clone() }).await?;
    Ok(())
}

fn door_name(service: &str, node: &PeerName) -> String {
    format!("replica/{service}/{node}")
}

impl Doors {
    /// The way to these members' replicas of a service.
    #[must_use]
    pub fn new(system: ActorSystem, service: &str, members: BTreeMap<NodeId, PeerName>) -> Self {
        Self { system, service: service.into(), members, known: Arc::default() }
    }

    /// Asks the door on `to`, and forgets its reference when that did not reach it. A door of an earlier process of that node is
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
        let (system, known) = (self.system.clone(), self.known.clone());
        let named = self.members.get(&to).map(|member| door_name(&self.service, member));
        Box::pin(async move {
            let Some(name) = named else {
                return Err(ReplicaError::not_executed(ReplicaCause::Link(format!("{to} is no member"))));
            };
            let present = known.lock().unwrap_or_else(PoisonError::into_inner).get(&to).cloned();
            if let Some(door) = present {
                match ask(door).await {
                    Ok(answer) => return answer,
                    Err(error) => {
                        known.lock().unwrap_or_else(PoisonError::into_inner).remove(&to);
                        if error.cause != Cause::StaleIncarnation || error.outcome != Outcome::NotExecuted {
                            return Err(not_answered(error));
                        }
                    }
                }
            }
            let search = tokio::time::timeout(patience, system.lookup::<ReplicaApi>(&name));
            let door = search.await.map_err(|_| ReplicaError::not_executed(ReplicaCause::Timeout))?;
            let door = door.map_err(|error| not_found(&error))?;
            known.lock().unwrap_or_else(PoisonError::into_inner).insert(to, door.clone());
            ask(door).await.unwrap_or_else(|error| {
                known.lock().unwrap_or_else(PoisonError::into_inner).remove(&to);
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
        self.ask(to, patience, move |door| {
            let request = request.clone();
            Box::pin(async move { door.ask(ExecuteHere { request }).deadline(patience).await })
        })
    }

    fn query(
        &self,
        to: NodeId,
        payload: Bytes,
        patience: Duration,
    ) -> BoxFuture<'static, Result<Queried, ReplicaError>> {
        self.ask(to, patience, move |door| {
            let payload = payload.clone();
            Box::pin(async move { door.ask(QueryHere { payload }).deadline(patience).await })
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

impl<S: StateMachine> Answers for Replica<S> {
    fn execute(&self, request: Execute) -> BoxFuture<'static, Result<Executed, ReplicaError>> {
        let replica = self.clone();
        Box::pin(async move { Self::execute(&replica, request).await })
    }

    fn query(&self, payload: Bytes) -> BoxFuture<'static, Result<Queried, ReplicaError>> {
        let replica = self.clone();
        Box::pin(async move { Self::query(&replica, &payload).await })
    }
}

impl<const CLIENTS: bool> Actor for Door<CLIENTS> {
    type Context = Context<Self>;
}

impl<const CLIENTS: bool> Supervised for Door<CLIENTS> {}

/// By hand, for the derive does not know an interface that is open to clients in one place and closed in another.
impl<const CLIENTS: bool> Remote for Door<CLIENTS> {
    const MAILBOX: usize = 16_384;

    fn serves() -> Vec<Served<Self>> {
        if CLIENTS {
            vec![Served::to_clients::<ReplicaApi>()]
        } else {
            vec![Served::to_members::<ReplicaApi>()]
        }
    }
}

impl<const CLIENTS: bool> Handler<ExecuteHere> for Door<CLIENTS> {
    type Result = ResponseFuture<Result<Executed, ReplicaError>>;

    fn handle(&mut self, message: ExecuteHere, _context: &mut Context<Self>) -> Self::Result {
        self.replica.execute(message.request)
    }
}

impl<const CLIENTS: bool> Handler<QueryHere> for Door<CLIENTS> {
    type Result = ResponseFuture<Result<Queried, ReplicaError>>;

    fn handle(&mut self, message: QueryHere, _context: &mut Context<Self>) -> Self::Result {
        self.replica.query(message.payload)
    }
}
