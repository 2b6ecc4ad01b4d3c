//! Clients that each write one key after another, the next as soon as the last is durable.

use std::time::Duration;

use tokio::time::Instant;

use crate::bench::echo::failure;
use crate::bench::latency::Latencies;
use crate::bench::runs::Runs;
use crate::failure::Failure;

/// How many bytes each value has.
pub(crate) const VALUE: usize = 256;
/// How many keys each client writes, over and over.
const KEYS: u64 = 1_000;

/// One client.
pub(crate) trait Writer: 'static {
    /// Writes a key and waits until that is acknowledged.
    ///
    /// # Errors
    /// What came instead.
    async fn put(&mut self, key: &str, value: &'static [u8]) -> Result<(), Failure>;
}

/// The value that is written.
pub(crate) const fn value() -> &'static [u8] {
    &[b'v'; VALUE]
}

/// What one run came to.
pub(crate) struct Load {
    /// Puts a second of all clients together.
    pub(crate) rate: f64,
    /// How long they took.
    pub(crate) latencies: Latencies,
}

/// Lets the clients write, once for each run.
///
/// # Errors
/// The first failure of any.
pub(crate) async fn load<W: Writer>(mut writers: Vec<W>, runs: Runs) -> Result<Vec<Load>, Failure> {
    (writers, _) = write_for(writers, runs.before).await?;
    let mut loads = Vec::new();
    for _ in 0..runs.times {
        let load;
        (writers, load) = write_for(writers, runs.each).await?;
        loads.push(load);
    }
    Ok(loads)
}

async fn write_for<W: Writer>(writers: Vec<W>, duration: Duration) -> Result<(Vec<W>, Load), Failure> {
    let began = Instant::now();
    let until = began + duration;
    let writing: Vec<_> = writers
        .into_iter()
        .enumerate()
        .map(|(client, writer)| actix_rt::spawn(write_until(writer, client, until)))
        .collect();
    let (mut writers, mut lists) = (Vec::new(), Vec::new());
    for written in writing {
        let (writer, latencies) = written.await.map_err(failure)??;
        writers.push(writer);
        lists.push(latencies);
    }
    let elapsed = began.elapsed();
    let mut latencies = Latencies::default();
    lists.into_iter().flatten().for_each(|latency| latencies.add(latency));
    let rate = latencies.count() as f64 / elapsed.as_secs_f64();
    Ok((writers, Load { rate, latencies }))
}

/// Lists how long each write took: a histogram for each client would push what is measured out of the processor's cache.
async fn write_until<W: Writer>(
    mut writer: W,
    client: usize,
    until: Instant,
) -> Result<(W, Vec<Duration>), Failure> {
    let mut latencies = Vec::new();
    let mut asked = Instant::now();
    while asked < until {
        let key = format!("bench.{client}.{}", latencies.len() as u64 % KEYS);
        writer.put(&key, value()).await?;
        let answered = Instant::now();
        latencies.push(answered - asked);
        asked = answered;
    }
    Ok((writer, latencies))
}
