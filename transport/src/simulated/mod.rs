//! QUIC itself on a network in memory: quinn and rustls as in production, over datagrams that are lost, doubled, delayed, changed
//! and cut as [`Conditions`] say, in virtual time, on one thread.
//!
//! For simulations and tests only. What goes over it is NO SECRET: keys come from a seed and a key exchange that is none (`crypto`).
//! No socket of the operating system can be reached from here, and a real transport refuses this key exchange, so that nothing of
//! it gets into production. One seed gives one run, to the last byte of the last datagram: tasks and timers are tokio's under a
//! paused clock; connection ids, packet numbers, resets, tokens, TLS randoms, certificates and wall clock are the seed's.
//!
//! Against `crate::memory` it has all that QUIC does: handshakes, packets, acknowledgements, congestion, path discovery, idle
//! timeouts; and costs as much.

mod chance;
mod clock;
mod conditions;
mod crypto;
mod host;
mod identity;
mod network;
mod process;
mod socket;
mod tokens;

pub use clock::Wall;
pub use conditions::{Calm, Conditions};
pub use network::Network;
pub use process::{Body, Process, start};
