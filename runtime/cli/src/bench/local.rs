//! Messages that stay on one node, between two places of one thread and from one thread to another; and actors that do nothing.

use std::future::Future;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use synod::prelude::*;
use tokio::sync::oneshot;

use crate::bench::echo::failure;
use crate::bench::figure::{Figure, Figures};
use crate::bench::messages::{Count, Drain, Idle, PAYLOAD, Sink, Tell};
use crate::bench::process::Usage;
use crate::bench::remote::{add_asks, asks};
use crate::bench::runs::Runs;
use crate::failure::Failure;

/// How many messages are told before the receiver is asked how many there were; what is under way stays in the caches.
const ROUND: u64 = 5_000;
/// How many actors are spawned.
const SPAWNED: usize = 1_000_000;
/// How many of them are on their way at once.
const SPAWNING: usize = 1_024;

/// Tells and asks on the thread of the receiver, and from this one, on which no actor of the node lives. The node has one place for actors.
///
/// # Errors
/// When a message is refused or lost.
pub(crate) async fn measure(node: &Node, runs: Runs, figures: &mut Figures) -> Result<(), Failure> {
    let sink = node.spawn("local", Drain::default).await.map_err(failure)?.reference::<Sink>();
    let to = sink.clone();
    let same = at_place(node, async move || rates(&to, runs).await).await??;
    figures.add(Figure::of("local_tell_same", "messages/s", same))?;
    figures.add(Figure::of("local_tell_cross", "messages/s", rates(&sink, runs).await?))?;
    for at_once in [1, 64] {
        let to = sink.clone();
        let same = at_place(node, async move || asks(&to, at_once, runs).await).await??;
        add_asks(&format!("local_ask_same_{at_once}"), &same, figures)?;
    }
    add_asks("local_ask_cross_64", &asks(&sink, 64, runs).await?, figures)
}

/// Actors that are there and do nothing: how fast they come, and what each holds.
///
/// # Errors
/// When one is not spawned.
pub(crate) async fn spawn(node: &Node, figures: &mut Figures) -> Result<(), Failure> {
    for (name, prefix) in [("spawn", None), ("spawn_named", Some("idle-"))] {
        let before = Usage::now()?.resident_bytes;
        let began = Instant::now();
        let spawned: Vec<_> = stream::iter(0..SPAWNED)
            .map(|number| async move {
                match prefix {
                    None => node.system().spawn_anonymous(Idle::default).await,
                    Some(prefix) => node.spawn(format!("{prefix}{number}"), Idle::default).await,
                }
            })
            .buffered(SPAWNING)
            .map(|spawned| spawned.map(|spawned| spawned.reference::<Sink>()))
            .collect()
            .await;
        let rate = SPAWNED as f64 / began.elapsed().as_secs_f64();
        let references = spawned.into_iter().collect::<Result<Vec<_>, _>>().map_err(failure)?;
        let bytes = (Usage::now()?.resident_bytes - before) / SPAWNED as f64;
        figures.add(Figure::of(name, "actors/s", vec![rate]))?;
        figures.add(Figure::of(format!("{name}_bytes"), "bytes", vec![bytes]))?;
        for reference in &references {
            if !node.system().stop(reference) {
                return Err(Failure::new("an actor that was spawned is not there"));
            }
        }
        // Each of them has stopped once the last one has.
        if let Some(last) = references.last() {
            node.system().watch(last).await;
        }
    }
    Ok(())
}

/// Does something on the thread of the node's actors.
async fn at_place<T: Send + 'static, F: Future<Output = T> + 'static>(
    node: &Node,
    work: impl FnOnce() -> F + Send + 'static,
) -> Result<T, Failure> {
    let (done, result) = oneshot::channel();
    let start = move || {
        actix_rt::spawn(async move {
            // Who waits below may have been interrupted: then the benchmark is over, and its figures are nobody's.
            drop(done.send(work().await));
        });
    };
    node.system().env().spawner.start_at(0, Box::new(start));
    result.await.map_err(failure)
}

async fn rates(sink: &ActorRef<Sink>, runs: Runs) -> Result<Vec<f64>, Failure> {
    tell_for(sink, runs.before).await?;
    let mut rates = Vec::new();
    for _ in 0..runs.times {
        rates.push(tell_for(sink, runs.each).await?);
    }
    Ok(rates)
}

async fn tell_for(sink: &ActorRef<Sink>, duration: Duration) -> Result<f64, Failure> {
    let before = sink.ask(Count).await.map_err(failure)?;
    let began = Instant::now();
    let (mut told, mut after) = (0, before);
    while began.elapsed() < duration {
        for _ in 0..ROUND {
            sink.tell(Tell::of(PAYLOAD)).await.map_err(failure)?;
        }
        told += ROUND;
        after = sink.ask(Count).await.map_err(failure)?;
    }
    let took = began.elapsed();
    if after - before != told {
        return Err(Failure::new(format!("{told} messages were told and {} arrived", after - before)));
    }
    Ok(told as f64 / took.as_secs_f64())
}
