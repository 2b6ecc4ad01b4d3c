//! Who a process is: a cluster's authority, the certificates it issues, and a process's own certificate with its key.
//!
//! The peer's name is the one DNS name in its certificate: `<node>.<cluster>.synod` for members,
//! `<client>.client.<cluster>.synod` for clients. Keys are Ed25519. Verification during the handshake is `quic::verify`.

mod authority;
mod certificate;
mod credentials;
mod error;
mod files;
mod revoked;
mod subject;
#[cfg(test)]
mod tests;

pub(crate) use authority::Drawn;
pub use authority::{AUTHORITY_FILE, AUTHORITY_KEY_FILE, Authority, Credential, Validity};
pub use certificate::Certificate;
pub use credentials::Identity;
pub use error::IdentityError;
pub use revoked::Revoked;
pub use subject::Subject;
pub(crate) use subject::cluster_dns_name;
