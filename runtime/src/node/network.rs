//! The network of production: QUIC with the node's identity.
//!
//! Only joins the seam of [`crate::env`] to the transport.

use std::sync::Arc;

use synod_transport::quic::QuicTransport;
use synod_transport::{Config, Identity, StartError, Transport};

use crate::env::{Network, NetworkError, Open};
use crate::node::config::LinkConfig;
use crate::node::link_thread::LinkThread;

/// Opens QUIC endpoints that show one identity.
pub(crate) struct QuicNetwork {
    identity: Identity,
    links: LinkThread,
    sessions: LinkConfig,
}

impl QuicNetwork {
    /// A network on which this identity is shown.
    pub(crate) fn new(identity: Identity, links: LinkThread, sessions: LinkConfig) -> Self {
        Self { identity, links, sessions }
    }
}

impl Network for QuicNetwork {
    fn open(&self, request: Open) -> Result<Arc<dyn Transport>, NetworkError> {
        let Open { name, role, cluster, incarnation, bind, seed, receiver } = request;
        let shown = (self.identity.name(), self.identity.role(), self.identity.cluster());
        if shown != (&name, role, cluster.as_str()) {
            return Err(NetworkError::Unusable(format!(
                "the certificate is for the {:?} {} of cluster {:?}, not for the {role:?} {name} of {cluster:?}",
                shown.1, shown.0, shown.2
            )));
        }
        let LinkConfig { reconnect_window, replay_bytes_max } = self.sessions;
        let config = Config { reconnect_window, replay_bytes_max, ..Config::lan(bind) };
        let started = match self.links {
            LinkThread::Own => {
                QuicTransport::start(config, self.identity.clone(), incarnation.0, seed, receiver)
            }
            LinkThread::WithProtocols | LinkThread::Callers => {
                QuicTransport::start_here(config, &self.identity, incarnation.0, seed, receiver)
            }
        };
        match started {
            Ok(transport) => Ok(transport),
            Err(StartError::Bind { address, source }) => Err(NetworkError::Bind { address, source }),
            Err(error) => Err(NetworkError::Unusable(error.to_string())),
        }
    }
}
