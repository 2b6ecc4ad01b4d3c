//! Decides during the TLS handshake whether a peer's certificate is good enough, and keeps the typed reason when it is not.
//!
//! The chain is webpki's business (RFC 5280); cluster, name and role are ours. One [`Examiner`] serves one handshake: TLS carries
//! only an alert to the peer, the reason stays here.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible, RootCertStore,
    SignatureScheme,
};

use crate::contract::TransportError;
use crate::identity::{Certificate, Identity, Revoked, Subject};
use crate::peer::{PeerName, Role};

/// Judges the certificate of one peer.
#[derive(Debug)]
pub(crate) struct Examiner {
    trust: Arc<Trust>,
    whom: Whom,
    reason: Mutex<Option<TransportError>>,
}

/// What all examiners of a transport share.
#[derive(Debug)]
pub(crate) struct Trust {
    pub(crate) provider: Arc<CryptoProvider>,
    pub(crate) roots: Arc<RootCertStore>,
    /// Verifies the chains of those who dial us.
    pub(crate) dialers: Arc<dyn ClientCertVerifier>,
    pub(crate) cluster: String,
    /// Accepted no longer, whoever issued them.
    pub(crate) revoked: Arc<Revoked>,
}

/// Whose certificate is acceptable.
#[derive(Debug)]
pub(crate) enum Whom {
    /// Anybody of the cluster: it dialled us.
    Anybody,
    /// A member of the cluster: we dialled a seed.
    Member,
    /// This member.
    Named(PeerName),
}

impl Examiner {
    pub(crate) fn new(trust: Arc<Trust>, whom: Whom) -> Arc<Self> {
        Arc::new(Self { trust, whom, reason: Mutex::new(None) })
    }

    /// Why the certificate was refused, if it was.
    pub(crate) fn reason(&self) -> Option<TransportError> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn refuse(&self, reason: TransportError, alert: Error) -> Error {
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
        alert
    }

    /// Judges who the certificate names, after its chain was verified.
    fn examine(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        self.judge(certificate).map_err(|reason| {
            self.refuse(reason, Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
        })
    }

    fn judge(&self, certificate: &CertificateDer<'_>) -> Result<(), TransportError> {
        if self.trust.revoked.names(certificate) {
            return Err(TransportError::Revoked);
        }
        let subject = subject_of(certificate)?;
        if subject.cluster != self.trust.cluster {
            return Err(TransportError::WrongCluster {
                expected: self.trust.cluster.clone(),
                found: subject.cluster,
            });
        }
        match (&self.whom, subject.role) {
            (Whom::Member | Whom::Named(_), Role::Client) => {
                Err(TransportError::WrongRole { name: subject.name, found: subject.role })
            }
            (Whom::Named(expected), Role::Member) if *expected != subject.name => {
                Err(TransportError::WrongNode { expected: expected.clone(), found: subject.name })
            }
            (Whom::Anybody | Whom::Member | Whom::Named(_), Role::Member | Role::Client) => Ok(()),
        }
    }

    /// Keeps the typed reason for an error of the chain.
    fn chain_error(&self, error: Error, certificate: &CertificateDer<'_>) -> Error {
        self.refuse(chain_fault(&error, certificate), error)
    }

    fn verify_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.trust.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms).map_err(|error| {
            let reason = TransportError::BadCertificate("its key was not proved".to_owned());
            self.refuse(reason, error)
        })
    }
}

/// Why no peer would accept this identity as a member: its certificate is outside its validity, of another authority than the
/// one it trusts, or one that it has revoked itself. Found out before anybody is dialled.
///
/// # Errors
/// What a peer would refuse it with.
pub fn acceptable(identity: &Identity) -> Result<(), TransportError> {
    let (certificate, intermediates) =
        identity.chain.split_first().expect("a parsed chain has a first certificate");
    let provider = rustls::crypto::ring::default_provider();
    let algorithms = provider.signature_verification_algorithms.all;
    ParsedCertificate::try_from(certificate)
        .and_then(|parsed| {
            let (roots, now) = (&identity.roots, UnixTime::now());
            verify_server_cert_signed_by_trust_anchor(&parsed, roots, intermediates, now, algorithms)
        })
        .map_err(|error| chain_fault(&error, certificate))?;
    if identity.revoked.names(certificate) { Err(TransportError::Revoked) } else { Ok(()) }
}

/// The typed reason in an error of the chain.
fn chain_fault(error: &Error, certificate: &CertificateDer<'_>) -> TransportError {
    match error {
        Error::InvalidCertificate(fault) => match fault {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => TransportError::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                TransportError::NotYetValid
            }
            // Two authorities of clusters with one name bear one name too: then the signature tells them apart.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                TransportError::WrongAuthority
            }
            // Client certificates are issued for dialling only.
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                match subject_of(certificate) {
                    Ok(Subject { name, role: Role::Client, .. }) => {
                        TransportError::WrongRole { name, found: Role::Client }
                    }
                    Ok(_) | Err(_) => TransportError::BadCertificate(fault.to_string()),
                }
            }
            other => TransportError::BadCertificate(other.to_string()),
        },
        other => TransportError::BadCertificate(other.to_string()),
    }
}

/// Whom a certificate names.
pub(crate) fn subject_of(certificate: &CertificateDer<'_>) -> Result<Subject, TransportError> {
    let contents = Certificate::parse(certificate, "the peer's certificate")
        .map_err(|error| TransportError::BadCertificate(error.to_string()))?;
    contents.subject.ok_or_else(|| {
        TransportError::BadCertificate(format!("it names {:?}, nobody of a cluster", contents.dns_names))
    })
}

impl ServerCertVerifier for Examiner {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let algorithms = self.trust.provider.signature_verification_algorithms.all;
        ParsedCertificate::try_from(end_entity)
            .and_then(|parsed| {
                let roots = &self.trust.roots;
                verify_server_cert_signed_by_trust_anchor(&parsed, roots, intermediates, now, algorithms)
            })
            .map_err(|error| self.chain_error(error, end_entity))?;
        self.examine(end_entity)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::PeerIncompatible(PeerIncompatible::Tls12NotOffered))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trust.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for Examiner {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // No hints: a dialer of another cluster shows its certificate all the same, and learns why it is refused.
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self
            .trust
            .dialers
            .verify_client_cert(end_entity, intermediates, now)
            .map_err(|error| self.chain_error(error, end_entity))?;
        self.examine(end_entity)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::PeerIncompatible(PeerIncompatible::Tls12NotOffered))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trust.provider.signature_verification_algorithms.supported_schemes()
    }
}
