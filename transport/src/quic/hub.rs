//! What all parts of one QUIC transport share. Holds no logic but the end of a link, which has to happen once.

use std::sync::Arc;

use quinn::{Endpoint, ServerConfig, TransportConfig};
use tokio::sync::Semaphore;

use super::footing::{ClientSettings, Tasks};
use super::goodbye::Goodbyes;
use super::link::QuicLink;
use super::table::Table;
use super::tls::Tls;
use crate::config::Config;
use crate::contract::{CloseReason, Receiver, Refusal};
use crate::metrics::{Counters, add};
use crate::peer::PeerName;

pub(crate) struct Hub {
    pub(crate) config: Config,
    pub(crate) name: PeerName,
    pub(crate) incarnation: u64,
    pub(crate) seed: u64,
    pub(crate) receiver: Arc<dyn Receiver>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) table: Arc<Table>,
    pub(crate) tls: Tls,
    pub(crate) endpoint: Endpoint,
    /// For those whom we dial.
    pub(crate) connection: Arc<TransportConfig>,
    pub(crate) client: ClientSettings,
    /// For those who dial us; each handshake gets a copy with an examiner of its own.
    pub(crate) server: ServerConfig,
    /// One permit for each stranger in the middle of its handshake.
    pub(crate) handshakes: Arc<Semaphore>,
    pub(crate) goodbyes: Goodbyes,
    pub(crate) tasks: Tasks,
}

impl Hub {
    /// Ends a link: once, after everything else that the receiver hears of it. Only on the transport's own thread.
    pub(crate) fn end(&self, link: &Arc<QuicLink>, reason: CloseReason) {
        let Some(connection) = link.release() else { return };
        let path = connection.stats().path;
        add(&self.counters.packets_lost, usize::try_from(path.lost_packets).unwrap_or(usize::MAX));
        add(&self.counters.packets_sent, usize::try_from(path.sent_packets).unwrap_or(usize::MAX));
        add(&self.counters.links_closed, 1);
        self.goodbyes.say(connection, reason.clone());
        self.table.remove(link);
        link.ended();
        self.receiver.disconnected(&link.birth.peer, link.birth.session, reason);
    }

    /// Counts a refusal and tells the receiver.
    pub(crate) fn refused(&self, refusal: Refusal) {
        self.counters.refused(refusal.error.kind());
        self.receiver.refused(refusal);
    }
}
