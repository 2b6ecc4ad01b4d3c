//! Faults of the simulated network, in virtual time: what ends a link, what does not, and that one seed gives one outcome.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use synod_transport::memory::{Conditions, MemoryTransport, Network, Process, Verdict};
use synod_transport::{
    Address, CloseReason, Config, Lane, Link, LinkError, Peer, PeerName, Role, Transport, TransportError,
};
use tokio::time::{Instant, sleep};

#[path = "conformance/recorder/breaks.rs"]
mod breaks;
#[path = "conformance/recorder/ends.rs"]
mod ends;
#[path = "conformance/recorder.rs"]
mod recorder;
#[path = "conformance/recorder/refusals.rs"]
mod refusals;
#[path = "conformance/recorder/resumptions.rs"]
mod resumptions;
use recorder::{Heard, Node, Recorder};

const MS: Duration = Duration::from_millis(1);
const IDLE: Duration = Duration::from_secs(3);

/// Conditions that a test changes as it goes.
#[derive(Clone)]
struct Weather(Arc<Mutex<State>>);

struct State {
    /// Directed pairs between which nothing passes.
    cut: Vec<(PeerName, PeerName)>,
    broken: bool,
    delay: Duration,
    /// Draws an additional delay from this generator, when it is not zero.
    jitter: u64,
}

impl Conditions for Weather {
    fn route(&mut self, from: &PeerName, to: &PeerName, _bytes: usize) -> Verdict {
        let mut state = self.0.lock().expect("no test panics here");
        if state.cut.iter().any(|(a, b)| a == from && b == to) {
            return Verdict::Held;
        }
        if state.broken {
            return Verdict::Broken;
        }
        if state.jitter == 0 {
            return Verdict::Deliver(state.delay);
        }
        state.jitter =
            state.jitter.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Verdict::Deliver(state.delay + MS * (state.jitter >> 58) as u32)
    }
}

impl Weather {
    fn new(jitter: u64) -> Self {
        Self(Arc::new(Mutex::new(State { cut: Vec::new(), broken: false, delay: 5 * MS, jitter })))
    }

    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().expect("no test panics here"));
    }

    fn cut(&self, pairs: &[(&str, &str)]) {
        self.set(|state| state.cut = pairs.iter().map(|(a, b)| (name(a), name(b))).collect());
    }
}

fn name(name: &str) -> PeerName {
    PeerName::new(name).expect("a name")
}

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(test)
}

fn process(node: &str, incarnation: u64) -> Process {
    Process {
        peer: Peer { name: name(node), role: Role::Member, incarnation },
        cluster: "shop".to_owned(),
        seed: 7,
        config: Config::lan(SocketAddr::from(([0, 0, 0, 0], 7400))),
    }
}

fn start(network: &Network, node: &str, incarnation: u64) -> Node {
    let recorder = Arc::new(Recorder::default());
    let transport = MemoryTransport::start(network, process(node, incarnation), recorder.clone(), |task| {
        drop(tokio::spawn(task));
    })
    .expect("it starts");
    let counted = transport.clone();
    Node { transport, recorder, metrics: Arc::new(move || counted.metrics()) }
}

fn address(node: &str) -> Address {
    Address { endpoint: format!("{node}:7400"), name: Some(name(node)) }
}

async fn pair(weather: &Weather) -> (Network, Node, Node, Arc<dyn Link>, Arc<dyn Link>) {
    let network = Network::new(weather.clone());
    let (a, b) = (start(&network, "a", 1), start(&network, "b", 1));
    a.transport.connect(address("b"));
    let (at_a, at_b) = (a.recorder.link(0).await, b.recorder.link(0).await);
    (network, a, b, at_a, at_b)
}

fn send(link: &dyn Link, number: u32) -> Result<(), LinkError> {
    link.send(Lane::Ordered(0), &mut |out| out.extend_from_slice(&number.to_le_bytes()))
}

#[test]
fn a_cut_both_ways_is_noticed_by_both_within_the_idle_timeout_and_heals() {
    run(async {
        let weather = Weather::new(0);
        let (_network, a, b, at_a, _) = pair(&weather).await;
        sleep(10 * IDLE).await;
        assert_eq!(Recorder::living(&a.recorder.heard()).len(), 1, "a healthy silent link stays");
        let begun = Instant::now();
        weather.cut(&[("a", "b"), ("b", "a")]);
        let before = at_a.connection();
        assert_eq!(a.recorder.interrupted(1).await, CloseReason::Idle);
        assert_eq!(b.recorder.interrupted(1).await, CloseReason::Idle);
        let took = begun.elapsed();
        // The last sign of life may be one keep-alive old when the cut begins.
        assert!(took <= IDLE && took >= IDLE - Duration::from_secs(1) - 10 * MS, "{took:?}");
        a.recorder.refused("a failed dial", |error| matches!(error, TransportError::Unreachable(_))).await;
        weather.cut(&[]);
        a.recorder.resumed(1).await;
        b.recorder.resumed(1).await;
        assert_ne!(at_a.connection(), before);
        assert_eq!((a.metrics)().links_opened, 1);
    });
}

#[test]
fn a_cut_one_way_is_noticed_by_both_in_turn_and_what_passes_is_heard_until_then() {
    run(async {
        let weather = Weather::new(0);
        let (_network, a, b, at_a, at_b) = pair(&weather).await;
        let begun = Instant::now();
        weather.cut(&[("a", "b")]);
        send(&*at_b, 1).expect("taken");
        send(&*at_a, 2).expect("taken");
        a.recorder.frames(Lane::Ordered(0), 1).await;
        assert_eq!(b.recorder.interrupted(1).await, CloseReason::Idle);
        assert!(begun.elapsed() <= IDLE);
        a.recorder.interrupted(1).await;
        assert!(begun.elapsed() <= 2 * IDLE + 10 * MS, "{:?}", begun.elapsed());
        assert_eq!(Recorder::bodies(&b.recorder.heard(), Lane::Ordered(0)).len(), 0);
    });
}

#[test]
fn a_short_cut_loses_and_reorders_nothing() {
    run(async {
        let weather = Weather::new(0);
        let (_network, a, b, at_a, _) = pair(&weather).await;
        for number in 0..300 {
            match number % 100 {
                30 => weather.cut(&[("a", "b"), ("b", "a")]),
                60 => weather.cut(&[]),
                _ => {}
            }
            send(&*at_a, number).expect("taken");
            sleep(10 * MS).await;
        }
        let bodies = b.recorder.frames(Lane::Ordered(0), 300).await;
        let numbers: Vec<u32> =
            bodies.iter().map(|body| u32::from_le_bytes(body[..].try_into().expect("four bytes"))).collect();
        assert_eq!(numbers, (0..300).collect::<Vec<_>>());
        assert_eq!((a.metrics)().links_opened, 1);
    });
}

#[test]
fn delays_that_shrink_do_not_reorder_a_lane() {
    run(async {
        let (_network, _a, b, at_a, _) = pair(&Weather::new(99)).await;
        for number in 0..500 {
            send(&*at_a, number).expect("taken");
            sleep(MS).await;
        }
        let bodies = b.recorder.frames(Lane::Ordered(0), 500).await;
        assert!(bodies.windows(2).all(|two| {
            let number = |body: &[u8]| u32::from_le_bytes(body.try_into().expect("four bytes"));
            number(&two[0]) + 1 == number(&two[1])
        }));
    });
}

#[test]
fn a_broken_connection_ends_at_once_at_both_ends_and_another_goes_on() {
    run(async {
        let weather = Weather::new(0);
        let (_network, a, b, at_a, _) = pair(&weather).await;
        let begun = Instant::now();
        weather.set(|state| state.broken = true);
        send(&*at_a, 1).expect("taken");
        assert!(matches!(a.recorder.interrupted(1).await, CloseReason::Lost(_)));
        assert!(matches!(b.recorder.interrupted(1).await, CloseReason::Lost(_)));
        assert!(begun.elapsed() < 10 * MS);
        weather.set(|state| state.broken = false);
        a.recorder.resumed(1).await;
        send(&*at_a, 2).expect("taken");
        let bodies = b.recorder.frames(Lane::Ordered(0), 2).await;
        assert_eq!(bodies, [1u32.to_le_bytes().as_slice(), 2u32.to_le_bytes().as_slice()]);
        assert_eq!((a.metrics)().frames_replayed, 1);
    });
}

#[test]
fn what_is_on_its_way_counts_against_the_lane() {
    run(async {
        let weather = Weather::new(0);
        weather.set(|state| state.delay = 400 * MS);
        let (_network, _a, b, at_a, _) = pair(&weather).await;
        let body = vec![7; 256 << 10];
        let mut sent = 0;
        let begun = Instant::now();
        while begun.elapsed() < 300 * MS {
            match at_a.send(Lane::Ordered(0), &mut |out| out.extend_from_slice(&body)) {
                Ok(()) => sent += 1,
                Err(error) => assert_eq!(error, LinkError::Full),
            }
            sleep(MS).await;
        }
        assert_eq!(sent, 16, "4 MiB of 256 KiB each, whatever left already");
        at_a.ready(Lane::Ordered(0)).await.expect("the link lives");
        assert!(begun.elapsed() >= 400 * MS, "room comes with the arrival");
        b.recorder.frames(Lane::Ordered(0), 16).await;
    });
}

#[test]
fn dropping_the_task_is_the_death_of_the_process() {
    run(async {
        let weather = Weather::new(0);
        let network = Network::new(weather);
        let a = start(&network, "a", 1);
        let local = tokio::task::LocalSet::new();
        let recorder = Arc::new(Recorder::default());
        let heard = recorder.clone();
        let b = local
            .run_until(async {
                let b = MemoryTransport::start(&network, process("b", 1), heard, |task| {
                    tokio::task::spawn_local(task);
                })
                .expect("it starts");
                b.connect(address("a"));
                recorder.link(0).await;
                b
            })
            .await;
        let session = a.recorder.link(0).await.session();
        let begun = Instant::now();
        drop(local);
        assert_eq!(a.recorder.interrupted(1).await, CloseReason::Idle);
        assert!(begun.elapsed() <= IDLE);
        assert_eq!(a.recorder.disconnected(session).await, CloseReason::Idle);
        assert!(begun.elapsed() <= 2 * IDLE);
        assert!(matches!(recorder.heard().last(), Some(Heard::Connected(..))), "the dead hear nothing");
        assert!(b.link(&name("a")).is_none());
        b.close(CloseReason::Shutdown, Duration::from_secs(1)).await;
        // Its place on the network is free.
        start(&network, "b", 2);
    });
}

/// A minute of three nodes that send, lose one another and find one another; everything heard, with its virtual time.
fn minute(seed: u64) -> Vec<String> {
    run(async {
        let weather = Weather::new(seed);
        let network = Network::new(weather.clone());
        let begun = Instant::now();
        let mut nodes: Vec<Node> = ["a", "b", "c"].map(|node| start(&network, node, 1)).into();
        for node in &nodes {
            for peer in ["a", "b", "c"] {
                node.transport.connect(address(peer));
            }
        }
        let mut trace = Vec::new();
        for round in 0..600u32 {
            match round {
                100 => weather.cut(&[("a", "b")]),
                200 => weather.cut(&[("b", "c"), ("c", "b")]),
                300 => weather.cut(&[]),
                400 => assert!(network.kill(&name("c"))),
                450 => nodes[2] = start(&network, "c", 2),
                _ => {}
            }
            for node in &nodes {
                for peer in ["a", "b", "c"] {
                    if let Some(link) = node.transport.link(&name(peer)) {
                        // A lane may be full while its peer is away; that too is part of the trace.
                        trace.push(format!("{:?}", send(&*link, round)));
                    }
                }
            }
            sleep(100 * MS).await;
            for node in &nodes {
                trace.push(format!("{:?} {:?}", begun.elapsed(), node.recorder.heard()));
                node.recorder.heard().clear();
            }
        }
        trace
    })
}

#[test]
fn one_seed_gives_one_outcome() {
    let first = minute(5);
    assert_eq!(first, minute(5));
    assert_ne!(first, minute(6));
    for event in ["Idle", "Unreachable", "Frames", "incarnation: 2", "Myself"] {
        assert!(first.iter().any(|line| line.contains(event)), "{event} did not happen");
    }
}
