//! What is left when there are no actors: bytes on streams of quinn, with synod's settings, between two processes. The limit, and no peer.
//!
//! Tells are frames of the same size, written in batches that are ready; asks are numbered requests on one stream, of which each end
//! answers all that one read brought with one write; a single ask is a ping-pong on a stream of its own.

mod answer;
mod ask;
mod frames;
mod setup;
mod tell;

use std::time::Duration;

use quinn::Connection;
use tokio::runtime::{Builder, Runtime};

pub(crate) use answer::answer;

use crate::child::Answerer;
use crate::command::Peer;
use crate::line::{Failure, say, say_asks};

/// What a stream is for: its first byte.
const COUNTED: u8 = 1;
const ECHOED: u8 = 2;

/// Measures the other process.
pub(crate) fn measure(each: Duration) -> Result<(), Failure> {
    let answerer = Answerer::start(Peer::Quinn)?;
    runtime()?.block_on(async {
        let connection = setup::connect(&answerer.whereabouts).await?;
        tells(&connection, each).await?;
        ask::ping_pong(&connection, each / 2).await?;
        let (took, latencies) = ask::ping_pong(&connection, each).await?;
        say_asks("remote_ask_1", took, &latencies);
        for at_once in [64, 1_024] {
            ask::multiplexed(&connection, at_once, each / 2).await?;
            let (took, latencies) = ask::multiplexed(&connection, at_once, each).await?;
            say_asks(&format!("remote_ask_{at_once}"), took, &latencies);
        }
        Ok(())
    })
}

async fn tells(connection: &Connection, each: Duration) -> Result<(), Failure> {
    for (name, payload) in [("remote_tell_1", 64), ("remote_tell_1k", 1 << 10), ("remote_tell_64k", 64 << 10)]
    {
        tell::batches(connection, payload, each / 2).await?;
        say(name, "messages/s", tell::batches(connection, payload, each).await?);
    }
    Ok(())
}

fn runtime() -> Result<Runtime, Failure> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}
