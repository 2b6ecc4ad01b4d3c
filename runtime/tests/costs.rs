//! What a committed command costs three whole nodes: protocol messages, frames, bytes on the wire, syncs and bytes on the disks. Costs that
//! no machine changes, counted by the nodes' own metrics in virtual time.
//!
//! The bounds are what is measured and a little more. What they leave room for are the heartbeats and probes that go on meanwhile; one
//! message, sync or copy too many for each command goes beyond them.

#[path = "services/counter.rs"]
mod counter;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Sub;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use synod::node::Node;
use synod::protocols::raft::Role;
use synod::services::replicated::{DEADLINE, Replicated};
use synod::sim::{Simulation, simulate};
use synod::storage::LogOptions;
use synod::transport::PeerName;
use tokio::time::sleep;

use crate::counter::Counter;

const NAMES: [&str; 3] = ["a", "b", "c"];
const PORT: u16 = 7400;

/// What the nodes have counted together.
#[derive(Clone, Copy, Debug)]
struct Costs {
    messages: f64,
    frames: f64,
    wire_bytes: f64,
    syncs: f64,
    records: f64,
    disk_bytes: f64,
}

impl Costs {
    fn of(nodes: &[Node]) -> Self {
        let texts: Vec<String> = nodes.iter().map(|node| node.metrics().render()).collect();
        let sum = |name: &str| texts.iter().map(|text| counted(text, name)).sum();
        Self {
            messages: sum("synod_driver_messages_sent_total{protocol=\"raft\"}"),
            frames: sum("synod_driver_frames_sent_total{protocol=\"raft\"}"),
            wire_bytes: sum("synod_link_bytes_sent_total"),
            syncs: sum("synod_log_syncs_total"),
            records: sum("synod_log_records_total"),
            disk_bytes: sum("synod_log_bytes_total"),
        }
    }

    fn per(self, count: usize) -> Self {
        let share = |all: f64| all / count as f64;
        Self {
            messages: share(self.messages),
            frames: share(self.frames),
            wire_bytes: share(self.wire_bytes),
            syncs: share(self.syncs),
            records: share(self.records),
            disk_bytes: share(self.disk_bytes),
        }
    }
}

impl Sub for Costs {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            messages: self.messages - before.messages,
            frames: self.frames - before.frames,
            wire_bytes: self.wire_bytes - before.wire_bytes,
            syncs: self.syncs - before.syncs,
            records: self.records - before.records,
            disk_bytes: self.disk_bytes - before.disk_bytes,
        }
    }
}

fn counted(text: &str, name: &str) -> f64 {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.unwrap_or_else(|| panic!("{name} is not counted in\n{text}"))
}

async fn start(simulation: &Simulation) -> Vec<Node> {
    let nodes: Rc<RefCell<BTreeMap<&str, Node>>> = Rc::default();
    for own in NAMES {
        let (all, simulation_of) = (Rc::clone(&nodes), simulation.clone());
        simulation.start(&named(own), move |env| async move {
            let endpoint = |name| simulation_of.endpoint(&named(name), PORT);
            let bind = endpoint(own).parse().expect("an address");
            let mut builder = Node::builder("test", own).env(env).bind(bind).log(LogOptions::sim());
            for peer in NAMES.into_iter().filter(|peer| *peer != own) {
                builder = builder.peer(peer, endpoint(peer)).expect("a peer");
            }
            let node = builder.start().await.expect("the node starts");
            all.borrow_mut().insert(own, node);
            // The node lives until its process is killed.
            std::future::pending::<()>().await;
        });
    }
    while nodes.borrow().len() < NAMES.len() {
        sleep(Duration::from_millis(5)).await;
    }
    nodes.borrow().values().cloned().collect()
}

/// The service where its leader is, so that no command is forwarded.
async fn leading(nodes: &[Node]) -> Replicated<Counter> {
    let started = nodes.iter().map(|node| node.replicated("counter", NAMES, Counter::default()));
    let handles = try_join_all(started).await.expect("the service starts");
    handles[0].execute_unsessioned(&1, DEADLINE).await.expect("it counts");
    for handle in handles {
        if handle.status().await.expect("a status").role == Role::Leader {
            return handle;
        }
    }
    panic!("nobody leads");
}

/// What each command costs when `count` are given at once, `rounds` times one after the other.
fn measure(count: usize, rounds: usize) -> Costs {
    let outcome = simulate(1, &NAMES, |simulation| async move {
        let nodes = start(&simulation).await;
        let service = leading(&nodes).await;
        sleep(Duration::from_secs(1)).await;
        let before = Costs::of(&nodes);
        for _ in 0..rounds {
            let commands = (0..count).map(|_| service.execute_unsessioned(&1, DEADLINE));
            assert!(join_all(commands).await.iter().all(Result::is_ok));
        }
        (Costs::of(&nodes) - before).per(count * rounds)
    });
    println!("{count} at once: {:.3?}", outcome.value);
    outcome.value
}

fn named(name: &str) -> PeerName {
    PeerName::new(name).expect("a name")
}

/// One append to each of two followers and its answer; one sync on each of three disks, of an entry and the mark of an idle log.
#[test]
fn a_command_costs_four_messages_three_syncs_and_few_bytes() {
    let costs = measure(1, 200);
    assert!(costs.messages <= 4.1 && costs.frames <= 4.1, "{costs:?}");
    assert!(costs.syncs <= 3.05 && costs.records <= 6.1, "{costs:?}");
    assert!(costs.wire_bytes <= 280.0 && costs.disk_bytes <= 400.0, "{costs:?}");
}

/// They share the messages and syncs of one. An entry travels twice and is written three times, and shares even the headers.
#[test]
fn commands_given_together_share_messages_and_syncs() {
    let costs = measure(64, 50);
    assert!(costs.messages <= 4.2 / 64.0 && costs.frames <= 4.2 / 64.0, "{costs:?}");
    assert!(costs.syncs <= 3.1 / 64.0 && costs.records <= 3.1, "{costs:?}");
    assert!(costs.wire_bytes <= 58.0 && costs.disk_bytes <= 250.0, "{costs:?}");
}
