//! Carries bytes between the nodes of a cluster: mutual TLS over QUIC, lanes, frames, bulk streams.
//!
//! Knows nothing of actors and protocols: what a frame means is its receiver's business. [`contract`] is what users see;
//! `quic` and `memory` are its two implementations, held to one conformance suite; `simulated` is QUIC on a network in memory.

mod backoff;
mod batch;
mod config;
pub mod contract;
pub mod entrances;
mod error;
mod frame;
mod identity;
mod lane;
mod length;
pub mod memory;
mod metrics;
mod peer;
mod pool;
pub mod quic;
mod session;
pub mod simulated;

pub use config::{Config, ConfigError};
pub use contract::{
    BulkReceiver, BulkSender, CloseReason, Frames, Link, LinkError, Receiver, Refusal, RenewError, Transport,
    TransportError, Undelivered,
};
pub use error::StartError;
pub use identity::{
    AUTHORITY_FILE, AUTHORITY_KEY_FILE, Authority, Certificate, Credential, Identity, IdentityError, Revoked,
    Subject, Validity,
};
pub use lane::{Lane, ORDERED_LANES};
pub use metrics::Metrics;
pub use peer::{Address, Peer, PeerName, Role};
