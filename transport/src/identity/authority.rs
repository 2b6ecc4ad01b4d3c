//! A cluster's certificate authority: makes itself once, then issues certificates for members and clients. Ed25519 throughout.
//!
//! Not a service: whoever holds its key may issue. A certificate proves a name; who belongs to the cluster is membership's business.

use std::fmt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ED25519, SerialNumber,
};

use super::certificate::{Certificate, read_chain};
use super::error::IdentityError;
use super::files::{read_text, write_new, write_secret};
use super::subject::{Subject, cluster_dns_name};
use crate::peer::{PeerName, Role};

/// The file with the authority's certificate, in the authority's directory.
pub const AUTHORITY_FILE: &str = "ca.pem";
/// The file with the authority's key, in the authority's directory.
pub const AUTHORITY_KEY_FILE: &str = "ca-key.pem";

/// What stands before the secret of a key in PKCS #8 (RFC 8410 §7).
const PKCS8_ED25519: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// How far clocks may differ before a fresh certificate is not valid yet.
const CLOCK_SKEW: Duration = Duration::from_secs(300);

/// From when until when a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first instant.
    pub not_before: SystemTime,
    /// The last instant.
    pub not_after: SystemTime,
}

impl Validity {
    /// From five minutes ago, for clocks that differ, until `length` from now.
    #[must_use]
    pub fn from_now(length: Duration) -> Self {
        let now = SystemTime::now();
        Self { not_before: now - CLOCK_SKEW, not_after: now + length }
    }

    /// As [`Validity::from_now`], in days.
    #[must_use]
    pub fn days(days: u32) -> Self {
        Self::from_now(Duration::from_secs(u64::from(days) * 86_400))
    }
}

/// The authority of one cluster, with its key.
pub struct Authority {
    cluster: String,
    certificate_pem: String,
    key: KeyPair,
}

/// What chance decides of a certificate.
pub(crate) struct Drawn {
    key: KeyPair,
    serial: [u8; 16],
}

/// A certificate with its key, as PEM texts.
#[derive(Clone)]
pub struct Credential {
    /// Whom it names.
    pub subject: Subject,
    /// The certificate.
    pub certificate_pem: String,
    /// The key. A secret.
    pub key_pem: String,
    /// The certificate of the authority that issued it.
    pub authority_pem: String,
}

impl Authority {
    /// Makes an authority with a key of its own.
    ///
    /// # Errors
    /// [`IdentityError::Cluster`], [`IdentityError::Validity`], [`IdentityError::Issue`].
    pub fn create(cluster: &str, validity: Validity) -> Result<Self, IdentityError> {
        Self::with_drawn(cluster, validity, Drawn::new()?)
    }

    /// An authority whose key and serial number are these.
    pub(crate) fn with_drawn(cluster: &str, validity: Validity, drawn: Drawn) -> Result<Self, IdentityError> {
        if PeerName::new(cluster).is_none() {
            return Err(IdentityError::Cluster(cluster.to_owned()));
        }
        let Drawn { key, serial } = drawn;
        let mut params = parameters(&cluster_dns_name(cluster), validity, serial)?;
        params.distinguished_name.push(DnType::CommonName, format!("synod authority of {cluster}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(issue)?;
        Ok(Self { cluster: cluster.to_owned(), certificate_pem: certificate.pem(), key })
    }

    /// Reads the authority that [`Authority::save`] wrote to a directory.
    ///
    /// # Errors
    /// [`IdentityError::Read`], [`IdentityError::Malformed`], [`IdentityError::KeyMismatch`].
    pub fn load(directory: &Path) -> Result<Self, IdentityError> {
        let (file, key_file) = (directory.join(AUTHORITY_FILE), directory.join(AUTHORITY_KEY_FILE));
        let certificate_pem = read_text(&file)?;
        let key_pem = read_text(&key_file)?;
        let (origin, key_origin) = (file.display().to_string(), key_file.display().to_string());
        let der = read_chain(&certificate_pem, &origin)?.remove(0);
        let malformed = |origin: &str, what, reason: String| IdentityError::Malformed {
            origin: origin.to_owned(),
            what,
            reason,
        };
        let cluster = Certificate::parse(&der, &origin)?.authority_of.ok_or_else(|| {
            malformed(&origin, "certificate", "it is not that of a cluster's authority".to_owned())
        })?;
        let key =
            KeyPair::from_pem(&key_pem).map_err(|error| malformed(&key_origin, "key", error.to_string()))?;
        if !owns(&der, &key, &origin)? {
            return Err(IdentityError::KeyMismatch { certificate: origin, key: key_origin });
        }
        Ok(Self { cluster, certificate_pem, key })
    }

    /// Writes `ca.pem` and `ca-key.pem`, the latter readable by its owner only. Makes the directory.
    ///
    /// # Errors
    /// [`IdentityError::Exists`] when either is there, [`IdentityError::Write`].
    pub fn save(&self, directory: &Path) -> Result<(), IdentityError> {
        write_secret(&directory.join(AUTHORITY_KEY_FILE), &self.key.serialize_pem())?;
        write_new(&directory.join(AUTHORITY_FILE), &self.certificate_pem)
    }

    /// Issues a certificate for a member or client of this authority's cluster, with a key of its own.
    ///
    /// # Errors
    /// [`IdentityError::Validity`], [`IdentityError::Issue`].
    pub fn issue(
        &self,
        name: &PeerName,
        role: Role,
        validity: Validity,
    ) -> Result<Credential, IdentityError> {
        self.issue_in(&self.cluster, name, role, validity)
    }

    /// Issues a certificate for another cluster: for an authority that several clusters trust. Members of different clusters
    /// refuse each other all the same.
    ///
    /// # Errors
    /// As [`Authority::issue`], and [`IdentityError::Cluster`].
    pub fn issue_in(
        &self,
        cluster: &str,
        name: &PeerName,
        role: Role,
        validity: Validity,
    ) -> Result<Credential, IdentityError> {
        self.issue_drawn(cluster, name, role, validity, Drawn::new()?)
    }

    /// As [`Authority::issue_in`], with this key and serial number.
    pub(crate) fn issue_drawn(
        &self,
        cluster: &str,
        name: &PeerName,
        role: Role,
        validity: Validity,
        drawn: Drawn,
    ) -> Result<Credential, IdentityError> {
        if PeerName::new(cluster).is_none() {
            return Err(IdentityError::Cluster(cluster.to_owned()));
        }
        let subject = Subject { name: name.clone(), role, cluster: cluster.to_owned() };
        let Drawn { key, serial } = drawn;
        let mut params = parameters(&subject.dns_name(), validity, serial)?;
        params.distinguished_name.push(DnType::CommonName, subject.dns_name());
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = match role {
            Role::Member => vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
            Role::Client => vec![ExtendedKeyUsagePurpose::ClientAuth],
        };
        params.use_authority_key_identifier_extension = true;
        let issuer = Issuer::from_ca_cert_pem(&self.certificate_pem, &self.key).map_err(issue)?;
        let certificate = params.signed_by(&key, &issuer).map_err(issue)?;
        Ok(Credential {
            subject,
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            authority_pem: self.certificate_pem.clone(),
        })
    }

    /// The cluster it was made for.
    #[must_use]
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// Its certificate, which every node of the cluster trusts. No secret.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }
}

impl Drawn {
    /// From the operating system's chance.
    fn new() -> Result<Self, IdentityError> {
        Self::with_key(KeyPair::generate_for(&PKCS_ED25519).map_err(issue)?)
    }

    /// This key, and a serial number from the operating system's chance.
    pub(crate) fn with_key(key: KeyPair) -> Result<Self, IdentityError> {
        let mut serial = [0; 16];
        getrandom::fill(&mut serial).map_err(|error| IdentityError::Issue(error.to_string()))?;
        Ok(Self { key, serial })
    }

    /// The key of this secret, and this serial number.
    pub(crate) fn of(secret: &[u8; 32], serial: [u8; 16]) -> Result<Self, IdentityError> {
        Ok(Self { key: key_of(secret)?, serial })
    }
}

/// The key pair of a secret.
pub(crate) fn key_of(secret: &[u8; 32]) -> Result<KeyPair, IdentityError> {
    let mut pkcs8 = PKCS8_ED25519.to_vec();
    pkcs8.extend_from_slice(secret);
    KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8.into(), &PKCS_ED25519).map_err(issue)
}

impl Credential {
    /// Writes `<name>.pem`, `<name>-key.pem` (readable by its owner only) and, unless it is there, `ca.pem`. Makes the directory.
    ///
    /// # Errors
    /// [`IdentityError::Exists`] when certificate or key is there, [`IdentityError::Write`].
    pub fn save(&self, directory: &Path) -> Result<(), IdentityError> {
        let name = &self.subject.name;
        write_secret(&directory.join(format!("{name}-key.pem")), &self.key_pem)?;
        write_new(&directory.join(format!("{name}.pem")), &self.certificate_pem)?;
        match write_new(&directory.join(AUTHORITY_FILE), &self.authority_pem) {
            Ok(()) | Err(IdentityError::Exists { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// Whether the key is the certificate's.
pub(crate) fn owns(
    certificate: &rustls::pki_types::CertificateDer<'_>,
    key: &KeyPair,
    origin: &str,
) -> Result<bool, IdentityError> {
    use x509_parser::prelude::{FromDer, X509Certificate};
    let (_, x509) = X509Certificate::from_der(certificate).map_err(|error| IdentityError::Malformed {
        origin: origin.to_owned(),
        what: "certificate",
        reason: error.to_string(),
    })?;
    Ok(&*x509.public_key().subject_public_key.data == key.public_key_raw())
}

fn parameters(
    dns_name: &str,
    validity: Validity,
    mut serial: [u8; 16],
) -> Result<CertificateParams, IdentityError> {
    if validity.not_after <= validity.not_before {
        return Err(IdentityError::Validity);
    }
    let mut params = CertificateParams::new([dns_name.to_owned()]).map_err(issue)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.not_before = validity.not_before.into();
    params.not_after = validity.not_after.into();
    // Positive, as RFC 5280 §4.1.2.2 wants it.
    serial[0] = serial[0] & 0x7F | 1;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok(params)
}

fn issue(error: rcgen::Error) -> IdentityError {
    IdentityError::Issue(error.to_string())
}
