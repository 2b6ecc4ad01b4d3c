//! The contract between a protocol and whoever drives it: a value decides, a driver acts.
//!
//! A machine gets [`Input`]s and answers with [`Effect`]s; nothing else reaches the world. Not a runtime: the simulator
//! (`sim`) and the driver of the crate `synod` carry the effects out, by the same rules:
//!
//! 1. Effects are carried out in the order in which they were produced.
//! 2. Writes of one machine (persist, truncate, compact, install) have one total order. A `Send`, `Reply` or `Emit` is held back
//!    until the write it names in `after` is durable; it names all earlier writes of its machine unless the code says `early`.
//! 3. `Persisted(id)` says that every write up to `id` is durable. A failed write is told once and is final.

mod contract;
mod place;
mod records;
mod recovered;

pub use contract::{Effect, Input, Outbox, Protocol};
pub use place::{Place, Placed};
pub use records::Records;
pub use recovered::Recovered;
