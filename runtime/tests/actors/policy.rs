//! Interfaces that a node's policy opens to some and not to others: a refusal has its type wherever it is met, and nothing is run.

use std::time::Duration;

use synod::actor::{Callers, Policy};
use synod::prelude::*;
use tokio::time::sleep;

use crate::hostile::counted;
use crate::subjects::*;
use crate::world::{World, linked, run};

/// A node on which `Desk` is for the member a alone, and `Diary`, which the clerk opens to clients, for members and the client x.
async fn guarded(world: &World) -> (ActorSystem, ActorRef<Desk>) {
    let mut settings = world.settings("b", &[]);
    let mut policy = Policy::default();
    policy.set("test.desk", Callers::nobody().members(["a"]).all_clients());
    policy.set("test.diary", Callers::nobody().all_members().clients(["x"]));
    settings.policy = policy;
    let b = ActorSystem::start(settings).unwrap();
    let clerk = b.spawn("clerk", Clerk::default).await.unwrap().reference();
    (b, clerk)
}

/// A reference that somebody else was given.
fn passed_on(reference: &ActorRef<Desk>, to: &ActorSystem) -> ActorRef<Desk> {
    let mut bytes = bytes::BytesMut::new();
    synod::wire::encode(reference, synod::wire::Form::Compact, &mut bytes).unwrap();
    let (node, incarnation, actor): (String, u64, u64) = synod::wire::decode(&bytes, 100).unwrap();
    to.bind(&forged(&node, incarnation, actor))
}

#[test]
fn members_that_are_not_named_are_refused_before_anything_is_run() {
    run(async {
        let world = World::new();
        let (b, clerk) = guarded(&world).await;
        let (a, c) = (world.node("a", &["b"]), world.node("c", &["b"]));
        linked(&b, 2).await;
        let named: ActorRef<Desk> = a.lookup("clerk").await.unwrap();
        assert_eq!(named.ask(Add(2)).await, Ok(Ok(2)));

        assert_eq!(c.lookup::<Desk>("clerk").await.unwrap_err(), LookupError::Denied("clerk".into()));
        // A reference is no right.
        let given = passed_on(&clerk, &c);
        let denied = AskError { cause: Cause::Denied, outcome: Outcome::NotExecuted };
        assert_eq!(given.ask(Add(2)).await, Err(denied));
        given.tell(Note(1)).await.unwrap();
        sleep(Duration::from_millis(10)).await;
        assert!(world.letters().iter().any(|letter| letter.error == denied && *letter.node.as_str() == *"b"));
        assert_eq!(counted(&b, "synod_messages_refused_total{cause=\"denied\"}"), 2);
        assert_eq!(clerk.ask(Noted).await, Ok(vec![]));
        // What it may call of the same actor, it may.
        let diary: ActorRef<Diary> = c.lookup("clerk").await.unwrap();
        assert_eq!(diary.ask(Noted).await, Ok(vec![]));
        assert_eq!(named.ask(Add(2)).await, Ok(Ok(4)), "the actor's own node and whoever is named go on");
    });
}

#[test]
fn clients_that_are_not_named_are_refused_and_a_policy_opens_nothing() {
    run(async {
        let world = World::new();
        let (_b, _) = guarded(&world).await;
        let (x, y) = (world.client("x", &["b"]), world.client("y", &["b"]));
        linked(&x, 1).await;
        linked(&y, 1).await;
        let diary: ActorRef<Diary> = x.lookup("clerk").await.unwrap();
        assert_eq!(diary.ask(Noted).await, Ok(vec![]));
        assert_eq!(y.lookup::<Diary>("clerk").await.unwrap_err(), LookupError::Denied("clerk".into()));
        // The actor does not open this one to clients, whatever the node says.
        assert_eq!(x.lookup::<Desk>("clerk").await.unwrap_err(), LookupError::Denied("clerk".into()));
        assert_eq!(y.watch(&y.bind(&diary)).await.reason, Reason::Denied);
    });
}
