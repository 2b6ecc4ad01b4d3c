//! One study from first start to judgement.

use std::fmt;
use std::time::Duration;

use synod_protocols::sim::{NetworkConfig, Tally};

use crate::sim::simulation::simulate_on;
use crate::sim::study::clients::client;
use crate::sim::study::cluster::Cluster;
use crate::sim::study::faults::strike;
use crate::sim::study::judge::judge;
use crate::sim::study::options::Options;
use crate::sim::trace::Roll;

/// What a study came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Studied {
    /// The seed.
    pub seed: u64,
    /// Everything that happened.
    pub events: Roll,
    /// Everything that the network was given to carry.
    pub packets: Roll,
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

/// Runs the study of one seed.
#[must_use]
pub fn study(seed: u64, options: &Options) -> Studied {
    let names: Vec<String> = (1..=options.nodes).map(|number| format!("node-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let outcome = simulate_on(options.medium, seed, &names, |simulation| async {
        let cluster = Cluster::new(simulation);
        let failure = play(&cluster, options).await.err();
        let ledger = cluster.ledger.borrow();
        (failure, ledger.ok, ledger.refused, ledger.unknown, cluster.simulation.faults())
    });
    let (failure, ok, refused, unknown, faults) = outcome.value;
    Studied {
        seed,
        events: outcome.events,
        packets: outcome.packets,
        simulated: outcome.simulated,
        ok,
        refused,
        unknown,
        faults,
        failure,
    }
}

async fn play(cluster: &Cluster, options: &Options) -> Result<(), String> {
    for name in cluster.simulation.names() {
        cluster.start(name);
    }
    let clients: Vec<_> = (0..options.clients)
        .map(|number| tokio::task::spawn_local(client(cluster.clone(), number, options.duration)))
        .collect();
    strike(cluster, options.duration).await;
    cluster.simulation.weather(NetworkConfig::calm());
    for name in cluster.simulation.names() {
        cluster.simulation.resume(name);
        if !cluster.simulation.is_running(name) {
            cluster.start(name);
        }
    }
    for client in clients {
        client.await.map_err(|panic| panic.to_string())??;
    }
    judge(cluster).await
}

impl fmt::Display for Studied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "seed {} events {} ({:016x}) packets {} ({:016x}) ok {} refused {} unknown {}",
            self.seed,
            self.events.count,
            self.events.hash,
            self.packets.count,
            self.packets.hash,
            self.ok,
            self.refused,
            self.unknown
        )
    }
}
