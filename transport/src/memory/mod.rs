//! The transport without sockets: for tests and for the simulation of whole nodes in virtual time, on one thread.
//!
//! A [`Network`] is a value with [`Conditions`] that decide what happens to each batch and each dial; there is nothing global.
//! Under tokio's paused clock one seed gives one outcome: there is one task per process, events are ordered by time and birth,
//! and no map with random order is iterated. What it keeps of QUIC: lanes in order or broken, an idle timeout and signs of life
//! for each direction, retries through a short cut, one link per pair, incarnations, sessions over connections that break. What it leaves out: TLS (names and roles are
//! taken at their word), packets, bandwidth.

mod conditions;
mod connections;
mod conveyance;
mod event;
mod link;
mod network;
mod pipe;
mod station;
mod transport;

pub use conditions::{Calm, Conditions, DialVerdict, Verdict};
pub use network::Network;
pub use transport::{MemoryTransport, Process};
