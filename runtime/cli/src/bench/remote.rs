//! Messages to another process over QUIC: tells in rounds that the receiver counts, asks with a fixed number under way.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use synod::prelude::*;
use tokio::task::JoinHandle;

use crate::bench::at_once;
use crate::bench::echo::failure;
use crate::bench::figure::{Figure, Figures};
use crate::bench::latency::Latencies;
use crate::bench::messages::{Ask, Count, PAYLOAD, Sink, Tell};
use crate::bench::runs::Runs;
use crate::failure::Failure;

/// How many messages make a round. Two rounds are under way, so that the link is never idle and no feed overflows.
const ROUND: usize = 100_000;
/// How many bytes of payload make a round at most.
const ROUND_BYTES: usize = 16 << 20;

/// A large message: 64 MiB with all that is around its payload.
const LARGE: usize = (64 << 20) - 64;

/// What is told, by how many at once, and to whom: each of them tells its part of the actors in turn.
#[derive(Clone, Copy)]
pub(crate) struct Telling<'a> {
    pub(crate) sinks: &'a [ActorRef<Sink>],
    pub(crate) senders: usize,
    pub(crate) payload: usize,
}

type Counted = JoinHandle<Result<u64, Failure>>;

impl<'a> Telling<'a> {
    /// By one, messages of the usual size.
    pub(crate) const fn to(sinks: &'a [ActorRef<Sink>]) -> Self {
        Self { sinks, senders: 1, payload: PAYLOAD }
    }
}

/// Messages told in a second, once for each run.
///
/// # Errors
/// When a message is refused, or one is missing at the end.
pub(crate) async fn tells(telling: Telling<'_>, runs: Runs) -> Result<Vec<f64>, Failure> {
    tell_for(telling, runs.before).await?;
    let mut rates = Vec::new();
    for _ in 0..runs.times {
        rates.push(tell_for(telling, runs.each).await?);
    }
    Ok(rates)
}

async fn tell_for(telling: Telling<'_>, duration: Duration) -> Result<f64, Failure> {
    let began = Instant::now();
    let round = (ROUND / telling.senders).min(ROUND_BYTES / telling.payload).max(1);
    let sending: Vec<_> = (0..telling.senders)
        .map(|sender| {
            let sinks = telling.sinks.iter().skip(sender).step_by(telling.senders).cloned().collect();
            actix_rt::spawn(tell_until(sinks, telling.payload, round, began + duration))
        })
        .collect();
    let mut told = 0;
    for sender in sending {
        told += sender.await.map_err(failure)??;
    }
    Ok(told as f64 / began.elapsed().as_secs_f64())
}

/// How many one sender has told.
async fn tell_until(
    sinks: Vec<ActorRef<Sink>>,
    payload: usize,
    round: usize,
    until: Instant,
) -> Result<u64, Failure> {
    let before = count(sinks.clone()).await?;
    let (mut told, mut counted): (u64, Option<Counted>) = (0, None);
    while Instant::now() < until {
        for sink in sinks.iter().cycle().take(round) {
            sink.tell(Tell::of(payload)).await.map_err(failure)?;
        }
        told += round as u64;
        let latest = actix_rt::spawn(count(sinks.clone()));
        if let Some(earlier) = counted.replace(latest) {
            earlier.await.map_err(failure)??;
        }
    }
    let mut after = before;
    if let Some(last) = counted {
        after = last.await.map_err(failure)??;
    }
    if after - before != told {
        return Err(Failure::new(format!("{told} messages were told and {} arrived", after - before)));
    }
    Ok(told)
}

/// How many tells all of them have taken. Each answers after what it was told before.
async fn count(sinks: Vec<ActorRef<Sink>>) -> Result<u64, Failure> {
    let asked = sinks.iter().map(|sink| sink.ask(Count).deadline(Duration::from_secs(30)).into_future());
    let counts = futures_util::future::try_join_all(asked).await.map_err(failure)?;
    Ok(counts.into_iter().sum())
}

/// How long asks take while so many are under way: one result for each run, which took about as long as it says.
///
/// # Errors
/// When an ask fails.
pub(crate) async fn asks(
    sink: &ActorRef<Sink>,
    at_once: usize,
    runs: Runs,
) -> Result<Vec<(Duration, Latencies)>, Failure> {
    ask_for(sink, at_once, runs.before).await?;
    let mut results = Vec::new();
    for _ in 0..runs.times {
        results.push(ask_for(sink, at_once, runs.each).await?);
    }
    Ok(results)
}

async fn ask_for(
    sink: &ActorRef<Sink>,
    at_once: usize,
    duration: Duration,
) -> Result<(Duration, Latencies), Failure> {
    let sink = sink.clone();
    at_once::asks(at_once, duration, move || sink.ask(Ask::usual()).into_future()).await.map_err(failure)
}

/// How long one ask at a time takes while messages of 64 MiB flow to another actor of the same node, one after the other.
///
/// # Errors
/// When a message fails, or none of the large ones came there.
pub(crate) async fn asks_beside_bulk(
    sink: &ActorRef<Sink>,
    bulk: &ActorRef<Sink>,
    runs: Runs,
) -> Result<Vec<(Duration, Latencies)>, Failure> {
    let (over, large) = (Rc::new(Cell::new(false)), bulk.clone());
    let before = count(vec![bulk.clone()]).await?;
    let ends = over.clone();
    let flowing = actix_rt::spawn(async move {
        let payload = Bytes::from(vec![7; LARGE]);
        while !ends.get() {
            large.tell(Tell::with(payload.clone())).await?;
        }
        Ok::<_, AskError>(())
    });
    let results = asks(sink, 1, runs).await;
    over.set(true);
    flowing.await.map_err(failure)?.map_err(failure)?;
    if count(vec![bulk.clone()]).await? == before {
        return Err(Failure::new("no large message came there"));
    }
    results
}

/// How many asks were answered in a second, and how long they took.
///
/// # Errors
/// When standard output does not take it.
pub(crate) fn add_asks(
    name: &str,
    results: &[(Duration, Latencies)],
    figures: &mut Figures,
) -> Result<(), Failure> {
    let rate = |(took, latencies): &(Duration, Latencies)| latencies.count() as f64 / took.as_secs_f64();
    figures.add(Figure::of(name, "asks/s", results.iter().map(rate).collect()))?;
    for (part, suffix) in [(0.5, "p50"), (0.99, "p99"), (0.999, "p999")] {
        let results = results.iter().map(|(_, latencies)| latencies.quantile_us(part)).collect();
        figures.add(Figure::of(format!("{name}_{suffix}"), "us", results))?;
    }
    Ok(())
}
