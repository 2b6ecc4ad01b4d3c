//! Messages to another process over QUIC: tells in rounds that the receiver counts, asks with a fixed number under way.

use std::time::{Duration, Instant};

use synod::prelude::*;
use tokio::task::JoinHandle;

use crate::bench::echo::failure;
use crate::bench::latency::Latencies;
use crate::bench::messages::{Ask, Count, Sink, Tell};
use crate::bench::runs::Runs;
use crate::failure::Failure;

/// How many messages make a round. Two rounds are under way, so that the link is never idle and no feed overflows.
const ROUND: u64 = 100_000;

type Counted = JoinHandle<Result<u64, Failure>>;

/// Messages a second told to these actors in turn, once for each run.
///
/// # Errors
/// When a message is refused, or one is missing at the end.
pub(crate) async fn tells(sinks: &[ActorRef<Sink>], runs: Runs) -> Result<Vec<f64>, Failure> {
    tell_for(sinks, runs.before).await?;
    let mut rates = Vec::new();
    for _ in 0..runs.times {
        rates.push(tell_for(sinks, runs.each).await?);
    }
    Ok(rates)
}

async fn tell_for(sinks: &[ActorRef<Sink>], duration: Duration) -> Result<f64, Failure> {
    let before = count(sinks.to_vec()).await?;
    let began = Instant::now();
    let (mut told, mut counted): (u64, Option<Counted>) = (0, None);
    while began.elapsed() < duration {
        for sink in sinks.iter().cycle().take(ROUND as usize) {
            sink.tell(Tell::usual()).await.map_err(failure)?;
        }
        told += ROUND;
        let round = actix_rt::spawn(count(sinks.to_vec()));
        if let Some(earlier) = counted.replace(round) {
            earlier.await.map_err(failure)??;
        }
    }
    let mut after = before;
    if let Some(last) = counted {
        after = last.await.map_err(failure)??;
    }
    let took = began.elapsed();
    if after - before != told {
        return Err(Failure::new(format!("{told} messages were told and {} arrived", after - before)));
    }
    Ok(told as f64 / took.as_secs_f64())
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
    let began = Instant::now();
    let askers: Vec<_> = (0..at_once)
        .map(|_| {
            let sink = sink.clone();
            actix_rt::spawn(async move {
                let mut latencies = Latencies::default();
                let mut asked = Instant::now();
                while asked < began + duration {
                    sink.ask(Ask::usual()).await?;
                    let answered = Instant::now();
                    latencies.add(answered - asked);
                    asked = answered;
                }
                Ok::<_, AskError>(latencies)
            })
        })
        .collect();
    let mut all = Latencies::default();
    for asker in askers {
        all.merge(&asker.await.map_err(failure)?.map_err(failure)?);
    }
    Ok((began.elapsed(), all))
}
