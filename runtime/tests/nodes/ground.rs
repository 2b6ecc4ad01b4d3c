//! What the tests of whole nodes stand on: nodes that know each other, and what disturbs them.

use std::time::Duration;

use synod::Node;
use synod::env::Env;
use synod::node::NodeBuilder;
use synod::protocols::prng::Prng;
use synod::protocols::sim::NetworkConfig;
use synod::sim::Simulation;
use synod::storage::LogOptions;
use synod::transport::PeerName;
use tokio::time::sleep;

/// Where every node listens.
pub(crate) const PORT: u16 = 7400;

/// What becomes a node that knows all others of the simulation.
pub(crate) fn builder(simulation: &Simulation, name: &PeerName, env: Env) -> NodeBuilder {
    let mut builder = Node::builder("test", name.as_str()).env(env).log(LogOptions::sim());
    builder = builder.bind(([0, 0, 0, 0], PORT).into());
    for other in simulation.names().iter().filter(|other| *other != name) {
        builder = builder.peer(other.as_str(), simulation.endpoint(other, PORT)).expect("a proper name");
    }
    builder
}

/// Such a node.
pub(crate) async fn start(simulation: &Simulation, name: &PeerName, env: Env) -> Node {
    builder(simulation, name, env).start().await.expect("a simulated node starts")
}

/// What a node lives through without dying.
pub(crate) enum Disturbance {
    Pause,
    Partition,
    OneWay,
    Weather,
}

/// Disturbs a node; a pause ends here, the rest with the weather.
pub(crate) async fn disturb(
    simulation: &Simulation,
    chance: &mut Prng,
    name: PeerName,
    how: Disturbance,
    lasts: Duration,
) {
    match how {
        Disturbance::Pause => {
            simulation.pause(&name);
            sleep(lasts).await;
            simulation.resume(&name);
        }
        Disturbance::Partition => simulation.partition(&[name]),
        Disturbance::OneWay => simulation.partition_one_way(&[name]),
        Disturbance::Weather => simulation.weather(foul(chance)),
    }
}

/// Weather in which messages are late, get lost, come twice and out of order.
pub(crate) fn foul(chance: &mut Prng) -> NetworkConfig {
    NetworkConfig {
        delay_mean: chance.duration(Duration::from_millis(1), Duration::from_millis(80)),
        delay_max: Duration::from_millis(500),
        loss: chance.unit() * 0.2,
        duplicate: chance.unit() * 0.1,
        reorder: chance.unit() * 0.1,
        ..NetworkConfig::calm()
    }
}
