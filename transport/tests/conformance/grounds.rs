//! The grounds on which the suite runs: the in-memory network in virtual time, QUIC on loopback in real time, and QUIC over simulated
//! datagrams in virtual time.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use synod_transport::memory::{Calm, MemoryTransport, Network, Process};
use synod_transport::quic::QuicTransport;
use synod_transport::simulated;
use synod_transport::{
    Address, Authority, Config, Identity, Lane, Metrics, Peer, PeerName, Role, StartError, Transport,
    Validity,
};

use crate::recorder::{Node, Recorder};

/// What starts processes.
pub(crate) struct Ground {
    kind: Kind,
}

enum Kind {
    Memory(Network),
    Quic(Box<Authority>),
    Simulated(simulated::Network),
}

pub(crate) fn memory() -> Ground {
    Ground { kind: Kind::Memory(Network::new(Calm(Duration::from_millis(1)))) }
}

pub(crate) fn quic() -> Ground {
    let authority = Authority::create("shop", Validity::days(1)).expect("an authority");
    Ground { kind: Kind::Quic(Box::new(authority)) }
}

pub(crate) fn simulated() -> Ground {
    Ground { kind: Kind::Simulated(simulated::Network::new(7, simulated::Calm(Duration::from_millis(1)))) }
}

/// Runs one test: simulations under a paused clock, QUIC on loopback under the real one.
pub(crate) fn run<F: Future<Output = ()>>(ground: Ground, test: impl FnOnce(Ground) -> F) {
    let paused = !matches!(ground.kind, Kind::Quic(_));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(paused)
        .build()
        .expect("a runtime");
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, test(ground));
}

/// Who is to be started.
#[derive(Clone)]
pub(crate) struct Who {
    pub(crate) name: PeerName,
    pub(crate) role: Role,
    pub(crate) cluster: &'static str,
    pub(crate) incarnation: u64,
    pub(crate) config: Config,
}

pub(crate) fn name(name: &str) -> PeerName {
    PeerName::new(name).expect("a name")
}

/// A member of the cluster in its first incarnation, with short waits.
pub(crate) fn member(node: &str) -> Who {
    let mut config = Config::lan(SocketAddr::from(([127, 0, 0, 1], 0)));
    config.idle_timeout = Duration::from_millis(1500);
    config.keep_alive = Duration::from_millis(300);
    config.backoff_min = Duration::from_millis(10);
    config.backoff_max = Duration::from_millis(100);
    Who { name: name(node), role: Role::Member, cluster: "shop", incarnation: 1, config }
}

impl Ground {
    pub(crate) fn try_start(&self, who: &Who) -> Result<Node, StartError> {
        let recorder = Arc::new(Recorder::default());
        let receiver = recorder.clone();
        let seed = 7;
        let config = who.config.clone();
        let (transport, metrics): (Arc<dyn Transport>, Arc<dyn Fn() -> Metrics + Send + Sync>) =
            match &self.kind {
                Kind::Memory(network) => {
                    let process = Process {
                        peer: Peer { name: who.name.clone(), role: who.role, incarnation: who.incarnation },
                        cluster: who.cluster.to_owned(),
                        seed,
                        config,
                    };
                    let spawn = |task| drop(tokio::spawn(task));
                    let transport = MemoryTransport::start(network, process, receiver, spawn)?;
                    let counted = transport.clone();
                    (transport, Arc::new(move || counted.metrics()))
                }
                Kind::Quic(authority) => {
                    let credential = authority
                        .issue_in(who.cluster, &who.name, who.role, Validity::days(1))
                        .expect("a credential");
                    let identity = Identity::from_credential(&credential).expect("an identity");
                    let transport = QuicTransport::start(config, identity, who.incarnation, seed, receiver)?;
                    let metrics = metrics_of(&transport);
                    (transport, metrics)
                }
                Kind::Simulated(network) => {
                    let process = simulated::Process {
                        name: who.name.clone(),
                        role: who.role,
                        cluster: who.cluster.to_owned(),
                        incarnation: who.incarnation,
                        seed,
                        wall: Arc::new(|| Duration::from_secs(1_800_000_000)),
                        config,
                    };
                    let spawn = |body: simulated::Body| drop(tokio::task::spawn_local(body()));
                    let transport = simulated::start(network, process, receiver, spawn)?;
                    let metrics = metrics_of(&transport);
                    (transport, metrics)
                }
            };
        Ok(Node { transport, recorder, metrics })
    }

    pub(crate) fn start(&self, who: &Who) -> Node {
        self.try_start(who).expect("it starts")
    }

    /// Ends a process without a word to anybody; its address is free afterwards.
    pub(crate) async fn kill(&self, who: &Who, node: Node) -> SocketAddr {
        let address = node.transport.local_address();
        match &self.kind {
            Kind::Memory(network) => assert!(network.kill(&who.name)),
            Kind::Simulated(network) => assert!(network.kill(&who.name)),
            Kind::Quic(_) => {
                drop(node);
                // The socket closes with its thread; there is no event for that.
                while std::net::UdpSocket::bind(address).is_err() {
                    tokio::task::yield_now().await;
                }
            }
        }
        address
    }

    /// Keeps the transport of `a` from doing anything until what is returned is dropped. In a simulation it does nothing anyway
    /// while the test does not wait. A frame from `b` on the control lane is what its thread is held with.
    pub(crate) async fn hold(&self, a: &Node, b: &Node) -> Option<Sender<()>> {
        let Kind::Quic(_) = self.kind else { return None };
        let held = a.recorder.shut();
        let link = b.recorder.link(0).await;
        link.send(Lane::Control, &mut |out| out.extend_from_slice(b"wait")).expect("an idle lane has room");
        a.recorder.holds().await;
        Some(held)
    }

    /// Two members, the first of which has dialled the second; and the two ends of their link.
    pub(crate) async fn pair(&self) -> (Node, Node) {
        let (a, b) = (self.start(&member("a")), self.start(&member("b")));
        a.transport.connect(named("b", &b));
        a.recorder.link(0).await;
        b.recorder.link(0).await;
        (a, b)
    }
}

/// Weak: the test's handle is the last one, whose drop is the process's death.
fn metrics_of(transport: &Arc<QuicTransport>) -> Arc<dyn Fn() -> Metrics + Send + Sync> {
    let counted = Arc::downgrade(transport);
    Arc::new(move || counted.upgrade().map(|transport| transport.metrics()).unwrap_or_default())
}

/// The address of a node, expecting a name there.
pub(crate) fn named(node: &str, at: &Node) -> Address {
    Address { endpoint: at.transport.local_address().to_string(), name: Some(name(node)) }
}

/// The address of a node of which only the cluster is known.
pub(crate) fn seed(at: &Node) -> Address {
    Address { endpoint: at.transport.local_address().to_string(), name: None }
}
