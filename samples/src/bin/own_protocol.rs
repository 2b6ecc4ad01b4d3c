//! An application's own protocol, driven by synod: its records are kept, its messages travel, its timers run.
//!
//! The protocol is `register.rs`: a register that only rises, kept by a majority of three nodes.
//!
//! ```sh
//! cargo run -p synod-samples --bin own_protocol
//! cargo run -p synod-samples --bin own_protocol -- --sim --seed 7
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use synod::prelude::*;
use synod_samples::register::{Command, Register};
use synod_samples::{Ground, Stage, perform};

const NODES: [&str; 3] = ["n1", "n2", "n3"];
/// How long a command may take. The register itself never gives up: who asks decides how long to wait.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    perform("own_protocol", &NODES, raise)
}

async fn raise(stage: Stage) -> Result<(), Box<dyn Error>> {
    let ground = Ground::new("own-protocol", stage)?;
    let mut registers = BTreeMap::new();
    for name in NODES {
        registers.insert(name, host(&ground, name).await?);
    }
    expect(&registers, "n1", Command::Raise(10), 10).await?;
    expect(&registers, "n2", Command::Raise(7), 10).await?;
    expect(&registers, "n3", Command::Read, 10).await?;

    // Two of three are a majority, whichever is missing.
    registers.remove("n1");
    ground.end("n1").await?;
    println!("n1 is gone");
    expect(&registers, "n2", Command::Raise(12), 12).await?;

    // The one that was away has 10 on its disk, and learns of 12 when it is asked.
    registers.insert("n1", host(&ground, "n1").await?);
    println!("n1 is back");
    expect(&registers, "n1", Command::Read, 12).await?;

    // What a majority keeps outlives all of them.
    for name in NODES {
        registers.remove(name);
        ground.end(name).await?;
    }
    println!("all are gone");
    for name in NODES {
        registers.insert(name, host(&ground, name).await?);
    }
    println!("all are back");
    expect(&registers, "n2", Command::Read, 12).await
}

/// Starts a node and lets it host its part of the register, with what its disk holds.
async fn host(ground: &Ground, name: &str) -> Result<Machine<Register>, Box<dyn Error>> {
    let node = ground.start(name).await?;
    let members = (node.id(), node.members(NODES)?.into_keys().collect());
    // The name tells several registers of one cluster apart. A protocol without entries needs no application behind it.
    Ok(node.host("height", members, || Box::new(PlainHost)).await?)
}

async fn expect(
    registers: &BTreeMap<&str, Machine<Register>>,
    name: &str,
    command: Command,
    expected: u64,
) -> Result<(), Box<dyn Error>> {
    let register = registers.get(name).ok_or("the node is not there")?;
    let question = format!("{name}: {command:?}");
    // The first `?` is for time, the second for the driver, which says whether the command may have taken effect.
    let reply = actix::clock::timeout(PATIENCE, register.command(command)).await??;
    let value = reply.ok_or("too much waits for the register")?;
    println!("{question} -> {value}");
    if value == expected { Ok(()) } else { Err(format!("{expected} was expected").into()) }
}
