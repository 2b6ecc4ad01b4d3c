//! The remote actor of a replicated service: other members ask this node's replica through it, and this node theirs.
//!
//! Each member has one of its own, named after the service and the node, so that a request goes to the node that is meant.
//! Carries bytes; what they mean is the replica's business.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix::{Actor, Context, Handler, ResponseFuture, Supervised};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use synod_protocols::{NodeId, Outcome};
use synod_transport::PeerName;

use crate::actor::{ActorRef, ActorSystem, Remote, Restarts, Served, SpawnError};
use crate::error::{AskError, Cause};
use crate::services::replicated::error::{ReplicaCause, ReplicaError};
use crate::services::replicated::forward::{Ask, Execute, Executed, Forward, Queried};
use crate::services::replicated::replica::Replica;
use crate::services::state_machine::StateMachine;

synod_macros::interface!(pub ReplicaApi = "synod.replica" { Execute, Ask });

/// Who may ask a service's replicas from outside its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenTo {
    /// The members of the cluster.
    Members,
    /// The members and the cluster's clients.
    Clients,
}

/// Lets other nodes ask `replica`, from here until the system shuts down.
///
/// # Errors
/// [`SpawnError`]; the replica is not served then.
pub async fn serve<S: StateMachine>(
    system: &ActorSystem,
    service: &str,
    replica: Replica<S>,
    open_to: OpenTo,
) -> Result<(), SpawnError> {
    let name = actor_name(service, system.name());
    let replica: Arc<dyn Answers> = Arc::new(replica);
    match open_to {
        OpenTo::Members => {
            system.spawn(name, move || Usher::<false> { replica: replica.clone() }).await.map(drop)
        }
        OpenTo::Clients => {
            system.spawn(name, move || Usher::<true> { replica: replica.clone() }).await.map(drop)
        }
    }
}

/// The way to the replicas of a service on other nodes, by reference.
pub struct RemoteForward {
    system: ActorSystem,
    service: String,
    members: BTreeMap<NodeId, PeerName>,
    known: Arc<Mutex<BTreeMap<NodeId, ActorRef<ReplicaApi>>>>,
}

impl RemoteForward {
    /// The way to the replicas of `service` on `members`.
    #[must_use]
    pub fn new(system: ActorSystem, service: &str, members: BTreeMap<NodeId, PeerName>) -> Self {
        Self { system, service: service.to_owned(), members, known: Arc::default() }
    }

    /// Finds the replica on `to`, and forgets it again when asking it fails: its node may have started anew.
    fn with_replica<T, A>(
        &self,
        to: NodeId,
        ask: impl FnOnce(ActorRef<ReplicaApi>) -> A + Send + 'static,
    ) -> BoxFuture<'static, Result<T, ReplicaError>>
    where
        T: Send + 'static,
        A: Future<Output = Result<Result<T, ReplicaError>, AskError>> + Send,
    {
        let (system, known) = (self.system.clone(), Arc::clone(&self.known));
        let name = self.members.get(&to).map(|member| actor_name(&self.service, member));
        Box::pin(async move {
            let unlinked = |reason: String| ReplicaError::not_executed(ReplicaCause::Link(reason));
            let name = name.ok_or_else(|| unlinked(format!("{to} is no member")))?;
            let cached = lock(&known).get(&to).cloned();
            let replica = match cached {
                Some(replica) => replica,
                None => {
                    let found = system.lookup::<ReplicaApi>(&name).await;
                    let replica = found.map_err(|error| unlinked(error.to_string()))?;
                    lock(&known).insert(to, replica.clone());
                    replica
                }
            };
            match ask(replica).await {
                Ok(answer) => answer,
                Err(error) => {
                    lock(&known).remove(&to);
                    Err(unasked(error))
                }
            }
        })
    }
}

impl Forward for RemoteForward {
    fn execute(
        &self,
        to: NodeId,
        request: Execute,
        patience: Duration,
    ) -> BoxFuture<'static, Result<Executed, ReplicaError>> {
        self.with_replica(to, move |replica| replica.ask(request).deadline(patience).into_future())
    }

    fn query(
        &self,
        to: NodeId,
        payload: Bytes,
        patience: Duration,
    ) -> BoxFuture<'static, Result<Queried, ReplicaError>> {
        self.with_replica(to, move |replica| replica.ask(Ask { payload }).deadline(patience).into_future())
    }
}

/// A replica without its type.
trait Answers: Send + Sync {
    fn execute(&self, request: Execute) -> BoxFuture<'static, Result<Executed, ReplicaError>>;
    fn query(&self, payload: Bytes) -> BoxFuture<'static, Result<Queried, ReplicaError>>;
}

impl<S: StateMachine> Answers for Replica<S> {
    fn execute(&self, request: Execute) -> BoxFuture<'static, Result<Executed, ReplicaError>> {
        let replica = self.clone();
        Box::pin(async move { replica.execute(request).await })
    }

    fn query(&self, payload: Bytes) -> BoxFuture<'static, Result<Queried, ReplicaError>> {
        let replica = self.clone();
        Box::pin(async move { replica.query(&payload).await })
    }
}

/// Leads requests from other nodes to the replica; `CLIENTS` says whether clients may come too.
struct Usher<const CLIENTS: bool> {
    replica: Arc<dyn Answers>,
}

impl<const CLIENTS: bool> Actor for Usher<CLIENTS> {
    type Context = Context<Self>;
}

impl<const CLIENTS: bool> Supervised for Usher<CLIENTS> {}

/// By hand, for the derive knows no interface that is open or not.
impl<const CLIENTS: bool> Remote for Usher<CLIENTS> {
    const MAILBOX: usize = 8192;
    const RESTARTS: Restarts = Restarts { most: 5, within: Duration::from_secs(10) };

    fn serves() -> Vec<Served<Self>> {
        if CLIENTS {
            vec![Served::to_clients::<ReplicaApi>()]
        } else {
            vec![Served::to_members::<ReplicaApi>()]
        }
    }
}

impl<const CLIENTS: bool> Handler<Execute> for Usher<CLIENTS> {
    type Result = ResponseFuture<Result<Executed, ReplicaError>>;

    fn handle(&mut self, request: Execute, _context: &mut Context<Self>) -> Self::Result {
        self.replica.execute(request)
    }
}

impl<const CLIENTS: bool> Handler<Ask> for Usher<CLIENTS> {
    type Result = ResponseFuture<Result<Queried, ReplicaError>>;

    fn handle(&mut self, ask: Ask, _context: &mut Context<Self>) -> Self::Result {
        self.replica.query(ask.payload)
    }
}

fn actor_name(service: &str, node: &PeerName) -> String {
    format!("replicated/{service}/{node}")
}

fn unasked(error: AskError) -> ReplicaError {
    let cause = match error.cause {
        Cause::Timeout => ReplicaCause::Timeout,
        Cause::MailboxFull | Cause::LinkFull => ReplicaCause::Busy,
        Cause::Unsupported | Cause::Decode | Cause::Encode | Cause::Denied | Cause::TooLarge => {
            ReplicaCause::Unsupported
        }
        Cause::Unreachable
        | Cause::NoSuchActor
        | Cause::Stopped
        | Cause::StaleIncarnation
        | Cause::Panicked
        | Cause::LinkLost
        | Cause::Cancelled
        | Cause::Unbound => ReplicaCause::Link(error.cause.to_string()),
    };
    let outcome: Outcome = error.outcome;
    ReplicaError { cause, outcome }
}

fn lock<T>(known: &Mutex<T>) -> MutexGuard<'_, T> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}
