//! A slow actor slows those who call it, wherever they are, and nobody beside them.

use std::time::Duration;

use synod::actor::Limits;
use synod::prelude::*;
use tokio::time::{Instant, sleep};

use crate::subjects::*;
use crate::world::{World, linked, name, run};

const fn refused(cause: Cause) -> AskError {
    AskError { cause, outcome: Outcome::NotExecuted }
}

/// As many tells as are taken without waiting.
fn fill(clerk: &ActorRef<Desk>, from: u64) -> u64 {
    (from..).take_while(|number| clerk.try_tell(Note(*number)).is_ok()).count() as u64
}

async fn clerk_of(a: &ActorSystem, b: &ActorSystem, called: &str) -> ActorRef<Desk> {
    b.spawn(called, Clerk::default).await.unwrap();
    a.lookup(called).await.unwrap()
}

#[test]
fn a_slow_remote_actor_slows_its_callers_and_nothing_comes_back() {
    run(async {
        let world = World::new();
        let (a, b) = world.pair().await;
        let clerk = clerk_of(&a, &b, "clerk").await;
        clerk.ask(Block { millis: 1_000 }).await.unwrap();
        let began = Instant::now();
        // One of the mailbox's hundred is the request above, of which the peer is told with half of the window.
        assert_eq!(fill(&clerk, 0), 99);
        assert_eq!(clerk.try_tell(Note(0)), Err(refused(Cause::MailboxFull)));
        let impatient = clerk.ask(Noted).deadline(Duration::from_millis(100)).await;
        assert_eq!(impatient, Err(refused(Cause::MailboxFull)), "it never left");
        for number in 99..300 {
            clerk.tell(Note(number)).await.unwrap();
        }
        assert!(began.elapsed() >= Duration::from_secs(1), "told as it was handled");
        assert_eq!(clerk.ask(Noted).await, Ok((0..300).collect()));
        assert_eq!(world.letters().len(), 0);
    });
}

#[test]
fn patience_has_an_end() {
    run(async {
        let world = World::new();
        let mut settings = world.settings("a", &["b"]);
        settings.limits = Limits { ask_timeout: Duration::from_millis(300), ..Limits::default() };
        let (a, b) = (ActorSystem::start(settings).unwrap(), world.node("b", &[]));
        linked(&a, 1).await;
        let clerk = clerk_of(&a, &b, "clerk").await;
        clerk.ask(Block { millis: 1_000 }).await.unwrap();
        fill(&clerk, 0);
        let began = Instant::now();
        assert_eq!(clerk.tell(Note(0)).await, Err(refused(Cause::MailboxFull)));
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(300) && took < Duration::from_millis(310), "{took:?}");
    });
}

#[test]
fn neighbours_of_a_stalled_actor_get_what_they_would_without_it() {
    run(async {
        let mut rates = Vec::new();
        for stalled in [false, true] {
            let world = World::new();
            let (a, b) = world.pair().await;
            let slow = clerk_of(&a, &b, "slow").await;
            let mut neighbours = Vec::new();
            for number in 0..8 {
                neighbours.push(clerk_of(&a, &b, &format!("neighbour-{number}")).await);
            }
            if stalled {
                slow.ask(Block { millis: 60_000 }).await.unwrap();
            }
            let pushing = slow.clone();
            let pusher = actix_rt::spawn(async move {
                for number in 0.. {
                    if pushing.tell(Note(number)).await.is_err() {
                        break;
                    }
                    // Virtual time passes while nobody has anything to do.
                    sleep(Duration::from_micros(10)).await;
                }
            });
            let began = Instant::now();
            for round in 0..500 {
                for neighbour in &neighbours {
                    neighbour.tell(Note(round)).await.unwrap();
                }
                sleep(Duration::from_micros(10)).await;
            }
            for neighbour in &neighbours {
                assert_eq!(neighbour.ask(Noted).await, Ok((0..500).collect()));
            }
            rates.push(4_000.0 / began.elapsed().as_secs_f64());
            let held = gauge(&b, "synod_feed_messages");
            assert!(held <= 100, "{held} wait at the receiver");
            let queued = a.transport().link(&name("b")).unwrap().queued();
            assert!(queued < 1 << 16, "{queued} bytes wait at the sender");
            pusher.abort();
        }
        assert!(rates[1] >= 0.9 * rates[0], "{rates:?}");
    });
}

#[test]
fn the_end_of_a_stalled_actor_is_told_to_those_who_wait_for_it() {
    run(async {
        let world = World::new();
        let (a, b) = world.pair().await;
        let clerk = clerk_of(&a, &b, "clerk").await;
        clerk.ask(Block { millis: 1_000 }).await.unwrap();
        // The last of them ends the actor, so that what waits behind it is never handled.
        assert_eq!(fill(&clerk, 1), 99);
        let here: ActorRef<Desk> = b.lookup("clerk").await.unwrap();
        let ending = async {
            sleep(Duration::from_millis(50)).await;
            assert!(b.stop(&here));
        };
        let began = Instant::now();
        let (told, asked, ()) = tokio::join!(clerk.tell(Note(0)), clerk.ask(Noted).into_future(), ending);
        assert_eq!((told, asked), (Err(refused(Cause::Stopped)), Err(refused(Cause::Stopped))));
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        assert_eq!(clerk.try_tell(Note(0)), Err(refused(Cause::Stopped)), "without asking its node again");
        let letters = world.letters();
        assert!(letters.iter().all(|letter| letter.error == refused(Cause::Stopped)));
        assert_eq!(letters.len(), 99, "what it had not handled comes back");
    });
}

#[test]
fn the_end_of_the_link_is_told_to_those_who_wait() {
    run(async {
        let world = World::new();
        let (a, b) = world.pair().await;
        let clerk = clerk_of(&a, &b, "clerk").await;
        clerk.ask(Block { millis: 60_000 }).await.unwrap();
        fill(&clerk, 0);
        let dying = async {
            sleep(Duration::from_millis(50)).await;
            b.shutdown(Duration::from_millis(10)).await;
        };
        let (told, ()) = tokio::join!(clerk.tell(Note(0)), dying);
        assert_eq!(told.unwrap_err().outcome, Outcome::NotExecuted);
    });
}

#[test]
fn what_a_node_that_crashed_had_sent_takes_no_room_from_the_next() {
    run(async {
        let world = World::new();
        let (a, b) = world.pair().await;
        let clerk = clerk_of(&a, &b, "clerk").await;
        clerk.ask(Block { millis: 20_000 }).await.unwrap();
        fill(&clerk, 0);
        sleep(Duration::from_millis(10)).await;
        assert_eq!(gauge(&b, "synod_feed_accounts"), 1);
        world.network.kill(&name("a"));
        sleep(Duration::from_secs(10)).await;
        assert_eq!(gauge(&b, "synod_feed_accounts"), 0, "its account went with its link");
        let mut settings = world.settings("a", &["b"]);
        settings.incarnation = synod::protocols::Incarnation(2);
        let heir = ActorSystem::start(settings).unwrap();
        linked(&heir, 1).await;
        let again: ActorRef<Desk> = heir.lookup("clerk").await.unwrap();
        assert_eq!(fill(&again, 1_000), 100, "a whole window");
        sleep(Duration::from_secs(11)).await;
        let noted = again.ask(Noted).await.unwrap();
        assert_eq!(noted.len(), 199, "what had come before the crash was handled too");
    });
}

#[test]
fn those_who_share_a_feed_share_its_room() {
    run(async {
        let world = World::new();
        let b = world.node("b", &[]);
        b.spawn("clerk", Clerk::default).await.unwrap();
        let mut clerks: Vec<ActorRef<Desk>> = Vec::new();
        let mut systems = Vec::new();
        for own in ["a", "c", "d", "e"] {
            let system = world.node(own, &["b"]);
            linked(&system, 1).await;
            clerks.push(system.lookup("clerk").await.unwrap());
            systems.push(system);
        }
        // Each learns of its share with the word that half of its window has gone.
        for clerk in &clerks {
            for number in 0..100 {
                clerk.tell(Note(number)).await.unwrap();
            }
        }
        clerks[0].ask(Block { millis: 1_000 }).await.unwrap();
        let taken: Vec<u64> = clerks.iter().map(|clerk| fill(clerk, 0)).collect();
        assert!(taken.iter().all(|taken| (30..=64).contains(taken)), "{taken:?}");
        sleep(Duration::from_secs(2)).await;
        assert_eq!(clerks[1].ask(Noted).await.unwrap().len() as u64, 400 + taken.iter().sum::<u64>());
        assert_eq!(world.letters().len(), 0);
    });
}

#[test]
fn accounts_of_idle_actors_are_closed_and_opened_again() {
    run(async {
        let world = World::new();
        let (a, b) = world.pair().await;
        let mut clerks: Vec<ActorRef<Desk>> = Vec::new();
        for _ in 0..5_000 {
            let clerk: ActorRef<Desk> = b.spawn_anonymous(Clerk::default).await.unwrap().reference();
            clerks.push(a.bind(&clerk));
        }
        for round in 0..3 {
            for (position, clerk) in clerks.iter().enumerate() {
                if position % 500 == 0 {
                    sleep(Duration::from_millis(10)).await;
                }
                // More than half of the window altogether, so that counts that began anew would be missed.
                for number in 0..30 {
                    clerk.tell(Note(round * 30 + number)).await.unwrap();
                }
            }
            sleep(Duration::from_millis(10)).await;
            let accounts = gauge(&b, "synod_feed_accounts");
            assert!(accounts <= 4_200, "{accounts}");
        }
        for clerk in clerks.iter().step_by(100) {
            assert_eq!(clerk.ask(Noted).await, Ok((0..90).collect()));
            // All of the window is there.
            clerk.ask(Block { millis: 1 }).await.unwrap();
            assert!(fill(clerk, 0) >= 50);
        }
    });
}

fn gauge(system: &ActorSystem, metric: &str) -> u64 {
    let text = system.metrics().render();
    let line = text.lines().find_map(|line| line.strip_prefix(metric)?.trim().parse().ok());
    line.unwrap_or_else(|| panic!("no {metric} in {text}"))
}
