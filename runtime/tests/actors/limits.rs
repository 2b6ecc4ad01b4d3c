//! What one peer may make a node keep: each limit is reached, refused with its cause, counted, and free again afterwards.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use synod::actor::Limits;
use synod::prelude::*;
use synod::wire::{Call, Described, Form, Head, Manifest, encode};
use tokio::time::sleep;

use crate::hostile::{Raw, counted};
use crate::subjects::*;
use crate::world::{World, linked, run};

/// A node with these limits and a clerk.
async fn node(world: &World, limits: Limits) -> (ActorSystem, ActorRef<Desk>) {
    let mut settings = world.settings("b", &[]);
    settings.limits = limits;
    let b = ActorSystem::start(settings).unwrap();
    let clerk = b.spawn("clerk", Clerk::default).await.unwrap().reference();
    (b, clerk)
}

fn reached(system: &ActorSystem, limit: &str) -> u64 {
    counted(system, &format!("synod_peer_limits_reached_total{{limit=\"{limit}\"}}"))
}

fn body<T: Serialize>(value: &T) -> Vec<u8> {
    let mut out = BytesMut::new();
    encode(value, Form::Compact, &mut out).unwrap();
    out.to_vec()
}

/// The number by which frames name an actor.
fn target(of: &ActorRef<Desk>) -> u64 {
    let (_, _, target): (String, u64, u64) = synod::wire::decode(&body(of), 100).unwrap();
    target
}

#[test]
fn asks_that_are_answered_later_are_bounded_for_each_peer() {
    run(async {
        let world = World::new();
        let (b, _) = node(&world, Limits { peer_asks_max: 10, ..Limits::default() }).await;
        let (a, c) = (world.node("a", &["b"]), world.node("c", &["b"]));
        linked(&b, 2).await;
        let there: ActorRef<Desk> = a.lookup("clerk").await.unwrap();
        let asks: Vec<_> = (0..25).map(|_| there.ask(Later { millis: 1_000 }).into_future()).collect();
        let from_another = async {
            sleep(Duration::from_millis(500)).await;
            let there: ActorRef<Desk> = c.lookup("clerk").await.unwrap();
            assert!(there.ask(Later { millis: 1 }).await.is_ok(), "another peer has a share of its own");
        };
        let (answers, ()) = tokio::join!(futures_util::future::join_all(asks), from_another);
        let full = AskError { cause: Cause::LinkFull, outcome: Outcome::NotExecuted };
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 10);
        assert_eq!(answers.iter().filter(|answer| **answer == Err(full)).count(), 15);
        assert_eq!(reached(&b, "asks"), 15);
        assert!(there.ask(Later { millis: 1 }).await.is_ok(), "there is room again");
    });
}

#[test]
fn watches_are_bounded_for_each_peer() {
    run(async {
        let world = World::new();
        let (b, clerk) = node(&world, Limits { peer_watches_max: 3, ..Limits::default() }).await;
        let (raw, _transport) = Raw::connect(&world, "b").await;
        let actor = body(&target(&clerk));
        for correlation in 1..=5 {
            raw.send_head(&Head::Watch(correlation), &actor);
        }
        sleep(Duration::from_millis(10)).await;
        let denied = |raw: &Raw| raw.answers().len();
        assert_eq!((denied(&raw), reached(&b, "watches")), (2, 2));
        // One that is taken back makes room, and so does one that was never entered.
        raw.send_head(&Head::Unwatch(1), &actor);
        raw.send_head(&Head::Unwatch(77), &actor);
        raw.send_head(&Head::Watch(6), &actor);
        raw.send_head(&Head::Watch(7), &actor);
        sleep(Duration::from_millis(10)).await;
        assert_eq!((denied(&raw), reached(&b, "watches")), (3, 3));
        assert!(b.stop(&clerk));
        sleep(Duration::from_millis(10)).await;
        assert_eq!(denied(&raw), 6, "the three that were entered are told of the end");
        let clerk = b.spawn("next", Clerk::default).await.unwrap().reference();
        raw.send_head(&Head::Watch(8), &body(&target(&clerk)));
        sleep(Duration::from_millis(10)).await;
        assert_eq!((denied(&raw), reached(&b, "watches")), (6, 3), "the told ones have made room");
    });
}

#[test]
fn what_a_peer_says_of_interfaces_is_bounded_in_bytes() {
    run(async {
        let world = World::new();
        let (b, clerk) = node(&world, Limits::default()).await;
        let (raw, _transport) = Raw::connect(&world, "b").await;
        let manifest = |number: u16| Manifest {
            interface: format!("made-up-{number}"),
            number,
            messages: vec![Described { id: "x".repeat(200_000), fingerprint: 1, compact: true }],
            window: None,
        };
        // 200 KB each, 4 MiB in all; the same one again takes no more room.
        for number in 0..100 {
            raw.send_head(&Head::Announce, &body(&manifest(number)));
            raw.send_head(&Head::Announce, &body(&manifest(0)));
            sleep(Duration::from_millis(2)).await;
        }
        assert_eq!(reached(&b, "interfaces"), 80);
        assert_eq!(clerk.ask(Noted).await, Ok(vec![]));
    });
}

#[test]
fn a_large_message_that_comes_no_further_is_given_up() {
    run(async {
        let world = World::new();
        let patience = Duration::from_secs(3);
        let (b, clerk) = node(&world, Limits { bulk_patience: patience, ..Limits::default() }).await;
        let (raw, _transport) = Raw::connect(&world, "b").await;
        let mut inner = BytesMut::new();
        Head::Tell(Call { message: 2, target: target(&clerk), ..Call::default() }).write(&mut inner);
        raw.send_head(&Head::Parcel { number: 1, size: 1_000_000 }, &inner);
        let mut header = BytesMut::new();
        Head::Parcel { number: 1, size: 1_000_000 }.write(&mut header);
        header.extend_from_slice(&inner);
        let mut stream = raw.link().open_bulk(header.freeze()).await.unwrap();
        // As long as something comes now and then, it may take its time.
        for _ in 0..3 {
            stream.write(Bytes::from_static(b"x")).await.unwrap();
            sleep(Duration::from_secs(2)).await;
        }
        assert_eq!((raw.answers().len(), reached(&b, "bulk")), (0, 0));
        sleep(patience).await;
        let refused = Some(AskError::not_executed(Cause::Timeout));
        assert_eq!(raw.answers(), [Head::Settled { number: 1, refused }]);
        assert_eq!(reached(&b, "bulk"), 1);
        // What was sent behind it does not wait for it.
        raw.send_head(&Head::Tell(Call { message: 2, target: target(&clerk), ..Call::default() }), b"\x05");
        sleep(Duration::from_millis(10)).await;
        assert_eq!(clerk.ask(Noted).await, Ok(vec![5]));
    });
}

/// Answers wait only for a peer that does not read: here it is out of reach for a while, and its link goes on afterwards.
#[test]
fn answers_that_a_peer_does_not_read_are_bounded_in_bytes() {
    run(async {
        let (weather, network) = crate::breaks::held_network();
        let world = World { network, letters: Arc::default() };
        let limits = Limits { peer_answer_bytes_max: 2 << 20, ..Limits::default() };
        let (b, _) = node(&world, limits).await;
        let a = world.node("a", &["b"]);
        linked(&b, 1).await;
        let there: ActorRef<Desk> = a.lookup("clerk").await.unwrap();
        let answers: Vec<_> = {
            let mut asks = vec![];
            let block = there.ask(Block { millis: 100 }).into_future();
            let bytes: Bytes = vec![7; 900_000].into();
            for _ in 0..20 {
                asks.push(
                    there.ask(Echo { bytes: bytes.clone() }).deadline(Duration::from_secs(60)).into_future(),
                );
            }
            let cut = async {
                sleep(Duration::from_millis(50)).await;
                weather.cut(true);
                sleep(Duration::from_millis(500)).await;
                weather.cut(false);
            };
            let asked = futures_util::future::join_all(asks);
            let (_, _, answers) = tokio::join!(block, cut, asked);
            answers
        };
        let spent = AskError { cause: Cause::LinkFull, outcome: Outcome::Unknown };
        let refused = answers.iter().filter(|answer| **answer == Err(spent)).count() as u64;
        assert!(refused > 0 && answers.iter().filter(|answer| answer.is_ok()).count() as u64 == 20 - refused);
        assert_eq!(reached(&b, "answers"), refused);
        assert_eq!(there.ask(Noted).await, Ok(vec![]), "the link goes on");
    });
}
