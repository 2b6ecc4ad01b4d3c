//! The faults of a study: drawn from the seed, one after another, until the time is over.

use std::time::Duration;

use synod_protocols::prng::Prng;
use synod_protocols::sim::NetworkConfig;
use synod_transport::PeerName;
use tokio::time::{Instant, sleep};

use crate::sim::network::Medium;
use crate::sim::study::cluster::Cluster;
use crate::sim::weather::Datagrams;

/// Lets faults strike for so long.
pub(crate) async fn strike(cluster: &Cluster, duration: Duration) {
    let simulation = &cluster.simulation;
    let mut chance = Prng::fork(simulation.seed(), 0xFA);
    let mut rough = Prng::fork(simulation.seed(), 0xDA);
    let until = Instant::now() + duration;
    while Instant::now() < until {
        sleep(chance.duration(Duration::from_millis(200), Duration::from_secs(3))).await;
        let names = simulation.names();
        let Some(name) = chance.pick(names).cloned() else { return };
        let lasts = chance.duration(Duration::from_millis(50), Duration::from_secs(6));
        match chance.below(5) {
            0 => kill(cluster, &name, lasts).await,
            1 => {
                simulation.pause(&name);
                sleep(lasts).await;
                simulation.resume(&name);
            }
            2 => {
                simulation.partition(&group(&mut chance, names));
                sleep(lasts).await;
                simulation.weather(NetworkConfig::calm());
            }
            3 => {
                simulation.partition_one_way(&group(&mut chance, names));
                sleep(lasts).await;
                simulation.weather(NetworkConfig::calm());
            }
            _ => {
                let weather = bad_weather(&mut chance);
                match simulation.medium() {
                    Medium::Memory => simulation.weather(weather),
                    Medium::Quic => {
                        let (duplicate, reorder) = (rough.unit() * 0.2, rough.unit() * 0.3);
                        simulation.weather(NetworkConfig { duplicate, reorder, ..weather });
                        simulation.datagrams(bad_datagrams(&mut rough));
                    }
                }
                sleep(lasts).await;
                simulation.weather(NetworkConfig::calm());
            }
        }
    }
}

async fn kill(cluster: &Cluster, name: &PeerName, lasts: Duration) {
    cluster.handles.borrow_mut().remove(name);
    cluster.simulation.kill(name);
    sleep(lasts).await;
    cluster.start(name);
}

/// Some of the nodes, neither none nor all.
fn group(chance: &mut Prng, names: &[PeerName]) -> Vec<PeerName> {
    let mut rest: Vec<_> = names.to_vec();
    let size = chance.between(1, names.len().saturating_sub(1).max(1) as u64);
    (0..size).map(|_| rest.swap_remove(chance.below(rest.len() as u64) as usize)).collect()
}

/// Bytes that change in half of all bad weather, and paths that get narrow in a third.
fn bad_datagrams(chance: &mut Prng) -> Datagrams {
    let corruption = if chance.chance(0.5) { chance.unit() * 0.1 } else { 0.0 };
    Datagrams { corruption, largest: chance.chance(0.3).then_some(1_200) }
}

fn bad_weather(chance: &mut Prng) -> NetworkConfig {
    NetworkConfig {
        delay_mean: chance.duration(Duration::from_millis(1), Duration::from_millis(80)),
        delay_max: Duration::from_millis(500),
        loss: chance.unit() * 0.2,
        clog: chance.unit() * 0.01,
        clog_max: Duration::from_millis(500),
        ..NetworkConfig::calm()
    }
}
