//! Nodes and clients on a network in memory, in virtual time.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use synod::actor::{ActorSystem, DeadLetter, DeadLetterHook, Limits, Policy, Settings};
use synod::env::{Clock, Env, Network, NetworkError, Open, Spawner};
use synod::protocols::{Incarnation, Timestamp};
use synod::storage::Worker;
use synod::telemetry::Metrics;
use synod::transport::memory::{self, Calm, MemoryTransport, Process};
use synod::transport::{Address, Config, Peer, PeerName, Role, Transport};
use tokio::time::Instant;

/// How long everything takes on the network, one way.
pub(crate) const DELAY: Duration = Duration::from_millis(1);

/// The longest a test takes by its own clock: what has not come by then never comes.
const LONGEST: Duration = Duration::from_secs(7_200);

/// Runs a test on one thread under a clock that jumps to the next timer.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime")
    };
    let ended = actix_rt::System::with_tokio_rt(runtime)
        .block_on(async { tokio::time::timeout(LONGEST, test).await.is_ok() });
    assert!(ended, "the test still waits after two hours of its own clock: what it waits for does not come");
}

pub(crate) fn name(text: &str) -> PeerName {
    PeerName::new(text).expect("a name")
}

pub(crate) fn address(text: &str) -> Address {
    Address { endpoint: format!("{text}:7400"), name: Some(name(text)) }
}

/// The network, and what came back to its nodes.
pub(crate) struct World {
    pub(crate) network: memory::Network,
    pub(crate) letters: Arc<Mutex<Vec<DeadLetter>>>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { network: memory::Network::new(Calm(DELAY)), letters: Arc::default() }
    }

    /// The settings of a member that keeps links to `peers`.
    pub(crate) fn settings(&self, own: &str, peers: &[&str]) -> Settings {
        let letters = self.letters.clone();
        let hook = move |letter| letters.lock().expect("no panic").push(letter);
        Settings {
            cluster: "test".into(),
            name: name(own),
            role: Role::Member,
            incarnation: Incarnation(1),
            env: env(Arc::new(InMemory(self.network.clone()))),
            bind: "127.0.0.1:0".parse().expect("an address"),
            peers: peers.iter().map(|peer| address(peer)).collect(),
            metrics: Metrics::default(),
            limits: Limits::default(),
            policy: Policy::default(),
            dead_letters: DeadLetterHook(Arc::new(hook)),
        }
    }

    pub(crate) fn node(&self, own: &str, peers: &[&str]) -> ActorSystem {
        ActorSystem::start(self.settings(own, peers)).expect("starts")
    }

    pub(crate) fn client(&self, own: &str, peers: &[&str]) -> ActorSystem {
        let mut settings = self.settings(own, peers);
        settings.role = Role::Client;
        ActorSystem::start(settings).expect("starts")
    }

    /// Two members with a link between them.
    pub(crate) async fn pair(&self) -> (ActorSystem, ActorSystem) {
        let (a, b) = (self.node("a", &["b"]), self.node("b", &[]));
        linked(&a, 1).await;
        linked(&b, 1).await;
        (a, b)
    }

    pub(crate) fn letters(&self) -> Vec<DeadLetter> {
        self.letters.lock().expect("no panic").clone()
    }
}

/// Waits until a system has links to so many members.
pub(crate) async fn linked(system: &ActorSystem, members: usize) {
    while system.members().len() < members {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// An environment for a single thread.
pub(crate) fn env(network: Arc<dyn Network>) -> Env {
    Env { clock: Arc::new(TokioClock(Instant::now())), spawner: Arc::new(Here), seed: 7, network, disk: None }
}

/// A network whose links are memory.
struct InMemory(memory::Network);

impl Network for InMemory {
    fn open(&self, request: Open) -> Result<Arc<dyn Transport>, NetworkError> {
        let peer = Peer { name: request.name, role: request.role, incarnation: request.incarnation.0 };
        let process =
            Process { peer, cluster: request.cluster, seed: request.seed, config: Config::lan(request.bind) };
        let started = MemoryTransport::start(&self.0, process, request.receiver, |task| {
            actix_rt::spawn(task);
        });
        Ok(started.map_err(|error| NetworkError::Unusable(error.to_string()))?)
    }
}

struct TokioClock(Instant);

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.elapsed().as_nanos() as u64)
    }

    fn wall(&self) -> Duration {
        self.0.elapsed()
    }
}

/// One place: this thread, as soon as it is free.
struct Here;

impl Spawner for Here {
    fn places(&self) -> usize {
        1
    }

    fn start_at(&self, _place: usize, start: Box<dyn FnOnce() + Send>) {
        actix_rt::spawn(async move { start() });
    }

    fn worker(&self, _name: &str) -> io::Result<Arc<dyn Worker>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
