//! The network between simulated nodes: one of the transport's two that need no socket, under one weather.
//!
//! Decides nothing itself: what happens to what it carries is [`Weather`]'s, links are the transport's.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use synod_protocols::NodeId;
use synod_transport::memory::{self, MemoryTransport, Verdict};
use synod_transport::simulated::{self, Wall};
use synod_transport::{Config, Peer, PeerName, StartError, Transport};

use crate::address::node_id;
use crate::env::{Network, NetworkError, Open};
use crate::sim::spawner::Entrance;
use crate::sim::trace::Trace;
use crate::sim::weather::Weather;

/// What carries the messages of simulated nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Medium {
    /// The transport in memory: links that carry batches. Fast.
    #[default]
    Memory,
    /// QUIC with TLS, over simulated datagrams. All of production's path but the operating system's socket.
    Quic,
}

/// The network of one simulation; clones are the same one.
#[derive(Clone)]
pub(crate) enum Hub {
    Memory(memory::Network),
    Quic(simulated::Network),
}

/// What the network asks about all that it is to carry.
struct Route {
    weather: Weather,
    trace: Trace,
    ids: BTreeMap<PeerName, NodeId>,
}

/// One node's way into the simulated network.
pub(crate) struct SimNetwork {
    hub: Hub,
    entrance: Entrance,
    wall: Wall,
}

/// How long everything takes to and from a process outside the weather, such as a client of the simulation: it has a good line.
const GOOD_LINE: Duration = Duration::from_micros(100);

impl Hub {
    /// A network between these nodes, and others, that suffers this weather.
    pub(crate) fn new(
        medium: Medium,
        seed: u64,
        weather: &Weather,
        trace: &Trace,
        names: &[PeerName],
    ) -> Self {
        let ids = names.iter().map(|name| (name.clone(), node_id(name))).collect();
        let route = Route { weather: weather.clone(), trace: trace.clone(), ids };
        match medium {
            Medium::Memory => Self::Memory(memory::Network::new(route)),
            Medium::Quic => Self::Quic(simulated::Network::new(seed, route)),
        }
    }

    /// What it is.
    pub(crate) fn medium(&self) -> Medium {
        match self {
            Self::Memory(_) => Medium::Memory,
            Self::Quic(_) => Medium::Quic,
        }
    }

    /// The address of a name's host.
    pub(crate) fn host(&self, name: &PeerName) -> IpAddr {
        match self {
            Self::Memory(network) => network.host(name),
            Self::Quic(network) => network.host(name),
        }
    }

    /// Takes a process off the network; nobody is told.
    pub(crate) fn kill(&self, name: &PeerName) {
        match self {
            Self::Memory(network) => network.kill(name),
            Self::Quic(network) => network.kill(name),
        };
    }
}

impl Route {
    /// The two ends, if both have weather between them.
    fn ends(&self, from: &PeerName, to: &PeerName) -> Option<(NodeId, NodeId)> {
        Some((*self.ids.get(from)?, *self.ids.get(to)?))
    }

    fn record(&self, from: &PeerName, to: &PeerName, bytes: usize, contents: u32, fate: u64) {
        self.trace.packet([node_id(from).0, node_id(to).0, bytes as u64, u64::from(contents), fate]);
    }
}

impl memory::Conditions for Route {
    fn route(&mut self, from: &PeerName, to: &PeerName, bytes: usize) -> Verdict {
        let delay = match self.ends(from, to) {
            Some((from, to)) => self.weather.batch(from, to, bytes),
            None => Some(GOOD_LINE),
        };
        self.record(from, to, bytes, 0, delay.map_or(u64::MAX, nanoseconds));
        delay.map_or(Verdict::Held, Verdict::Deliver)
    }
}

impl simulated::Conditions for Route {
    fn carry(
        &mut self,
        from: &PeerName,
        to: &PeerName,
        datagram: &[u8],
        deliver: &mut dyn FnMut(Duration, &[u8]),
    ) {
        let mut fate = u64::MAX;
        let mut arrive = |delay: Duration, bytes: &[u8]| {
            fate = fate.rotate_left(7) ^ nanoseconds(delay);
            deliver(delay, bytes);
        };
        match self.ends(from, to) {
            Some((from, to)) => self.weather.datagram(from, to, datagram, &mut arrive),
            None => arrive(GOOD_LINE, datagram),
        }
        self.record(from, to, datagram.len(), crc32c::crc32c(datagram), fate);
    }
}

fn nanoseconds(delay: Duration) -> u64 {
    u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX)
}

impl SimNetwork {
    /// The way into `hub` for the process behind `entrance`, with its wall clock.
    pub(crate) fn new(hub: Hub, entrance: Entrance, wall: Wall) -> Self {
        Self { hub, entrance, wall }
    }
}

impl Network for SimNetwork {
    fn open(&self, request: Open) -> Result<Arc<dyn Transport>, NetworkError> {
        let Open { name, role, cluster, incarnation, bind, seed, receiver } = request;
        let (config, incarnation) = (Config::lan(bind), incarnation.0);
        let entrance = self.entrance.clone();
        let started = match &self.hub {
            Hub::Memory(network) => {
                let process =
                    memory::Process { peer: Peer { name, role, incarnation }, cluster, seed, config };
                MemoryTransport::start(network, process, receiver, |task| entrance.spawn(task))
                    .map(|transport| transport as Arc<dyn Transport>)
            }
            Hub::Quic(network) => {
                let wall = self.wall.clone();
                let process = simulated::Process { name, role, cluster, incarnation, seed, wall, config };
                let enter = |body: simulated::Body| {
                    entrance.enter(Box::new(move || drop(tokio::task::spawn_local(body()))));
                };
                simulated::start(network, process, receiver, enter)
                    .map(|transport| transport as Arc<dyn Transport>)
            }
        };
        started.map_err(|error| match error {
            StartError::Bind { address, source } => NetworkError::Bind { address, source },
            error => NetworkError::Unusable(error.to_string()),
        })
    }
}
