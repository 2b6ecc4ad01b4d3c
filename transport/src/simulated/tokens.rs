//! Connection ids, stateless resets and tokens of a simulated process, from its seed.
//!
//! quinn's own draw on the operating system. These do the same with seeded chance: ids that another process does not take for its
//! own, and signatures that nobody else makes (as long as nobody else knows the seed, which in a simulation everybody does).

use std::sync::Arc;

use quinn::crypto::{AeadKey, CryptoError, HandshakeTokenKey, HmacKey};
use quinn::{ClientConfig, ConnectionId, ConnectionIdGenerator, EndpointConfig, ServerConfig};
use quinn_proto::InvalidCid;
use rustls::crypto::hash::Output;

use super::chance::Chance;
use super::clock::WallClock;

/// How much of a connection id is drawn; the rest is its signature.
const NONCE: usize = 3;
/// The length of a connection id.
const ID: usize = 8;
/// The length of the id that a dialer makes up for the peer, the longest there is.
const FIRST_ID: usize = 20;
/// The length of a token's signature.
const TAG: usize = 16;

/// Settings of an endpoint whose chance is the seed's.
pub(crate) fn endpoint(chance: &Chance) -> EndpointConfig {
    let (ids, key) = (chance.draw(), Key(chance.bytes()));
    let mut settings = EndpointConfig::new(Arc::new(Key(chance.bytes())));
    settings.rng_seed(Some(chance.bytes()));
    settings.cid_generator(move || Box::new(Ids { chance: Chance::new(ids), key: key.clone() }));
    settings
}

/// Settings for those who dial, whose tokens are the seed's and the wall clock's.
pub(crate) fn server(
    crypto: Arc<dyn quinn::crypto::ServerConfig>,
    key: [u8; 32],
    clock: WallClock,
) -> ServerConfig {
    let mut settings = ServerConfig::new(crypto, Arc::new(Key(key)));
    settings.time_source(Arc::new(clock));
    settings
}

/// Settings of a dial, whose first id for the peer is the seed's.
pub(crate) fn client(crypto: Arc<dyn quinn::crypto::ClientConfig>, ids: Arc<Chance>) -> ClientConfig {
    let mut settings = ClientConfig::new(crypto);
    settings.initial_dst_cid_provider(Arc::new(move || ConnectionId::new(&ids.bytes::<FIRST_ID>())));
    settings
}

/// A key for signatures by hash.
#[derive(Clone)]
struct Key([u8; 32]);

/// Makes connection ids and knows its own.
struct Ids {
    chance: Chance,
    key: Key,
}

/// Signs tokens; hides nothing.
struct Seal {
    key: Key,
    nonce: Vec<u8>,
}

impl Key {
    fn sign(&self, parts: &[&[u8]]) -> Output {
        let suite = rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
        let suite = suite.tls13().expect("a suite of TLS 1.3");
        let mut hash = suite.common.hash_provider.start();
        hash.update(&self.0);
        for part in parts {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.finish()
    }
}

impl HmacKey for Key {
    fn sign(&self, data: &[u8], signature: &mut [u8]) {
        signature.copy_from_slice(Self::sign(self, &[data]).as_ref());
    }

    fn signature_len(&self) -> usize {
        self.0.len()
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        if Self::sign(self, &[data]).as_ref() == signature { Ok(()) } else { Err(CryptoError) }
    }
}

impl HandshakeTokenKey for Key {
    fn aead_from_hkdf(&self, random_bytes: &[u8]) -> Box<dyn AeadKey> {
        Box::new(Seal { key: self.clone(), nonce: random_bytes.to_vec() })
    }
}

impl AeadKey for Seal {
    fn seal(&self, data: &mut Vec<u8>, additional: &[u8]) -> Result<(), CryptoError> {
        let tag = self.key.sign(&[&self.nonce, additional, data]);
        data.extend_from_slice(&tag.as_ref()[..TAG]);
        Ok(())
    }

    fn open<'a>(&self, data: &'a mut [u8], additional: &[u8]) -> Result<&'a mut [u8], CryptoError> {
        let length = data.len().checked_sub(TAG).ok_or(CryptoError)?;
        let (text, tag) = data.split_at_mut(length);
        let expected = self.key.sign(&[&self.nonce, additional, text]);
        if expected.as_ref()[..TAG] == *tag { Ok(text) } else { Err(CryptoError) }
    }
}

impl ConnectionIdGenerator for Ids {
    fn generate_cid(&mut self) -> ConnectionId {
        let nonce: [u8; NONCE] = self.chance.bytes();
        let mut id = [0; ID];
        id[..NONCE].copy_from_slice(&nonce);
        id[NONCE..].copy_from_slice(&self.key.sign(&[&nonce]).as_ref()[..ID - NONCE]);
        ConnectionId::new(&id)
    }

    fn validate(&self, id: &ConnectionId) -> Result<(), InvalidCid> {
        let (nonce, signature) = id.split_at_checked(NONCE).ok_or(InvalidCid)?;
        if self.key.sign(&[nonce]).as_ref()[..ID - NONCE] == *signature { Ok(()) } else { Err(InvalidCid) }
    }

    fn cid_len(&self) -> usize {
        ID
    }

    fn cid_lifetime(&self) -> Option<std::time::Duration> {
        None
    }
}
