//! Parents and children: who falls alone, who takes whom along, who goes first.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use synod::actor::{Backoff, Restarts};
use synod::prelude::*;
use tokio::time::{Instant, sleep};

use crate::subjects::*;
use crate::world::{World, run};

const STOPPED: AskError = AskError { cause: Cause::Stopped, outcome: Outcome::NotExecuted };

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// The references of the children that it has.
#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "Vec<ActorRef<Kin>>")]
#[wire(id = "test.Children")]
struct Children;

interface!(Kin = "test.kin" { Children, Noted, Note, Boom, Halt });

/// What happened, in order.
type Log = Arc<Mutex<Vec<String>>>;

/// Who has which children, and how it takes its leave.
#[derive(Clone)]
struct Plan {
    name: &'static str,
    children: Vec<Plan>,
    log: Log,
    refuses: bool,
}

impl Plan {
    fn new(name: &'static str, log: &Log, children: Vec<Plan>) -> Self {
        Self { name, children, log: log.clone(), refuses: false }
    }
}

macro_rules! kin {
    ($name:ident, $child:ident, $policy:expr) => {
        #[derive(Remote)]
        #[remote(Kin, restarts = $policy)]
        struct $name {
            plan: Plan,
            scope: Scope,
            children: Vec<ActorRef<Kin>>,
            noted: Vec<u64>,
        }

        impl $name {
            fn new(plan: &Plan) -> impl FnMut(&Scope) -> Self + Send + use<> + 'static {
                let plan = plan.clone();
                move |scope| {
                    plan.log.lock().unwrap().push(format!("{} made", plan.name));
                    Self { plan: plan.clone(), scope: scope.clone(), children: Vec::new(), noted: Vec::new() }
                }
            }
        }

        impl Actor for $name {
            type Context = Context<Self>;

            fn started(&mut self, ctx: &mut Self::Context) {
                let (scope, plans) = (self.scope.clone(), self.plan.children.clone());
                let children = async move {
                    let mut children = Vec::new();
                    for plan in &plans {
                        children.push(scope.spawn_child($child::new(plan)).await.unwrap().reference());
                    }
                    children
                };
                ctx.wait(children.into_actor(self).map(|children, kin, _| kin.children = children));
            }

            fn stopping(&mut self, _: &mut Self::Context) -> Running {
                if self.plan.refuses { Running::Continue } else { Running::Stop }
            }

            fn stopped(&mut self, _: &mut Self::Context) {
                self.plan.log.lock().unwrap().push(format!("{} stopped", self.plan.name));
            }
        }

        impl Handler<Children> for $name {
            type Result = MessageResult<Children>;

            fn handle(&mut self, _: Children, _: &mut Context<Self>) -> Self::Result {
                MessageResult(self.children.clone())
            }
        }

        notes_and_ends!($name);
    };
}

kin!(Root, Branch, Restarts::at_most(1, seconds(60)));
kin!(Branch, Leaf, Restarts::at_most(1, seconds(60)));
kin!(Leaf, Leaf, Restarts::at_most(1, seconds(60)));
kin!(Guardian, Novice, Restarts::at_most(1, seconds(60)).after(Backoff::between(seconds(2), seconds(2))));
kin!(Novice, Novice, Restarts::at_most(0, seconds(60)).without_escalation());

async fn children(parent: &ActorRef<Kin>) -> Vec<ActorRef<Kin>> {
    parent.ask(Children).await.unwrap()
}

fn taken(log: &Log) -> Vec<String> {
    std::mem::take(&mut *log.lock().unwrap())
}

/// A root with two branches, the second of which has two leaves.
fn tree(log: &Log) -> Plan {
    let leaves = vec![Plan::new("leaf 1", log, vec![]), Plan::new("leaf 2", log, vec![])];
    Plan::new("root", log, vec![Plan::new("branch 1", log, vec![]), Plan::new("branch 2", log, leaves)])
}

const UP: [&str; 5] = ["root made", "branch 1 made", "branch 2 made", "leaf 1 made", "leaf 2 made"];

#[test]
fn children_stop_before_their_parent_has_ended_the_youngest_first() {
    run(async {
        let (world, log) = (World::new(), Log::default());
        let system = world.node("a", &[]);
        let root: ActorRef<Kin> = system.spawn("root", Root::new(&tree(&log))).await.unwrap().reference();
        let branches = children(&root).await;
        children(&branches[1]).await;
        assert_eq!(taken(&log), UP);
        let told = async {
            let end = system.watch(&root).await;
            (end.reason, taken(&log))
        };
        let stop = async {
            tokio::task::yield_now().await;
            assert!(system.stop(&root));
        };
        let ((reason, log), branch, ()) = tokio::join!(told, system.watch(&branches[1]), stop);
        assert_eq!((reason, branch.reason), (Reason::Stopped, Reason::Shutdown));
        // A branch has stopped before its leaves, and is told to have ended after them.
        let order =
            ["root stopped", "branch 2 stopped", "leaf 2 stopped", "leaf 1 stopped", "branch 1 stopped"];
        assert_eq!(log, order);
        assert_eq!(branches[0].ask(Noted).await, Err(STOPPED));
        assert!(system.metrics().render().contains("synod_actors 0"));
    });
}

#[test]
fn a_child_that_falls_falls_alone() {
    run(async {
        let (world, log) = (World::new(), Log::default());
        let system = world.node("a", &[]);
        let root: ActorRef<Kin> = system.spawn("root", Root::new(&tree(&log))).await.unwrap().reference();
        let branches = children(&root).await;
        let leaves = children(&branches[1]).await;
        for kin in [&root, &branches[0], &leaves[0], &leaves[1]] {
            kin.tell(Note(1)).await.unwrap();
        }
        taken(&log);
        branches[0].ask(Boom).await.unwrap_err();
        leaves[1].ask(Boom).await.unwrap_err();
        for (kin, noted) in [(&root, 1), (&branches[0], 0), (&leaves[0], 1), (&leaves[1], 0)] {
            assert_eq!(kin.ask(Noted).await.unwrap().len(), noted, "the same references, anew where it fell");
        }
        assert_eq!(taken(&log), ["branch 1 made", "leaf 2 made"]);
    });
}

#[test]
fn a_parent_that_falls_stops_its_children_and_makes_them_anew() {
    run(async {
        let (world, log) = (World::new(), Log::default());
        let system = world.node("a", &[]);
        let root: ActorRef<Kin> = system.spawn("root", Root::new(&tree(&log))).await.unwrap().reference();
        let before = children(&root).await;
        taken(&log);
        let (end, ()) = tokio::join!(system.watch(&before[1]), async {
            tokio::task::yield_now().await;
            root.ask(Boom).await.unwrap_err();
        });
        assert_eq!(end.reason, Reason::Shutdown);
        let after = children(&root).await;
        children(&after[1]).await;
        let seen = taken(&log);
        assert_eq!(seen[..4], ["branch 2 stopped", "leaf 2 stopped", "leaf 1 stopped", "branch 1 stopped"]);
        assert_eq!(seen[4..], UP);
        assert_eq!(before[0].ask(Noted).await, Err(STOPPED));
        assert_eq!(after[0].ask(Noted).await, Ok(vec![]));
        assert!(system.metrics().render().contains("synod_actors 5"));
    });
}

#[test]
fn what_a_child_may_not_survive_climbs_to_the_root_and_is_told_there() {
    run(async {
        let (world, log) = (World::new(), Log::default());
        let (a, b) = world.pair().await;
        b.spawn("root", Root::new(&tree(&log))).await.unwrap();
        let root: ActorRef<Kin> = a.lookup("root").await.unwrap();
        let watched = a.watch(&root);
        let fall = async {
            // Two panics end a leaf. Two leaves end the second branch, and two branches the root.
            for fallen in 1..=4 {
                let leaves = children(&children(&root).await[1]).await;
                assert_eq!(root.ask(Noted).await.unwrap().len(), usize::from(fallen % 2 == 0));
                root.tell(Note(1)).await.unwrap();
                leaves[0].ask(Boom).await.unwrap_err();
                let (end, boom) = tokio::join!(a.watch(&leaves[0]), leaves[0].ask(Boom).into_future());
                boom.unwrap_err();
                assert_eq!(end.reason, Reason::Panicked);
                sleep(Duration::from_millis(10)).await;
            }
        };
        let (end, ()) = tokio::join!(watched, fall);
        assert_eq!(end, Terminated { reason: Reason::Escalated, incarnation: 1 });
        let text = b.metrics().render();
        // Leaves four times, branches twice. The root has nobody to take along, and says so too.
        for line in [
            "synod_actor_restarts_total{reason=\"panicked\"} 4",
            "synod_actor_restarts_total{reason=\"escalated\"} 3",
            "synod_actor_escalations_total 6",
            "synod_actors 0",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
    });
}

#[test]
fn a_child_whose_fall_concerns_nobody_leaves_its_parent_in_peace() {
    run(async {
        let (world, log) = (World::new(), Log::default());
        let system = world.node("a", &[]);
        let plan = Plan::new("guardian", &log, vec![Plan::new("novice", &log, vec![])]);
        let guardian: ActorRef<Kin> =
            system.spawn("guardian", Guardian::new(&plan)).await.unwrap().reference();
        guardian.tell(Note(1)).await.unwrap();
        let novice = children(&guardian).await.remove(0);
        let (end, boom) = tokio::join!(system.watch(&novice), novice.ask(Boom).into_future());
        boom.unwrap_err();
        assert_eq!(end.reason, Reason::Panicked);
        assert_eq!(guardian.ask(Noted).await, Ok(vec![1]));
    });
}

#[test]
fn a_child_that_does_not_stop_is_ended_after_its_grace() {
    run(async {
        let (world, log) = (World::new(), Log::default());
        let system = world.node("a", &[]);
        let mut stubborn = Plan::new("stubborn", &log, vec![]);
        stubborn.refuses = true;
        let plan = Plan::new("guardian", &log, vec![stubborn, Plan::new("novice", &log, vec![])]);
        let guardian: ActorRef<Kin> =
            system.spawn("guardian", Guardian::new(&plan)).await.unwrap().reference();
        let novices = children(&guardian).await;
        let began = Instant::now();
        guardian.tell(Boom).await.unwrap();
        let (first, second) = tokio::join!(system.watch(&novices[0]), system.watch(&novices[1]));
        assert_eq!((first.reason, second.reason), (Reason::Killed, Reason::Shutdown));
        assert!((seconds(5)..seconds(6)).contains(&began.elapsed()), "{:?}", began.elapsed());
        // The wait of the guardian begins when its children are gone.
        guardian.ask(Noted).deadline(seconds(10)).await.unwrap();
        assert!((seconds(6)..=seconds(8)).contains(&began.elapsed()), "{:?}", began.elapsed());
    });
}

#[test]
fn nobody_is_born_to_who_is_gone_or_down() {
    run(async {
        let (world, log) = (World::new(), Log::default());
        let system = world.node("a", &[]);
        let kept = Arc::new(Mutex::new(None));
        let (keep, plan) = (kept.clone(), Plan::new("guardian", &log, vec![]));
        let mut make = Guardian::new(&plan);
        let factory = move |scope: &Scope| {
            keep.lock().unwrap().replace(scope.clone());
            make(scope)
        };
        let guardian: ActorRef<Kin> = system.spawn("guardian", factory).await.unwrap().reference();
        let scope: Scope = kept.lock().unwrap().clone().unwrap();
        guardian.ask(Boom).await.unwrap_err();
        sleep(Duration::from_millis(1)).await;
        let orphan = Plan::new("orphan", &log, vec![]);
        let refused = scope.spawn_child(Novice::new(&orphan)).await.err();
        assert_eq!(refused, Some(SpawnError::NoParent), "it is down");
        guardian.ask(Noted).await.unwrap();
        let child = scope.spawn_named_child("orphan", Novice::new(&orphan)).await.unwrap();
        let child: ActorRef<Kin> = child.reference();
        assert_eq!(system.lookup::<Kin>("orphan").await.as_ref(), Ok(&child));
        guardian.ask(Halt).await.unwrap();
        assert_eq!(system.watch(&guardian).await.reason, Reason::Stopped);
        assert_eq!(child.ask(Noted).await, Err(STOPPED));
        let refused = scope.spawn_named_child("orphan", Novice::new(&orphan)).await.err();
        assert_eq!(refused, Some(SpawnError::NoParent), "it is gone");
        assert!(system.spawn("orphan", Novice::new(&orphan)).await.is_ok(), "nothing is left of the name");
    });
}

#[test]
fn a_kill_and_the_end_of_the_node_take_the_children_along_in_order() {
    run(async {
        for shutdown in [false, true] {
            let (world, log) = (World::new(), Log::default());
            let system = world.node("a", &[]);
            let root: ActorRef<Kin> = system.spawn("root", Root::new(&tree(&log))).await.unwrap().reference();
            children(&children(&root).await[1]).await;
            taken(&log);
            let end = async {
                tokio::task::yield_now().await;
                if shutdown {
                    system.shutdown(seconds(1)).await;
                } else {
                    assert!(system.kill(&root));
                }
            };
            let (told, ()) = tokio::join!(system.watch(&root), end);
            assert_eq!(told.reason, if shutdown { Reason::Shutdown } else { Reason::Killed });
            let log: Vec<String> = taken(&log).into_iter().filter(|line| line != "root stopped").collect();
            assert_eq!(log, ["branch 2 stopped", "leaf 2 stopped", "leaf 1 stopped", "branch 1 stopped"]);
        }
    });
}

/// Waits for a child that cannot be made, and is killed in the instant in which that shows, before it hears of it.
#[derive(Remote)]
#[remote(Kin)]
struct Expecting {
    scope: Scope,
}

impl Actor for Expecting {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let scope = self.scope.clone();
        let parent = scope.own::<Kin>().expect("it serves that");
        let stillborn = move |child: &Scope| -> Self {
            assert!(child.system().kill(&parent));
            panic!("no child of mine")
        };
        let birth = async move { scope.spawn_child(stillborn).await.is_ok() };
        ctx.wait(birth.into_actor(self).map(|born, _, _| assert!(!born)));
    }
}

macro_rules! deaf {
    ($($message:ty => $result:ty),*) => {
        $(impl Handler<$message> for Expecting {
            type Result = $result;

            fn handle(&mut self, _: $message, _: &mut Context<Self>) -> $result {
                unreachable!("nobody sends it")
            }
        })*
    };
}

deaf!(Children => Vec<ActorRef<Kin>>, Noted => Vec<u64>, Note => (), Boom => (), Halt => ());

#[test]
fn a_parent_ends_while_it_expects_a_child_that_cannot_be_made() {
    run(async {
        let world = World::new();
        let node = world.node("a", &[]);
        let parent = node.spawn("parent", |scope: &Scope| Expecting { scope: scope.clone() }).await.unwrap();
        let parent: ActorRef<Kin> = parent.reference();
        let ended = tokio::time::timeout(seconds(60), node.watch(&parent)).await;
        assert!(ended.is_ok(), "it waits for a child that is nowhere");
    });
}

#[test]
fn a_name_is_free_again_when_nobody_waits_for_a_birth_that_failed() {
    run(async {
        let world = World::new();
        let node = world.node("a", &[]);
        let stillborn = |_: &Scope| -> Leaf { panic!("never") };
        assert!(node.spawn("x", stillborn).now_or_never().is_none());
        sleep(seconds(1)).await;
        let plan = Plan::new("x", &Log::default(), vec![]);
        let born = node.spawn("x", Novice::new(&plan)).await;
        assert_eq!(born.map(drop), Ok(()));
    });
}
