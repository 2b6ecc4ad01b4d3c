//! What a certificate says, for people and for the checks after a handshake. Verifies nothing.

use std::time::{Duration, SystemTime};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::error::IdentityError;
use super::subject::{Subject, parse_cluster};

/// The contents of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Whom it names; `None` for an authority.
    pub subject: Option<Subject>,
    /// Whether it may issue others, and for which cluster it was made.
    pub authority_of: Option<String>,
    /// All DNS names in it.
    pub dns_names: Vec<String>,
    /// Who issued it, as text.
    pub issuer: String,
    /// From when it is valid.
    pub not_before: SystemTime,
    /// Until when it is valid.
    pub not_after: SystemTime,
    /// The serial number in hexadecimal.
    pub serial: String,
    /// The SHA-256 of the certificate in hexadecimal.
    pub fingerprint: String,
}

impl Certificate {
    /// All certificates in a PEM text; `origin` names it in errors.
    ///
    /// # Errors
    /// [`IdentityError::Malformed`] when there is none, or one cannot be read.
    pub fn inspect(pem: &str, origin: &str) -> Result<Vec<Self>, IdentityError> {
        read_chain(pem, origin)?.iter().map(|der| Self::parse(der, origin)).collect()
    }

    pub(crate) fn parse(der: &CertificateDer<'_>, origin: &str) -> Result<Self, IdentityError> {
        let malformed = |reason: String| IdentityError::Malformed {
            origin: origin.to_owned(),
            what: "certificate",
            reason,
        };
        let (_, x509) = X509Certificate::from_der(der).map_err(|error| malformed(error.to_string()))?;
        let alternatives = x509.subject_alternative_name().map_err(|error| malformed(error.to_string()))?;
        let dns_names: Vec<String> = alternatives
            .map(|extension| &extension.value.general_names)
            .into_iter()
            .flatten()
            .filter_map(|name| match name {
                GeneralName::DNSName(name) => Some((*name).to_owned()),
                _ => None,
            })
            .collect();
        let authority_of =
            if x509.is_ca() { dns_names.iter().find_map(|name| parse_cluster(name)) } else { None };
        // Exactly one name: a certificate that names two nodes would let one speak as the other.
        let subject = match &dns_names[..] {
            [name] if !x509.is_ca() => Subject::parse(name),
            _ => None,
        };
        let instant =
            |seconds: i64| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.max(0).unsigned_abs());
        Ok(Self {
            subject,
            authority_of,
            dns_names,
            issuer: x509.issuer().to_string(),
            not_before: instant(x509.validity().not_before.timestamp()),
            not_after: instant(x509.validity().not_after.timestamp()),
            serial: hex(x509.raw_serial()),
            fingerprint: fingerprint(der),
        })
    }
}

/// The certificates of a PEM text; at least one.
pub(crate) fn read_chain(pem: &str, origin: &str) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let malformed =
        |reason: String| IdentityError::Malformed { origin: origin.to_owned(), what: "certificate", reason };
    let chain = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| malformed(error.to_string()))?;
    if chain.is_empty() { Err(malformed("there is none".to_owned())) } else { Ok(chain) }
}

pub(crate) fn fingerprint(der: &[u8]) -> String {
    let suite = rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
    let digest = suite.tls13().map(|suite| suite.common.hash_provider.hash(der));
    hex(digest.as_ref().map_or(&[], |digest| digest.as_ref()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
