//! A replicated counter: three nodes, one state machine, and a total that survives the loss of the leader.
//!
//! ```sh
//! cargo run -p synod-samples --bin counter
//! cargo run -p synod-samples --bin counter -- --sim --seed 7
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use synod::prelude::*;
use synod_samples::counter::{Add, Counter, Total};
use synod_samples::{Ground, Stage, perform};

const NODES: [&str; 3] = ["n1", "n2", "n3"];
const INCREMENTS: u64 = 10;
/// Long enough for an election.
const DEADLINE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    perform("counter", &NODES, count)
}

async fn count(stage: Stage) -> Result<(), Box<dyn Error>> {
    let ground = Ground::new("counter", stage)?;
    let mut counters = BTreeMap::new();
    for name in NODES {
        counters.insert(name, replica(&ground, name).await?);
    }

    // Any node takes a command: it finds the leader, and repeats what has to be repeated. Each command takes effect once.
    increment_through_all(&counters).await?;
    expect_everywhere(&counters, 3 * INCREMENTS).await?;

    let leader = leader_of(&counters).await?;
    counters.remove(leader);
    ground.end(leader).await?;
    println!("{leader}, the leader, is gone; the other two elect one of them");
    increment_through_all(&counters).await?;
    expect_everywhere(&counters, 5 * INCREMENTS).await?;

    counters.insert(leader, replica(&ground, leader).await?);
    println!("{leader} is back, with what its disk holds; it catches up with the rest");
    increment_through_all(&counters).await?;
    expect_everywhere(&counters, 8 * INCREMENTS).await
}

/// Starts a node and its replica. Every member names the same members and the same initial state.
async fn replica(ground: &Ground, name: &str) -> Result<Replicated<Counter>, Box<dyn Error>> {
    let node = ground.start(name).await?;
    Ok(node.replicated("counter", NODES, Counter::default()).await?)
}

async fn increment_through_all(counters: &BTreeMap<&str, Replicated<Counter>>) -> Result<(), Box<dyn Error>> {
    for (name, counter) in counters {
        let mut total = 0;
        for _ in 0..INCREMENTS {
            // The error would say whether the increment may have been counted.
            total = counter.execute(&Add(1), DEADLINE).await?;
        }
        println!("{INCREMENTS} increments through {name}: the total is {total}");
    }
    Ok(())
}

/// Reads from every node. The answer reflects everything that was acknowledged before, whichever node gives it.
async fn expect_everywhere(
    counters: &BTreeMap<&str, Replicated<Counter>>,
    expected: u64,
) -> Result<(), Box<dyn Error>> {
    for (name, counter) in counters {
        let (total, index) = counter.query(&Total, DEADLINE).await?;
        println!("{name} reads {total}, as of log index {index}");
        if total != expected {
            return Err(format!("{name} should have read {expected}").into());
        }
    }
    Ok(())
}

async fn leader_of<'a>(counters: &BTreeMap<&'a str, Replicated<Counter>>) -> Result<&'a str, Box<dyn Error>> {
    let leader = counters.values().next().ok_or("there is nobody to ask")?.leader().await;
    for (name, counter) in counters {
        if counter.status().await?.id == leader {
            return Ok(name);
        }
    }
    Err("a stranger leads".into())
}
