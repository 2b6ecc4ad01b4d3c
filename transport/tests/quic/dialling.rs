//! How a QUIC client dials that is none of ours: it shows what certificate it likes, and trusts everybody.

use std::sync::Arc;

use quinn::ClientConfig;
use quinn::crypto::rustls::QuicClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use synod_transport::Credential;

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
