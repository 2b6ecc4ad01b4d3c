//! A panic keeps reference and queue, costs its own message only, and is not forgiven for ever.

use std::time::Duration;

use synod::prelude::*;

use crate::subjects::*;
use crate::world::{World, run};

const PANICKED: AskError = AskError { cause: Cause::Panicked, outcome: Outcome::Unknown };
const STOPPED: AskError = AskError { cause: Cause::Stopped, outcome: Outcome::NotExecuted };

#[test]
fn a_panic_keeps_the_queue_and_the_reference() {
    run(async {
        let world = World::new();
        let system = world.node("a", &[]);
        let clerk: ActorRef<Desk> = system.spawn("clerk", Clerk::default).await.unwrap().reference();
        clerk.tell(Note(1)).await.unwrap();
        let (boom, noted, added) = tokio::join!(
            clerk.ask(Boom).into_future(),
            clerk.ask(Noted).into_future(),
            clerk.ask(Add(2)).into_future()
        );
        assert_eq!(boom, Err(PANICKED));
        assert_eq!(noted, Ok(vec![]), "the successor is made anew");
        assert_eq!(added, Ok(Ok(2)));
        assert!(system.metrics().render().contains("synod_actor_restarts_total{reason=\"panicked\"} 1"));
    });
}

#[test]
fn a_panicking_tell_comes_back_once() {
    run(async {
        let world = World::new();
        let system = world.node("a", &[]);
        let clerk: ActorRef<Desk> = system.spawn("clerk", Clerk::default).await.unwrap().reference();
        clerk.tell(Boom).await.unwrap();
        clerk.ask(Noted).await.unwrap();
        let letters = world.letters();
        assert_eq!(letters.len(), 1);
        assert_eq!((letters[0].message.as_str(), letters[0].error), ("test.Boom", PANICKED));
    });
}

#[test]
fn too_many_panics_end_the_actor_and_give_back_its_queue() {
    run(async {
        let world = World::new();
        let system = world.node("a", &[]);
        let clerk: ActorRef<Desk> = system.spawn("clerk", Clerk::default).await.unwrap().reference();
        for _ in 0..3 {
            assert_eq!(clerk.ask(Boom).await, Err(PANICKED));
        }
        let watching = system.watch(&clerk);
        let tell = clerk.tell(Note(7));
        let last = clerk.ask(Boom).into_future();
        let (end, last, told, waiting) = tokio::join!(watching, last, tell, clerk.ask(Noted).into_future());
        assert_eq!((last, told, waiting), (Err(PANICKED), Ok(()), Err(STOPPED)));
        assert_eq!(end.reason, Reason::Panicked);
        assert_eq!(clerk.ask(Noted).await, Err(STOPPED));
        let letters = world.letters();
        assert_eq!(letters.len(), 1, "the tell comes back once");
        assert_eq!((letters[0].message.as_str(), letters[0].error), ("test.Note", STOPPED));
    });
}

#[test]
fn panics_far_enough_apart_are_forgiven() {
    run(async {
        let system = World::new().node("a", &[]);
        let clerk: ActorRef<Desk> = system.spawn("clerk", Clerk::default).await.unwrap().reference();
        for _ in 0..10 {
            assert_eq!(clerk.ask(Boom).await, Err(PANICKED));
            tokio::time::sleep(Duration::from_secs(4)).await;
        }
        assert_eq!(clerk.ask(Noted).await, Ok(vec![]));
    });
}

#[test]
fn a_stop_gives_back_what_waited() {
    run(async {
        let world = World::new();
        let system = world.node("a", &[]);
        let clerk: ActorRef<Desk> = system.spawn("clerk", Clerk::default).await.unwrap().reference();
        let (halt, after) = tokio::join!(clerk.ask(Halt).into_future(), clerk.ask(Noted).into_future());
        assert_eq!((halt, after), (Ok(()), Err(STOPPED)));
    });
}

#[derive(Remote)]
#[remote(Diary)]
struct Stubborn {
    refusals: u32,
}

impl Actor for Stubborn {
    type Context = Context<Self>;

    fn stopping(&mut self, _: &mut Self::Context) -> Running {
        if self.refusals == 0 {
            return Running::Stop;
        }
        self.refusals -= 1;
        Running::Continue
    }
}

impl Handler<Note> for Stubborn {
    type Result = ();

    fn handle(&mut self, _: Note, _: &mut Context<Self>) {}
}

impl Handler<Noted> for Stubborn {
    type Result = Vec<u64>;

    fn handle(&mut self, _: Noted, _: &mut Context<Self>) -> Vec<u64> {
        vec![self.refusals.into()]
    }
}

#[test]
fn an_actor_may_refuse_to_stop() {
    run(async {
        let system = World::new().node("a", &[]);
        let spawned = system.spawn("stubborn", || Stubborn { refusals: 1 }).await.unwrap();
        let stubborn: ActorRef<Diary> = spawned.reference();
        assert!(system.stop(&stubborn));
        assert_eq!(stubborn.ask(Noted).await, Ok(vec![0]));
        assert!(system.stop(&stubborn));
        assert_eq!(system.watch(&stubborn).await.reason, Reason::Stopped);
    });
}
