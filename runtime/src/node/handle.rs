//! [`Node`]: one process's end of the cluster: actors, protocols, services, and their end in order.
//!
//! A value, never a global: a hundred of them live in one test. What each part does stands in its own room.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use synod_protocols::raft::Config;
use synod_protocols::session::SessionLimits;
use synod_protocols::{NodeId, Protocol, Timestamp};
use synod_transport::PeerName;

use crate::actor::{
    ActorRef, ActorSystem, Factory, Interface, LookupError, Remote, Scope, SpawnError, Spawned, Terminated,
};
use crate::address::node_id;
use crate::driver::{CreateError, DriverHandle, Host};
use crate::env::Env;
use crate::node::config::RaftConfig;
use crate::node::drivers::Drivers;
use crate::node::error::{NodeFailure, ServiceError};
use crate::services::StateMachine;
use crate::services::kv::{Kv, KvLimits, Map};
use crate::services::replicated::{Doors, Names, Replicated, Start, open_door};
use crate::telemetry::Metrics;

/// One node of the cluster. Clones are the same node.
#[derive(Clone)]
pub struct Node {
    inner: Arc<Inner>,
}

struct Inner {
    system: ActorSystem,
    drivers: Option<Drivers>,
    directory: PathBuf,
    raft: RaftConfig,
    started: Timestamp,
    /// What hands leadership over, for each replicated service.
    handovers: Mutex<Vec<Handover>>,
    attached: Arc<Attached>,
}

/// The node as its actors find it. The node lives until it is shut down, whoever holds it, and no longer: its threads end then.
#[derive(Default)]
struct Attached(Mutex<Option<Arc<Inner>>>);

impl Attached {
    fn set(&self, inner: Option<Arc<Inner>>) {
        let before = std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), inner);
        // Dropped here, not under the lock: it may be the last one.
        drop(before);
    }
}

type Handover = Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

impl Node {
    pub(crate) fn new(
        system: ActorSystem,
        drivers: Option<Drivers>,
        directory: PathBuf,
        raft: RaftConfig,
    ) -> Self {
        let started = system.env().clock.now();
        let attached = Arc::<Attached>::default();
        system.attach(&attached);
        let inner =
            Inner { system, drivers, directory, raft, started, handovers: Mutex::default(), attached };
        let inner = Arc::new(inner);
        inner.attached.set(Some(inner.clone()));
        Self { inner }
    }

    /// The node on which an actor lives, for its factory: `|scope: &Scope| …`. `None` in an actor system without a node, and
    /// once the node is shut down.
    #[must_use]
    pub fn of(scope: &Scope) -> Option<Self> {
        let attached = scope.attached::<Attached>()?;
        let inner = attached.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Some(Self { inner: inner? })
    }

    /// Brings an actor to life under a name: supervised, registered, found by [`Node::lookup`] from any node.
    ///
    /// # Errors
    /// [`SpawnError`]; nothing is left of the actor then.
    pub async fn spawn<A, S>(
        &self,
        name: impl Into<String>,
        factory: impl Factory<A, S>,
    ) -> Result<Spawned<A>, SpawnError>
    where
        A: Remote,
        S: 'static,
    {
        self.inner.system.spawn(name, factory).await
    }

    /// The actor with this name, wherever it is.
    ///
    /// # Errors
    /// [`LookupError`].
    pub async fn lookup<I: Interface>(&self, name: &str) -> Result<ActorRef<I>, LookupError> {
        self.inner.system.lookup(name).await
    }

    /// As [`Node::lookup`], waiting for the actor to come to life and its node to be reached.
    ///
    /// # Errors
    /// What the last attempt said when `patience` ran out. [`LookupError::WrongInterface`] and [`LookupError::Denied`] at once.
    pub async fn wait_for<I: Interface>(
        &self,
        name: &str,
        patience: Duration,
    ) -> Result<ActorRef<I>, LookupError> {
        let until = tokio::time::Instant::now() + patience;
        loop {
            match self.lookup(name).await {
                Err(LookupError::NotFound(_) | LookupError::Unreachable { .. })
                    if tokio::time::Instant::now() < until =>
                {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                result => return result,
            }
        }
    }

    /// Completes when the actor is no more, at once for one that is dead.
    pub async fn watch<I: Interface>(&self, reference: &ActorRef<I>) -> Terminated {
        self.inner.system.watch(reference).await
    }

    /// Starts this node's replica of a state machine. Every member calls this with the same name, members and initial state.
    ///
    /// # Errors
    /// [`ServiceError`]; nothing of the service runs then.
    pub async fn replicated<S: StateMachine + Sync>(
        &self,
        name: &str,
        members: impl IntoIterator<Item = impl AsRef<str>>,
        initial: S,
    ) -> Result<Replicated<S>, ServiceError> {
        let members = self.members(members)?;
        let raft = self.inner.raft;
        let mut config = Config::lan(self.id(), members.keys().copied().collect());
        config.election_timeout = raft.election_timeout;
        config.heartbeat_interval = raft.heartbeat;
        config.snapshot_entries = raft.snapshot_entries;
        config.validate().map_err(|error| ServiceError::Settings(error.to_string()))?;
        let system = &self.inner.system;
        let started = Replicated::start(Start {
            name: name.into(),
            driver: self.driver()?,
            config,
            seed: system.env().seed,
            names: Names { service: name.into(), node: self.name().to_string(), members: members.clone() },
            forward: Arc::new(Doors::new(system.clone(), name, members)),
            initial,
            sessions: SessionLimits::default(),
        });
        let replicated = started.await?;
        open_door(system, name, replicated.replica().clone()).await?;
        let leaving = replicated.clone();
        let handover: Handover = Box::new(move || {
            let leaving = leaving.clone();
            // A node that does not lead has nothing to hand over, and one that nobody can follow keeps it.
            Box::pin(async move { drop(leaving.transfer(None).await) })
        });
        self.inner.handovers.lock().unwrap_or_else(PoisonError::into_inner).push(handover);
        Ok(replicated)
    }

    /// Starts this node's replica of an ordered key-value map.
    ///
    /// # Errors
    /// As [`Node::replicated`].
    pub async fn kv(
        &self,
        name: &str,
        members: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Kv, ServiceError> {
        Ok(Kv::new(self.replicated(name, members, Map::default()).await?, KvLimits::default()))
    }

    /// Hosts a machine of any protocol: its records are kept, its messages travel, its timers run.
    ///
    /// # Errors
    /// [`ServiceError`]; nothing is hosted then.
    pub async fn host<P: Protocol>(
        &self,
        name: &str,
        config: P::Config,
        host: impl FnOnce() -> Box<dyn Host<P>> + Send + 'static,
    ) -> Result<Machine<P>, ServiceError> {
        let driver = self.driver::<P>()?;
        let id = driver.create(name, config, host).await?;
        Ok(Machine { driver, id })
    }

    /// The actors of this node.
    #[must_use]
    pub fn system(&self) -> &ActorSystem {
        &self.inner.system
    }

    /// The node's name.
    #[must_use]
    pub fn name(&self) -> &PeerName {
        self.inner.system.name()
    }

    /// Where this node listens for its peers. When it was bound to port 0, the port is the one it was given.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.inner.system.transport().local_address()
    }

    /// The number by which protocols name this node.
    #[must_use]
    pub fn id(&self) -> NodeId {
        node_id(self.name())
    }

    /// The numbers by which protocols name these members, of whom this node has to be one.
    ///
    /// # Errors
    /// [`ServiceError::Name`], [`ServiceError::NotMember`], [`ServiceError::Settings`] when two names share a number.
    pub fn members(
        &self,
        names: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<BTreeMap<NodeId, PeerName>, ServiceError> {
        let mut members = BTreeMap::new();
        for name in names {
            let name = name.as_ref();
            let name = PeerName::new(name).ok_or_else(|| ServiceError::Name(name.into()))?;
            if let Some(other) = members.insert(node_id(&name), name.clone()) {
                return Err(ServiceError::Settings(format!("the members {other} and {name} share an id")));
            }
        }
        if members.contains_key(&self.id()) {
            Ok(members)
        } else {
            Err(ServiceError::NotMember(self.name().to_string()))
        }
    }

    /// Clock, spawner, seed, network and disk.
    #[must_use]
    pub fn env(&self) -> &Env {
        self.inner.system.env()
    }

    /// What the node counts.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        self.inner.system.metrics()
    }

    /// How long the node has been running.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.env().clock.now().since(self.inner.started)
    }

    /// Completes when the node can keep nothing any more: a write or sync of its log has failed. Whoever runs a process for the
    /// node ends it then; the rest of the cluster goes on without it. Never, for a node that keeps nothing.
    pub fn failed(&self) -> impl Future<Output = NodeFailure> + Send + use<> {
        let directory = self.inner.directory.clone();
        let failed = self.inner.drivers.as_ref().map(Drivers::failed);
        async move {
            match failed {
                Some(failed) => NodeFailure { directory, source: failed.await },
                None => std::future::pending().await,
            }
        }
    }

    /// Ends the node in order: hands leadership over, lets actors and protocols finish, makes the log durable, gives the
    /// directory back, closes the links. Each phase takes at most `grace`. What is asked of the node meanwhile is refused.
    pub async fn shutdown(&self, grace: Duration) {
        tracing::info!(node = %self.name(), "shutting down: handing leadership over");
        let handovers =
            std::mem::take(&mut *self.inner.handovers.lock().unwrap_or_else(PoisonError::into_inner));
        for handover in handovers {
            // A leader that finds no successor in time leaves without one; the others elect.
            let _late = tokio::time::timeout(grace, handover()).await;
        }
        tracing::info!(node = %self.name(), "shutting down: flushing the log");
        if let Some(drivers) = &self.inner.drivers {
            // What is not durable by then was not acknowledged either.
            let _late = tokio::time::timeout(grace, drivers.shutdown()).await;
            match tokio::time::timeout(grace, drivers.close()).await {
                Ok(Ok(())) => {}
                Ok(Err(fault)) => {
                    tracing::error!(node = %self.name(), %fault, "the log was not closed in order")
                }
                Err(_late) => tracing::error!(node = %self.name(), "the disk did not answer in time"),
            }
        }
        tracing::info!(node = %self.name(), "shutting down: closing the links");
        self.inner.system.shutdown(grace).await;
        self.inner.attached.set(None);
    }

    fn driver<P: Protocol>(&self) -> Result<DriverHandle<P>, ServiceError> {
        let drivers = self.inner.drivers.as_ref().ok_or(ServiceError::NoDirectory)?;
        Ok(drivers.of::<P>(&self.inner.system))
    }
}

/// A machine that a node hosts, as its users hold it.
pub struct Machine<P: Protocol> {
    driver: DriverHandle<P>,
    id: crate::address::MachineId,
}

impl<P: Protocol> Clone for Machine<P> {
    fn clone(&self) -> Self {
        Self { driver: self.driver.clone(), id: self.id }
    }
}

impl<P: Protocol> Machine<P> {
    /// Gives the machine a command and waits for its reply.
    ///
    /// # Errors
    /// [`crate::driver::CommandError`] says whether the command may have taken effect.
    pub async fn command(&self, command: P::Command) -> Result<P::Reply, crate::driver::CommandError> {
        self.driver.command(self.id, command, std::mem::size_of::<P::Command>()).await
    }

    /// The machine's events from here on.
    ///
    /// # Errors
    /// [`CreateError::Stopped`] when the machine has gone.
    pub async fn events(&self) -> Result<tokio::sync::broadcast::Receiver<P::Event>, CreateError> {
        self.driver.events(self.id).await.ok_or(CreateError::Stopped)
    }
}
