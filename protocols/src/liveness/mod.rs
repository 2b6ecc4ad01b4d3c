//! Whether the nodes of peers are alive: one heartbeat for each pair of nodes, shared by all that want to know.
//!
//! A node that wants to hear of a peer's silence says so with every beat of its own, and the peer beats as long as it is wanted: a
//! pair of nodes of whom nobody on either wants anything exchanges nothing. Who is not heard for a timeout is suspected, and no
//! longer as soon as it is heard again. A suspicion is an opinion of one node about one direction of one path, and may be wrong.
//!
//! Not membership, which nodes agree on, and not the estimate of a probability (Hayashibara and others' accrual detectors): this is
//! the plain heartbeat detector of Chandra and Toueg (JACM 1996, §2), with a fixed timeout.

mod config;
mod machine;
mod message;
mod state;
#[cfg(test)]
mod tests;

pub use config::{Config, ConfigError};
pub use message::{Command, Event, Message, Record, Reply};
pub use state::Liveness;
