//! Watchers are told once: at once for the dead, at the stop, after too many panics, when the node is down.

use std::sync::Arc;
use std::time::Duration;

use synod::prelude::*;
use synod::protocols::Incarnation;
use tokio::time::Instant;

use crate::breaks::held_network;
use crate::subjects::*;
use crate::world::{World, linked, name, run};

#[test]
fn a_remote_stop_is_told() {
    run(async {
        let world = World::new();
        let (a, b) = world.pair().await;
        let spawned = b.spawn("clerk", Clerk::default).await.unwrap();
        let clerk: ActorRef<Desk> = a.lookup("clerk").await.unwrap();
        let stop = async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            spawned.stop();
        };
        let began = Instant::now();
        let (end, ()) = tokio::join!(a.watch(&clerk), stop);
        assert_eq!(end, Terminated { reason: Reason::Stopped, incarnation: 1 });
        assert!(began.elapsed() < Duration::from_millis(60_010));
    });
}

#[test]
fn whom_a_watcher_was_told_to_be_down_is_not_talked_with_until_it_starts_again() {
    run(async {
        let (weather, network) = held_network();
        let world = World { network, letters: Arc::default() };
        let (a, b) = world.pair().await;
        b.spawn("clerk", Clerk::default).await.unwrap();
        a.spawn("host", Clerk::default).await.unwrap();
        let clerk: ActorRef<Desk> = a.lookup("clerk").await.unwrap();
        let host: ActorRef<Desk> = b.lookup("host").await.unwrap();
        let gone = actix_rt::spawn({
            let (a, clerk) = (a.clone(), clerk.clone());
            async move { a.watch(&clerk).await }
        });
        tokio::time::sleep(Duration::from_millis(10)).await;
        weather.cut(true);
        assert_eq!(gone.await.unwrap().reason, Reason::NodeDown);
        weather.cut(false);
        linked(&a, 1).await;
        linked(&b, 1).await;
        assert_eq!(a.quarantined(), [(name("b"), 1)]);
        assert!(a.metrics().render().contains("synod_peers_quarantined 1"));
        let refused = AskError { cause: Cause::Quarantined, outcome: Outcome::NotExecuted };
        assert_eq!(clerk.ask(Noted).await, Err(refused));
        assert_eq!(clerk.tell(Note(1)).await, Err(refused));
        assert_eq!(clerk.try_tell(Note(1)), Err(refused));
        assert_eq!(a.watch(&clerk).await.reason, Reason::NodeDown);
        assert_eq!(host.ask(Noted).await, Err(refused), "nor does it hear that node's actors");
        host.tell(Note(2)).await.unwrap();
        let large = host.ask(Echo { bytes: vec![1; 2_000_000].into() }).await;
        assert_eq!(large, Err(refused));
        assert_eq!(b.watch(&host).await.reason, Reason::NodeDown);
        tokio::time::sleep(Duration::from_millis(10)).await;
        let letters = world.letters();
        assert_eq!(letters.iter().map(|letter| letter.error).collect::<Vec<_>>(), [refused]);
        let here: ActorRef<Desk> = a.lookup("host").await.unwrap();
        assert_eq!(here.ask(Noted).await, Ok(vec![]));
        // It starts again, and is another.
        world.network.kill(&name("b"));
        let mut settings = world.settings("b", &["a"]);
        settings.incarnation = Incarnation(2);
        let heir = ActorSystem::start(settings).unwrap();
        linked(&heir, 1).await;
        assert_eq!(a.quarantined(), []);
        heir.spawn("clerk", Clerk::default).await.unwrap();
        let clerk: ActorRef<Desk> = a.lookup("clerk").await.unwrap();
        assert_eq!(clerk.ask(Add(2)).await, Ok(Ok(2)));
        let host: ActorRef<Desk> = heir.lookup("host").await.unwrap();
        assert_eq!(host.ask(Noted).await, Ok(vec![]));
    });
}

#[test]
fn whom_nobody_watched_is_talked_with_after_a_long_cut() {
    run(async {
        let (weather, network) = held_network();
        let world = World { network, letters: Arc::default() };
        let (a, b) = world.pair().await;
        b.spawn("clerk", Clerk::default).await.unwrap();
        let clerk: ActorRef<Desk> = a.lookup("clerk").await.unwrap();
        weather.cut(true);
        tokio::time::sleep(Duration::from_secs(20)).await;
        weather.cut(false);
        linked(&a, 1).await;
        assert_eq!(a.quarantined(), []);
        assert_eq!(clerk.ask(Add(2)).await, Ok(Ok(2)));
    });
}

#[test]
fn remote_panics_that_end_the_actor_are_told() {
    run(async {
        let world = World::new();
        let (a, b) = world.pair().await;
        b.spawn("clerk", Clerk::default).await.unwrap();
        let clerk: ActorRef<Desk> = a.lookup("clerk").await.unwrap();
        let booms = async {
            for _ in 0..4 {
                clerk.ask(Boom).await.unwrap_err();
            }
        };
        let (end, ()) = tokio::join!(a.watch(&clerk), booms);
        assert_eq!(end.reason, Reason::Panicked);
    });
}

#[test]
fn watching_the_dead_and_the_unknown_is_answered_at_once() {
    run(async {
        let world = World::new();
        let (a, b) = world.pair().await;
        b.spawn("clerk", Clerk::default).await.unwrap();
        let clerk: ActorRef<Desk> = a.lookup("clerk").await.unwrap();
        clerk.ask(Halt).await.unwrap();
        let began = Instant::now();
        assert_eq!(a.watch(&clerk).await.reason, Reason::Stopped);
        assert_eq!(a.watch(&forged("b", 1, 99 << 32 | 1)).await.reason, Reason::NoSuchActor);
        assert_eq!(a.watch(&forged("b", 0, 1)).await.reason, Reason::NodeDown);
        assert_eq!(a.watch(&forged("stranger", 1, 1)).await.reason, Reason::NodeDown);
        assert_eq!(a.watch(&forged("a", 1, 99 << 32 | 1)).await.reason, Reason::NoSuchActor);
        assert!(began.elapsed() < Duration::from_millis(10));
    });
}

#[test]
fn the_death_of_a_node_is_told_after_its_silence() {
    run(async {
        let world = World::new();
        let (a, b) = world.pair().await;
        b.spawn("clerk", Clerk::default).await.unwrap();
        let clerk: ActorRef<Desk> = a.lookup("clerk").await.unwrap();
        let kill = async {
            tokio::time::sleep(Duration::from_secs(10)).await;
            world.network.kill(&name("b"));
        };
        let began = Instant::now();
        let (end, ()) = tokio::join!(a.watch(&clerk), kill);
        assert_eq!(end.reason, Reason::NodeDown);
        assert!(began.elapsed() <= Duration::from_secs(17), "idle timeout of the link, then of the watch");
    });
}

#[test]
fn a_restart_of_the_node_is_told_when_it_comes_back() {
    run(async {
        let world = World::new();
        let (a, b) = world.pair().await;
        b.spawn("clerk", Clerk::default).await.unwrap();
        let clerk: ActorRef<Desk> = a.lookup("clerk").await.unwrap();
        let restart = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            world.network.kill(&name("b"));
            let mut settings = world.settings("b", &["a"]);
            settings.incarnation = Incarnation(2);
            let heir = ActorSystem::start(settings).unwrap();
            linked(&heir, 1).await;
            heir
        };
        let began = Instant::now();
        let (end, _heir) = tokio::join!(a.watch(&clerk), restart);
        assert_eq!(end, Terminated { reason: Reason::NodeDown, incarnation: 1 });
        assert!(began.elapsed() < Duration::from_millis(1_200), "{:?}", began.elapsed());
    });
}

#[test]
fn an_orderly_shutdown_ends_its_actors() {
    run(async {
        let world = World::new();
        let (a, b) = world.pair().await;
        b.spawn("clerk", Clerk::default).await.unwrap();
        let clerk: ActorRef<Desk> = a.lookup("clerk").await.unwrap();
        let shutdown = async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            b.shutdown(Duration::from_secs(1)).await;
        };
        let began = Instant::now();
        let (end, ()) = tokio::join!(a.watch(&clerk), shutdown);
        assert_eq!(end.reason, Reason::Shutdown);
        assert!(began.elapsed() < Duration::from_millis(100));
    });
}

#[test]
fn a_watch_survives_a_broken_link() {
    run(async {
        let world = World::new();
        let (a, b) = world.pair().await;
        let spawned = b.spawn("clerk", Clerk::default).await.unwrap();
        let clerk: ActorRef<Desk> = a.lookup("clerk").await.unwrap();
        let trouble = async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let link = a.transport().link(&name("b")).unwrap();
            link.close(synod::transport::CloseReason::Lost("cut by the test".into()));
            tokio::time::sleep(Duration::from_millis(2_500)).await;
            spawned.stop();
        };
        let (end, ()) = tokio::join!(a.watch(&clerk), trouble);
        assert_eq!(end.reason, Reason::Stopped, "the watch was entered again on the next link");
    });
}
