//! The replicas of a node that others may ask, and the few actors through which they ask: so few for all services, not one each.
//!
//! Decides nothing: an actor hands requests to the replica of the service they name, and answers back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix::{Actor, Context, Handler, ResponseFuture, Supervised};
use futures_util::future::BoxFuture;
use synod_protocols::{LogIndex, NodeId};

use crate::actor::{ActorSystem, Remote, Served, SpawnError};
use crate::services::replicated::change::Change;
use crate::services::replicated::door::{
    ChangeHere, ExecuteHere, QueryHere, ReadIndexHere, ReplicaApi, TransferHere, desk,
};
use crate::services::replicated::error::{ReplicaCause, ReplicaError};
use crate::services::replicated::forward::{Ask, Execute, Executed, Queried};
use crate::services::replicated::proof::Proof;
use crate::services::replicated::replica::Replica;
use crate::services::state_machine::StateMachine;

/// Who may ask a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The other members of the cluster.
    Members,
    /// The cluster's clients too.
    Clients,
}

/// The replicas of one node that others may ask; clones are the same.
#[derive(Clone)]
pub struct Lobby {
    system: ActorSystem,
    services: Arc<Services>,
    /// The actors that were brought to life, one after another.
    desks: Arc<tokio::sync::Mutex<BTreeSet<String>>>,
}

#[derive(Default)]
struct Services(Mutex<BTreeMap<Arc<str>, Service>>);

#[derive(Clone)]
struct Service {
    audience: Audience,
    replica: Arc<dyn Answers>,
}

/// A replica without its type.
trait Answers: Send + Sync {
    fn execute(&self, request: Execute) -> BoxFuture<'static, Result<Executed, ReplicaError>>;
    fn query(&self, query: Ask) -> BoxFuture<'static, Result<Queried, ReplicaError>>;
    fn change(&self, change: Change) -> BoxFuture<'static, Result<LogIndex, ReplicaError>>;
    fn read_index(&self, proof: Proof) -> BoxFuture<'static, Result<LogIndex, ReplicaError>>;
    fn transfer(&self, to: Option<NodeId>) -> BoxFuture<'static, Result<NodeId, ReplicaError>>;
}

impl Lobby {
    /// An empty one.
    #[must_use]
    pub fn new(system: ActorSystem) -> Self {
        Self { system, services: Arc::default(), desks: Arc::default() }
    }

    /// Lets others reach this node's replica of a service.
    ///
    /// # Errors
    /// [`SpawnError::NameTaken`] when the service is open already.
    pub async fn open<S: StateMachine>(
        &self,
        service: &Arc<str>,
        replica: Replica<S>,
        audience: Audience,
    ) -> Result<(), SpawnError> {
        self.man::<false>(service).await?;
        if audience == Audience::Clients {
            self.man::<true>(service).await?;
        }
        let mut services = self.services.lock();
        if services.contains_key(service) {
            return Err(SpawnError::NameTaken(service.to_string()));
        }
        services.insert(Arc::clone(service), Service { audience, replica: Arc::new(replica) });
        Ok(())
    }

    /// Lets nobody reach a service any more; says whether it was open.
    pub fn close(&self, service: &str) -> bool {
        self.services.lock().remove(service).is_some()
    }

    /// The services that are open, in order.
    #[must_use]
    pub fn services(&self) -> Vec<String> {
        self.services.lock().keys().map(ToString::to_string).collect()
    }

    /// Hands leadership of a service over, if this node has it and somebody takes it.
    pub async fn hand_over(&self, service: &str) {
        let found = self.services.lock().get(service).cloned();
        if let Some(found) = found {
            // A node that does not lead has nothing to hand over, and one that nobody can follow keeps it.
            drop(found.replica.transfer(None).await);
        }
    }

    /// Sees to it that there is an actor for the service.
    async fn man<const CLIENTS: bool>(&self, service: &str) -> Result<(), SpawnError> {
        let name = desk(service, self.system.name(), CLIENTS);
        let mut desks = self.desks.lock().await;
        if !desks.contains(&name) {
            let services = self.services.clone();
            let desk = move || Desk::<CLIENTS> { services: services.clone() };
            self.system.spawn_by_links(name.clone(), desk).await?;
            desks.insert(name);
        }
        Ok(())
    }
}

impl Services {
    /// The replica of a service that this audience may ask.
    fn find(&self, service: &str, audience: Audience) -> Result<Arc<dyn Answers>, ReplicaError> {
        let services = self.lock();
        let found = services.get(service).filter(|found| match audience {
            Audience::Members => true,
            Audience::Clients => found.audience == Audience::Clients,
        });
        match found {
            Some(found) => Ok(found.replica.clone()),
            // It may be on its way, as at the start of a node.
            None => {
                let what = format!("{service} is not served there");
                Err(ReplicaError::not_executed(ReplicaCause::Link(what)))
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Service>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: StateMachine> Answers for Replica<S> {
    fn execute(&self, request: Execute) -> BoxFuture<'static, Result<Executed, ReplicaError>> {
        let replica = self.clone();
        Box::pin(async move { Self::execute(&replica, request).await })
    }

    fn query(&self, query: Ask) -> BoxFuture<'static, Result<Queried, ReplicaError>> {
        let replica = self.clone();
        Box::pin(async move { Self::query(&replica, &query).await })
    }

    fn change(&self, change: Change) -> BoxFuture<'static, Result<LogIndex, ReplicaError>> {
        let replica = self.clone();
        Box::pin(async move { Self::change(&replica, &change).await })
    }

    fn read_index(&self, proof: Proof) -> BoxFuture<'static, Result<LogIndex, ReplicaError>> {
        let replica = self.clone();
        Box::pin(async move { Self::read_index(&replica, proof).await })
    }

    fn transfer(&self, to: Option<NodeId>) -> BoxFuture<'static, Result<NodeId, ReplicaError>> {
        let replica = self.clone();
        Box::pin(async move { Self::transfer(&replica, to).await })
    }
}

/// Answers for replicas of one node, to members of the cluster; with `CLIENTS`, to its clients.
struct Desk<const CLIENTS: bool> {
    services: Arc<Services>,
}

impl<const CLIENTS: bool> Desk<CLIENTS> {
    fn find(&self, service: &str) -> Result<Arc<dyn Answers>, ReplicaError> {
        self.services.find(service, if CLIENTS { Audience::Clients } else { Audience::Members })
    }
}

impl<const CLIENTS: bool> Actor for Desk<CLIENTS> {
    type Context = Context<Self>;
}

impl<const CLIENTS: bool> Supervised for Desk<CLIENTS> {}

/// By hand, for the derive does not know an interface that is open to clients in one place and closed in another.
impl<const CLIENTS: bool> Remote for Desk<CLIENTS> {
    const MAILBOX: usize = 16_384;

    fn serves() -> Vec<Served<Self>> {
        if CLIENTS {
            vec![Served::to_clients::<ReplicaApi>()]
        } else {
            vec![Served::to_members::<ReplicaApi>()]
        }
    }
}

impl<const CLIENTS: bool> Handler<ExecuteHere> for Desk<CLIENTS> {
    type Result = ResponseFuture<Result<Executed, ReplicaError>>;

    fn handle(&mut self, message: ExecuteHere, _context: &mut Context<Self>) -> Self::Result {
        match self.find(&message.service) {
            Ok(replica) => replica.execute(message.request),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }
}

impl<const CLIENTS: bool> Handler<QueryHere> for Desk<CLIENTS> {
    type Result = ResponseFuture<Result<Queried, ReplicaError>>;

    fn handle(&mut self, message: QueryHere, _context: &mut Context<Self>) -> Self::Result {
        match self.find(&message.service) {
            Ok(replica) => replica.query(message.query),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }
}

impl<const CLIENTS: bool> Handler<ChangeHere> for Desk<CLIENTS> {
    type Result = ResponseFuture<Result<LogIndex, ReplicaError>>;

    /// Who the members are is the members' business, and that of whoever operates them; never a client's.
    fn handle(&mut self, message: ChangeHere, _context: &mut Context<Self>) -> Self::Result {
        let refused = || Err(ReplicaError::not_executed(ReplicaCause::Unsupported));
        match self.find(&message.service) {
            Ok(_) if CLIENTS => Box::pin(std::future::ready(refused())),
            Ok(replica) => replica.change(message.change),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }
}

impl<const CLIENTS: bool> Handler<TransferHere> for Desk<CLIENTS> {
    type Result = ResponseFuture<Result<NodeId, ReplicaError>>;

    /// Who leads is no client's business either.
    fn handle(&mut self, message: TransferHere, _context: &mut Context<Self>) -> Self::Result {
        let refused = || Err(ReplicaError::not_executed(ReplicaCause::Unsupported));
        match self.find(&message.service) {
            Ok(_) if CLIENTS => Box::pin(std::future::ready(refused())),
            Ok(replica) => replica.transfer(message.successor),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }
}

impl<const CLIENTS: bool> Handler<ReadIndexHere> for Desk<CLIENTS> {
    type Result = ResponseFuture<Result<LogIndex, ReplicaError>>;

    fn handle(&mut self, message: ReadIndexHere, _context: &mut Context<Self>) -> Self::Result {
        match self.find(&message.service) {
            Ok(replica) => replica.read_index(message.proof),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }
}
