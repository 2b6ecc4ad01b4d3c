//! What all parts of one QUIC transport share. Holds no logic but the end of a connection and of a
//! session, each of which has to happen once.

use std::sync::Arc;

use quinn::{Endpoint, ServerConfig, TransportConfig};
use tokio::sync::Semaphore;

use super::footing::{ClientSettings, Tasks};
use super::goodbye::Goodbyes;
use super::link::QuicLink;
use super::renewal::Renewal;
use super::table::Table;
use crate::config::Config;
use crate::contract::{CloseReason, Link, Receiver, Refusal};
use crate::metrics::{Counters, add};
use crate::peer::PeerName;
use crate::session::{Session, Sessions, is_final};

pub(crate) struct Hub {
    pub(crate) config: Config,
    pub(crate) name: PeerName,
    pub(crate) incarnation: u64,
    pub(crate) seed: u64,
    pub(crate) receiver: Arc<dyn Receiver>,
    pub(crate) counters: Arc<Counters>,
    /// The connections.
    pub(crate) table: Arc<Table>,
    /// What they carry, or will.
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) tls: Arc<Renewal>,
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
    /// Whether addresses may bear names.
    pub(crate) names: bool,
}

impl Hub {
    /// Ends a connection: once. What it carried waits for another one, or ends with it. Only on the transport's own thread.
    pub(crate) fn end(&self, link: &Arc<QuicLink>, reason: CloseReason) {
        let Some(connection) = link.release() else { return };
        let stats = connection.stats();
        for (counter, count) in [
            (&self.counters.packets_lost, stats.path.lost_packets),
            (&self.counters.packets_sent, stats.path.sent_packets),
            (&self.counters.sends, stats.udp_tx.ios),
        ] {
            add(counter, usize::try_from(count).unwrap_or(usize::MAX));
        }
        self.goodbyes.say(connection, reason.clone());
        self.table.remove(link);
        link.ended();
        let number = link.birth.number;
        let session = self.sessions.find(&link.birth.peer.name);
        let Some(session) = session.filter(|session| session.connection_in_use() == Some(number)) else {
            return;
        };
        let carried = session.interrupt(number, &reason);
        if is_final(&reason) {
            self.finish(&session, reason);
        } else if carried {
            self.receiver.interrupted(&session.handle(), &reason);
        }
    }

    /// Ends a session: once, after everything else that the receiver hears of it. Only on the transport's own thread.
    pub(crate) fn finish(&self, session: &Arc<Session>, reason: CloseReason) {
        let connection = session.connection_in_use();
        if !session.finish() {
            return;
        }
        let carrier = self.table.present(session.name_of_peer());
        if let Some(link) = carrier.filter(|link| Some(link.birth.number) == connection) {
            self.end(&link, reason.clone());
        }
        self.sessions.remove(session);
        add(&self.counters.links_closed, 1);
        session.give_back(&*self.receiver, &self.counters, &reason);
        self.receiver.disconnected(session.peer(), session.session(), reason);
    }

    /// Counts a refusal and tells the receiver.
    pub(crate) fn refused(&self, refusal: Refusal) {
        self.counters.refused(refusal.error.kind());
        self.receiver.refused(refusal);
    }
}
