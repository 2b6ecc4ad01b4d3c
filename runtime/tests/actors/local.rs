//! Actors of one node: order, bounds, answers of every kind, and that none of it touches the network.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use synod::actor::{ActorSystem, LookupError, SpawnError};
use synod::env::{Network, NetworkError, Open};
use synod::prelude::*;
use synod::transport::{Address, CloseReason, Link, Metrics, PeerName, Transport};
use tokio::sync::mpsc::unbounded_channel;

use crate::subjects::*;
use crate::world::{World, env, run};

/// A transport that nobody may use.
struct Untouchable;

impl Network for Untouchable {
    fn open(&self, _request: Open) -> Result<Arc<dyn Transport>, NetworkError> {
        Ok(Arc::new(Self))
    }
}

impl Transport for Untouchable {
    fn local_address(&self) -> SocketAddr {
        panic!("a local message asked for the network")
    }

    fn connect(&self, _address: Address) {
        panic!("a local message asked for the network")
    }

    fn forget(&self, _address: &Address) {
        panic!("a local message asked for the network")
    }

    fn link(&self, _peer: &PeerName) -> Option<Arc<dyn Link>> {
        panic!("a local message asked for the network")
    }

    fn metrics(&self) -> Metrics {
        panic!("a local message asked for the network")
    }

    fn close(&self, _reason: CloseReason, _grace: Duration) -> BoxFuture<'static, ()> {
        panic!("a local message asked for the network")
    }
}

async fn alone() -> (ActorSystem, ActorRef<Desk>) {
    let mut settings = World::new().settings("a", &[]);
    settings.env = env(Arc::new(Untouchable));
    let system = ActorSystem::start(settings).expect("starts");
    let clerk = system.spawn("clerk", Clerk::default).await.expect("lives").reference();
    (system, clerk)
}

#[test]
fn local_messages_are_handled_in_order_without_the_network() {
    run(async {
        let (system, clerk) = alone().await;
        for number in 0..49 {
            clerk.tell(Note(number)).await.unwrap();
            clerk.try_tell(Note(number + 1000)).unwrap();
        }
        let expected: Vec<u64> = (0..49).flat_map(|number| [number, number + 1000]).collect();
        assert_eq!(clerk.ask(Noted).await, Ok(expected.clone()));
        let diary: ActorRef<Diary> = system.lookup("clerk").await.unwrap();
        assert_eq!(diary.ask(Noted).await, Ok(expected));
        assert_eq!(clerk.ask(Add(4)).await, Ok(Ok(4)));
        assert_eq!(clerk.ask(Add(3)).await, Ok(Err(Odd { number: 3 })));
    });
}

#[test]
fn answers_come_from_futures_too() {
    run(async {
        let (_system, clerk) = alone().await;
        let now = clerk.ask(Later { millis: 50 });
        let then = clerk.ask(LaterSum { millis: 50 });
        let adding = async { clerk.ask(Add(2)).await };
        let (now, then, added) = tokio::join!(now.into_future(), then.into_future(), adding);
        assert_eq!((now, then, added), (Ok(0), Ok(2), Ok(Ok(2))));
    });
}

#[test]
fn a_full_feed_refuses_whoever_does_not_wait() {
    run(async {
        let (_system, clerk) = alone().await;
        clerk.ask(Block { millis: 10 }).await.unwrap();
        let full = AskError { cause: Cause::MailboxFull, outcome: Outcome::NotExecuted };
        let taken = (0..200).map(|number| clerk.try_tell(Note(number))).filter(Result::is_ok).count();
        assert_eq!(taken, 100);
        let impatient = clerk.ask(Noted).deadline(Duration::from_millis(1)).await;
        assert_eq!(impatient, Err(full), "its deadline passed before there was room");
        let (told, noted) = tokio::join!(clerk.tell(Note(100)), clerk.ask(Noted).into_future());
        assert_eq!(told, Ok(()));
        assert_eq!(noted, Ok((0..101).collect()), "room was made, and what was taken was handled");
    });
}

#[test]
fn whoever_waits_before_a_feed_hears_of_the_end() {
    run(async {
        let (system, clerk) = alone().await;
        let stopped = AskError { cause: Cause::Stopped, outcome: Outcome::NotExecuted };
        clerk.ask(Block { millis: 10 }).await.unwrap();
        let taken = (0..200).map(|number| clerk.try_tell(Note(number))).filter(Result::is_ok).count();
        assert!(system.stop(&clerk));
        let (told, asked) = tokio::join!(clerk.tell(Note(200)), clerk.ask(Noted).into_future());
        assert_eq!((taken, told, asked), (100, Err(stopped), Err(stopped)));
    });
}

#[test]
fn timers_fire_under_a_flood() {
    run(async {
        let (system, _) = alone().await;
        let (ticks, mut ticked) = unbounded_channel();
        let flooded = move || Clerk { ticks: Some(ticks.clone()), ..Clerk::default() };
        let clerk: ActorRef<Diary> = system.spawn_anonymous(flooded).await.unwrap().reference();
        let flood = actix_rt::spawn(async move {
            let mut sent = 0_u64;
            loop {
                while clerk.try_tell(Note(sent)).is_ok() {
                    sent += 1;
                }
                // Virtual time passes only while nobody has work, so the flood itself lets a little of it pass.
                if sent % 1_000 < 100 {
                    tokio::time::advance(Duration::from_micros(100)).await;
                } else {
                    tokio::task::yield_now().await;
                }
            }
        });
        let mut noted = 0;
        for _ in 0..20 {
            let before = std::mem::replace(&mut noted, ticked.recv().await.unwrap());
            assert!(noted >= before);
        }
        assert!(noted > 1_000, "the flood went on meanwhile: {noted}");
        flood.abort();
    });
}

#[test]
fn an_ask_times_out_and_what_was_not_begun_is_not_done() {
    run(async {
        let (_system, clerk) = alone().await;
        clerk.ask(Block { millis: 100 }).await.unwrap();
        let late = clerk.ask(Add(2)).deadline(Duration::from_millis(10)).await;
        assert_eq!(late, Err(AskError { cause: Cause::Timeout, outcome: Outcome::Unknown }));
        assert_eq!(clerk.ask(Add(4)).await, Ok(Ok(4)));
    });
}

#[test]
fn names_are_unique_and_free_again_after_the_stop() {
    run(async {
        let (system, clerk) = alone().await;
        let again = system.spawn("clerk", Clerk::default).await.err();
        assert_eq!(again, Some(SpawnError::NameTaken("clerk".into())));
        assert!(system.stop(&clerk));
        assert_eq!(system.watch(&clerk).await.reason, Reason::Stopped);
        assert_eq!(system.lookup::<Desk>("clerk").await, Err(LookupError::NotFound("clerk".into())));
        let stopped = AskError { cause: Cause::Stopped, outcome: Outcome::NotExecuted };
        assert_eq!(clerk.ask(Noted).await, Err(stopped));
        assert!(!system.stop(&clerk));
        let heir: ActorRef<Desk> = system.spawn("clerk", Clerk::default).await.unwrap().reference();
        assert_ne!(heir, clerk);
        assert_eq!(clerk.ask(Noted).await, Err(stopped), "the heir does not inherit references");
        assert_eq!(heir.ask(Noted).await, Ok(vec![]));
    });
}

#[test]
fn a_factory_that_panics_leaves_nothing() {
    run(async {
        let (system, _) = alone().await;
        let broken = |_: &Scope| -> Clerk { panic!("no clerk today") };
        let error = system.spawn("broken", broken).await.err();
        assert_eq!(error, Some(SpawnError::Panicked("no clerk today".into())));
        assert!(system.spawn("broken", Clerk::default).await.is_ok());
    });
}

#[test]
fn a_scope_gives_an_actor_its_own_reference_and_what_was_attached() {
    run(async {
        let (system, _) = alone().await;
        let answer = Arc::new(42_u64);
        system.attach(&answer);
        let (found, mut finds) = unbounded_channel();
        let curious = move |scope: &Scope| {
            found.send((scope.own::<Diary>(), scope.attached::<u64>(), scope.attached::<i8>())).unwrap();
            Clerk::default()
        };
        let spawned = system.spawn_anonymous(curious).await.unwrap();
        let (own, attached, other) = finds.recv().await.unwrap();
        assert_eq!(own, Some(spawned.reference::<Diary>()));
        assert_eq!((attached.as_deref(), other), (Some(&42), None));
    });
}

#[test]
fn an_unbound_reference_says_so_and_works_once_bound() {
    run(async {
        let (system, clerk) = alone().await;
        let mut bytes = bytes::BytesMut::new();
        synod::wire::encode(&clerk, synod::wire::Form::Compact, &mut bytes).unwrap();
        let unbound: ActorRef<Desk> = synod::wire::decode(&bytes, 100).unwrap();
        assert_eq!(unbound, clerk);
        assert_eq!(unbound.ask(Noted).await.unwrap_err().cause, Cause::Unbound);
        assert_eq!(system.bind(&unbound).ask(Noted).await, Ok(vec![]));
    });
}
