//! One study from first start to judgement.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use synod_protocols::sim::{NetworkConfig, Tally};
use synod_transport::PeerName;

use crate::env::Env;
use crate::node::Node;
use crate::services::kv::Kv;
use crate::sim::simulation::{Simulation, simulate};
use crate::sim::study::clients::{Ledger, client};
use crate::sim::study::faults::strike;
use crate::sim::study::judge::judge;
use crate::sim::study::options::Options;
use crate::storage::LogOptions;

/// Where every simulated node listens.
const PORT: u16 = 7400;

/// What a study came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Studied {
    /// The seed.
    pub seed: u64,
    /// The hash of everything that happened.
    pub hash: u64,
    /// How many events that was.
    pub events: u64,
    /// How much virtual time passed.
    pub simulated: Duration,
    /// Requests that took effect.
    pub ok: u64,
    /// Requests that did not and never will.
    pub refused: u64,
    /// Requests of which nobody knows.
    pub unknown: u64,
    /// The faults asked for and injected.
    pub faults: Tally,
    /// What was broken, if anything was.
    pub failure: Option<String>,
}

/// The cluster under study, as its clients and its faults see it.
#[derive(Clone)]
pub(crate) struct Cluster {
    pub(crate) simulation: Simulation,
    /// The map's handle on each node that runs.
    pub(crate) handles: Rc<RefCell<BTreeMap<PeerName, Kv>>>,
    pub(crate) ledger: Rc<RefCell<Ledger>>,
}

/// Runs the study of one seed.
#[must_use]
pub fn study(seed: u64, options: &Options) -> Studied {
    let names: Vec<String> = (1..=options.nodes).map(|number| format!("node-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let outcome = simulate(seed, &names, |simulation| async {
        let cluster = Cluster { simulation, handles: Rc::default(), ledger: Rc::default() };
        let failure = cluster.play(options).await.err();
        let ledger = cluster.ledger.borrow();
        (failure, ledger.ok, ledger.refused, ledger.unknown, cluster.simulation.faults())
    });
    let (failure, ok, refused, unknown, faults) = outcome.value;
    Studied {
        seed,
        hash: outcome.hash,
        events: outcome.events,
        simulated: outcome.simulated,
        ok,
        refused,
        unknown,
        faults,
        failure,
    }
}

impl Cluster {
    async fn play(&self, options: &Options) -> Result<(), String> {
        for name in self.simulation.names() {
            self.start(name);
        }
        let clients: Vec<_> = (0..options.clients)
            .map(|number| tokio::task::spawn_local(client(self.clone(), number, options.duration)))
            .collect();
        strike(self, options.duration).await;
        self.simulation.weather(NetworkConfig::calm());
        for name in self.simulation.names() {
            self.simulation.resume(name);
            if !self.simulation.is_running(name) {
                self.start(name);
            }
        }
        for client in clients {
            client.await.map_err(|panic| panic.to_string())??;
        }
        judge(self).await
    }

    /// Starts a node that keeps the map, with what its disk holds.
    pub(crate) fn start(&self, name: &PeerName) {
        let (cluster, own) = (self.clone(), name.clone());
        self.simulation.start(name, move |env| async move {
            match cluster.serve(&own, env).await {
                Ok(()) => {}
                Err(error) => cluster.ledger.borrow_mut().complain(format!("{own} did not start: {error}")),
            }
        });
    }

    async fn serve(&self, own: &PeerName, env: Env) -> Result<(), Box<dyn std::error::Error>> {
        let simulation = &self.simulation;
        let bind = simulation.endpoint(own, PORT).parse()?;
        let mut builder = Node::builder("study", own.as_str()).env(env).bind(bind).log(LogOptions::sim());
        for peer in simulation.names().iter().filter(|peer| *peer != own) {
            builder = builder.peer(peer.as_str(), simulation.endpoint(peer, PORT))?;
        }
        let node = builder.start().await?;
        let kv = node.kv("study", simulation.names().iter().map(PeerName::as_str)).await?;
        self.handles.borrow_mut().insert(own.clone(), kv);
        Ok(())
    }
}

impl fmt::Display for Studied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "seed {} hash {:016x} events {} ok {} refused {} unknown {}",
            self.seed, self.hash, self.events, self.ok, self.refused, self.unknown
        )
    }
}
