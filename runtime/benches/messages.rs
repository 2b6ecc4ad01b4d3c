//! Messages a second and the time of an answer: on one node beside plain actix, and between two nodes over QUIC with TLS on.
//!
//! `cargo bench -p synod --bench messages`. Both nodes live in this process, on one arbiter each; their transports have threads
//! of their own.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use synod::actor::{DeadLetterHook, Limits, Policy, Settings};
use synod::env::{Clock, Env, Network, NetworkError, Open, Spawner};
use synod::prelude::*;
use synod::protocols::{Incarnation, Timestamp};
use synod::storage::Worker;
use synod::telemetry::Metrics;
use synod::transport::quic::QuicTransport;
use synod::transport::{Address, Authority, Config, Identity, PeerName, Role, Transport, Validity};
use tokio::time::Instant;

#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "()")]
#[wire(id = "bench.Tell")]
struct Tell {
    sequence: u64,
    payload: Bytes,
}

#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "u64")]
#[wire(id = "bench.Count")]
struct Count {
    payload: Bytes,
}

interface!(Sink = "bench.sink" { Tell, Count });

#[derive(Default, Remote)]
#[remote(Sink, mailbox = 1_000_000)]
struct Drain {
    count: u64,
}

impl Actor for Drain {
    type Context = Context<Self>;
}

impl Handler<Tell> for Drain {
    type Result = ();

    fn handle(&mut self, tell: Tell, _: &mut Context<Self>) {
        self.count += 1;
        std::hint::black_box((tell.sequence, tell.payload));
    }
}

impl Handler<Count> for Drain {
    type Result = u64;

    fn handle(&mut self, count: Count, _: &mut Context<Self>) -> u64 {
        std::hint::black_box(count.payload);
        self.count
    }
}

struct Quic(Identity);

impl Network for Quic {
    fn open(&self, request: Open) -> Result<Arc<dyn Transport>, NetworkError> {
        let config = Config::lan(request.bind);
        let started = QuicTransport::start(
            config,
            self.0.clone(),
            request.incarnation.0,
            request.seed,
            request.receiver,
        );
        Ok(started.map_err(|error| NetworkError::Unusable(error.to_string()))?)
    }
}

struct Wall(Instant);

impl Clock for Wall {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.elapsed().as_nanos() as u64)
    }

    fn wall(&self) -> Duration {
        self.0.elapsed()
    }
}

struct OneArbiter(actix_rt::Arbiter);

impl Spawner for OneArbiter {
    fn places(&self) -> usize {
        1
    }

    fn start_at(&self, _place: usize, start: Box<dyn FnOnce() + Send>) {
        self.0.spawn_fn(start);
    }

    fn worker(&self, _name: &str) -> io::Result<Arc<dyn Worker>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[expect(clippy::disallowed_methods, reason = "the benchmark is the environment")]
fn node(authority: &Authority, own: &str, peers: Vec<Address>) -> ActorSystem {
    let name = PeerName::new(own).expect("a name");
    let credential = authority.issue(&name, Role::Member, Validity::days(1)).expect("issues");
    let identity = Identity::from_credential(&credential).expect("an identity");
    let env = Env {
        clock: Arc::new(Wall(Instant::now())),
        spawner: Arc::new(OneArbiter(actix_rt::Arbiter::new())),
        seed: 1,
        network: Arc::new(Quic(identity)),
        disk: None,
    };
    let settings = Settings {
        cluster: "bench".into(),
        name,
        role: Role::Member,
        incarnation: Incarnation(1),
        env,
        bind: "127.0.0.1:0".parse().expect("an address"),
        peers,
        metrics: Metrics::default(),
        limits: Limits::default(),
        policy: Policy::default(),
        dead_letters: DeadLetterHook::default(),
    };
    ActorSystem::start(settings).expect("starts")
}

fn payload() -> Bytes {
    Bytes::from_static(&[7; 64])
}

fn report(what: &str, messages: u64, began: Instant) {
    let took = began.elapsed();
    println!(
        "{what}: {:.0}/s, {:.0} ns each",
        messages as f64 / took.as_secs_f64(),
        took.as_nanos() as f64 / messages as f64
    );
}

/// Tells in rounds that the feed holds, each ended by an ask.
async fn tells(what: &str, sink: &ActorRef<Sink>, rounds: u64) {
    const ROUND: u64 = 200_000;
    let before = sink.ask(Count { payload: Bytes::new() }).await.expect("answers");
    let began = Instant::now();
    for _ in 0..rounds {
        for sequence in 0..ROUND {
            sink.tell(Tell { sequence, payload: payload() }).await.expect("takes");
        }
        sink.ask(Count { payload: Bytes::new() }).await.expect("answers");
    }
    report(what, rounds * ROUND, began);
    let after = sink.ask(Count { payload: Bytes::new() }).await.expect("answers");
    assert_eq!(after - before, rounds * ROUND, "none was lost");
}

async fn plain_actix(sink: &Addr<Drain>, rounds: u64) {
    const ROUND: u64 = 200_000;
    let began = Instant::now();
    for _ in 0..rounds {
        for sequence in 0..ROUND {
            sink.do_send(Tell { sequence, payload: payload() });
        }
        sink.send(Count { payload: Bytes::new() }).await.expect("answers");
    }
    report("actix do_send to another arbiter", rounds * ROUND, began);
}

async fn asks(what: &str, sink: &ActorRef<Sink>, at_once: u64, each: u64) {
    let began = Instant::now();
    let askers: Vec<_> = (0..at_once)
        .map(|_| {
            let sink = sink.clone();
            actix_rt::spawn(async move {
                let mut times = Vec::with_capacity(each as usize);
                for _ in 0..each {
                    let asked = Instant::now();
                    sink.ask(Count { payload: payload() }).await.expect("answers");
                    times.push(asked.elapsed().as_nanos() as u64);
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for asker in askers {
        times.extend(asker.await.expect("no panic"));
    }
    report(&format!("{what}, {at_once} at once"), at_once * each, began);
    times.sort_unstable();
    println!("    p50 {} us, p99 {} us", times[times.len() / 2] / 1000, times[times.len() * 99 / 100] / 1000);
}

fn main() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    actix_rt::System::with_tokio_rt(runtime).block_on(async {
        let authority = Authority::create("bench", Validity::days(1)).expect("an authority");
        let b = node(&authority, "b", Vec::new());
        let endpoint = b.transport().local_address().to_string();
        let a = node(&authority, "a", vec![Address { endpoint, name: PeerName::new("b") }]);
        let here = a.spawn("here", Drain::default).await.expect("lives");
        b.spawn("there", Drain::default).await.expect("lives");
        let there: ActorRef<Sink> = a.lookup("there").await.expect("is found");
        for _ in 0..3 {
            plain_actix(here.address(), 5).await;
            tells("tell to another arbiter", &here.reference(), 5).await;
            tells("tell over QUIC", &there, 5).await;
        }
        asks("ask of another arbiter", &here.reference(), 1, 20_000).await;
        asks("ask over QUIC", &there, 1, 5_000).await;
        asks("ask over QUIC", &there, 64, 2_000).await;
        asks("ask over QUIC", &there, 1024, 200).await;
    });
}
