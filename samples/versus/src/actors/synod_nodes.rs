//! Our own nodes, unmodified, in one process: driver, log, wire encoding and links, with a disk and a network in memory.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_rt::{Arbiter, ArbiterHandle, System};
use bytes::Bytes;
use synod::Node;
use synod::driver::{Effected, Frozen, Host, Thaw, Thawed};
use synod::env::{Clock, Env, Network, NetworkError, Open, Spawner};
use synod::protocols::Timestamp;
use synod::protocols::log::{Body, Entries};
use synod::protocols::raft::{Config, Raft};
use synod::storage::{SimDisk, Worker};
use synod::transport::memory::{Calm, MemoryTransport, Network as Hub, Process};
use synod::transport::{Config as LinkConfig, Peer, StartError, Transport};

use crate::actors::clients;
use crate::cell::Cell;

const NAMES: [&str; 3] = ["n1", "n2", "n3"];

struct SystemClock(Instant);

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::ZERO.after(self.0.elapsed())
    }

    fn wall(&self) -> Duration {
        Duration::from_secs(1) + self.0.elapsed()
    }
}

/// Everything of a node on the thread of one arbiter.
struct OneThread(ArbiterHandle);

impl Spawner for OneThread {
    fn places(&self) -> usize {
        1
    }

    fn start_at(&self, _place: usize, start: Box<dyn FnOnce() + Send>) {
        self.0.spawn_fn(start);
    }

    fn worker(&self, _name: &str) -> io::Result<Arc<dyn Worker>> {
        Ok(Arc::new(Self(self.0.clone())))
    }
}

impl Worker for OneThread {
    fn submit(&self, job: Box<dyn FnOnce() + Send>) {
        self.0.spawn_fn(job);
    }
}

/// Links that only pass bytes on.
struct MemoryNetwork {
    hub: Hub,
    arbiter: ArbiterHandle,
}

impl Network for MemoryNetwork {
    fn open(&self, request: Open) -> Result<Arc<dyn Transport>, NetworkError> {
        let Open { name, role, cluster, incarnation, bind, seed, receiver } = request;
        let peer = Peer { name, role, incarnation: incarnation.0 };
        let process = Process { peer, cluster, seed, config: LinkConfig::lan(bind) };
        let arbiter = self.arbiter.clone();
        let transport = MemoryTransport::start(&self.hub, process, receiver, |task| {
            arbiter.spawn(task);
        });
        match transport {
            Ok(transport) => Ok(transport),
            Err(StartError::Bind { address, source }) => Err(NetworkError::Bind { address, source }),
            Err(error) => Err(NetworkError::Unusable(error.to_string())),
        }
    }
}

/// An application that only counts.
struct Counts;

impl Host<Raft> for Counts {
    fn apply(&mut self, entries: Entries) -> Effected {
        let commands = entries.iter().filter(|entry| matches!(entry.body, Body::Command { .. }));
        Effected { results: commands.map(|entry| (entry.index, Bytes::new())).collect(), wake: None }
    }

    fn snapshot(&mut self) -> Frozen {
        Frozen::new(|_| Ok(()))
    }

    fn thaw(&self) -> Thaw {
        Thaw::new(|_, _| Ok(Thawed::new(|| ())))
    }
}

/// Writes a second, with everything on one thread.
pub(crate) fn on_one_thread(cell: Cell, duration: Duration) -> f64 {
    System::new().block_on(async {
        let here = Arbiter::current();
        let hub = Hub::new(Calm(Duration::ZERO));
        let mut machines = Vec::new();
        let mut nodes = Vec::new();
        for (number, name) in NAMES.iter().enumerate() {
            let env = Env {
                clock: Arc::new(SystemClock(Instant::now())),
                spawner: Arc::new(OneThread(here.clone())),
                seed: number as u64,
                network: Arc::new(MemoryNetwork { hub: hub.clone(), arbiter: here.clone() }),
                disk: Some(Arc::new(SimDisk::default())),
            };
            let mut builder = Node::builder("versus", name).env(env);
            for peer in NAMES.iter().filter(|peer| *peer != name) {
                let endpoint =
                    format!("{}:7400", hub.host(&synod::transport::PeerName::new(peer).expect("a name")));
                builder = builder.peer(peer, endpoint).expect("a peer");
            }
            let node = builder.start().await.expect("a node");
            let voters = node.members(NAMES).expect("members").into_keys().collect();
            let mut config = Config::lan(node.id(), voters);
            config.snapshot_entries = u64::MAX;
            config.snapshot_bytes = u64::MAX;
            let machine = node.host::<Raft>("writes", config.into(), || Box::new(Counts)).await.expect("a machine");
            machines.push(machine);
            nodes.push(node);
        }
        clients::write(clients::leader(&machines).await, cell, duration).await
    })
}
