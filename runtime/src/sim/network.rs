//! The network between simulated nodes: the transport's in-memory implementation under the faults of `synod_protocols::sim`.
//!
//! Decides nothing itself: chance and cuts are [`synod_protocols::sim::Network`]'s, links the transport's.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use synod_protocols::sim::{FaultKind, Network as Chance, NetworkConfig, Tally};
use synod_protocols::{NodeId, Timestamp};
use synod_transport::memory::{Conditions, MemoryTransport, Network as Hub, Process, Verdict};
use synod_transport::{Config, Peer, PeerName, StartError, Transport};
use tokio::time::Instant;

use crate::address::node_id;
use crate::env::{Network, NetworkError, Open};
use crate::sim::spawner::Entrance;
use crate::sim::trace::Trace;

/// The faults between nodes, shared by whoever injects them and the network that suffers them.
#[derive(Clone)]
pub(crate) struct Weather {
    chance: Arc<Mutex<Chance>>,
    origin: Instant,
    trace: Trace,
}

/// What the hub asks about each batch.
struct Route {
    weather: Weather,
    ids: BTreeMap<PeerName, NodeId>,
}

/// One node's way into the simulated network.
pub(crate) struct SimNetwork {
    hub: Hub,
    entrance: Entrance,
}

impl Weather {
    /// Weather for these nodes, calm until `config` says otherwise.
    pub(crate) fn new(seed: u64, config: NetworkConfig, names: &[PeerName], trace: Trace) -> Self {
        let chance = Chance::new(seed, config, names.iter().map(node_id));
        Self { chance: Arc::new(Mutex::new(chance)), origin: Instant::now(), trace }
    }

    /// The network that suffers this weather.
    pub(crate) fn hub(&self, names: &[PeerName]) -> Hub {
        let ids = names.iter().map(|name| (name.clone(), node_id(name))).collect();
        Hub::new(Route { weather: self.clone(), ids })
    }

    /// Cuts directed paths as one fault.
    pub(crate) fn cut(&self, kind: FaultKind, paths: &[(NodeId, NodeId)]) {
        self.chance().cut(kind, paths.iter().copied());
    }

    /// Ends every cut and behaves as `config` says from here on.
    pub(crate) fn heal(&self, config: NetworkConfig) {
        let mut chance = self.chance();
        chance.heal_all();
        chance.configure(config);
    }

    /// The faults asked for and injected.
    pub(crate) fn tally(&self) -> Tally {
        self.chance().tally().clone()
    }

    fn now(&self) -> Timestamp {
        Timestamp(u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    fn chance(&self) -> MutexGuard<'_, Chance> {
        self.chance.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Conditions for Route {
    fn route(&mut self, from: &PeerName, to: &PeerName, bytes: usize) -> Verdict {
        let now = self.weather.now();
        let ends = (self.ids.get(from), self.ids.get(to));
        let delay = match ends {
            (Some(&from), Some(&to)) => {
                self.weather.chance().route(now, from, to, bytes).delays().first().copied()
            }
            // A process outside the weather, such as a client of the simulation, has a good line.
            _ => Some(std::time::Duration::from_micros(100)),
        };
        let fate = delay.map_or(-1, |delay| i128::try_from(delay.as_nanos()).unwrap_or(i128::MAX));
        self.weather.trace.record("packet", &format!("{from}>{to} {bytes} {fate}"));
        delay.map_or(Verdict::Held, Verdict::Deliver)
    }
}

impl SimNetwork {
    /// The way into `hub` for the node behind `entrance`.
    pub(crate) fn new(hub: Hub, entrance: Entrance) -> Self {
        Self { hub, entrance }
    }
}

impl Network for SimNetwork {
    fn open(&self, request: Open) -> Result<Arc<dyn Transport>, NetworkError> {
        let Open { name, role, cluster, incarnation, bind, seed, receiver } = request;
        let peer = Peer { name, role, incarnation: incarnation.0 };
        let process = Process { peer, cluster, seed, config: Config::lan(bind) };
        let entrance = self.entrance.clone();
        let transport = MemoryTransport::start(&self.hub, process, receiver, |task| entrance.spawn(task));
        match transport {
            Ok(transport) => Ok(transport),
            Err(StartError::Bind { address, source }) => Err(NetworkError::Bind { address, source }),
            Err(error) => Err(NetworkError::Unusable(error.to_string())),
        }
    }
}
