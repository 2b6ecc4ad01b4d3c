//! kameo's remote actors in a swarm of their own, as its documentation has it for production: QUIC, which was faster than TCP here,
//! and room for 4,096 streams, without which most of a flood is lost.

use std::sync::Arc;
use std::time::Duration;

use kameo::prelude::*;
use libp2p::futures::StreamExt;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, SwarmBuilder};
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use crate::child::{Answerer, be_found};
use crate::command::Peer;
use crate::line::Failure;
use crate::load::{Client, TARGETS, measure as measure_client};

/// How long the two nodes may take to know each other's actors.
const PATIENCE: Duration = Duration::from_secs(20);
const STREAMS: usize = 4_096;

#[derive(Serialize, Deserialize)]
struct Tell(Blob);

#[derive(Serialize, Deserialize)]
struct Ask(Blob);

#[derive(Serialize, Deserialize)]
struct Count;

/// Bytes that are encoded as such, and not as a sequence of numbers.
#[derive(Serialize, Deserialize, Reply)]
struct Blob(bytes::Bytes);

#[derive(Actor, RemoteActor, Default)]
struct Sink(u64);

#[derive(Clone)]
struct Sinks(Arc<[RemoteActorRef<Sink>]>);

#[derive(NetworkBehaviour)]
struct Behaviour {
    kameo: remote::Behaviour,
}

#[remote_message]
impl Message<Tell> for Sink {
    type Reply = ();

    async fn handle(&mut self, tell: Tell, _: &mut Context<Self, ()>) {
        self.0 += 1;
        std::hint::black_box(tell.0);
    }
}

#[remote_message]
impl Message<Ask> for Sink {
    type Reply = Blob;

    async fn handle(&mut self, ask: Ask, _: &mut Context<Self, Blob>) -> Blob {
        ask.0
    }
}

#[remote_message]
impl Message<Count> for Sink {
    type Reply = u64;

    async fn handle(&mut self, _: Count, _: &mut Context<Self, u64>) -> u64 {
        self.0
    }
}

impl Client for Sinks {
    // Twice as many are under way, each on a stream of its own.
    const ROUND: usize = 1_000;
    const ROUND_BYTES: usize = 2 << 20;

    async fn tell(&self, target: usize, payload: &[u8]) -> Result<(), Failure> {
        Ok(self.0[target].tell(&Tell(Blob::of(payload))).send()?)
    }

    async fn ask(&self, target: usize, payload: &[u8]) -> Result<(), Failure> {
        self.0[target].ask(&Ask(Blob::of(payload))).send().await?;
        Ok(())
    }

    async fn count(&self, target: usize) -> Result<u64, Failure> {
        Ok(self.0[target].ask(&Count).send().await?)
    }
}

impl Blob {
    fn of(payload: &[u8]) -> Self {
        Self(bytes::Bytes::copy_from_slice(payload))
    }
}

/// Measures the other process.
pub(crate) fn measure(each: Duration) -> Result<(), Failure> {
    let answerer = Answerer::start(Peer::Kameo)?;
    let (address, peer) = answerer.whereabouts.split_once(' ').ok_or("kameo's node has no address")?;
    let (address, peer): (Multiaddr, PeerId) = (address.parse()?, peer.parse()?);
    runtime()?.block_on(async {
        let mut swarm = swarm()?;
        // As kameo does with what it discovers: without it nobody is asked for a name.
        swarm.add_peer_address(peer, address.clone());
        swarm.dial(address)?;
        tokio::spawn(async move {
            loop {
                swarm.select_next_some().await;
            }
        });
        let mut sinks = Vec::new();
        let deadline = Instant::now() + PATIENCE;
        for target in 0..TARGETS {
            sinks.push(find(target, deadline).await?);
        }
        measure_client(&Sinks(sinks.into()), each).await
    })
}

/// The other process.
pub(crate) fn answer() -> Result<(), Failure> {
    runtime()?.block_on(async {
        let mut swarm = swarm()?;
        swarm.listen_on("/ip4/127.0.0.1/udp/0/quic-v1".parse()?)?;
        let own = *swarm.local_peer_id();
        let (listening, address) = oneshot::channel();
        tokio::spawn(async move {
            let mut listening = Some(listening);
            loop {
                if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await
                    && let Some(listening) = listening.take()
                {
                    // It is waited for below.
                    let _ = listening.send(address);
                }
            }
        });
        let address = address.await?;
        let mut kept = Vec::new();
        for target in 0..TARGETS {
            let sink = Sink::spawn_with_mailbox(Sink::default(), mailbox::unbounded());
            sink.register(name(target)).await?;
            kept.push(sink);
        }
        be_found(&format!("{address} {own}"))?;
        std::future::pending().await
    })
}

async fn find(target: usize, deadline: Instant) -> Result<RemoteActorRef<Sink>, Failure> {
    loop {
        if let Ok(Some(sink)) = RemoteActorRef::<Sink>::lookup(name(target)).await {
            return Ok(sink);
        }
        if Instant::now() > deadline {
            return Err("kameo's nodes do not find each other".into());
        }
        sleep(Duration::from_millis(50)).await;
    }
}

fn swarm() -> Result<Swarm<Behaviour>, Failure> {
    let limits = || remote::messaging::Config::default().with_max_concurrent_streams(STREAMS);
    let swarm = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_quic()
        .with_behaviour(|key| Behaviour {
            kameo: remote::Behaviour::new(key.public().to_peer_id(), limits()),
        })?
        .build();
    swarm.behaviour().kameo.try_init_global()?;
    Ok(swarm)
}

fn name(target: usize) -> String {
    format!("sink-{target}")
}

fn runtime() -> Result<Runtime, Failure> {
    Ok(Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}
