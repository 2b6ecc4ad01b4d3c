//! actix by itself: what an actor costs within one process when nothing is bounded, restarted or called from elsewhere.

use std::fs;
use std::time::{Duration, Instant};

use actix::prelude::*;
use actix_rt::Arbiter;
use bytes::Bytes;

use crate::at_once;
use crate::latency::Latencies;
use crate::line::{Failure, say, say_asks};
use crate::load::PAYLOAD;

/// As many tells as `synod bench messaging` has between two counts.
const ROUND: u64 = 5_000;
const SPAWNED: usize = 1_000_000;

#[derive(Message)]
#[rtype(result = "()")]
struct Tell(Bytes);

#[derive(Message)]
#[rtype(result = "Bytes")]
struct Ask(Bytes);

#[derive(Message)]
#[rtype(result = "u64")]
struct Count;

#[derive(Default)]
struct Sink(u64);

impl Actor for Sink {
    type Context = Context<Self>;
}

impl Handler<Tell> for Sink {
    type Result = ();

    fn handle(&mut self, tell: Tell, _: &mut Context<Self>) {
        self.0 += 1;
        std::hint::black_box(tell.0);
    }
}

impl Handler<Ask> for Sink {
    type Result = MessageResult<Ask>;

    fn handle(&mut self, ask: Ask, _: &mut Context<Self>) -> Self::Result {
        MessageResult(ask.0)
    }
}

impl Handler<Count> for Sink {
    type Result = u64;

    fn handle(&mut self, _: Count, _: &mut Context<Self>) -> u64 {
        self.0
    }
}

/// Measures within this process.
pub(crate) fn measure(each: Duration) -> Result<(), Failure> {
    System::new().block_on(async {
        let here = Sink::default().start();
        let arbiter = Arbiter::new();
        let there = Sink::start_in_arbiter(&arbiter.handle(), |_| Sink::default());
        for (sink, name) in [(&here, "local_tell_same"), (&there, "local_tell_cross")] {
            tells(sink, each / 2).await?;
            say(name, "messages/s", tells(sink, each).await?);
        }
        for (sink, at_once, name) in [
            (&here, 1, "local_ask_same_1"),
            (&here, 64, "local_ask_same_64"),
            (&there, 64, "local_ask_cross_64"),
        ] {
            asks(sink, at_once, each / 2).await?;
            let (took, latencies) = asks(sink, at_once, each).await?;
            say_asks(name, took, &latencies);
        }
        spawn()
    })
}

async fn tells(sink: &Addr<Sink>, duration: Duration) -> Result<f64, Failure> {
    let before = sink.send(Count).await?;
    let began = Instant::now();
    let (mut told, mut after) = (0, before);
    while began.elapsed() < duration {
        for _ in 0..ROUND {
            sink.do_send(Tell(Bytes::from_static(&[7; PAYLOAD])));
        }
        told += ROUND;
        after = sink.send(Count).await?;
    }
    let took = began.elapsed();
    if after - before == told {
        Ok(told as f64 / took.as_secs_f64())
    } else {
        Err("messages were lost".into())
    }
}

async fn asks(
    sink: &Addr<Sink>,
    at_once: usize,
    duration: Duration,
) -> Result<(Duration, Latencies), Failure> {
    let sink = sink.clone();
    let ask = move || sink.send(Ask(Bytes::from_static(&[7; PAYLOAD])));
    Ok(at_once::asks(at_once, duration, ask).await?)
}

/// Actors that are there and do nothing.
fn spawn() -> Result<(), Failure> {
    let mut addresses = Vec::with_capacity(SPAWNED);
    let before = resident()?;
    let began = Instant::now();
    addresses.extend((0..SPAWNED).map(|_| Sink::default().start()));
    say("spawn", "actors/s", SPAWNED as f64 / began.elapsed().as_secs_f64());
    say("spawn_bytes", "bytes", (resident()? - before) / SPAWNED as f64);
    Ok(())
}

/// Bytes of memory that this process holds.
fn resident() -> Result<f64, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS in /proc")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1024.0)
}
