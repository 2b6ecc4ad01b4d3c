//! A topic with a thousand subscribers in two processes: how many of them hear something in a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use synod::prelude::*;

use crate::bench::figure::{Figure, Figures};
use crate::bench::messages::{ECHO, PAYLOAD, SPREAD};
use crate::bench::runs::Runs;
use crate::failure::Failure;

/// How many subscribe in each of the two processes.
const READERS: usize = SPREAD / 2;
/// How many publications make a round. Two rounds are under way, for which every subscriber has room.
const ROUND: u64 = 200;
const PATIENCE: Duration = Duration::from_secs(20);

/// What is published.
#[derive(Clone, Message, Wire, Serialize, Deserialize)]
#[rtype(result = "()")]
#[wire(id = "bench.Headline")]
struct Headline {
    payload: Bytes,
}

/// Asks how often a node's subscribers have heard something, all together.
#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "u64")]
#[wire(id = "bench.Heard")]
struct Heard;

interface!(Reading = "bench.reading" { Headline });
interface!(Counting = "bench.counting" { Heard });

#[derive(Remote)]
#[remote(Reading, mailbox = 1024)]
struct Reader {
    heard: Arc<AtomicU64>,
}

impl Actor for Reader {
    type Context = Context<Self>;
}

impl Handler<Headline> for Reader {
    type Result = ();

    fn handle(&mut self, headline: Headline, _: &mut Context<Self>) {
        std::hint::black_box(headline.payload);
        self.heard.fetch_add(1, Ordering::Relaxed);
    }
}

/// Knows how much the readers of its node have heard.
#[derive(Remote)]
#[remote(Counting)]
struct Counter {
    heard: Arc<AtomicU64>,
}

impl Actor for Counter {
    type Context = Context<Self>;
}

impl Handler<Heard> for Counter {
    type Result = u64;

    fn handle(&mut self, _: Heard, _: &mut Context<Self>) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }
}

/// Lets a node have its subscribers.
///
/// # Errors
/// When an actor cannot be spawned.
pub(crate) async fn subscribe(node: &Node) -> Result<(), Failure> {
    let heard = Arc::<AtomicU64>::default();
    let topic = node.topic::<Headline>("headlines").map_err(failed)?;
    for _ in 0..READERS {
        let heard = heard.clone();
        let reader = node.system().spawn_anonymous(move || Reader { heard: heard.clone() });
        topic.subscribe(&reader.await.map_err(failed)?.reference::<Reading>()).map_err(failed)?;
    }
    node.spawn(counter_of(node.name().as_str()), move || Counter { heard: heard.clone() })
        .await
        .map_err(failed)?;
    Ok(())
}

/// Publishes to the subscribers of this node and of the one that answers.
///
/// # Errors
/// When somebody misses a publication.
pub(crate) async fn measure(node: &Node, runs: Runs, figures: &mut Figures) -> Result<(), Failure> {
    subscribe(node).await?;
    let topic = node.topic::<Headline>("headlines").map_err(failed)?;
    let own = node.lookup::<Counting>(&counter_of(node.name().as_str())).await.map_err(failed)?;
    let other = node.wait_for::<Counting>(&counter_of(ECHO), PATIENCE).await.map_err(failed)?;
    let counters = [own, other];
    until_known(&topic, &counters).await?;
    publish_for(&topic, &counters, runs.before).await?;
    let mut rates = Vec::new();
    for _ in 0..runs.times {
        rates.push(publish_for(&topic, &counters, runs.each).await?);
    }
    figures.add(Figure::of("topic_publish_1000", "messages/s", rates))
}

/// Publishes until this node has been told who listens at the other one, and everybody has heard all that was meant for him.
async fn until_known(topic: &Topic<Headline>, counters: &[ActorRef<Counting>; 2]) -> Result<(), Failure> {
    let (began, mut wanted) = (Instant::now(), heard(counters).await?);
    loop {
        let nodes = publish(topic)?;
        wanted += READERS as u64 * (1 + nodes as u64);
        if await_until(counters, wanted).await? < wanted {
            return Err(Failure::new("not everybody hears the first publications"));
        }
        if nodes > 0 {
            return Ok(());
        }
        if began.elapsed() > PATIENCE {
            return Err(Failure::new("the other node's subscribers do not become known"));
        }
    }
}

/// Publishes for a while; gives how many times a second somebody heard something.
async fn publish_for(
    topic: &Topic<Headline>,
    counters: &[ActorRef<Counting>; 2],
    duration: Duration,
) -> Result<f64, Failure> {
    let before = heard(counters).await?;
    let began = Instant::now();
    let mut published = 0;
    while began.elapsed() < duration {
        for _ in 0..ROUND {
            publish(topic)?;
        }
        published += ROUND;
        await_until(counters, before + (published - ROUND) * SPREAD as u64).await?;
    }
    let wanted = before + published * SPREAD as u64;
    let after = await_until(counters, wanted).await?;
    let took = began.elapsed();
    if after != wanted {
        return Err(Failure::new(format!(
            "{} were to hear something, {} did",
            wanted - before,
            after - before
        )));
    }
    Ok((after - before) as f64 / took.as_secs_f64())
}

/// Waits until so much was heard.
async fn await_until(counters: &[ActorRef<Counting>; 2], wanted: u64) -> Result<u64, Failure> {
    let began = Instant::now();
    loop {
        let heard = heard(counters).await?;
        if heard >= wanted || began.elapsed() > PATIENCE {
            return Ok(heard);
        }
        tokio::task::yield_now().await;
    }
}

async fn heard(counters: &[ActorRef<Counting>; 2]) -> Result<u64, Failure> {
    let mut sum = 0;
    for counter in counters {
        sum += counter.ask(Heard).await.map_err(failed)?;
    }
    Ok(sum)
}

/// Publishes once; gives to how many other nodes.
fn publish(topic: &Topic<Headline>) -> Result<usize, Failure> {
    let headline = Headline { payload: Bytes::from_static(&[7; PAYLOAD]) };
    Ok(topic.publish(headline).map_err(failed)?.nodes)
}

fn counter_of(node: &str) -> String {
    format!("readers/{node}")
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(error.to_string())
}
