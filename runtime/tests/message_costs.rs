//! What small messages cost between two whole nodes over QUIC, however fast the machine is: bytes on the stream, memory asked for,
//! datagrams, and calls of the operating system.
//!
//! In virtual time, both nodes on one thread, counted by the transport and by an allocator of this test's own.

use std::alloc::System;
use std::time::Duration;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use synod::prelude::*;
use synod::sim::{Medium, simulate_on};
use synod::transport::Metrics;
use tokio::time::sleep;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const PAYLOAD: usize = 64;
/// Tells in a row, and rows of which costs are counted.
const ROW: u64 = 1_000;
const ROWS: u64 = 20;

#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "()")]
#[wire(id = "costs.Tell")]
struct Tell {
    payload: Bytes,
}

#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "u64")]
#[wire(id = "costs.Count")]
struct Count;

interface!(Sink = "costs.sink" { Tell, Count });

#[derive(Default, Remote)]
#[remote(Sink, mailbox = 4096)]
struct Counts(u64);

impl Actor for Counts {
    type Context = Context<Self>;
}

impl Handler<Tell> for Counts {
    type Result = ();

    fn handle(&mut self, tell: Tell, _: &mut Context<Self>) {
        assert_eq!(tell.payload.len(), PAYLOAD);
        self.0 += 1;
    }
}

impl Handler<Count> for Counts {
    type Result = u64;

    fn handle(&mut self, _: Count, _: &mut Context<Self>) -> u64 {
        self.0
    }
}

/// What all of the tells cost.
#[derive(Debug)]
struct Costs {
    messages: f64,
    /// Of the sender's lanes, lengths and headers included.
    bytes: f64,
    /// Requests for memory at both ends together, the simulated network's among them.
    allocations: f64,
    /// Of the sender.
    datagrams: f64,
    sends: f64,
}

async fn row(sink: &ActorRef<Sink>) {
    for _ in 0..ROW {
        sink.tell(Tell { payload: Bytes::from_static(&[7; PAYLOAD]) }).await.expect("a tell");
    }
    sink.ask(Count).await.expect("an answer");
}

fn costs() -> Costs {
    let outcome = simulate_on(Medium::Quic, 7, &["a", "b"], |simulation| async move {
        let [a, b] = simulation.names() else { panic!("two names were given") };
        let teller = Node::builder("test", "a").env(simulation.boot(a)).start().await.expect("a node");
        let keeper = Node::builder("test", "b").env(simulation.boot(b));
        let keeper = keeper.join([teller.address().to_string()]).start().await.expect("a node");
        keeper.spawn("sink", Counts::default).await.expect("an actor");
        let sink: ActorRef<Sink> = teller.wait_for("sink", Duration::from_secs(5)).await.expect("found");
        // Until packets have the size that the path carries, and memory that is used again is there.
        for _ in 0..ROWS {
            row(&sink).await;
            sleep(Duration::from_millis(100)).await;
        }
        let metrics = || teller.system().transport().metrics();
        let (before, region) = (metrics(), Region::new(ALLOCATOR));
        for _ in 0..ROWS {
            row(&sink).await;
        }
        let (change, after) = (region.change(), metrics());
        let part = |count: fn(&Metrics) -> u64| (count(&after) - count(&before)) as f64;
        Costs {
            messages: (ROW * ROWS) as f64,
            bytes: part(|metrics| metrics.bytes_out),
            allocations: (change.allocations + change.reallocations) as f64,
            datagrams: part(|metrics| metrics.packets_sent),
            sends: part(|metrics| metrics.sends),
        }
    });
    outcome.value
}

#[test]
fn a_small_message_is_little_more_than_its_payload() {
    let costs = costs();
    let each = |cost: f64| cost / costs.messages;
    // The length, kind, message and target, and what MessagePack puts around a payload. The question after each row is part of it.
    let around = each(costs.bytes) - PAYLOAD as f64;
    assert!(around <= 8.0, "{around} bytes beside the payload: {costs:?}");
    // One for the payload where it arrives; what is for batches is shared by all in them.
    assert!(each(costs.allocations) <= 1.25, "{} allocations a message: {costs:?}", each(costs.allocations));
    let thousand = |cost: f64| each(cost) * 1_000.0;
    assert!(thousand(costs.datagrams) <= 16.0, "{} datagrams: {costs:?}", thousand(costs.datagrams));
    // The simulated socket takes one datagram at a time; a real one takes up to ten.
    assert!(thousand(costs.sends) <= 16.0, "{} calls: {costs:?}", thousand(costs.sends));
}
