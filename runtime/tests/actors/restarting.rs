//! When an actor comes back: after waits that grow, differ and begin anew; with what waited meanwhile; and when it does not.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use synod::actor::{Backoff, Restarts};
use synod::prelude::*;
use tokio::time::{Instant, sleep};

use crate::subjects::*;
use crate::world::{World, run};

const PANICKED: AskError = AskError { cause: Cause::Panicked, outcome: Outcome::Unknown };
const STOPPED: AskError = AskError { cause: Cause::Stopped, outcome: Outcome::NotExecuted };
const LATE: AskError = AskError { cause: Cause::Timeout, outcome: Outcome::Unknown };

const WAITS: Backoff = Backoff::between(millis(100), millis(1_000)).calm(millis(10_000));
const LONG: Backoff = Backoff::between(millis(60_000), millis(60_000)).jitter(0);

const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Ends with this number as its reason.
#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "()")]
#[wire(id = "test.Quit")]
struct Quit(u32);

interface!(Frail = "test.frail" { Note, Noted, Block, Boom, Halt, Quit });

/// When actors were made.
type Births = Arc<Mutex<Vec<Instant>>>;

/// An actor under one policy.
macro_rules! frail {
    ($name:ident, $policy:expr) => {
        #[derive(Remote)]
        #[remote(Frail, mailbox = 100, restarts = $policy)]
        struct $name {
            noted: Vec<u64>,
            scope: Scope,
        }

        impl $name {
            fn new(births: &Births) -> impl FnMut(&Scope) -> Self + Send + 'static {
                let births = births.clone();
                move |scope| {
                    births.lock().unwrap().push(Instant::now());
                    Self { noted: Vec::new(), scope: scope.clone() }
                }
            }
        }

        impl Actor for $name {
            type Context = Context<Self>;
        }

        notes_and_ends!($name);

        impl Handler<Block> for $name {
            type Result = ();

            fn handle(&mut self, Block { millis }: Block, ctx: &mut Context<Self>) {
                ctx.wait(sleep(Duration::from_millis(millis)).into_actor(self));
            }
        }

        impl Handler<Quit> for $name {
            type Result = ();

            fn handle(&mut self, Quit(number): Quit, ctx: &mut Context<Self>) {
                self.scope.exit::<Self>(ctx, number);
            }
        }
    };
}

frail!(Growing, Restarts::without_limit(WAITS));
frail!(Resting, Restarts::at_most(2, millis(300_000)).after(LONG));
frail!(Tireless, Restarts::at_most(3, millis(10_000)).always());
frail!(Mortal, Restarts::never());

/// How long an actor was away after each panic; before each it was well for so long.
async fn absences(seed: u64, calm: &[u64]) -> Vec<Duration> {
    let mut settings = World::new().settings("a", &[]);
    settings.env.seed = seed;
    let system = ActorSystem::start(settings).unwrap();
    let births = Births::default();
    let frail: ActorRef<Frail> = system.spawn("frail", Growing::new(&births)).await.unwrap().reference();
    let mut absences = Vec::new();
    for calm in calm {
        sleep(millis(*calm)).await;
        let fell = Instant::now();
        assert_eq!(frail.ask(Boom).await, Err(PANICKED), "its caller need not wait for the successor");
        assert_eq!(fell.elapsed(), Duration::ZERO);
        frail.ask(Noted).await.unwrap();
        absences.push(*births.lock().unwrap().last().unwrap() - fell);
    }
    absences
}

#[test]
fn waits_grow_in_their_bounds_and_begin_anew_after_a_calm() {
    run(async {
        let calm = [0, 0, 9_900, 0, 0, 0, 0, 10_100, 0];
        let whole = [100, 200, 400, 800, 1_000, 1_000, 1_000, 100, 200];
        let waits = absences(7, &calm).await;
        for (wait, whole) in waits.iter().zip(whole) {
            // Timers are rounded up to the next millisecond.
            let bounds = millis(whole * 8 / 10)..=millis(whole + 1);
            assert!(bounds.contains(wait), "{wait:?} of {whole} ms, {waits:?}");
        }
        let drawn = waits.iter().zip(whole).filter(|(wait, whole)| **wait < millis(*whole)).count();
        assert!(drawn > 5, "{waits:?} are not drawn");
        assert_eq!(absences(7, &calm).await, waits, "the same seed draws the same waits");
        assert_ne!(absences(8, &calm).await, waits);
    });
}

#[test]
fn what_comes_meanwhile_waits_in_order_and_in_bounds() {
    run(async {
        let world = World::new();
        let system = world.node("a", &[]);
        let frail: ActorRef<Frail> =
            system.spawn("frail", Resting::new(&Births::default())).await.unwrap().reference();
        let began = Instant::now();
        frail.tell(Note(0)).await.unwrap();
        frail.tell(Boom).await.unwrap();
        // In the same batch as the panic, and after it.
        frail.tell(Note(1)).await.unwrap();
        sleep(millis(10_000)).await;
        for number in 2..=100 {
            frail.tell(Note(number)).await.unwrap();
        }
        let full = frail.try_tell(Note(101));
        assert_eq!(full, Err(AskError { cause: Cause::MailboxFull, outcome: Outcome::NotExecuted }));
        sleep(millis(49_000)).await;
        assert_eq!(began.elapsed(), millis(59_000));
        frail.try_tell(Note(101)).expect_err("still full: nothing was handled");
        sleep(millis(1_500)).await;
        assert_eq!(frail.ask(Noted).await, Ok((1..=100).collect()));
    });
}

#[test]
fn an_ask_that_gives_up_meanwhile_is_not_executed_later() {
    run(async {
        let world = World::new();
        let (a, b) = world.pair().await;
        b.spawn("frail", Resting::new(&Births::default())).await.unwrap();
        let near: ActorRef<Frail> = b.lookup("frail").await.unwrap();
        let far: ActorRef<Frail> = a.lookup("frail").await.unwrap();
        assert_eq!(far.ask(Boom).await, Err(PANICKED));
        for frail in [&near, &far] {
            let began = Instant::now();
            assert_eq!(frail.ask(Quit(1)).deadline(millis(50)).await, Err(LATE));
            assert!((millis(50)..millis(60)).contains(&began.elapsed()));
        }
        // One that waits long enough is answered.
        assert_eq!(far.ask(Noted).deadline(millis(70_000)).await, Ok(vec![]));
        assert_eq!(near.ask(Noted).await, Ok(vec![]), "nobody has made it quit");
    });
}

#[test]
fn who_rests_can_be_stopped_and_gives_back_its_queue() {
    run(async {
        let system = World::new().node("a", &[]);
        let births = Births::default();
        for kill in [false, true] {
            let frail: ActorRef<Frail> =
                system.spawn_anonymous(Resting::new(&births)).await.unwrap().reference();
            assert_eq!(frail.ask(Boom).await, Err(PANICKED));
            sleep(millis(1_000)).await;
            let began = Instant::now();
            let end = async {
                tokio::task::yield_now().await;
                assert!(if kill { system.kill(&frail) } else { system.stop(&frail) });
            };
            let (waiting, end, ()) = tokio::join!(frail.ask(Noted).into_future(), system.watch(&frail), end);
            assert_eq!(waiting, Err(STOPPED));
            assert_eq!(end.reason, if kill { Reason::Killed } else { Reason::Stopped });
            assert_eq!(began.elapsed(), Duration::ZERO);
        }
        assert_eq!(births.lock().unwrap().len(), 2, "none came back");
    });
}

#[test]
fn waits_do_not_stretch_the_window() {
    run(async {
        let system = World::new().node("a", &[]);
        let births = Births::default();
        let frail: ActorRef<Frail> = system.spawn_anonymous(Resting::new(&births)).await.unwrap().reference();
        for _ in 0..2 {
            assert_eq!(frail.ask(Boom).await, Err(PANICKED));
            frail.ask(Noted).deadline(millis(70_000)).await.unwrap();
        }
        let (end, boom) = tokio::join!(system.watch(&frail), frail.ask(Boom).into_future());
        assert_eq!((end.reason, boom), (Reason::Panicked, Err(PANICKED)));
        assert_eq!(births.lock().unwrap().len(), 3);
    });
}

#[test]
fn a_kill_does_not_wait_for_what_the_actor_waits_for() {
    run(async {
        let system = World::new().node("a", &[]);
        let frail: ActorRef<Frail> =
            system.spawn_anonymous(Mortal::new(&Births::default())).await.unwrap().reference();
        frail.ask(Block { millis: 3_600_000 }).await.unwrap();
        sleep(millis(10)).await;
        let began = Instant::now();
        let kill = async {
            tokio::task::yield_now().await;
            assert!(system.stop(&frail), "a request to stop waits");
            sleep(millis(1_000)).await;
            assert!(system.kill(&frail));
        };
        let (end, ()) = tokio::join!(system.watch(&frail), kill);
        assert_eq!((end.reason, began.elapsed()), (Reason::Killed, millis(1_000)));
        assert!(!system.kill(&frail));
    });
}

#[test]
fn who_is_always_started_again_ends_on_request_only() {
    run(async {
        let system = World::new().node("a", &[]);
        let births = Births::default();
        let frail: ActorRef<Frail> =
            system.spawn_anonymous(Tireless::new(&births)).await.unwrap().reference();
        frail.ask(Halt).await.unwrap();
        frail.ask(Quit(9)).await.unwrap();
        assert_eq!(frail.ask(Noted).await, Ok(vec![]));
        assert_eq!(births.lock().unwrap().len(), 3);
        assert!(system.stop(&frail));
        assert_eq!(system.watch(&frail).await.reason, Reason::Stopped);
        assert_eq!(births.lock().unwrap().len(), 3);
        assert!(system.metrics().render().contains("synod_actor_restarts_total{reason=\"stopped\"} 1"));
    });
}

#[test]
fn who_is_never_started_again_ends_at_its_first_panic() {
    run(async {
        let system = World::new().node("a", &[]);
        let births = Births::default();
        let frail: ActorRef<Frail> = system.spawn_anonymous(Mortal::new(&births)).await.unwrap().reference();
        let (end, boom) = tokio::join!(system.watch(&frail), frail.ask(Boom).into_future());
        assert_eq!((end.reason, boom), (Reason::Panicked, Err(PANICKED)));
        assert_eq!(births.lock().unwrap().len(), 1);
    });
}

#[test]
fn the_number_that_an_actor_gives_is_told_here_and_elsewhere() {
    run(async {
        let world = World::new();
        let (a, b) = world.pair().await;
        b.spawn("frail", Mortal::new(&Births::default())).await.unwrap();
        let near: ActorRef<Frail> = b.lookup("frail").await.unwrap();
        let far: ActorRef<Frail> = a.lookup("frail").await.unwrap();
        let quit = async {
            sleep(millis(10)).await;
            far.ask(Quit(4_000_000_000)).await.unwrap();
        };
        let (here, there, ()) = tokio::join!(b.watch(&near), a.watch(&far), quit);
        assert_eq!(here, Terminated { reason: Reason::Exit(4_000_000_000), incarnation: 1 });
        assert_eq!(there, here);
    });
}
