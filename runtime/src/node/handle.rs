//! [`Node`]: one process's end of the cluster: actors, protocols, services, and their end in order.
//!
//! A value, never a global: a hundred of them live in one test. What each part does stands in its own room.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_util::StreamExt;
use synod_protocols::raft::Config;
use synod_protocols::{NodeId, Timestamp};
use synod_transport::PeerName;

use crate::actor::{
    ActorRef, ActorSystem, Factory, Interface, LookupError, Remote, Scope, SpawnError, Spawned, Terminated,
};
use crate::address::node_id;
use crate::delivery::Queues;
use crate::env::Env;
use crate::node::config::RaftConfig;
use crate::node::drivers::Drivers;
use crate::node::error::NodeFailure;
use crate::node::one_copy::OneCopy;
use crate::services::replicated::{Lobby, Ways};
use crate::telemetry::Metrics;
use crate::topics::Board;

/// How many services hand leadership over at a time when their node ends.
const HANDOVERS: usize = 256;

/// One node of the cluster. Clones are the same node.
#[derive(Clone)]
pub struct Node {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) system: ActorSystem,
    pub(super) drivers: Option<Drivers>,
    directory: PathBuf,
    pub(super) raft: RaftConfig,
    /// The services that are open to clients.
    pub(super) open: BTreeSet<String>,
    started: Timestamp,
    /// How many handles of services on other nodes were made.
    pub(super) remotes: AtomicU64,
    /// The replicas that others may ask.
    pub(super) lobby: Lobby,
    /// What is known of other nodes, once for all services.
    pub(super) ways: Ways,
    pub(super) rosters: OneCopy<BTreeMap<NodeId, PeerName>>,
    pub(super) settings: OneCopy<Config>,
    pub(super) queues: Queues,
    pub(super) topics: Arc<Board>,
    pub(super) own_name: Arc<str>,
    attached: Arc<Attached>,
}

/// The node as its actors find it. The node lives until it is shut down, whoever holds it, and no longer: its threads end then.
#[derive(Default)]
struct Attached(Mutex<Option<Arc<Inner>>>);

/// Stays at one of the node's places: when that ends and nobody has shut the node down, as in a simulated process that is killed,
/// the node ends too.
struct Keeper(Weak<Attached>);

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(attached) = self.0.upgrade() {
            attached.set(None);
        }
    }
}

impl Attached {
    fn set(&self, inner: Option<Arc<Inner>>) {
        let before = std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), inner);
        // Dropped here, not under the lock: it may be the last one.
        drop(before);
    }
}

impl Node {
    pub(crate) fn new(
        system: ActorSystem,
        drivers: Option<Drivers>,
        directory: PathBuf,
        raft: RaftConfig,
        open: BTreeSet<String>,
    ) -> Self {
        let started = system.env().clock.now();
        let attached = Arc::<Attached>::default();
        system.attach(&attached);
        let inner = Inner {
            lobby: Lobby::new(system.clone()),
            ways: Ways::default(),
            rosters: OneCopy::default(),
            settings: OneCopy::default(),
            queues: Queues::new(system.clone()),
            topics: Board::start(&system),
            own_name: system.name().as_str().into(),
            system,
            drivers,
            directory,
            raft,
            open,
            started,
            remotes: AtomicU64::new(0),
            attached,
        };
        let inner = Arc::new(inner);
        inner.attached.set(Some(inner.clone()));
        let keeper = Keeper(Arc::downgrade(&inner.attached));
        let stay = move || {
            actix_rt::spawn(async move {
                let _keeper = keeper;
                std::future::pending::<()>().await;
            });
        };
        inner.system.env().spawner.start_at(0, Box::new(stay));
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

    /// Where damaged logs are kept that were set aside by this start and earlier ones. They are the operator's to look at and to remove.
    #[must_use]
    pub fn set_aside(&self) -> Vec<PathBuf> {
        let logs = self.inner.drivers.iter().flat_map(Drivers::set_aside);
        logs.map(|aside| self.inner.directory.join(aside)).collect()
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
        let lobby = &self.inner.lobby;
        let handovers = futures_util::stream::iter(lobby.services())
            .for_each_concurrent(HANDOVERS, |service| async move { lobby.hand_over(&service).await });
        // A leader that finds no successor in time leaves without one; the others elect.
        let _late = tokio::time::timeout(grace, handovers).await;
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
}
