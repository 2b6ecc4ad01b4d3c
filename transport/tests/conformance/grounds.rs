//! The two grounds on which the suite runs: the in-memory network in virtual time, and QUIC on loopback in real time.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use synod_transport::memory::{Calm, MemoryTransport, Network, Process};
use synod_transport::quic::QuicTransport;
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
}

pub(crate) fn memory() -> Ground {
    Ground { kind: Kind::Memory(Network::new(Calm(Duration::from_millis(1)))) }
}

pub(crate) fn quic() -> Ground {
    let authority = Authority::create("shop", Validity::days(1)).expect("an authority");
    Ground { kind: Kind::Quic(Box::new(authority)) }
}

/// Runs one test: memory under a paused clock, QUIC under the real one.
pub(crate) fn run<F: Future<Output = ()>>(ground: Ground, test: impl FnOnce(Ground) -> F) {
    let paused = matches!(ground.kind, Kind::Memory(_));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(paused)
        .build()
        .expect("a runtime");
    runtime.block_on(test(ground));
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
        let (transport, metrics): (Arc<dyn Transport>, Arc<dyn Fn() -> Metrics + Send + Sync>) =
            match &self.kind {
                Kind::Memory(network) => {
                    let process = Process {
                        peer: Peer { name: who.name.clone(), role: who.role, incarnation: who.incarnation },
                        cluster: who.cluster.to_owned(),
                        seed,
                        config: who.config.clone(),
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
                    let transport =
                        QuicTransport::start(who.config.clone(), identity, who.incarnation, seed, receiver)?;
                    // Weak: the test's handle is the last one, whose drop is the process's death.
                    let counted = Arc::downgrade(&transport);
                    (transport, Arc::new(move || counted.upgrade().map(|t| t.metrics()).unwrap_or_default()))
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

    /// Keeps the transport of `a` from doing anything until what is returned is dropped. In memory it does nothing anyway while
    /// the test does not wait. A frame from `b` on the control lane is what its thread is held with.
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

/// The address of a node, expecting a name there.
pub(crate) fn named(node: &str, at: &Node) -> Address {
    Address { endpoint: at.transport.local_address().to_string(), name: Some(name(node)) }
}

/// The address of a node of which only the cluster is known.
pub(crate) fn seed(at: &Node) -> Address {
    Address { endpoint: at.transport.local_address().to_string(), name: None }
}
