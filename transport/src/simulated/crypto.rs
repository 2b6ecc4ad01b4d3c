//! What TLS computes with in a simulation. INSECURE, and made to be: everybody who reads the datagrams can read what is in them.
//!
//! Ciphers, hashes, signatures and certificates are the real ones. Chance comes from a seed, and the key exchange is none: what
//! both ends say in the open is the secret. It stands under a number for private use (RFC 8446 §4.2.7), which no real transport
//! offers or accepts; so a handshake between the two fails, whoever dials. Nothing outside of `crate::simulated` can name it.

use rustls::crypto::{
    ActiveKeyExchange, CryptoProvider, GetRandomFailed, SecureRandom, SharedSecret, SupportedKxGroup,
};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::{Error, NamedGroup, PeerMisbehaved};

use super::chance::Chance;

/// The number of the key exchange that is none: of those for private use.
const NO_SECRET: NamedGroup = NamedGroup::Unknown(0xFE5D);

/// The length of a key share and of the secret, as with X25519.
const SHARE: usize = 32;

/// The algorithms of TLS with the chance of a seed.
///
/// rustls wants chance to live for ever, so each call leaves a few dozen bytes behind: one call for each simulated network.
pub(crate) fn provider(seed: u64) -> CryptoProvider {
    let chance: &'static Chance = Box::leak(Box::new(Chance::new(seed)));
    CryptoProvider {
        kx_groups: vec![Box::leak(Box::new(NoSecret { chance }))],
        secure_random: chance,
        ..rustls::crypto::ring::default_provider()
    }
}

impl SecureRandom for Chance {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
        Self::fill(self, bytes);
        Ok(())
    }
}

/// A key exchange that exchanges no secret.
#[derive(Debug)]
struct NoSecret {
    chance: &'static Chance,
}

impl SupportedKxGroup for NoSecret {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        Ok(Box::new(Share(self.chance.bytes())))
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NO_SECRET
    }
}

/// One end's share.
struct Share([u8; SHARE]);

impl ActiveKeyExchange for Share {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let peer: [u8; SHARE] = peer.try_into().map_err(|_| PeerMisbehaved::InvalidKeyShare)?;
        let mixed: [u8; SHARE] = std::array::from_fn(|at| self.0[at] ^ peer[at]);
        Ok(SharedSecret::from(&mixed[..]))
    }

    fn pub_key(&self) -> &[u8] {
        &self.0
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn group(&self) -> NamedGroup {
        NO_SECRET
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

    use super::*;
    use crate::identity::Identity;
    use crate::peer::{PeerName, Role};

    /// What the server says to the first words of the client.
    fn meeting(client: CryptoProvider, server: CryptoProvider) -> Result<(), Error> {
        let name = PeerName::new("a").expect("a name");
        let identity = Identity::insecure("shop", &name, Role::Member).expect("an identity");
        let server = ServerConfig::builder_with_provider(Arc::new(server))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_single_cert(identity.chain.clone(), identity.key.clone_key())?;
        let client = ClientConfig::builder_with_provider(Arc::new(client))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        let to = ServerName::try_from("a.shop.synod").expect("a name");
        let mut client = ClientConnection::new(Arc::new(client), to)?;
        let mut server = ServerConnection::new(Arc::new(server))?;
        let mut words = Vec::new();
        client.write_tls(&mut words).expect("memory takes all");
        server.read_tls(&mut &words[..]).expect("memory gives all");
        server.process_new_packets().map(|_| ())
    }

    #[test]
    fn a_real_end_and_a_simulated_one_have_no_key_exchange_in_common() {
        let real = rustls::crypto::ring::default_provider;
        assert_eq!(meeting(provider(1), provider(2)), Ok(()));
        assert_eq!(meeting(real(), real()), Ok(()));
        for (client, server) in [(real(), provider(1)), (provider(1), real())] {
            let refused = meeting(client, server);
            assert!(matches!(refused, Err(Error::PeerIncompatible(_))), "{refused:?}");
        }
    }
}
