//! Messages between nodes: answers of every kind, order, large ones, and references that travel.

use std::time::Duration;

use synod::actor::LookupError;
use synod::prelude::*;

use crate::subjects::*;
use crate::world::{World, linked, run};

#[test]
fn asks_are_answered_by_values_results_and_futures() {
    run(async {
        let world = World::new();
        let (a, b) = world.pair().await;
        b.spawn("clerk", Clerk::default).await.unwrap();
        let clerk: ActorRef<Desk> = a.lookup("clerk").await.unwrap();
        assert_eq!(clerk.node(), b.name());
        assert_eq!(clerk.ask(Add(2)).await, Ok(Ok(2)));
        assert_eq!(clerk.ask(Add(3)).await, Ok(Err(Odd { number: 3 })));
        let (now, then, added) = tokio::join!(
            clerk.ask(Later { millis: 50 }).into_future(),
            clerk.ask(LaterSum { millis: 50 }).into_future(),
            clerk.ask(Add(4)).into_future()
        );
        assert_eq!((now, then, added), (Ok(2), Ok(6), Ok(Ok(6))));
    });
}

#[test]
fn tells_of_one_node_to_one_actor_arrive_in_order() {
    run(async {
        let world = World::new();
        let (a, b) = world.pair().await;
        let mut clerks = Vec::new();
        for name in ["one", "two", "three"] {
            b.spawn(name, Clerk::default).await.unwrap();
            clerks.push(a.lookup::<Desk>(name).await.unwrap());
        }
        for number in 0..90 {
            for clerk in &clerks {
                clerk.tell(Note(number)).await.unwrap();
            }
        }
        for clerk in &clerks {
            assert_eq!(clerk.ask(Noted).await, Ok((0..90).collect()));
        }
    });
}

#[test]
fn a_reference_travels_and_works_where_it_arrives() {
    run(async {
        let world = World::new();
        let (a, b) = world.pair().await;
        b.spawn("clerk", Clerk::default).await.unwrap();
        let clerk: ActorRef<Desk> = a.lookup("clerk").await.unwrap();
        let own: ActorRef<Diary> = a.spawn_anonymous(Clerk::default).await.unwrap().reference();
        let back = clerk.ask(Introduce { to: own.clone(), number: 9 }).await.unwrap();
        assert_eq!(back, own, "there and back it is the same");
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(back.ask(Noted).await, Ok(vec![9]), "its receiver used it, and it is bound here again");
    });
}

#[test]
fn what_exceeds_a_frame_goes_in_bulk_both_ways() {
    run(async {
        let world = World::new();
        let (a, b) = world.pair().await;
        b.spawn("clerk", Clerk::default).await.unwrap();
        let clerk: ActorRef<Desk> = a.lookup("clerk").await.unwrap();
        let large: Bytes = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
        for bytes in [large.slice(..5), large.slice(..5_000), large.clone()] {
            assert_eq!(clerk.ask(Echo { bytes: bytes.clone() }).await, Ok(bytes));
        }
        let mut settings = world.settings("c", &["b"]);
        settings.limits.message_bytes_max = 2_000_000;
        let c = ActorSystem::start(settings).unwrap();
        let clerk: ActorRef<Desk> = c.lookup("clerk").await.unwrap();
        let refused = clerk.ask(Echo { bytes: large }).await;
        assert_eq!(refused, Err(AskError { cause: Cause::TooLarge, outcome: Outcome::NotExecuted }));
    });
}

#[test]
fn the_receiver_bounds_large_messages_too() {
    run(async {
        let world = World::new();
        let mut settings = world.settings("b", &[]);
        settings.limits.message_bytes_max = 2_000_000;
        let b = ActorSystem::start(settings).unwrap();
        let a = world.node("a", &["b"]);
        linked(&a, 1).await;
        b.spawn("clerk", Clerk::default).await.unwrap();
        let clerk: ActorRef<Desk> = a.lookup("clerk").await.unwrap();
        let refused = clerk.ask(Echo { bytes: vec![0; 3_000_000].into() }).await.unwrap_err();
        // The receiver stops reading in the middle: whether its refusal or the broken stream comes first is open.
        assert!(matches!(refused.cause, Cause::TooLarge | Cause::LinkLost), "{refused}");
        assert_eq!(clerk.ask(Noted).await, Ok(vec![]));
    });
}

#[test]
fn lookup_asks_all_peers_and_says_who_was_silent() {
    run(async {
        let world = World::new();
        let (b, _c) = (world.node("b", &[]), world.node("c", &[]));
        let a = world.node("a", &["a", "b", "c"]);
        linked(&a, 2).await;
        b.spawn("clerk", Clerk::default).await.unwrap();
        assert!(a.lookup::<Desk>("clerk").await.is_ok());
        let began = tokio::time::Instant::now();
        assert_eq!(a.lookup::<Desk>("nobody").await, Err(LookupError::NotFound("nobody".into())));
        assert!(began.elapsed() < Duration::from_millis(10), "all have answered");
        interface!(Other = "test.other" { Note });
        let wrong = a.lookup::<Other>("clerk").await.unwrap_err();
        let serves = vec!["test.desk".to_owned(), "test.diary".to_owned()];
        assert_eq!(wrong, LookupError::WrongInterface { name: "clerk".into(), wanted: "test.other", serves });
        let lonely = world.node("l", &["b", "gone"]);
        linked(&lonely, 1).await;
        let began = tokio::time::Instant::now();
        assert_eq!(lonely.lookup::<Desk>("nobody").await, Err(LookupError::Unreachable { silent: 1 }));
        assert!(began.elapsed() <= Duration::from_millis(1_010));
        assert!(lonely.lookup::<Desk>("clerk").await.is_ok());
    });
}

#[test]
fn a_lookup_right_after_the_start_waits_for_the_link() {
    run(async {
        let world = World::new();
        let b = world.node("b", &[]);
        b.spawn("clerk", Clerk::default).await.unwrap();
        let a = world.node("a", &["b"]);
        let clerk: ActorRef<Desk> = a.lookup("clerk").await.unwrap();
        assert_eq!(clerk.ask(Noted).await, Ok(vec![]));
    });
}

#[test]
fn an_interface_that_is_served_later_is_announced_or_asked_for() {
    run(async {
        let world = World::new();
        let (a, b) = world.pair().await;
        let own = b.spawn_anonymous(Clerk::default).await.unwrap().reference::<Desk>();
        let mut bytes = bytes::BytesMut::new();
        synod::wire::encode(&own, synod::wire::Form::Compact, &mut bytes).unwrap();
        let clerk = a.bind(&synod::wire::decode::<ActorRef<Desk>>(&bytes, 100).unwrap());
        // Before the announcement has arrived.
        assert_eq!(clerk.try_tell(Note(1)).unwrap_err().cause, Cause::Unreachable);
        clerk.tell(Note(2)).await.unwrap();
        clerk.try_tell(Note(3)).unwrap();
        assert_eq!(clerk.ask(Noted).await, Ok(vec![2, 3]));
    });
}

#[test]
fn clients_call_what_is_for_clients_and_nothing_else() {
    run(async {
        let world = World::new();
        let b = world.node("b", &[]);
        b.spawn("clerk", Clerk::default).await.unwrap();
        let client = world.client("shopper", &["b"]);
        let diary: ActorRef<Diary> = client.lookup("clerk").await.unwrap();
        diary.tell(Note(5)).await.unwrap();
        assert_eq!(diary.ask(Noted).await, Ok(vec![5]));
        assert_eq!(client.lookup::<Desk>("clerk").await, Err(LookupError::Denied("clerk".into())));
        let (node, incarnation, actor): (String, u64, u64) = {
            let mut bytes = bytes::BytesMut::new();
            synod::wire::encode(&diary, synod::wire::Form::Compact, &mut bytes).unwrap();
            synod::wire::decode(&bytes, 100).unwrap()
        };
        let desk = client.bind(&forged(&node, incarnation, actor));
        let denied = AskError { cause: Cause::Denied, outcome: Outcome::NotExecuted };
        assert_eq!(desk.ask(Add(2)).await, Err(denied));
        desk.tell(Note(6)).await.unwrap();
        assert_eq!(diary.ask(Noted).await, Ok(vec![5]));
        assert_eq!(world.letters().pop().unwrap().error, denied, "the denied tell came back");
        let named = client.spawn("clerk", Clerk::default).await.err();
        assert_eq!(named, Some(SpawnError::NamedOnClient));
        let own: ActorRef<Desk> = client.spawn_anonymous(Clerk::default).await.unwrap().reference();
        assert_eq!(own.ask(Add(2)).await, Ok(Ok(2)));
    });
}
