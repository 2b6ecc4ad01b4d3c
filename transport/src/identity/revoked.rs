//! Certificates that are accepted no longer though they have not expired: a list of fingerprints that an operator keeps.
//!
//! Not a list that the authority signs: each node believes its own.

use std::collections::BTreeSet;
use std::path::Path;

use rustls::pki_types::CertificateDer;

use super::certificate::fingerprint;
use super::error::IdentityError;
use super::files::read_text;

/// The certificates that are shut out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revoked {
    fingerprints: BTreeSet<String>,
}

impl Revoked {
    /// Reads a list from a file.
    ///
    /// # Errors
    /// [`IdentityError::Read`], and those of [`Revoked::parse`].
    pub fn load(path: &Path) -> Result<Self, IdentityError> {
        Self::parse(&read_text(path)?, &path.display().to_string())
    }

    /// Reads a list: a fingerprint a line (SHA-256 of the certificate, in hexadecimal, colons allowed), comments after `#`. `origin` names
    /// it in errors.
    ///
    /// # Errors
    /// [`IdentityError::Malformed`] names the first line that is no fingerprint.
    pub fn parse(text: &str, origin: &str) -> Result<Self, IdentityError> {
        let mut fingerprints = BTreeSet::new();
        for (line, number) in text.lines().zip(1..) {
            let said = line.split('#').next().unwrap_or_default().trim();
            if said.is_empty() {
                continue;
            }
            let digits = said.replace(':', "").to_ascii_lowercase();
            if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(IdentityError::Malformed {
                    origin: origin.to_owned(),
                    what: "fingerprint",
                    reason: format!("line {number} is not 64 hexadecimal digits"),
                });
            }
            fingerprints.insert(digits);
        }
        Ok(Self { fingerprints })
    }

    /// Whether a certificate is one of them.
    pub(crate) fn names(&self, certificate: &CertificateDer<'_>) -> bool {
        !self.fingerprints.is_empty() && self.fingerprints.contains(&fingerprint(certificate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_line_by_line_and_what_is_no_fingerprint_is_named() {
        let (plain, colons) = ("0a".repeat(32), ["0B"; 32].join(":"));
        let text = format!("# gone\n\n{plain}\n{colons}  # a laptop\n");
        let revoked = Revoked::parse(&text, "revoked.txt").expect("two of them");
        assert_eq!(revoked.fingerprints, BTreeSet::from([plain, "0b".repeat(32)]));
        let error = Revoked::parse("\nnode-3\n", "revoked.txt").expect_err("a name is none");
        assert_eq!(
            error.to_string(),
            "revoked.txt holds no usable fingerprint: line 2 is not 64 hexadecimal digits"
        );
    }
}
