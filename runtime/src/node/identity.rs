//! A node's identity: read from its files at the start, and again when they have changed.

use synod_transport::quic::acceptable;
use synod_transport::{Identity, RenewError, Revoked};

use crate::node::config::TlsConfig;
use crate::node::error::StartError;
use crate::node::handle::Node;

impl TlsConfig {
    /// Reads certificate, key, trusted authorities and the list of revoked certificates.
    ///
    /// # Errors
    /// [`StartError::Identity`] names the file and what is wrong with it, [`StartError::Unacceptable`] why no peer would take it.
    pub fn read(&self) -> Result<Identity, StartError> {
        let identity = Identity::load(&self.certificate, &self.key, &self.authority)?;
        let identity = match &self.revoked {
            Some(list) => identity.revoking(Revoked::load(list)?),
            None => identity,
        };
        acceptable(&identity)
            .map_err(|reason| StartError::Unacceptable { certificate: self.certificate.clone(), reason })?;
        Ok(identity)
    }
}

impl Node {
    /// Lets another certificate of this node, or other trusted authorities, take the place of those before, without losing a message:
    /// handshakes that begin afterwards use them, links go on. A connection to a peer whose certificate is refused under them is ended,
    /// and its link goes on over another one if the peer has an acceptable certificate by then.
    ///
    /// # Errors
    /// [`RenewError`] says what is wrong with the identity; everything stays as it was.
    pub fn renew_identity(&self, identity: &Identity) -> Result<(), RenewError> {
        self.system().transport().renew(identity)
    }
}
