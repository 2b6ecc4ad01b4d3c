//! A QUIC client that is none of ours: it shows what certificate it likes, trusts everybody and writes what it likes.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connection, Endpoint, SendStream};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use synod_transport::quic::QuicTransport;
use synod_transport::{Authority, Config, Credential, Identity, PeerName, Role, Transport as _, Validity};

use crate::recorder::{Node, Recorder};

pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(test);
}

pub(crate) fn name(name: &str) -> PeerName {
    PeerName::new(name).expect("a name")
}

pub(crate) fn authority() -> Authority {
    Authority::create("shop", Validity::days(1)).expect("an authority")
}

pub(crate) fn credential(authority: &Authority, node: &str) -> Credential {
    authority.issue(&name(node), Role::Member, Validity::days(1)).expect("a credential")
}

pub(crate) fn config() -> Config {
    let mut config = Config::lan(SocketAddr::from(([127, 0, 0, 1], 0)));
    config.connect_timeout = Duration::from_secs(5);
    config.backoff_min = Duration::from_millis(10);
    config
}

pub(crate) fn start(identity: Identity) -> Node {
    start_with(config(), identity)
}

pub(crate) fn start_with(config: Config, identity: Identity) -> Node {
    let recorder = Arc::new(Recorder::default());
    let transport = QuicTransport::start(config, identity, 1, 7, recorder.clone()).expect("it starts");
    let counted = transport.clone();
    Node { transport, recorder, metrics: Arc::new(move || counted.metrics()) }
}

pub(crate) fn member(authority: &Authority, node: &str) -> Node {
    start(Identity::from_credential(&credential(authority, node)).expect("an identity"))
}

/// An endpoint that dials with this certificate, or with none.
pub(crate) fn stranger(credential: Option<&Credential>) -> Endpoint {
    let mut endpoint = Endpoint::client(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a socket");
    endpoint.set_default_client_config(settings(credential));
    endpoint
}

/// How it dials.
pub(crate) fn settings(credential: Option<&Credential>) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(TrustAll));
    let mut tls = match credential {
        Some(credential) => {
            let chain = vec![
                CertificateDer::from_pem_slice(credential.certificate_pem.as_bytes()).expect("a certificate"),
            ];
            let key = PrivateKeyDer::from_pem_slice(credential.key_pem.as_bytes()).expect("a key");
            builder.with_client_auth_cert(chain, key).expect("usable")
        }
        None => builder.with_no_client_auth(),
    };
    tls.alpn_protocols = vec![b"synod/1".to_vec()];
    tls.enable_early_data = true;
    let crypto = QuicClientConfig::try_from(tls).expect("usable");
    ClientConfig::new(Arc::new(crypto))
}

/// The bytes of a hello, as a member whose name comes after the other's would say it.
pub(crate) fn hello() -> Vec<u8> {
    let mut bytes = b"synod\n".to_vec();
    bytes.extend_from_slice(&3u16.to_le_bytes());
    bytes.extend_from_slice(&28u16.to_le_bytes());
    bytes.extend_from_slice(&9u64.to_le_bytes());
    bytes.extend_from_slice(&(1u32 << 20).to_le_bytes());
    bytes.extend_from_slice(&[0; 16]);
    bytes
}

/// What an end says of its session: its name, and the frames of each lane that it has received.
#[derive(Clone, Copy)]
pub(crate) struct Word([u8; 56]);

impl Word {
    /// The same session, of whose control lane so many frames were received.
    pub(crate) fn claiming(mut self, frames: u64) -> Self {
        self.0[16..24].copy_from_slice(&frames.to_le_bytes());
        self
    }
}

/// Opens a link by hand, to a node whose name comes first, so that it is the arbiter; gives the control lane.
pub(crate) async fn link(endpoint: &Endpoint, to: &Node) -> (Connection, SendStream) {
    let (connection, control, _) = link_with(endpoint, to, |own| own).await;
    (connection, control)
}

/// The same, saying `of` what the node says of its session; gives that too.
pub(crate) async fn link_with(
    endpoint: &Endpoint,
    to: &Node,
    of: impl FnOnce(Word) -> Word,
) -> (Connection, SendStream, Word) {
    let address = to.transport.local_address();
    let connection = endpoint.connect(address, "shop.synod").expect("dialled").await.expect("connected");
    let mut control = connection.open_uni().await.expect("a stream");
    control.write_all(&[&[0], &hello()[..]].concat()).await.expect("written");
    let mut answer = connection.accept_uni().await.expect("the control lane");
    // Lane, hello, and the arbiter's number for the link, which goes back.
    let mut bytes = [0; 1 + 38 + 8];
    answer.read_exact(&mut bytes).await.expect("a hello");
    control.write_all(&bytes[39..]).await.expect("written");
    let mut own = Word([0; 56]);
    answer.read_exact(&mut own.0).await.expect("the word about the session");
    control.write_all(&of(own).0).await.expect("written");
    (connection, control, own)
}

#[derive(Debug)]
struct TrustAll;

impl ServerCertVerifier for TrustAll {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}
