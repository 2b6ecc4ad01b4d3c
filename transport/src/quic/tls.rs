//! TLS as this transport speaks it: version 1.3 only, certificates on both sides, no early data, no tickets, no resumption.
//!
//! The convenience constructors of quinn are not used: they turn 0-RTT on and client certificates off. 0-RTT can be replayed and
//! lacks forward secrecy (RFC 8446 §8, RFC 8470).

use std::sync::Arc;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::Resumption;
use rustls::pki_types::CertificateDer;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::time_provider::TimeProvider;
use rustls::version::TLS13;
use rustls::{ClientConfig, ServerConfig};

use super::footing::World;
use super::verify::{Examiner, Trust, Whom};
use crate::contract::TransportError;
use crate::identity::{Identity, cluster_dns_name};
use crate::peer::PeerName;

/// The link protocol, as ALPN names it (RFC 7301).
const ALPN: &[u8] = b"synod/1";

/// Makes the TLS side of each handshake.
pub(crate) struct Tls {
    trust: Arc<Trust>,
    clock: Arc<dyn TimeProvider>,
    own: Arc<SingleCertAndKey>,
}

impl Tls {
    /// # Errors
    /// Why TLS cannot use the identity.
    pub(crate) fn new(identity: &Identity, world: World) -> Result<Self, String> {
        let World { provider, clock } = world;
        let dialers = WebPkiClientVerifier::builder_with_provider(identity.roots.clone(), provider.clone())
            .build()
            .map_err(|error| error.to_string())?;
        let own = CertifiedKey::from_der(identity.chain.clone(), identity.key.clone_key(), &provider)
            .map_err(|error| error.to_string())?;
        let roots = identity.roots.clone();
        let (cluster, revoked) = (identity.cluster().to_owned(), identity.revoked.clone());
        let trust = Trust { provider, roots, dialers, cluster, revoked };
        let tls = Self { trust: Arc::new(trust), clock, own: Arc::new(SingleCertAndKey::from(own)) };
        // What fails for one handshake fails for all: better at the start.
        tls.for_dialer()?;
        tls.for_dial(None)?;
        Ok(tls)
    }

    /// For somebody who dials us.
    pub(crate) fn for_dialer(&self) -> Result<(Arc<QuicServerConfig>, Arc<Examiner>), String> {
        let examiner = Examiner::new(self.trust.clone(), Whom::Anybody);
        let mut config = ServerConfig::builder_with_details(self.trust.provider.clone(), self.clock.clone())
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| error.to_string())?
            .with_client_cert_verifier(examiner.clone())
            .with_cert_resolver(self.own.clone());
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.max_early_data_size = 0;
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        let config = QuicServerConfig::try_from(config).map_err(|error| error.to_string())?;
        Ok((Arc::new(config), examiner))
    }

    /// For somebody whom we dial, by name or, as a seed, by cluster.
    pub(crate) fn for_dial(
        &self,
        name: Option<&PeerName>,
    ) -> Result<(Arc<QuicClientConfig>, Arc<Examiner>), String> {
        let whom = name.map_or(Whom::Member, |name| Whom::Named(name.clone()));
        let examiner = Examiner::new(self.trust.clone(), whom);
        let mut config = ClientConfig::builder_with_details(self.trust.provider.clone(), self.clock.clone())
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(examiner.clone())
            .with_client_cert_resolver(self.own.clone());
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.enable_early_data = false;
        config.resumption = Resumption::disabled();
        let config = QuicClientConfig::try_from(config).map_err(|error| error.to_string())?;
        Ok((Arc::new(config), examiner))
    }

    /// Whether somebody who shows this chain would be let in now.
    pub(crate) fn judge(&self, chain: &[CertificateDer<'_>]) -> Result<(), TransportError> {
        let (certificate, intermediates) = chain.split_first().ok_or(TransportError::NoCertificate)?;
        let now = self.clock.current_time();
        let now =
            now.ok_or_else(|| TransportError::BadCertificate("there is no time to judge by".to_owned()))?;
        let examiner = Examiner::new(self.trust.clone(), Whom::Anybody);
        examiner.verify_client_cert(certificate, intermediates, now).map(drop).map_err(|error| {
            examiner.reason().unwrap_or_else(|| TransportError::BadCertificate(error.to_string()))
        })
    }

    /// What a dial asks for by server name indication.
    pub(crate) fn server_name(&self, name: Option<&PeerName>) -> String {
        let cluster = cluster_dns_name(&self.trust.cluster);
        name.map_or(cluster.clone(), |name| format!("{name}.{cluster}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::Role;

    #[test]
    fn a_name_is_a_member_of_its_cluster() {
        let name = PeerName::new("a").expect("a name");
        let identity = Identity::insecure("shop", &name, Role::Member).expect("an identity");
        let tls = Tls::new(&identity, World::real()).expect("usable");
        assert_eq!(tls.server_name(Some(&name)), "a.shop.synod");
        assert_eq!(tls.server_name(None), "shop.synod");
    }
}
