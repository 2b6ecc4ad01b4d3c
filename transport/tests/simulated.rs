//! QUIC on the simulated network: what bad datagrams do to links, which is nothing or their end, and that a seed is one run to the last byte.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use synod_transport::simulated::{self, Body, Conditions, Network, Process};
use synod_transport::{Address, Config, Lane, Link, LinkError, PeerName, Role, Transport, TransportError};
use tokio::task::{LocalSet, spawn_local};

#[path = "conformance/recorder.rs"]
mod recorder;
#[path = "conformance/recorder/refusals.rs"]
mod refusals;
#[path = "conformance/recorder/untouched.rs"]
mod untouched;
use recorder::{Node, Recorder};

const NOW: Duration = Duration::from_secs(1_800_000_000);
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// Conditions that a test changes as it goes, and what they have done.
#[derive(Clone)]
struct Weather(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    chance: u64,
    /// In a hundred: lost, doubled, late by up to 20 ms, changed.
    lost: u64,
    doubled: u64,
    late: u64,
    changed: u64,
    /// The largest datagram that gets through.
    largest: usize,
    /// Of every datagram that was sent.
    hash: u64,
    sent: u64,
    spoilt: u64,
    swallowed: u64,
}

impl State {
    fn below(&mut self, bound: u64) -> u64 {
        self.chance =
            self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.chance >> 33) % bound
    }
}

impl Conditions for Weather {
    fn carry(
        &mut self,
        _from: &PeerName,
        _to: &PeerName,
        datagram: &[u8],
        deliver: &mut dyn FnMut(Duration, &[u8]),
    ) {
        let state = &mut *self.0.lock().expect("no test panics here");
        state.sent += 1;
        for byte in datagram {
            state.hash = (state.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
        }
        if datagram.len() > state.largest {
            state.swallowed += 1;
            return;
        }
        if state.below(100) < state.lost {
            return;
        }
        let copies = 1 + u64::from(state.below(100) < state.doubled);
        for _ in 0..copies {
            let mut delay = Duration::from_millis(2);
            if state.below(100) < state.late {
                delay += Duration::from_millis(state.below(20));
            }
            let mut bytes = datagram.to_vec();
            if state.below(100) < state.changed {
                let at = state.below(bytes.len() as u64) as usize;
                bytes[at] ^= 1 << state.below(8);
                state.spoilt += 1;
            }
            deliver(delay, &bytes);
        }
    }
}

impl Weather {
    fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State { chance: seed, largest: 9_000, ..State::default() })))
    }

    fn set<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().expect("no test panics here"))
    }
}

fn name(name: &str) -> PeerName {
    PeerName::new(name).expect("a name")
}

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    LocalSet::new().block_on(&runtime.expect("a runtime"), test)
}

/// Starts a process; `years` is how far its wall clock is ahead.
fn start(network: &Network, node: &str, seed: u64, years: u32) -> Node {
    let process = Process {
        name: name(node),
        role: Role::Member,
        cluster: "shop".to_owned(),
        incarnation: 1,
        seed,
        wall: Arc::new(move || NOW + YEAR * years),
        config: Config::lan(SocketAddr::from(([0, 0, 0, 0], 7400))),
    };
    let recorder = Arc::new(Recorder::default());
    let spawn = |body: Body| drop(spawn_local(body()));
    let transport = simulated::start(network, process, recorder.clone(), spawn).expect("it starts");
    let counted = Arc::downgrade(&transport);
    let metrics =
        Arc::new(move || counted.upgrade().map(|transport| transport.metrics()).unwrap_or_default());
    Node { transport, recorder, metrics }
}

fn address(node: &Node, of: &str) -> Address {
    Address { endpoint: node.transport.local_address().to_string(), name: Some(name(of)) }
}

async fn pair(weather: &Weather, seed: u64) -> (Node, Node, Arc<dyn Link>) {
    let network = Network::new(seed, weather.clone());
    let (a, b) = (start(&network, "a", seed, 0), start(&network, "b", seed + 1, 0));
    a.transport.connect(address(&b, "b"));
    let link = a.recorder.link(0).await;
    b.recorder.link(0).await;
    (a, b, link)
}

/// Sends numbered frames of 600 bytes on one lane.
async fn send(link: &dyn Link, count: u32) {
    for number in 0..count {
        let mut encode = |out: &mut bytes::BytesMut| {
            out.extend_from_slice(&number.to_le_bytes());
            out.resize(out.len() + 596, number as u8);
        };
        while let Err(error) = link.send(Lane::Ordered(0), &mut encode) {
            assert_eq!(error, LinkError::Full);
            link.ready(Lane::Ordered(0)).await.expect("the link lives");
        }
        if number % 16 == 0 {
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }
}

/// Waits for all numbered frames; each has to be whole, in its place, and there once.
async fn heard_all(node: &Node, count: u32) {
    let bodies = node
        .recorder
        .until("all frames", |heard| {
            let bodies = Recorder::bodies(heard, Lane::Ordered(0));
            (bodies.len() >= count as usize).then_some(bodies)
        })
        .await;
    assert_eq!(bodies.len(), count as usize);
    for (number, body) in (0..count).zip(&bodies) {
        assert_eq!(body[..4], number.to_le_bytes());
        assert!(body.len() == 600 && body[4..].iter().all(|&byte| byte == number as u8), "frame {number}");
    }
}

#[test]
fn changed_lost_doubled_and_late_datagrams_change_nothing_that_is_heard() {
    run(async {
        let weather = Weather::new(11);
        let (a, b, link) = pair(&weather, 1).await;
        weather.set(|state| (state.lost, state.doubled, state.late, state.changed) = (5, 10, 30, 10));
        send(&*link, 3_000).await;
        heard_all(&b, 3_000).await;
        let spoilt = weather.set(|state| state.spoilt);
        assert!(spoilt > 50, "{spoilt}");
        for node in [&a, &b] {
            assert_eq!(((node.metrics)().violations, (node.metrics)().links_opened), (0, 1));
        }
    });
}

#[test]
fn what_is_sent_gets_through_a_path_that_becomes_narrow() {
    run(async {
        let weather = Weather::new(12);
        let (_a, b, link) = pair(&weather, 1).await;
        // Long enough to find out that the path is wide.
        send(&*link, 500).await;
        heard_all(&b, 500).await;
        weather.set(|state| state.largest = 1_200);
        let lane = Lane::Ordered(1);
        link.send(lane, &mut |out| out.resize(out.len() + 200_000, 7)).expect("room");
        let heard = b.recorder.frames(lane, 1).await;
        assert_eq!(heard[0].len(), 200_000);
        let swallowed = weather.set(|state| state.swallowed);
        assert!(swallowed > 0, "nothing larger than the narrow path carries was sent");
    });
}

#[test]
fn a_seed_is_one_run_to_the_last_byte_and_another_seed_is_another() {
    let hash = |seed: u64, chance: u64| {
        run(async {
            let weather = Weather::new(chance);
            weather.set(|state| (state.lost, state.late, state.changed) = (3, 20, 3));
            let (_a, b, link) = pair(&weather, seed).await;
            send(&*link, 300).await;
            heard_all(&b, 300).await;
            weather.set(|state| (state.hash, state.sent))
        })
    };
    let first = hash(1, 5);
    assert_eq!(first, hash(1, 5));
    assert_ne!(first, hash(2, 5), "keys, ids and certificates are the seed's");
    assert_ne!(first, hash(1, 6), "what is lost has to be sent again");
}

#[test]
fn a_certificate_expires_by_the_wall_clock_of_the_simulation() {
    run(async {
        let network = Network::new(1, Weather::new(1));
        let (a, b) = (start(&network, "a", 1, 0), start(&network, "b", 2, 11));
        b.transport.connect(address(&a, "a"));
        b.recorder.refused("an expired certificate", |error| *error == TransportError::Expired).await;
        assert!(a.recorder.is_untouched());
    });
}
