//! The same work for every peer that has actors: tells that the receivers count, asks with a fixed number under way.

use std::future::Future;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::latency::Latencies;
use crate::line::{Failure, say, say_asks};

/// How many actors there are at the other end.
pub(crate) const TARGETS: usize = 64;
/// Bytes of a usual message.
pub(crate) const PAYLOAD: usize = 64;

/// How long messages may be on their way until they count as lost.
const PATIENCE: Duration = Duration::from_secs(5);
/// What is told: a name, how many senders to an actor each, and the bytes of a message.
const TELLS: [(&str, usize, usize); 4] = [
    ("remote_tell_1", 1, PAYLOAD),
    ("remote_tell_64", TARGETS, PAYLOAD),
    ("remote_tell_1k", 1, 1 << 10),
    ("remote_tell_64k", 1, 64 << 10),
];

/// One end of what is measured.
pub(crate) trait Client: Clone + Send + Sync + 'static {
    /// How many tells of one sender are sent until it waits for the round before; so many are under way at most twice.
    const ROUND: usize;
    /// How many bytes of payload make a round at most.
    const ROUND_BYTES: usize = 16 << 20;

    /// Tells one of the actors.
    fn tell(&self, target: usize, payload: &[u8]) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Asks one of the actors for its payload.
    fn ask(&self, target: usize, payload: &[u8]) -> impl Future<Output = Result<(), Failure>> + Send;

    /// How many tells one of the actors has had.
    fn count(&self, target: usize) -> impl Future<Output = Result<u64, Failure>> + Send;
}

/// Does everything that a remote peer is asked for.
///
/// # Errors
/// When a message fails.
pub(crate) async fn measure(client: &impl Client, each: Duration) -> Result<(), Failure> {
    for (name, senders, payload) in TELLS {
        tells(client, senders, payload, each / 2).await?;
        let (told, arrived, took) = tells(client, senders, payload, each).await?;
        if arrived < told {
            eprintln!("{name}: {} of {told} messages were lost", told - arrived);
        }
        say(name, "messages/s", arrived as f64 / took.as_secs_f64());
    }
    for at_once in [1, 64, 1_024] {
        asks(client, at_once, each / 2).await?;
        let (took, latencies) = asks(client, at_once, each).await?;
        say_asks(&format!("remote_ask_{at_once}"), took, &latencies);
    }
    Ok(())
}

async fn tells(
    client: &impl Client,
    senders: usize,
    payload: usize,
    duration: Duration,
) -> Result<(u64, u64, Duration), Failure> {
    let began = Instant::now();
    let mut sending = JoinSet::new();
    for target in 0..senders {
        sending.spawn(tell_until(client.clone(), target, senders, payload, began + duration));
    }
    let (mut told, mut arrived) = (0, 0);
    while let Some(sent) = sending.join_next().await {
        let sent = sent??;
        told += sent.0;
        arrived += sent.1;
    }
    Ok((told, arrived, began.elapsed()))
}

/// Tells one actor, two rounds under way, and gives how many messages were told and how many arrived.
async fn tell_until<C: Client>(
    client: C,
    target: usize,
    senders: usize,
    payload: usize,
    until: Instant,
) -> Result<(u64, u64), Failure> {
    let payload = vec![7; payload];
    let round = (C::ROUND / senders).min(C::ROUND_BYTES / payload.len()).max(1);
    let before = client.count(target).await?;
    let mut told = 0;
    let mut earlier = tokio::spawn(arrived(client.clone(), target, before));
    loop {
        for _ in 0..round {
            client.tell(target, &payload).await?;
        }
        told += round as u64;
        let later = tokio::spawn(arrived(client.clone(), target, before + told));
        let reached = std::mem::replace(&mut earlier, later).await??;
        if Instant::now() >= until || reached < before + told - round as u64 {
            return Ok((told, earlier.await?? - before));
        }
    }
}

/// How many have arrived once all have, or patience is over: not all peers keep questions behind what was told before.
async fn arrived<C: Client>(client: C, target: usize, expected: u64) -> Result<u64, Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let count = client.count(target).await?;
        if count >= expected || Instant::now() > deadline {
            return Ok(count);
        }
        sleep(Duration::from_millis(2)).await;
    }
}

async fn asks(
    client: &impl Client,
    at_once: usize,
    duration: Duration,
) -> Result<(Duration, Latencies), Failure> {
    let began = Instant::now();
    let mut asking = JoinSet::new();
    for _ in 0..at_once {
        asking.spawn(ask_until(client.clone(), began + duration));
    }
    let mut asked = Vec::new();
    while let Some(some) = asking.join_next().await {
        asked.push(some??);
    }
    let took = began.elapsed();
    let mut all = Latencies::default();
    asked.into_iter().flatten().for_each(|latency| all.add(latency));
    Ok((took, all))
}

/// How long each of one asker's asks took: a table for each of a thousand would take longer than the asks.
async fn ask_until(client: impl Client, until: Instant) -> Result<Vec<Duration>, Failure> {
    let payload = [7; PAYLOAD];
    let mut latencies = Vec::new();
    let mut asked = Instant::now();
    while asked < until {
        client.ask(0, &payload).await?;
        let answered = Instant::now();
        latencies.push(answered - asked);
        asked = answered;
    }
    Ok(latencies)
}
