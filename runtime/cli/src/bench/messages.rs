//! What the benchmark of messages sends, and the actors it sends it to.

use synod::prelude::*;

/// The cluster of the benchmark.
pub(crate) const CLUSTER: &str = "bench";
/// The node that answers, in a process of its own.
pub(crate) const ECHO: &str = "echo";
/// The node that asks.
pub(crate) const ASKER: &str = "asker";
/// Over how many actors messages are spread.
pub(crate) const SPREAD: usize = 1_000;

/// How many bytes a usual message carries.
pub(crate) const PAYLOAD: usize = 64;
/// What payloads are cut from.
const BYTES: &[u8] = &[7; 64 << 10];

/// Wants no answer.
#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "()")]
#[wire(id = "bench.Tell")]
pub(crate) struct Tell {
    #[serde(with = "synod::wire::slice")]
    payload: Bytes,
}

/// Wants its payload back.
#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "Bytes")]
#[wire(id = "bench.Ask")]
pub(crate) struct Ask {
    payload: Bytes,
}

/// Asks how many tells have arrived.
#[derive(Message, Wire, Serialize, Deserialize)]
#[rtype(result = "u64")]
#[wire(id = "bench.Count")]
pub(crate) struct Count;

interface!(pub(crate) Sink = "bench.sink" { Tell, Ask, Count });

/// Takes messages; it has room for all of the rounds that are under way.
#[derive(Default, Remote)]
#[remote(Sink, mailbox = 1_000_000)]
pub(crate) struct Drain {
    count: u64,
}

/// Does nothing.
#[derive(Default, Remote)]
#[remote(Sink)]
pub(crate) struct Idle;

impl Tell {
    /// A message with so large a payload, 64 KiB at most.
    pub(crate) fn of(payload: usize) -> Self {
        Self::with(Bytes::from_static(BYTES.split_at(payload).0))
    }

    /// A message with this payload.
    pub(crate) const fn with(payload: Bytes) -> Self {
        Self { payload }
    }
}

impl Ask {
    /// A message of the usual size.
    pub(crate) const fn usual() -> Self {
        Self { payload: Bytes::from_static(&[7; PAYLOAD]) }
    }
}

impl Actor for Drain {
    type Context = Context<Self>;
}

impl Handler<Tell> for Drain {
    type Result = ();

    fn handle(&mut self, tell: Tell, _: &mut Context<Self>) {
        self.count += 1;
        std::hint::black_box(tell.payload);
    }
}

impl Handler<Ask> for Drain {
    type Result = MessageResult<Ask>;

    fn handle(&mut self, ask: Ask, _: &mut Context<Self>) -> Self::Result {
        MessageResult(ask.payload)
    }
}

impl Handler<Count> for Drain {
    type Result = u64;

    fn handle(&mut self, _: Count, _: &mut Context<Self>) -> u64 {
        self.count
    }
}

impl Actor for Idle {
    type Context = Context<Self>;
}

impl Handler<Tell> for Idle {
    type Result = ();

    fn handle(&mut self, _: Tell, _: &mut Context<Self>) {}
}

impl Handler<Ask> for Idle {
    type Result = MessageResult<Ask>;

    fn handle(&mut self, ask: Ask, _: &mut Context<Self>) -> Self::Result {
        MessageResult(ask.payload)
    }
}

impl Handler<Count> for Idle {
    type Result = u64;

    fn handle(&mut self, _: Count, _: &mut Context<Self>) -> u64 {
        0
    }
}
