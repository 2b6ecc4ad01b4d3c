//! The grounds on which the suite runs: the in-memory network in virtual time, QUIC on loopback in real time, on threads of its own and
//! on the test's, and QUIC over simulated datagrams in virtual time.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use synod_transport::memory::{Conditions, MemoryTransport, Network, Process, Verdict};
use synod_transport::quic::QuicTransport;
use synod_transport::simulated;
use synod_transport::{
    Address, Authority, Config, Identity, Lane, Metrics, Peer, PeerName, Role, StartError, Transport,
    Validity,
};
use tokio::sync::oneshot;

use crate::proxy::{Faults, Proxy, Relay};
use crate::recorder::{Node, PATIENCE, Recorder};

/// What starts processes.
pub(crate) struct Ground {
    kind: Kind,
}

enum Kind {
    Memory(Network, Weather),
    Quic(Box<Authority>, Thread),
    Simulated(simulated::Network, Weather),
}

/// The faults of a network on which everything takes a millisecond otherwise.
#[derive(Clone, Default)]
pub(crate) struct Weather(Arc<Mutex<(Faults, Relay)>>);

impl Weather {
    fn set(&self, faults: Faults) {
        self.0.lock().expect("no test panics here").0 = faults;
    }
}

impl Conditions for Weather {
    fn route(&mut self, _from: &PeerName, _to: &PeerName, _bytes: usize) -> Verdict {
        let (faults, _) = &*self.0.lock().expect("no test panics here");
        if faults.cut { Verdict::Held } else { Verdict::Deliver(Duration::from_millis(1)) }
    }
}

impl simulated::Conditions for Weather {
    fn carry(
        &mut self,
        _from: &PeerName,
        _to: &PeerName,
        datagram: &[u8],
        deliver: &mut dyn FnMut(Duration, &[u8]),
    ) {
        let (faults, relay) = &mut *self.0.lock().expect("no test panics here");
        for late in relay.copies(*faults) {
            deliver(Duration::from_millis(1) + late, datagram);
        }
    }
}

/// A way to a node on which faults can be set.
pub(crate) enum Way {
    Simulated(Address, Weather),
    Quic(PeerName, Proxy),
}

impl Way {
    /// The node, to be dialled over this way.
    pub(crate) fn address(&self) -> Address {
        match self {
            Self::Simulated(address, _) => address.clone(),
            Self::Quic(name, proxy) => {
                Address { endpoint: proxy.address().to_string(), name: Some(name.clone()) }
            }
        }
    }

    /// Lets nothing through, or everything again.
    pub(crate) fn cut(&self, cut: bool) {
        self.set(Faults { cut, rough: false });
    }

    /// Loses, repeats, delays and reorders packets where there are some.
    pub(crate) fn rough(&self) {
        self.set(Faults { cut: false, rough: true });
    }

    fn set(&self, faults: Faults) {
        match self {
            Self::Simulated(_, weather) => weather.set(faults),
            Self::Quic(_, proxy) => proxy.set(faults),
        }
    }
}

/// Where QUIC runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Thread {
    Own,
    Shared,
}

pub(crate) fn memory() -> Ground {
    let weather = Weather::default();
    Ground { kind: Kind::Memory(Network::new(weather.clone()), weather) }
}

pub(crate) fn quic() -> Ground {
    on_loopback(Thread::Own)
}

pub(crate) fn quic_on_a_shared_thread() -> Ground {
    on_loopback(Thread::Shared)
}

fn on_loopback(thread: Thread) -> Ground {
    let authority = Authority::create("shop", Validity::days(1)).expect("an authority");
    Ground { kind: Kind::Quic(Box::new(authority), thread) }
}

pub(crate) fn simulated() -> Ground {
    let weather = Weather::default();
    Ground { kind: Kind::Simulated(simulated::Network::new(7, weather.clone()), weather) }
}

/// Runs one test: simulations under a paused clock, QUIC on loopback under the real one.
pub(crate) fn run<F: Future<Output = ()>>(ground: Ground, test: impl FnOnce(Ground) -> F) {
    let paused = !matches!(ground.kind, Kind::Quic(..));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
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
    config.reconnect_window = Duration::from_millis(1500);
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
                Kind::Memory(network, _) => {
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
                Kind::Quic(authority, thread) => {
                    let credential = authority
                        .issue_in(who.cluster, &who.name, who.role, Validity::days(1))
                        .expect("a credential");
                    let identity = Identity::from_credential(&credential).expect("an identity");
                    let incarnation = who.incarnation;
                    let transport = match thread {
                        Thread::Own => QuicTransport::start(config, identity, incarnation, seed, receiver)?,
                        Thread::Shared => {
                            QuicTransport::start_here(config, &identity, incarnation, seed, receiver)?
                        }
                    };
                    let metrics = metrics_of(&transport);
                    (transport, metrics)
                }
                Kind::Simulated(network, _) => {
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
            Kind::Memory(network, _) => assert!(network.kill(&who.name)),
            Kind::Simulated(network, _) => assert!(network.kill(&who.name)),
            Kind::Quic(..) => {
                drop(node);
                // The socket closes with its thread or task; there is no event for that.
                while std::net::UdpSocket::bind(address).is_err() {
                    tokio::task::yield_now().await;
                }
            }
        }
        address
    }

    /// Keeps the transport of `a` from doing anything until what is returned is dropped. One that shares the test's thread does nothing
    /// anyway while the test does not wait. A frame from `b` on the control lane is what its thread is held with.
    pub(crate) async fn hold(&self, a: &Node, b: &Node) -> Option<Sender<()>> {
        let Kind::Quic(_, Thread::Own) = self.kind else { return None };
        let (held, shut) = mpsc::channel::<()>();
        let (arrived, at_the_door) = oneshot::channel();
        let wait = move || {
            arrived.send(()).expect("the test waits for it");
            shut.recv().expect_err("the door opens when its other end is dropped");
        };
        *a.recorder.before.lock().expect("no test panics here") = Some(Box::new(wait));
        let link = b.recorder.link(0).await;
        link.send(Lane::Control, &mut |out| out.extend_from_slice(b"wait")).expect("an idle lane has room");
        let arrived = tokio::time::timeout(PATIENCE, at_the_door).await;
        arrived.expect("an event comes").expect("its thread lives");
        Some(held)
    }

    /// A way to a node on which faults can be set.
    pub(crate) fn way(&self, to: &str, at: &Node) -> Way {
        match &self.kind {
            Kind::Memory(_, weather) | Kind::Simulated(_, weather) => {
                Way::Simulated(named(to, at), weather.clone())
            }
            Kind::Quic(..) => Way::Quic(name(to), Proxy::start(at.transport.local_address())),
        }
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
