//! The contract between a protocol and whoever drives it: a value decides, a driver acts.
//!
//! A machine gets [`Input`]s and answers with [`Effect`]s; nothing else reaches the world. Not a runtime: the simulator
//! (`sim`) and the driver of the crate `synod` carry the effects out, by the same rules:
//!
//! 1. Effects are carried out in the order in which they were produced.
//! 2. Writes of one machine (persist, truncate, compact, install) have one total order. A `Send`, `Reply` or `Emit` is held back
//!    until the write it names in `after` is durable; it names all earlier writes of its machine unless the code says `early`.
//! 3. `Persisted(id)` says that every write up to `id` is durable. A failed write is told once and is final.

mod effect;
mod input;
mod outbox;

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use effect::Effect;
pub use input::{Input, Recovered};
pub use outbox::Outbox;

use crate::types::{LogIndex, Timestamp};

/// A participant in a distributed protocol: same state, same inputs, same effects.
pub trait Protocol: Clone + Debug + Send + Sized + 'static {
    /// The protocol's name on the wire, on the disk and in metrics; stable for ever.
    const NAME: &'static str;

    /// Parsed and complete: the machine's own id, its peers, its limits.
    type Config: Clone + Debug + Send + 'static;
    /// Between nodes.
    type Message: Clone + Debug + Serialize + DeserializeOwned + Send + 'static;
    /// From this node's users, with a token.
    type Command: Clone + Debug + Send + 'static;
    /// The answer to a token, exactly one.
    type Reply: Clone + Debug + Send + 'static;
    /// To this node's observers.
    type Event: Clone + Debug + Send + 'static;
    /// To this node's disk.
    type Record: Clone + Debug + Serialize + DeserializeOwned + Placed + Send + 'static;

    /// A machine as it was when its last durable write was made; a first start recovers nothing.
    fn restore(config: Self::Config, seed: u64, recovered: Recovered<Self::Record>) -> Self;

    /// Takes one input and says what is to be done about it. Never panics on what a peer sent.
    fn handle(&mut self, now: Timestamp, input: Input<Self>, out: &mut Outbox<Self>);

    /// When the machine wants [`Input::Timeout`] next; `None` while it waits for the world only.
    fn next_deadline(&self) -> Option<Timestamp>;
}

/// Where a record lives in the shared log, which is how the log knows whether it is still of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// An entry of the machine's replicated log. Writing an index again replaces it and everything above it.
    Entry(LogIndex),
    /// A cell of the machine: of several records with one key, the last one wins.
    Cell(u64),
}

/// A record that knows its place.
pub trait Placed {
    /// Where the record lives.
    fn place(&self) -> Place;
}
