//! The same over QUIC with mutual TLS, in real time, with actors on threads of their own.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use synod::env::{Network, NetworkError, Open, Spawner};
use synod::prelude::*;
use synod::storage::Worker;
use synod::transport::quic::QuicTransport;
use synod::transport::{Address, Authority, Config, Identity, Role, Transport, Validity};
use tokio::time::Instant;

use crate::subjects::*;
use crate::world::{World, env, linked, name};

/// A network of real sockets.
struct Quic {
    identity: Identity,
}

impl Network for Quic {
    fn open(&self, request: Open) -> Result<Arc<dyn Transport>, NetworkError> {
        let config = Config::lan(request.bind);
        let incarnation = request.incarnation.0;
        let started =
            QuicTransport::start(config, self.identity.clone(), incarnation, request.seed, request.receiver);
        Ok(started.map_err(|error| NetworkError::Unusable(error.to_string()))?)
    }
}

/// Places on threads of their own.
struct Threads(Vec<actix_rt::ArbiterHandle>);

impl Threads {
    #[expect(clippy::disallowed_methods, reason = "the test is the environment")]
    fn start(count: NonZeroUsize) -> Self {
        Self((0..count.get()).map(|_| actix_rt::Arbiter::new().handle()).collect())
    }
}

impl Spawner for Threads {
    fn places(&self) -> usize {
        self.0.len()
    }

    fn start_at(&self, place: usize, start: Box<dyn FnOnce() + Send>) {
        self.0[place % self.0.len()].spawn_fn(start);
    }

    fn worker(&self, _name: &str) -> io::Result<Arc<dyn Worker>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        for arbiter in &self.0 {
            arbiter.stop();
        }
    }
}

fn node(authority: &Authority, world: &World, own: &str, peers: Vec<Address>) -> ActorSystem {
    let credential = authority.issue(&name(own), Role::Member, Validity::days(1)).unwrap();
    let identity = Identity::from_credential(&credential).unwrap();
    let mut settings = world.settings(own, &[]);
    settings.env = env(Arc::new(Quic { identity }));
    settings.env.spawner = Arc::new(Threads::start(NonZeroUsize::new(2).unwrap()));
    settings.peers = peers;
    ActorSystem::start(settings).unwrap()
}

fn address_of(system: &ActorSystem) -> Address {
    let endpoint = system.transport().local_address().to_string();
    Address { endpoint, name: Some(system.name().clone()) }
}

fn run(test: impl Future<Output = ()>) {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    actix_rt::System::with_tokio_rt(runtime).block_on(test);
}

async fn pair(world: &World) -> (ActorSystem, ActorSystem) {
    let authority = Authority::create("test", Validity::days(1)).unwrap();
    let b = node(&authority, world, "b", Vec::new());
    let a = node(&authority, world, "a", vec![address_of(&b)]);
    linked(&a, 1).await;
    (a, b)
}

#[test]
fn asks_tells_large_ones_and_references_over_quic() {
    run(async {
        let world = World::new();
        let (a, b) = pair(&world).await;
        b.spawn("clerk", Clerk::default).await.unwrap();
        let clerk: ActorRef<Desk> = a.lookup("clerk").await.unwrap();
        assert_eq!(clerk.ask(Add(2)).await, Ok(Ok(2)));
        for round in 0..20_u64 {
            for number in 0..40 {
                clerk.tell(Note(round * 40 + number)).await.unwrap();
            }
            clerk.ask(Add(2)).await.unwrap().unwrap();
        }
        assert_eq!(clerk.ask(Noted).await, Ok((0..800).collect()));
        assert_eq!(clerk.ask(LaterSum { millis: 1 }).await, Ok(42));
        let large: Bytes = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
        assert_eq!(clerk.ask(Echo { bytes: large.clone() }).await, Ok(large));
        let own: ActorRef<Diary> = a.spawn_anonymous(Clerk::default).await.unwrap().reference();
        let watched = a.clone();
        let mine = own.clone();
        let watch = actix_rt::spawn(async move { watched.watch(&mine).await });
        assert_eq!(clerk.ask(Introduce { to: own.clone(), number: 9 }).await, Ok(own.clone()));
        while own.ask(Noted).await != Ok(vec![9]) {
            tokio::task::yield_now().await;
        }
        assert!(a.stop(&own));
        assert_eq!(watch.await.unwrap().reason, Reason::Stopped);
        a.shutdown(Duration::from_secs(1)).await;
        b.shutdown(Duration::from_secs(1)).await;
    });
}

/// As an operator does it: everybody trusts both, then shows what the one that stays has issued, then trusts that one alone.
#[test]
fn the_authority_is_rolled_while_actors_talk_and_every_message_arrives_once() {
    run(async {
        let world = World::new();
        let [old, new] = [1, 2].map(|_| Authority::create("test", Validity::days(1)).unwrap());
        let b = node(&old, &world, "b", Vec::new());
        let a = node(&old, &world, "a", vec![address_of(&b)]);
        linked(&a, 1).await;
        b.spawn("clerk", Clerk::default).await.unwrap();
        let clerk: ActorRef<Desk> = a.lookup("clerk").await.unwrap();
        let mut sent = 0;
        for (issuer, trusted) in [(&old, vec![&old, &new]), (&new, vec![&old, &new]), (&new, vec![&new])] {
            for system in [&a, &b] {
                let large: Bytes = vec![7; 2_000_000].into();
                let ask = clerk.ask(Echo { bytes: large.clone() }).into_future();
                for _ in 0..50 {
                    clerk.tell(Note(sent)).await.unwrap();
                    sent += 1;
                }
                let mut issued = issuer.issue(system.name(), Role::Member, Validity::days(1)).unwrap();
                issued.authority_pem = trusted.iter().map(|authority| authority.certificate_pem()).collect();
                system.transport().renew(&Identity::from_credential(&issued).unwrap()).unwrap();
                assert_eq!(ask.await, Ok(large));
            }
        }
        assert_eq!(clerk.ask(Noted).await, Ok((0..sent).collect()));
        assert!(world.letters().is_empty());
        let counted = a.transport().metrics();
        assert_eq!((counted.links_opened, counted.renewals), (1, 3));
        assert!(counted.connections >= 2, "the last step needs another connection");
        a.shutdown(Duration::from_secs(1)).await;
        b.shutdown(Duration::from_secs(1)).await;
    });
}

#[test]
fn failures_over_quic_are_told_before_any_deadline() {
    run(async {
        let world = World::new();
        let (a, b) = pair(&world).await;
        b.spawn("clerk", Clerk::default).await.unwrap();
        let clerk: ActorRef<Desk> = a.lookup("clerk").await.unwrap();
        let hour = Duration::from_secs(3600);
        assert_eq!(clerk.ask(Boom).deadline(hour).await.unwrap_err().cause, Cause::Panicked);
        let nobody = a.bind(&forged("b", 1, 77 << 32 | 1)).ask(Noted).deadline(hour).await;
        assert_eq!(nobody, Err(AskError { cause: Cause::NoSuchActor, outcome: Outcome::NotExecuted }));
        let began = Instant::now();
        let slow = clerk.ask(Later { millis: 3_600_000 }).deadline(hour).into_future();
        let shutdown = async {
            // It comes after the slow one on the same lane: once it is answered, that one has begun.
            assert_eq!(clerk.ask(Noted).await, Ok(vec![]));
            b.shutdown(Duration::from_millis(200)).await;
        };
        let (slow, end, ()) = tokio::join!(slow, a.watch(&clerk), shutdown);
        assert_eq!(slow.unwrap_err().outcome, Outcome::Unknown);
        assert_eq!(end.reason, Reason::Shutdown);
        let after = clerk.ask(Noted).deadline(hour).await.unwrap_err();
        assert_eq!(after.outcome, Outcome::NotExecuted);
        assert!(began.elapsed() < Duration::from_secs(4));
        a.shutdown(Duration::from_secs(1)).await;
    });
}
