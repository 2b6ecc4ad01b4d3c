//! What an actor that does nothing holds, and what a question to an actor of the same node takes, however fast the machine is: memory,
//! counted by an allocator of this test's own.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use synod::prelude::*;
use synod::sim::simulate;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Actors and asks before anything is counted, so that what is there once is there.
const FIRST: usize = 1_024;
const COUNTED: usize = 1_000;
/// What an actor may hold that nobody has named, with one reference to it, in bytes asked of the allocator.
const IDLE: usize = 1_250;
/// What its name may take beside that.
const NAMED: usize = 250;

#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "u64")]
#[wire(id = "costs.Double")]
struct Double(u64);

interface!(Sums = "costs.sums" { Double });

#[derive(Default, Remote)]
#[remote(Sums)]
struct Clerk;

impl Actor for Clerk {
    type Context = Context<Self>;
}

impl Handler<Double> for Clerk {
    type Result = u64;

    fn handle(&mut self, Double(number): Double, _: &mut Context<Self>) -> u64 {
        2 * number
    }
}

/// Bytes that so many actors hold.
async fn held(node: &Node, count: usize, prefix: Option<&str>) -> usize {
    let mut references = Vec::with_capacity(count);
    let region = Region::new(ALLOCATOR);
    for number in 0..count {
        let spawned = match prefix {
            None => node.system().spawn_anonymous(Clerk::default).await,
            Some(prefix) => node.spawn(format!("{prefix}{number}"), Clerk::default).await,
        };
        references.push(spawned.expect("it lives").reference::<Sums>());
    }
    // Each has been polled when the last one answers.
    assert_eq!(references[count - 1].ask(Double(4)).await, Ok(8));
    let change = region.change();
    (change.bytes_allocated - change.bytes_deallocated) / count
}

#[test]
fn an_idle_actor_is_small_and_an_ask_takes_two_pieces_of_memory() {
    simulate(1, &["a"], |simulation| async move {
        let node = Node::builder("test", "a").env(simulation.boot(&simulation.names()[0]));
        let node = node.start().await.expect("a node");
        held(&node, FIRST, None).await;
        let idle = held(&node, COUNTED, None).await;
        let named = held(&node, COUNTED, Some("idle-")).await;
        assert!(idle <= IDLE, "{idle} bytes an actor, {named} with a name");
        assert!(named <= idle + NAMED, "{named} bytes an actor with a name, {idle} without");
        assert!(idle > 500, "something was counted");

        let clerk = node.spawn("clerk", Clerk::default).await.expect("it lives").reference::<Sums>();
        for number in 0..FIRST as u64 {
            assert_eq!(clerk.ask(Double(number)).await, Ok(2 * number));
        }
        let region = Region::new(ALLOCATOR);
        for number in 0..COUNTED as u64 {
            assert_eq!(clerk.ask(Double(number)).await, Ok(2 * number));
        }
        let change = region.change();
        let each = (change.allocations + change.reallocations) as f64 / COUNTED as f64;
        // The message, and where its answer comes.
        assert!(each <= 2.0, "{each} allocations an ask");
    });
}
