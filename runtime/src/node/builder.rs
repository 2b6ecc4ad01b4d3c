//! Puts a node together: identity, addresses, directory, environment.
//!
//! Builds in one order: threads, log, network. What fails leaves nothing running.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use synod_protocols::Incarnation;
use synod_transport::{Address, Identity, PeerName, Role};

use crate::actor::{ActorSystem, Callers, DeadLetterHook, Limits, Policy, Settings};
use crate::env::Env;
use crate::node::config::{KV, LinkConfig, NodeConfig, RaftConfig};
use crate::node::drivers::Drivers;
use crate::node::error::StartError;
use crate::node::handle::Node;
use crate::node::link_thread::LinkThread;
use crate::node::network::QuicNetwork;
use crate::node::production::{Arbiters, SystemClock, entropy};
use crate::storage::{DamagedLog, LogOptions, OpenReport, OpenStore, RealDisk, SetAside, Store};
use crate::telemetry::Metrics;

/// What a node is told before it starts.
#[must_use = "a builder does nothing until it is started"]
pub struct NodeBuilder {
    cluster: String,
    name: String,
    role: Role,
    bind: SocketAddr,
    peers: Vec<Address>,
    identity: Option<Identity>,
    directory: Option<PathBuf>,
    env: Option<Env>,
    places: Option<NonZeroUsize>,
    links: LinkThread,
    sessions: LinkConfig,
    raft: RaftConfig,
    open: BTreeSet<String>,
    log: LogOptions,
    damaged: DamagedLog,
    limits: Limits,
    policy: Policy,
    dead_letters: DeadLetterHook,
}

impl NodeBuilder {
    pub(crate) fn new(cluster: &str, name: &str, role: Role) -> Self {
        Self {
            cluster: cluster.into(),
            name: name.into(),
            role,
            bind: SocketAddr::from(([127, 0, 0, 1], 0)),
            peers: Vec::new(),
            identity: None,
            directory: None,
            env: None,
            places: None,
            links: LinkThread::Own,
            sessions: LinkConfig::default(),
            raft: RaftConfig::default(),
            open: BTreeSet::new(),
            log: LogOptions::default(),
            damaged: DamagedLog::Repair,
            limits: Limits::default(),
            policy: Policy::default(),
            dead_letters: DeadLetterHook::default(),
        }
    }

    /// A node as its configuration file describes it.
    ///
    /// # Errors
    /// [`StartError::Identity`] names the file of the credential and what is wrong with it, [`StartError::Unacceptable`] why no
    /// peer would take it.
    pub fn from_config(config: &NodeConfig) -> Result<Self, StartError> {
        let mut builder = Self::new(&config.cluster, config.node.as_str(), Role::Member)
            .bind(config.quic)
            .tls(config.tls.read()?)
            .directory(&config.directory)
            .damaged_log(config.damaged_log)
            .raft(config.raft)
            .link_sessions(config.link);
        if config.kv.clients {
            builder = builder.open_to_clients(KV);
        }
        for (name, endpoint) in &config.peers {
            builder.peers.push(Address { endpoint: endpoint.clone(), name: Some(name.clone()) });
        }
        Ok(builder)
    }

    /// Where peers reach the node; by default a free port of the loopback interface.
    pub fn bind(mut self, address: SocketAddr) -> Self {
        self.bind = address;
        self
    }

    /// The node's identity, whose certificate has to bear its name, its role and the cluster's.
    pub fn tls(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Peers of whom only the endpoint is known, `host:port`. Whoever answers there has to be a member of the cluster.
    pub fn join<E: Into<String>>(mut self, endpoints: impl IntoIterator<Item = E>) -> Self {
        self.peers
            .extend(endpoints.into_iter().map(|endpoint| Address { endpoint: endpoint.into(), name: None }));
        self
    }

    /// A peer that is known by name; whoever answers at the endpoint has to be that one.
    ///
    /// # Errors
    /// [`StartError::Name`].
    pub fn peer(mut self, name: &str, endpoint: impl Into<String>) -> Result<Self, StartError> {
        let name = PeerName::new(name).ok_or_else(|| StartError::Name(name.into()))?;
        self.peers.push(Address { endpoint: endpoint.into(), name: Some(name) });
        Ok(self)
    }

    /// Where the node keeps its log and snapshots. Without one it can host actors and no replicated service.
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// How links outlive their connections.
    pub fn link_sessions(mut self, sessions: LinkConfig) -> Self {
        self.sessions = sessions;
        self
    }

    /// Another world than the operating system's, for simulation; identity and directory are not used then.
    pub fn env(mut self, env: Env) -> Self {
        self.env = Some(env);
        self
    }

    /// How many threads run actors; by default as many as there are cores.
    pub fn places(mut self, places: NonZeroUsize) -> Self {
        self.places = Some(places);
        self
    }

    /// Which thread carries the links; by default one of its own.
    pub fn link_thread(mut self, links: LinkThread) -> Self {
        self.links = links;
        self
    }

    /// Timing and sizes of consensus.
    pub fn raft(mut self, raft: RaftConfig) -> Self {
        self.raft = raft;
        self
    }

    /// Lets the cluster's clients use the replicated service of this name; without this, members only do.
    pub fn open_to_clients(mut self, service: impl Into<String>) -> Self {
        self.open.insert(service.into());
        self
    }

    /// Lets these and no other peers call the interface of this name on this node's actors; without this, all members may, and the clients
    /// that the actor admits.
    pub fn callers(mut self, interface: impl Into<String>, callers: Callers) -> Self {
        self.policy.set(interface, callers);
        self
    }

    /// How the log is laid out.
    pub fn log(mut self, log: LogOptions) -> Self {
        self.log = log;
        self
    }

    /// What the node does when its log is found damaged; by default it repairs.
    pub fn damaged_log(mut self, damaged: DamagedLog) -> Self {
        self.damaged = damaged;
        self
    }

    /// Bounds and waits of the actor system.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Who hears of messages that could not be delivered.
    pub fn dead_letters(mut self, hook: DeadLetterHook) -> Self {
        self.dead_letters = hook;
        self
    }

    /// Starts the node. Call it inside an actix system.
    ///
    /// # Errors
    /// [`StartError`] says what was missing or refused; nothing runs then.
    pub async fn start(mut self) -> Result<Node, StartError> {
        let name = PeerName::new(&self.name).ok_or_else(|| StartError::Name(self.name.clone()))?;
        if PeerName::new(&self.cluster).is_none() {
            return Err(StartError::Name(self.cluster));
        }
        let env = match self.env.take() {
            Some(env) => env,
            None => self.production()?,
        };
        let metrics = Metrics::default();
        let drivers = self.open(&env, &metrics).await?;
        let settings = Settings {
            cluster: self.cluster,
            name,
            role: self.role,
            incarnation: Incarnation(u64::try_from(env.clock.wall().as_nanos()).unwrap_or(u64::MAX)),
            env,
            bind: self.bind,
            peers: self.peers,
            metrics,
            limits: self.limits,
            policy: self.policy,
            dead_letters: self.dead_letters,
        };
        let directory = self.directory.unwrap_or_default();
        let system = ActorSystem::start(settings)?;
        if self.role == Role::Member {
            system.open_bonds().await.map_err(StartError::Bonds)?;
        }
        Ok(Node::new(system, drivers, directory, self.raft, self.open))
    }

    fn production(&mut self) -> Result<Env, StartError> {
        let identity = self.identity.take().ok_or(StartError::NoIdentity)?;
        let disk = match &self.directory {
            None => None,
            Some(directory) => Some(
                RealDisk::new(directory)
                    .map_err(|source| StartError::Directory { directory: directory.clone(), source })?,
            ),
        };
        Ok(Env {
            clock: Arc::new(SystemClock::default()),
            spawner: Arc::new(Arbiters::start(self.places, self.links).map_err(StartError::Threads)?),
            seed: entropy().map_err(StartError::Threads)?,
            network: Arc::new(QuicNetwork::new(identity, self.links, self.sessions)),
            disk: disk.map(|disk| Arc::new(disk) as _),
        })
    }

    async fn open(&self, env: &Env, metrics: &Metrics) -> Result<Option<Drivers>, StartError> {
        let Some(disk) = env.disk.clone() else { return Ok(None) };
        let log_worker = env.spawner.worker("log").map_err(StartError::Threads)?;
        let snapshot_worker = env.spawner.worker("snapshots").map_err(StartError::Threads)?;
        let request = OpenStore {
            disk,
            log_worker,
            snapshot_worker,
            options: self.log.clone(),
            damaged: self.damaged,
            seed: env.seed,
            metrics: metrics.clone(),
        };
        let directory = self.directory.clone().unwrap_or_default();
        let opened = Store::opened(request).await;
        let (store, report) =
            opened.map_err(|source| StartError::Store { directory: directory.clone(), source })?;
        self.tell(&directory, &store, &report);
        Ok(Some(Drivers::new(store, report.set_aside, metrics, self.raft)))
    }

    /// Says what was found on the disk.
    fn tell(&self, directory: &Path, store: &Store, report: &OpenReport) {
        if let Some(SetAside { directory: aside, reason }) = &report.replaced {
            let kept = directory.join(aside);
            tracing::warn!(node = self.name, reason, kept = %kept.display(), "the log was damaged and is set aside whole");
        }
        for aside in &report.snapshots_set_aside {
            let kept = directory.join(aside);
            tracing::warn!(node = self.name, kept = %kept.display(), "a snapshot was damaged and is set aside");
        }
        if let Some(lost) = store.log().replaces() {
            let store = store.log().store_id();
            tracing::warn!(
                node = self.name, %lost, %store,
                "this log replaces a damaged one: this node does not vote with it until a leader has taken it in anew"
            );
        }
        tracing::info!(
            node = self.name,
            records = report.records,
            torn_bytes = report.torn_bytes,
            created = report.created,
            "the log is open"
        );
    }
}
