//! Bonds: who ends with whom, on one node and between two, through breaks, cuts and deaths; and who is told instead.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use synod::prelude::*;
use synod::protocols::Incarnation;
use synod::transport::CloseReason;
use tokio::time::{Instant, sleep, timeout};

use crate::subjects::*;
use crate::world::{World, linked, name, run};

const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// What was heard.
type Heard = Arc<Mutex<Vec<BondEnded>>>;

/// Hears of the ends of those to which it is bound.
#[derive(Remote)]
#[remote(Diary)]
struct Heir {
    heard: Heard,
    scope: Scope,
}

impl Actor for Heir {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.scope.hear_bonds(ctx.address().recipient());
    }
}

impl Handler<BondEnded> for Heir {
    type Result = ();

    fn handle(&mut self, ended: BondEnded, _: &mut Context<Self>) {
        self.heard.lock().unwrap().push(ended);
    }
}

impl Handler<Note> for Heir {
    type Result = ();

    fn handle(&mut self, _: Note, _: &mut Context<Self>) {
        panic!("as asked");
    }
}

impl Handler<Noted> for Heir {
    type Result = Vec<u64>;

    fn handle(&mut self, _: Noted, _: &mut Context<Self>) -> Vec<u64> {
        Vec::new()
    }
}

async fn heir(system: &ActorSystem, heard: &Heard) -> ActorRef<Diary> {
    let heard = heard.clone();
    let factory = move |scope: &Scope| Heir { heard: heard.clone(), scope: scope.clone() };
    system.spawn_anonymous(factory).await.unwrap().reference()
}

async fn clerk(system: &ActorSystem) -> ActorRef<Desk> {
    system.spawn_anonymous(Clerk::default).await.unwrap().reference()
}

/// Two members that let each other bind their actors.
async fn pair(world: &World) -> (ActorSystem, ActorSystem) {
    let (a, b) = world.pair().await;
    a.open_bonds().await.unwrap();
    b.open_bonds().await.unwrap();
    (a, b)
}

/// The actor as another node knows it.
fn seen(from: &ActorSystem, reference: &ActorRef<Desk>) -> ActorRef<Desk> {
    from.bind(reference)
}

/// Panics until it ends.
async fn exhaust(clerk: &ActorRef<Desk>) {
    for _ in 0..4 {
        clerk.ask(Boom).await.unwrap_err();
    }
}

/// An actor lives if it answers.
async fn lives(clerk: &ActorRef<Desk>) -> bool {
    clerk.ask(Noted).await.is_ok()
}

#[test]
fn each_of_two_takes_the_other_along_wherever_they_are() {
    run(async {
        let world = World::new();
        let (a, b) = pair(&world).await;
        for (near, far, first_falls) in [(&a, &a, true), (&a, &a, false), (&a, &b, true), (&a, &b, false)] {
            let (one, other) = (clerk(near).await, clerk(far).await);
            near.bond(&one, &seen(near, &other), CutOff::End).await.unwrap();
            // A restart is no end.
            one.ask(Boom).await.unwrap_err();
            other.ask(Boom).await.unwrap_err();
            assert!(lives(&one).await && lives(&other).await);
            sleep(millis(20_000)).await;
            let (falls, follows, its_node) =
                if first_falls { (&one, &other, far) } else { (&other, &one, near) };
            let began = Instant::now();
            let (end, ()) = tokio::join!(its_node.watch(follows), exhaust(falls));
            assert_eq!(end, Terminated { reason: Reason::Bonded, incarnation: 1 });
            assert!(began.elapsed() < millis(20), "{:?}", began.elapsed());
        }
    });
}

#[test]
fn an_orderly_stop_concerns_nobody_and_a_shutdown_does() {
    run(async {
        let world = World::new();
        let (a, b) = pair(&world).await;
        let (one, other) = (clerk(&a).await, clerk(&b).await);
        let far = seen(&a, &other);
        a.bond(&one, &far, CutOff::End).await.unwrap();
        other.ask(Halt).await.unwrap();
        sleep(millis(60_000)).await;
        assert!(lives(&one).await);
        // What the other node does in order with an actor that did not want to is no order of the actor's.
        let another = clerk(&b).await;
        a.bond(&one, &seen(&a, &another), CutOff::End).await.unwrap();
        let (end, ()) = tokio::join!(a.watch(&one), b.shutdown(millis(100)));
        assert_eq!(end.reason, Reason::Bonded);
    });
}

#[test]
fn who_listens_is_told_once_of_any_end_and_lives() {
    run(async {
        let world = World::new();
        let (a, b) = pair(&world).await;
        let heard = Heard::default();
        let heir = heir(&a, &heard).await;
        let others = [clerk(&a).await, clerk(&b).await, clerk(&b).await];
        for other in &others {
            for _ in 0..3 {
                a.bond(&heir, &seen(&a, other), CutOff::End).await.unwrap();
            }
        }
        // It still listens when it was started again.
        heir.ask(Note(1)).await.unwrap_err();
        exhaust(&others[0]).await;
        assert!(b.kill(&others[1]));
        others[2].ask(Halt).await.unwrap();
        sleep(millis(60_000)).await;
        let heard = heard.lock().unwrap().clone();
        let of = |clerk: &ActorRef<Desk>| {
            let mut ends =
                heard.iter().filter(|ended| ended.is_of(clerk)).map(|ended| ended.terminated.reason);
            (ends.next(), ends.next())
        };
        assert_eq!(of(&others[0]), (Some(Reason::Panicked), None));
        assert_eq!(of(&others[1]), (Some(Reason::Killed), None));
        assert_eq!(of(&others[2]), (Some(Reason::Stopped), None));
        assert!(heir.ask(Noted).await.is_ok());
    });
}

#[test]
fn a_bond_with_the_dead_shows_at_once() {
    run(async {
        let world = World::new();
        let (a, b) = pair(&world).await;
        let heard = Heard::default();
        let heir = heir(&a, &heard).await;
        for system in [&a, &b] {
            let dead = clerk(system).await;
            dead.ask(Halt).await.unwrap();
            system.watch(&dead).await;
            let (began, one) = (Instant::now(), clerk(&a).await);
            let there = seen(&a, &dead);
            let bind = a.bond(&one, &there, CutOff::End);
            let (end, bound) = tokio::join!(a.watch(&one), bind);
            assert_eq!((end.reason, bound), (Reason::Bonded, Ok(())), "dead is dead, however it ended");
            assert!(began.elapsed() < millis(10));
            a.bond(&heir, &seen(&a, &dead), CutOff::End).await.unwrap();
            sleep(millis(1)).await;
            let told: Vec<Reason> =
                heard.lock().unwrap().drain(..).map(|ended| ended.terminated.reason).collect();
            assert_eq!(told, [Reason::Gone]);
        }
        let (one, dead) = (clerk(&a).await, clerk(&a).await);
        assert!(a.kill(&dead));
        a.watch(&dead).await;
        assert_eq!(a.bond(&dead, &one, CutOff::End).await, Err(BondError::Ended));
        assert!(lives(&one).await);
        assert_eq!(
            a.bond(&forged("b", 1, 1), &forged("c", 1, 1), CutOff::End).await,
            Err(BondError::NotHere)
        );
    });
}

#[test]
fn who_is_loosened_lives_on_and_can_be_bound_again() {
    run(async {
        let world = World::new();
        let (a, b) = pair(&world).await;
        for (far, by_the_other) in [(&a, false), (&b, false), (&b, true)] {
            let (one, other) = (clerk(&a).await, clerk(far).await);
            let (there, here) = (seen(&a, &other), seen(far, &one));
            a.bond(&one, &there, CutOff::End).await.unwrap();
            for _ in 0..2 {
                match by_the_other {
                    false => a.unbond(&one, &there).await.unwrap(),
                    true => far.unbond(&here, &other).await.unwrap(),
                }
            }
            let third = clerk(far).await;
            a.bond(&one, &seen(&a, &third), CutOff::End).await.unwrap();
            exhaust(&other).await;
            sleep(millis(10)).await;
            assert!(lives(&one).await && lives(&third).await);
            a.unbond(&one, &seen(&a, &third)).await.unwrap();
            a.bond(&one, &seen(&a, &third), CutOff::End).await.unwrap();
            let (end, ()) = tokio::join!(a.watch(&one), exhaust(&third));
            assert_eq!(end.reason, Reason::Bonded);
        }
    });
}

#[test]
fn a_short_break_is_no_end_and_a_death_meanwhile_is_told_after_it() {
    run(async {
        let world = World::new();
        let (a, b) = pair(&world).await;
        let (one, other) = (clerk(&a).await, clerk(&b).await);
        a.bond(&one, &seen(&a, &other), CutOff::End).await.unwrap();
        let cut = || {
            let link = a.transport().link(&name("b")).unwrap();
            link.close(CloseReason::Lost("cut by the test".into()));
        };
        cut();
        sleep(millis(2_500)).await;
        assert!(lives(&one).await && lives(&other).await);
        cut();
        assert!(b.kill(&other));
        let end = timeout(millis(10_000), a.watch(&one)).await.unwrap();
        assert_eq!(end.reason, Reason::Bonded);
    });
}

#[test]
fn the_death_and_the_restart_of_a_node_end_its_bonds() {
    run(async {
        for (restart, cut_off, within) in [
            (false, CutOff::End, Some(7_000)),
            (true, CutOff::End, Some(1_500)),
            (true, CutOff::Wait, Some(8_000)),
            (false, CutOff::Wait, None),
        ] {
            let world = World::new();
            let (a, b) = pair(&world).await;
            let heard = Heard::default();
            let (one, heir, other) = (clerk(&a).await, heir(&a, &heard).await, clerk(&b).await);
            a.bond(&one, &seen(&a, &other), cut_off).await.unwrap();
            a.bond(&heir, &seen(&a, &other), cut_off).await.unwrap();
            sleep(millis(1_000)).await;
            world.network.kill(&name("b"));
            let _heir = if restart {
                let mut settings = world.settings("b", &["a"]);
                settings.incarnation = Incarnation(2);
                let heir = ActorSystem::start(settings).unwrap();
                linked(&heir, 1).await;
                Some(heir)
            } else {
                None
            };
            let end = timeout(millis(within.unwrap_or(600_000)), a.watch(&one)).await.ok();
            assert_eq!(end.map(|end| end.reason), within.map(|_| Reason::Bonded), "{restart} {cut_off:?}");
            sleep(millis(10_000)).await;
            let heard = heard.lock().unwrap().clone();
            assert_eq!(heard.len(), usize::from(within.is_some()));
            if let Some(ended) = heard.first() {
                assert!(ended.is_of(&other));
                assert_eq!(ended.terminated, Terminated { reason: Reason::NodeDown, incarnation: 1 });
            }
        }
    });
}

#[test]
fn a_node_that_binds_nobody_is_an_error_and_nothing_else() {
    run(async {
        let world = World::new();
        let (a, b) = world.pair().await;
        let (one, other) = (clerk(&a).await, clerk(&b).await);
        let refused = a.bond(&one, &seen(&a, &other), CutOff::End).await;
        assert!(matches!(refused, Err(BondError::Unreachable(LookupError::NotFound(_)))), "{refused:?}");
        assert!(b.kill(&other));
        sleep(millis(60_000)).await;
        assert!(lives(&one).await);
    });
}
