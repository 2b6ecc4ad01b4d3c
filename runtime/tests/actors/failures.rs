//! Each way in which a message can fail: the cause, the outcome, and that nobody waits for his deadline to learn it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use synod::env::Clock;
use synod::prelude::*;
use synod::protocols::{Incarnation, Timestamp};
use tokio::time::{Instant, timeout};

use crate::subjects::*;
use crate::world::{World, linked, name, run};

const fn not_executed(cause: Cause) -> AskError {
    AskError { cause, outcome: Outcome::NotExecuted }
}

const fn unknown(cause: Cause) -> AskError {
    AskError { cause, outcome: Outcome::Unknown }
}

/// What an ask with a deadline of an hour comes to, and after how long.
async fn timed(clerk: &ActorRef<Desk>) -> (AskError, Duration) {
    let began = Instant::now();
    let error = clerk.ask(Noted).deadline(Duration::from_secs(3600)).await.unwrap_err();
    (error, began.elapsed())
}

/// One round trip and what rounding adds.
const AT_ONCE: Duration = Duration::from_millis(5);

#[test]
fn the_dead_the_unknown_and_the_stale_fail_at_once() {
    run(async {
        let world = World::new();
        let (a, b) = world.pair().await;
        b.spawn("clerk", Clerk::default).await.unwrap();
        let clerk: ActorRef<Desk> = a.lookup("clerk").await.unwrap();
        clerk.ask(Halt).await.unwrap();
        let (error, took) = timed(&clerk).await;
        assert_eq!(error, not_executed(Cause::Stopped));
        assert!(took <= AT_ONCE);
        let (error, took) = timed(&a.bind(&forged("b", 1, 77 << 32 | 1))).await;
        assert_eq!(error, not_executed(Cause::NoSuchActor));
        assert!(took <= AT_ONCE);
        let (error, took) = timed(&a.bind(&forged("b", 0, 1))).await;
        assert_eq!(error, not_executed(Cause::StaleIncarnation));
        assert_eq!(took, Duration::ZERO, "nothing is sent");
        let (error, took) = timed(&a.bind(&forged("a", 9, 1))).await;
        assert_eq!((error, took), (not_executed(Cause::StaleIncarnation), Duration::ZERO));
    });
}

#[test]
fn a_stopping_remote_actor_gives_back_what_waits() {
    run(async {
        let world = World::new();
        let (a, b) = world.pair().await;
        b.spawn("clerk", Clerk::default).await.unwrap();
        let clerk: ActorRef<Desk> = a.lookup("clerk").await.unwrap();
        let (halt, told, asked) =
            tokio::join!(clerk.ask(Halt).into_future(), clerk.tell(Note(1)), clerk.ask(Noted).into_future());
        assert_eq!((halt, told, asked), (Ok(()), Ok(()), Err(not_executed(Cause::Stopped))));
        tokio::time::sleep(AT_ONCE).await;
        let letters = world.letters();
        assert_eq!(letters.len(), 1);
        let letter = &letters[0];
        assert_eq!((letter.message.as_str(), letter.error), ("test.Note", not_executed(Cause::Stopped)));
        assert_eq!(letter.node, name("b"));
        assert_eq!(synod::wire::decode::<u64>(letter.body.as_ref().unwrap(), 100), Ok(1), "with its body");
    });
}

#[test]
fn a_remote_panic_is_told_and_costs_nobody_else() {
    run(async {
        let world = World::new();
        let (a, b) = world.pair().await;
        b.spawn("clerk", Clerk::default).await.unwrap();
        let clerk: ActorRef<Desk> = a.lookup("clerk").await.unwrap();
        let (boom, told, added) =
            tokio::join!(clerk.ask(Boom).into_future(), clerk.tell(Note(8)), clerk.ask(Add(2)).into_future());
        assert_eq!((boom, told, added), (Err(unknown(Cause::Panicked)), Ok(()), Ok(Ok(2))));
        assert_eq!(clerk.ask(Noted).await, Ok(vec![8]), "the rest of the batch is the successor's");
    });
}

#[test]
fn a_node_that_cannot_be_dialled_fails_within_the_connect_timeout() {
    run(async {
        let a = World::new().node("a", &["gone"]);
        let (error, took) = timed(&a.bind(&forged("gone", 1, 1))).await;
        assert_eq!(error, not_executed(Cause::Unreachable));
        assert!(took <= Duration::from_millis(1_005), "{took:?}");
        let (error, took) = timed(&a.bind(&forged("stranger", 1, 1))).await;
        assert_eq!((error, took), (not_executed(Cause::Unreachable), Duration::ZERO), "nobody dials it");
        assert_eq!(a.bind(&forged("gone", 1, 1)).try_tell(Note(1)), Err(not_executed(Cause::Unreachable)));
    });
}

#[test]
fn asks_in_flight_fail_when_the_link_dies() {
    run(async {
        let world = World::new();
        let (a, b) = world.pair().await;
        b.spawn("clerk", Clerk::default).await.unwrap();
        let clerk: ActorRef<Desk> = a.lookup("clerk").await.unwrap();
        let hour = Duration::from_secs(3600);
        let slow = clerk.ask(Later { millis: 3_600_000 }).deadline(hour).into_future();
        let began = Instant::now();
        let kill = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            world.network.kill(&name("b"));
        };
        let (slow, ()) = tokio::join!(slow, kill);
        assert_eq!(slow, Err(unknown(Cause::LinkLost)));
        assert!(
            began.elapsed() <= Duration::from_secs(7),
            "within the idle timeout and the reconnect window"
        );
        let (error, took) = timed(&clerk).await;
        assert_eq!(error, not_executed(Cause::Unreachable));
        assert!(took <= Duration::from_millis(1_005));
    });
}

#[test]
fn an_orderly_shutdown_fails_what_is_in_flight_at_once() {
    run(async {
        let world = World::new();
        let (a, b) = world.pair().await;
        b.spawn("clerk", Clerk::default).await.unwrap();
        let clerk: ActorRef<Desk> = a.lookup("clerk").await.unwrap();
        let began = Instant::now();
        let slow = clerk.ask(Later { millis: 3_600_000 }).deadline(Duration::from_secs(3600)).into_future();
        let (slow, ()) = tokio::join!(slow, async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            b.shutdown(Duration::from_millis(100)).await;
        });
        assert_eq!(slow.unwrap_err().outcome, Outcome::Unknown);
        assert!(began.elapsed() < Duration::from_millis(500));
        let (error, took) = timed(&clerk).await;
        assert_eq!((error, took), (not_executed(Cause::Unreachable), Duration::ZERO), "it said goodbye");
    });
}

#[test]
fn a_reference_to_the_process_before_a_restart_is_stale() {
    run(async {
        let world = World::new();
        let (a, b) = world.pair().await;
        b.spawn("clerk", Clerk::default).await.unwrap();
        let clerk: ActorRef<Desk> = a.lookup("clerk").await.unwrap();
        clerk.ask(Add(2)).await.unwrap().unwrap();
        world.network.kill(&name("b"));
        let mut settings = world.settings("b", &["a"]);
        settings.incarnation = Incarnation(2);
        let heir = ActorSystem::start(settings).unwrap();
        linked(&heir, 1).await;
        heir.spawn("clerk", Clerk::default).await.unwrap();
        let (error, took) = timed(&clerk).await;
        assert_eq!(error, not_executed(Cause::StaleIncarnation));
        assert!(took <= AT_ONCE);
        let again: ActorRef<Desk> = a.lookup("clerk").await.unwrap();
        assert_ne!(again, clerk);
        assert_eq!(again.ask(Add(4)).await, Ok(Ok(4)));
    });
}

#[test]
fn a_deadline_passes_and_the_handler_is_spared_what_is_late() {
    run(async {
        let world = World::new();
        let (a, b) = world.pair().await;
        b.spawn("clerk", Clerk::default).await.unwrap();
        let clerk: ActorRef<Desk> = a.lookup("clerk").await.unwrap();
        clerk.ask(Block { millis: 500 }).await.unwrap();
        let began = Instant::now();
        let late = clerk.ask(Add(2)).deadline(Duration::from_millis(100)).await;
        assert_eq!(late, Err(unknown(Cause::Timeout)));
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(100) && took < Duration::from_millis(110), "{took:?}");
        assert_eq!(clerk.ask(Add(4)).await, Ok(Ok(4)), "the late one was not handled");
    });
}

#[test]
fn a_request_that_has_waited_for_room_leaves_with_what_is_left_of_its_time() {
    run(async {
        let world = World::new();
        let (a, b) = world.pair().await;
        b.spawn("clerk", Clerk::default).await.unwrap();
        let clerk: ActorRef<Desk> = a.lookup("clerk").await.unwrap();
        clerk.try_tell(Block { millis: 1_000 }).unwrap();
        // When that is over, so many are handled that the peer makes room, and then it is busy again.
        (0..70).for_each(|number| clerk.try_tell(Note(number)).unwrap());
        clerk.try_tell(Block { millis: 500 }).unwrap();
        while clerk.try_tell(Note(0)).is_ok() {}
        let late = clerk.ask(Add(2)).deadline(Duration::from_millis(1_200)).await;
        assert_eq!(late, Err(unknown(Cause::Timeout)), "it left after a second");
        assert_eq!(clerk.ask(Add(4)).await, Ok(Ok(4)), "the late one was not handled");
    });
}

/// A clock that handlers move.
struct Moved {
    clock: Arc<dyn Clock>,
    ahead: AtomicU64,
}

impl Clock for Moved {
    fn now(&self) -> Timestamp {
        Timestamp(self.clock.now().0 + self.ahead.load(Ordering::Relaxed))
    }

    fn wall(&self) -> Duration {
        self.clock.wall()
    }
}

/// Takes twenty milliseconds.
#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "()")]
#[wire(id = "test.Work")]
struct Work;

interface!(Bench = "test.bench" { Work });

#[derive(Remote)]
#[remote(Bench)]
struct Worker {
    clock: Arc<Moved>,
    done: Arc<AtomicU64>,
}

impl Actor for Worker {
    type Context = Context<Self>;
}

impl Handler<Work> for Worker {
    type Result = ();

    fn handle(&mut self, Work: Work, _: &mut Context<Self>) {
        self.clock.ahead.fetch_add(20_000_000, Ordering::Relaxed);
        self.done.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn of_requests_that_come_at_once_those_are_not_begun_whose_time_the_first_ones_have_used_up() {
    run(async {
        let world = World::new();
        let mut settings = world.settings("b", &[]);
        let clock = Arc::new(Moved { clock: settings.env.clock.clone(), ahead: AtomicU64::new(0) });
        settings.env.clock = clock.clone();
        let b = ActorSystem::start(settings).unwrap();
        let a = world.node("a", &["b"]);
        linked(&a, 1).await;
        let done = Arc::<AtomicU64>::default();
        let told = done.clone();
        b.spawn("worker", move || Worker { clock: clock.clone(), done: told.clone() }).await.unwrap();
        let worker: ActorRef<Bench> = a.lookup("worker").await.unwrap();
        let asks = (0..50).map(|_| {
            let worker = worker.clone();
            actix_rt::spawn(async move { worker.ask(Work).deadline(Duration::from_millis(200)).await })
        });
        let (mut answered, mut spared) = (0, 0);
        for ask in asks.collect::<Vec<_>>() {
            match ask.await.unwrap() {
                Ok(()) => answered += 1,
                Err(error) => {
                    assert_eq!(error, not_executed(Cause::Timeout));
                    spared += 1;
                }
            }
        }
        // The one that begins when the time is just up goes on.
        assert!(answered <= 11, "{answered} were handled");
        assert_eq!((answered, spared), (done.load(Ordering::Relaxed), 50 - answered));
        assert!(answered >= 10, "{answered} were handled");
    });
}

#[test]
fn nobody_waits_for_a_handler_that_forgets_its_asker() {
    run(async {
        let world = World::new();
        let (a, b) = world.pair().await;
        b.spawn("clerk", Clerk::default).await.unwrap();
        let clerk: ActorRef<Desk> = a.lookup("clerk").await.unwrap();
        let began = Instant::now();
        let slow =
            clerk.ask(LaterSum { millis: 3_600_000 }).deadline(Duration::from_secs(7200)).into_future();
        let (slow, halted) = tokio::join!(slow, clerk.ask(Halt).into_future());
        assert_eq!((slow, halted), (Err(unknown(Cause::Cancelled)), Ok(())));
        assert!(began.elapsed() <= AT_ONCE);
    });
}

#[test]
fn a_request_that_was_given_up_is_not_begun() {
    run(async {
        let world = World::new();
        let (a, b) = world.pair().await;
        b.spawn("clerk", Clerk::default).await.unwrap();
        let clerk: ActorRef<Desk> = a.lookup("clerk").await.unwrap();
        let here: ActorRef<Desk> = b.lookup("clerk").await.unwrap();
        let patience = Duration::from_millis(10);
        for (number, clerk) in [&clerk, &here].into_iter().enumerate() {
            // One that has begun goes on.
            assert!(timeout(patience, clerk.ask(Later { millis: 50 })).await.is_err());
            clerk.ask(Block { millis: 100 }).await.unwrap();
            assert!(timeout(patience, clerk.ask(Add(2))).await.is_err());
            assert_eq!(
                clerk.ask(Add(4)).await,
                Ok(Ok(4 * (number as u64 + 1))),
                "the one given up had no effect"
            );
            let text = b.metrics().render();
            let line = format!("synod_asks_cancelled_total {}", number + 1);
            assert!(text.lines().any(|found| found == line), "{text}");
        }
    });
}
