//! A process's own identity, ready for TLS: its certificate, its key, and the authorities it trusts.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::KeyPair;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::authority::{Authority, Credential, Drawn, Validity, key_of, owns};
use super::certificate::{Certificate, read_chain};
use super::error::IdentityError;
use super::files::read_text;
use super::revoked::Revoked;
use super::subject::Subject;
use crate::peer::{PeerName, Role};

/// The key of the authority that everybody knows, as its name says: 32 bytes of an Ed25519 key.
const INSECURE_KEY: &[u8; 32] = b"synod --insecure: known to all!!";

/// Who this process is, and whom it trusts.
pub struct Identity {
    subject: Subject,
    certificate: Certificate,
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
    pub(crate) roots: Arc<RootCertStore>,
    pub(crate) revoked: Arc<Revoked>,
}

impl Identity {
    /// Reads certificate, key and trusted authorities from PEM files.
    ///
    /// # Errors
    /// [`IdentityError`] names the file and what is wrong with it. A certificate outside its validity is no error here: the
    /// peers decide.
    pub fn load(certificate: &Path, key: &Path, authority: &Path) -> Result<Self, IdentityError> {
        let origin = |path: &Path| path.display().to_string();
        Self::parse(
            (&read_text(certificate)?, &origin(certificate)),
            (&read_text(key)?, &origin(key)),
            (&read_text(authority)?, &origin(authority)),
        )
    }

    /// The identity of a credential that was just issued.
    ///
    /// # Errors
    /// As [`Identity::load`].
    pub fn from_credential(credential: &Credential) -> Result<Self, IdentityError> {
        Self::parse(
            (&credential.certificate_pem, "the certificate"),
            (&credential.key_pem, "the key"),
            (&credential.authority_pem, "the authority's certificate"),
        )
    }

    /// A member's identity that lives for a day and whose key is written nowhere: for tests, samples and demonstrations, in which
    /// the authority is a value of the same process.
    ///
    /// # Errors
    /// [`IdentityError::Peer`], [`IdentityError::Issue`].
    pub fn brief(authority: &Authority, name: &str) -> Result<Self, IdentityError> {
        let name = PeerName::new(name).ok_or_else(|| IdentityError::Peer(name.to_owned()))?;
        Self::from_credential(&authority.issue(&name, Role::Member, Validity::days(1))?)
    }

    /// An identity that proves nothing: its authority's key is printed in this source, so that anybody can be anybody. Links are
    /// encrypted and not authenticated. Only processes that ask for this themselves accept each other; a process with a real
    /// identity refuses this one, and is refused.
    ///
    /// # Errors
    /// [`IdentityError::Cluster`].
    pub fn insecure(cluster: &str, name: &PeerName, role: Role) -> Result<Self, IdentityError> {
        let drawn = Drawn::with_key(key_of(INSECURE_KEY)?)?;
        let validity = Validity::from_now(Duration::from_secs(10 * 365 * 86_400));
        // One subject for all clusters, so that another cluster is told from another authority.
        let authority = Authority::with_drawn("insecure", validity, drawn)?;
        Self::from_credential(&authority.issue_in(cluster, name, role, validity)?)
    }

    fn parse(
        certificate: (&str, &str),
        key: (&str, &str),
        authority: (&str, &str),
    ) -> Result<Self, IdentityError> {
        let malformed = |origin: &str, what, reason: String| IdentityError::Malformed {
            origin: origin.to_owned(),
            what,
            reason,
        };
        let chain = read_chain(certificate.0, certificate.1)?;
        let contents = Certificate::parse(&chain[0], certificate.1)?;
        let subject = contents.subject.clone().ok_or_else(|| IdentityError::Name {
            origin: certificate.1.to_owned(),
            found: contents.dns_names.clone(),
        })?;
        let pair = KeyPair::from_pem(key.0).map_err(|error| malformed(key.1, "key", error.to_string()))?;
        if !owns(&chain[0], &pair, certificate.1)? {
            return Err(IdentityError::KeyMismatch {
                certificate: certificate.1.to_owned(),
                key: key.1.to_owned(),
            });
        }
        let key = PrivateKeyDer::from_pem_slice(key.0.as_bytes())
            .map_err(|error| malformed(key.1, "key", error.to_string()))?;
        let mut roots = RootCertStore::empty();
        for root in read_chain(authority.0, authority.1)? {
            roots.add(root).map_err(|error| malformed(authority.1, "certificate", error.to_string()))?;
        }
        let (roots, revoked) = (Arc::new(roots), Arc::default());
        Ok(Self { subject, certificate: contents, chain, key, roots, revoked })
    }

    /// The same, accepting none of these certificates, whoever issued them.
    #[must_use]
    pub fn revoking(mut self, revoked: Revoked) -> Self {
        self.revoked = Arc::new(revoked);
        self
    }

    /// Whom the certificate names.
    pub(crate) fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The name in the certificate.
    #[must_use]
    pub fn name(&self) -> &PeerName {
        &self.subject.name
    }

    /// The role in the certificate.
    #[must_use]
    pub fn role(&self) -> Role {
        self.subject.role
    }

    /// The cluster in the certificate.
    #[must_use]
    pub fn cluster(&self) -> &str {
        &self.subject.cluster
    }

    /// All that the certificate says.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self {
            subject: self.subject.clone(),
            certificate: self.certificate.clone(),
            chain: self.chain.clone(),
            key: self.key.clone_key(),
            roots: self.roots.clone(),
            revoked: self.revoked.clone(),
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("subject", &self.subject).finish_non_exhaustive()
    }
}
