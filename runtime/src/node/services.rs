//! What a node is asked to run, and what it is asked to run no longer: replicated state machines, maps, machines of any protocol.
//!
//! At any time: services come and go while the node lives.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use synod_protocols::prng::Prng;
use synod_protocols::raft::{Config, Raft};
use synod_protocols::session::SessionLimits;
use synod_protocols::{NodeId, Protocol};
use synod_transport::PeerName;

use crate::address::{node_id, stable_hash};
use crate::driver::{CreateError, DriverHandle, Host};
use crate::node::error::ServiceError;
use crate::node::group::Group;
use crate::node::handle::Node;
use crate::node::machine::Machine;
use crate::services::StateMachine;
use crate::services::kv::{Kv, KvLimits, Map};
use crate::services::replicated::{self, Audience, Doors, Names, Replicated, Start};
use crate::storage::RecoverError;

/// Bytes of entries that each replica keeps in memory for members that are a little behind; they read older ones from the log, whose newest
/// part the system has in memory too. Memory that comes back soon is still in the processor's cache.
const CACHE_BYTES: usize = 8 << 20;

impl Node {
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
        self.replicated_by(name, &Group::of(members), initial).await
    }

    /// Starts this node's replica of a state machine, whose group has founders and perhaps witnesses, and others that may be taken
    /// in later. Every one of them calls this with the same name, group and initial state.
    ///
    /// # Errors
    /// [`ServiceError`]; nothing of the service runs then.
    pub async fn replicated_by<S: StateMachine + Sync>(
        &self,
        name: &str,
        group: &Group,
        initial: S,
    ) -> Result<Replicated<S>, ServiceError> {
        let members = self.inner.rosters.of(self.members(group.everybody())?);
        let raft = self.inner.raft;
        let witnesses: BTreeSet<NodeId> = members_by_id(&group.witnesses)?.into_keys().collect();
        let mut voters: BTreeSet<NodeId> = members_by_id(&group.voters)?.into_keys().collect();
        voters.extend(&witnesses);
        let mut config = Config::lan(self.id(), voters);
        config.witness = witnesses.contains(&config.id);
        config.witnesses = witnesses;
        config.election_timeout = raft.election_timeout;
        config.heartbeat_interval = raft.heartbeat;
        config.snapshot_entries = raft.snapshot_entries;
        config.snapshot_bytes = raft.snapshot_bytes;
        config.cache_bytes = CACHE_BYTES;
        config.snapshot_interval = raft.snapshot_interval;
        config.keep_entries = raft.keep_entries;
        let log = self.inner.drivers.as_ref().ok_or(ServiceError::NoDirectory)?.log();
        config.store = log.store_id();
        config.rejoin = log.replaces().is_some();
        if config.rejoin && config.voters.len() == 1 {
            tracing::error!(
                node = %self.inner.own_name, service = name,
                "the log of the only member was damaged: nobody can take it in again, and it serves nothing; restore a backup"
            );
        }
        config.hibernate_after = raft.hibernate_after;
        (config.lease_reads, config.clock_drift_ppm) = (raft.lease_reads, raft.clock_drift_ppm);
        config.priority = raft.priority;
        config.validate().map_err(|error| ServiceError::Settings(error.to_string()))?;
        let system = &self.inner.system;
        let service: Arc<str> = name.into();
        let doors = Doors::new(system.clone(), service.clone(), members.clone());
        let started = Replicated::start(Start {
            name: service.clone(),
            driver: self.driver()?,
            config: self.inner.settings.of(config),
            seed: system.env().seed,
            names: Names { service: service.clone(), node: self.inner.own_name.clone(), members },
            forward: Arc::new(doors.sharing(self.inner.ways.clone())),
            initial,
            sessions: SessionLimits::default(),
        });
        let replicated = started.await.map_err(|error| match error {
            CreateError::Recover(RecoverError::Removed { .. }) => ServiceError::Removed(name.into()),
            other => ServiceError::Create(other),
        })?;
        let open = self.inner.open.contains(name);
        let audience = if open { Audience::Clients } else { Audience::Members };
        self.inner.lobby.open(&service, replicated.replica().clone(), audience).await?;
        Ok(replicated)
    }

    /// Ends this node's replica of a state machine, or of a map, for good: log, state and snapshots go, and the name cannot be used
    /// on this node again, for whoever still speaks to the group that bore it must not find another one. Leadership is handed
    /// over before, where somebody takes it. Every member that is to forget the service calls this; those that do not go on
    /// without this one. Says whether there was anything to remove.
    ///
    /// # Errors
    /// [`ServiceError::NotRemoved`]: the replica has ended, and may be there again when the node starts anew.
    pub async fn remove_replicated(&self, name: &str) -> Result<bool, ServiceError> {
        let driver = self.driver::<Raft>()?;
        // No longer than an election takes: the others can do without this node's blessing.
        let patience = self.inner.raft.election_timeout * 2;
        let _late = tokio::time::timeout(patience, self.inner.lobby.hand_over(name)).await;
        self.inner.lobby.close(name);
        driver
            .remove_for_good(name)
            .await
            .map_err(|source| ServiceError::NotRemoved { name: name.into(), source })
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
        self.kv_by(name, &Group::of(members)).await
    }

    /// Starts this node's replica of an ordered key-value map whose group is given as to [`Node::replicated_by`].
    ///
    /// # Errors
    /// As [`Node::replicated`].
    pub async fn kv_by(&self, name: &str, group: &Group) -> Result<Kv, ServiceError> {
        Ok(Kv::new(self.replicated_by(name, group, Map::default()).await?, KvLimits::default()))
    }

    /// A replicated state machine that other nodes run: for clients, and for nodes that are no members of it. The members have to
    /// be peers of this node, and have opened the service if this is a client.
    ///
    /// # Errors
    /// [`ServiceError`]. Whether the members can be reached shows at the first request.
    pub fn remote<S: StateMachine>(
        &self,
        name: &str,
        members: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<replicated::Remote<S>, ServiceError> {
        let members = members_by_id(members)?;
        let ids: Vec<NodeId> = members.keys().copied().collect();
        let system = &self.inner.system;
        // Each handle has sessions of its own, however many a node makes for one service.
        let number = self.inner.remotes.fetch_add(1, Ordering::Relaxed);
        let label = stable_hash(name.as_bytes()) ^ self.id().0.rotate_left(32) ^ number;
        let seed = Prng::fork(system.env().seed, label).next_u64();
        let doors = Doors::new(system.clone(), name, members).sharing(self.inner.ways.clone());
        replicated::Remote::new(ids, Arc::new(doors), seed)
            .ok_or_else(|| ServiceError::Settings("no members".into()))
    }

    /// A replicated key-value map that other nodes run.
    ///
    /// # Errors
    /// As [`Node::remote`].
    pub fn remote_kv(
        &self,
        name: &str,
        members: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Kv, ServiceError> {
        Ok(Kv::remote(self.remote(name, members)?, KvLimits::default()))
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
        Ok(Machine::new(driver, id))
    }

    /// The numbers by which protocols name these members, of whom this node has to be one.
    ///
    /// # Errors
    /// [`ServiceError::Name`], [`ServiceError::NotMember`], [`ServiceError::Settings`] when two names share a number.
    pub fn members(
        &self,
        names: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<BTreeMap<NodeId, PeerName>, ServiceError> {
        let members = members_by_id(names)?;
        if members.contains_key(&self.id()) {
            Ok(members)
        } else {
            Err(ServiceError::NotMember(self.name().to_string()))
        }
    }

    pub(super) fn driver<P: Protocol>(&self) -> Result<DriverHandle<P>, ServiceError> {
        let drivers = self.inner.drivers.as_ref().ok_or(ServiceError::NoDirectory)?;
        Ok(drivers.of::<P>(&self.inner.system))
    }
}

fn members_by_id(
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
    Ok(members)
}
