//! The certificate that is shown and the authorities that are trusted, which may be exchanged while links are up.
//!
//! Handshakes that begin afterwards use what is new. A connection stands on what was true when it began, unless its peer's certificate
//! would be refused under what is new: then it is ended, and what it carried waits for another connection, as after any break.

use std::sync::{Arc, PoisonError, RwLock};

use quinn::Connection;
use rustls::pki_types::CertificateDer;

use super::footing::World;
use super::link::QuicLink;
use super::tls::Tls;
use crate::contract::{CloseReason, RenewError};
use crate::error::StartError;
use crate::identity::{Identity, Subject};
use crate::metrics::add;

/// What each handshake takes its TLS from.
pub(crate) struct Renewal {
    world: World,
    subject: Subject,
    current: RwLock<Arc<Tls>>,
}

impl Renewal {
    pub(crate) fn new(identity: &Identity, world: World) -> Result<Self, StartError> {
        let unusable = |reason: String| StartError::Identity { name: identity.name().to_string(), reason };
        let tls = Tls::new(identity, world.clone()).map_err(unusable)?;
        Ok(Self { world, subject: identity.subject().clone(), current: RwLock::new(Arc::new(tls)) })
    }

    /// What a handshake that begins here and now uses.
    pub(crate) fn current(&self) -> Arc<Tls> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets this identity take the place of the one before.
    pub(crate) fn renew(&self, identity: &Identity) -> Result<(), RenewError> {
        if *identity.subject() != self.subject {
            let (expected, found) = (self.subject.dns_name(), identity.subject().dns_name());
            return Err(RenewError::Another { expected, found });
        }
        let tls = Tls::new(identity, self.world.clone()).map_err(RenewError::Unusable)?;
        // Whoever trusts what this process does refuses it otherwise, which would be found out one link after the other.
        tls.judge(&identity.chain).map_err(RenewError::Unacceptable)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(tls);
        Ok(())
    }

    /// Ends a connection whose peer would be refused now. Whoever opens one asks after it is known to all, and whoever renews asks for
    /// all that are known, so that none is forgotten.
    pub(crate) fn review(&self, link: &QuicLink) {
        let Some(connection) = link.connection() else { return };
        let Some(chain) = certificates_of(&connection) else { return };
        if let Err(error) = self.current().judge(&chain) {
            add(&link.counters.links_distrusted, 1);
            link.close(CloseReason::Lost(format!(
                "the peer's certificate is not accepted any longer: {error}"
            )));
        }
    }
}

/// The certificates that the peer has shown.
pub(crate) fn certificates_of(connection: &Connection) -> Option<Vec<CertificateDer<'static>>> {
    let shown = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    Some(*shown)
}
