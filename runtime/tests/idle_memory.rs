//! What a service with nothing to do holds on each of its nodes, counted by an allocator of this test's own: a cost that no
//! machine changes.
//!
//! Three whole nodes in virtual time. What their simulated disks hold is counted too, so that a real node has less.

#[path = "services/counter.rs"]
mod counter;

use std::alloc::System;
use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use synod::node::{Node, RaftConfig};
use synod::services::replicated::Replicated;
use synod::sim::{Simulation, simulate};
use synod::storage::LogOptions;
use synod::transport::PeerName;
use tokio::time::sleep;

use crate::counter::Counter;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const NAMES: [&str; 3] = ["a", "b", "c"];
/// Services that run before anything is counted, so that what a node needs anyway is there.
const FIRST: usize = 100;
const COUNTED: usize = 500;
/// What one service may hold on one node, in bytes asked of the allocator.
const LIMIT: usize = 2_800;

fn named(name: &str) -> PeerName {
    PeerName::new(name).expect("a name")
}

async fn start(simulation: &Simulation) -> Vec<Node> {
    let nodes: Rc<RefCell<Vec<Node>>> = Rc::default();
    for own in NAMES {
        let (world, started) = (simulation.clone(), Rc::clone(&nodes));
        simulation.start(&named(own), move |env| async move {
            let endpoint = |name| world.endpoint(&named(name), 7400);
            let raft = RaftConfig { hibernate_after: Some(Duration::from_secs(1)), ..RaftConfig::default() };
            let log = LogOptions { segment_bytes: 16 << 20, ..LogOptions::sim() };
            let bind = endpoint(own).parse().expect("an address");
            let mut builder = Node::builder("test", own).env(env).bind(bind).log(log).raft(raft);
            for peer in NAMES.into_iter().filter(|peer| *peer != own) {
                builder = builder.peer(peer, endpoint(peer)).expect("a peer");
            }
            let node = builder.start().await.expect("the node starts");
            started.borrow_mut().push(node);
            // The node lives as long as the simulation.
            std::future::pending::<()>().await;
        });
    }
    while nodes.borrow().len() < NAMES.len() {
        sleep(Duration::from_millis(5)).await;
    }
    nodes.take()
}

/// Begins services on all nodes, and waits until they sleep.
async fn asleep(nodes: &[Node], numbers: Range<usize>) -> Vec<Replicated<Counter>> {
    let mut handles = Vec::with_capacity(numbers.len() * nodes.len());
    for number in numbers {
        let name = format!("group-{number}");
        for node in nodes {
            handles.push(node.replicated(&name, NAMES, Counter::default()).await.expect("it begins"));
        }
    }
    sleep(Duration::from_secs(10)).await;
    handles
}

#[test]
fn an_idle_service_holds_less_than_two_thousand_eight_hundred_bytes_on_each_node() {
    simulate(1, &NAMES, |simulation| async move {
        let nodes = start(&simulation).await;
        let _first = asleep(&nodes, 0..FIRST).await;
        let region = Region::new(ALLOCATOR);
        let _services = asleep(&nodes, FIRST..FIRST + COUNTED).await;
        let change = region.change();
        let held = (change.bytes_allocated - change.bytes_deallocated) / (COUNTED * NAMES.len());
        assert!(held < LIMIT, "{held} bytes a service and node");
        // Something was counted.
        assert!(held > 1_000, "{held} bytes a service and node");
    });
}
