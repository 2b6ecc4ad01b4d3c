//! Carries bytes between the nodes of a cluster: mutual TLS over QUIC, lanes, frames, bulk streams.
//!
//! Knows nothing of actors and protocols: what a frame means is its receiver's business. [`contract`] is what users see;
//! `quic` and `memory` are its two implementations, held to one conformance suite.

pub mod contract;
mod lane;
mod peer;

pub use contract::{
    BulkReceiver, BulkSender, CloseReason, Frames, Link, LinkError, Receiver, Refusal, Transport,
    TransportError,
};
pub use lane::{Lane, ORDERED_LANES};
pub use peer::{Address, Peer, PeerName, Role};
