//! Starts a QUIC transport on the simulated network.

use std::sync::Arc;

use futures_util::future::LocalBoxFuture;

use super::chance::Chance;
use super::clock::{Wall, WallClock};
use super::network::Network;
use super::socket::Socket;
use super::tokens;
use crate::config::Config;
use crate::contract::Receiver;
use crate::error::StartError;
use crate::peer::{PeerName, Role};
use crate::quic::{Footing, LocalRuntime, Parts, QuicTransport, Tasks, World};

/// Who a process on the simulated network is.
#[derive(Clone)]
pub struct Process {
    /// The name in its certificate.
    pub name: PeerName,
    /// The role in its certificate.
    pub role: Role,
    /// The cluster in its certificate.
    pub cluster: String,
    /// Which process start this is.
    pub incarnation: u64,
    /// For all its chance but that of TLS, which is the network's.
    pub seed: u64,
    /// Its wall clock, by which it judges certificates.
    pub wall: Wall,
    /// Where to listen, how long to wait, and the bounds. An unspecified or loopback address becomes the one of the name's own
    /// host, and port 0 becomes 7400.
    pub config: Config,
}

/// Makes the one future that is a transport, in the local set in which it is to run.
pub type Body = Box<dyn FnOnce() -> LocalBoxFuture<'static, ()> + Send>;

/// Starts a process on the network. `spawn` is called once, with what makes the one future that does all the work and makes all
/// calls of `receiver`; dropping that future is `kill -9`.
///
/// # Errors
/// [`StartError::Config`], or [`StartError::Bind`] when somebody listens at the address; `spawn` was not called then.
pub fn start(
    network: &Network,
    process: Process,
    receiver: Arc<dyn Receiver>,
    spawn: impl FnOnce(Body),
) -> Result<Arc<QuicTransport>, StartError> {
    let Process { name, role, cluster, incarnation, seed, wall, config } = process;
    let unusable = |reason: String| StartError::Identity { name: name.to_string(), reason };
    let identity = network
        .with_identities(|identities| identities.of(&cluster, &name, role, wall()))
        .map_err(|error| unusable(error.to_string()))?;
    let clock = WallClock(wall);
    let world = World { provider: network.provider(), clock: Arc::new(clock.clone()) };
    let (bind, buffer) = (config.bind, config.socket_buffer);
    let parts = Parts::new(config, &identity, world, incarnation, seed, receiver)?;
    let place = network.occupy(&name, bind, buffer)?;
    let address = place.address;
    // A process that starts again must not know the ids and resets of the one before, whatever seed it is given.
    let chance = Chance::new(seed ^ incarnation.rotate_left(32));
    let token_key = chance.bytes();
    let first_ids = Arc::new(Chance::new(chance.draw()));
    let footing = Footing {
        endpoint: tokens::endpoint(&chance),
        server: Box::new(move |crypto| tokens::server(crypto, token_key, clock)),
        client: Box::new(move |crypto| tokens::client(crypto, first_ids.clone())),
        socket: Arc::new(Socket::new(network.clone(), place)),
        runtime: Arc::new(LocalRuntime),
        tasks: Tasks::Local,
        names: false,
    };
    Ok(QuicTransport::start_within(parts, footing, address, spawn))
}
