//! Why a transport did not start. Errors of links stand in the contract.

use std::io;
use std::net::SocketAddr;

use crate::config::ConfigError;

/// A transport that did not start; nothing runs and no address is held.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting is out of its range.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// The address is not free or not ours.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The operating system gave no thread or no event queue.
    #[error("cannot start the thread of the transport: {0}")]
    Thread(io::Error),
    /// The identity cannot be used for TLS.
    #[error("the identity of {name} cannot be used: {reason}")]
    Identity {
        /// The name in the certificate.
        name: String,
        /// What TLS said.
        reason: String,
    },
}
