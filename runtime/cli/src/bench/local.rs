//! Messages that stay on one node: between actors of one thread, and from one thread to another.

use std::time::{Duration, Instant};

use synod::prelude::*;

use crate::bench::echo::failure;
use crate::bench::messages::{Count, Sink, Tell};
use crate::bench::runs::Runs;
use crate::failure::Failure;

/// How many messages are told before the receiver is asked how many there were; what is under way stays in the caches.
const ROUND: u64 = 5_000;

/// Has the receiver told for a while, and gives messages a second; zero when one got lost.
#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "f64")]
#[wire(id = "bench.Push")]
struct Push {
    to: ActorRef<Sink>,
    nanoseconds: u64,
}

interface!(Source = "bench.source" { Push });

/// Tells from the thread on which it lives.
#[derive(Default, Remote)]
#[remote(Source)]
pub(crate) struct Pusher;

impl Actor for Pusher {
    type Context = Context<Self>;
}

impl Handler<Push> for Pusher {
    type Result = ResponseFuture<f64>;

    fn handle(&mut self, push: Push, _: &mut Context<Self>) -> Self::Result {
        Box::pin(async move {
            tell_for(&push.to, Duration::from_nanos(push.nanoseconds)).await.unwrap_or_default()
        })
    }
}

/// Messages a second from an actor to another one on the same thread, once for each run. The node has one place for actors.
///
/// # Errors
/// When a message is refused or lost.
pub(crate) async fn same_thread(node: &Node, sink: &ActorRef<Sink>, runs: Runs) -> Result<Vec<f64>, Failure> {
    let pusher = node.spawn("pusher", Pusher::default).await.map_err(failure)?.reference::<Source>();
    let push = async |duration: Duration| {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let push = Push { to: sink.clone(), nanoseconds };
        let rate =
            pusher.ask(push).deadline(duration * 2 + Duration::from_secs(30)).await.map_err(failure)?;
        if rate > 0.0 {
            Ok(rate)
        } else {
            Err(Failure::new("a message to an actor on the same thread was lost"))
        }
    };
    push(runs.before).await?;
    let mut rates = Vec::new();
    for _ in 0..runs.times {
        rates.push(push(runs.each).await?);
    }
    Ok(rates)
}

/// Messages a second from this thread, on which no actor of the node lives, once for each run.
///
/// # Errors
/// When a message is refused or lost.
pub(crate) async fn other_thread(sink: &ActorRef<Sink>, runs: Runs) -> Result<Vec<f64>, Failure> {
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
            sink.tell(Tell::usual()).await.map_err(failure)?;
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
