//! What can be wrong with certificates and keys before anybody is dialled. Nothing was written or changed where it says so.

use std::io;
use std::path::PathBuf;

/// A certificate or key that cannot be made, kept or used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file could not be written; files written before it stay.
    #[error("cannot write {path}: {source}")]
    Write {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file exists; it was not touched.
    #[error("{path} exists already and is not overwritten")]
    Exists {
        /// Which file.
        path: PathBuf,
    },
    /// The file, or the text given, holds no usable certificate or key.
    #[error("{origin} holds no usable {what}: {reason}")]
    Malformed {
        /// The file, or what the text was.
        origin: String,
        /// Certificate or key.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The certificate names nobody of a synod cluster.
    #[error(
        "{origin} is a certificate for {found:?}, which is neither <node>.<cluster>.synod nor <client>.client.<cluster>.synod"
    )]
    Name {
        /// The file, or what the text was.
        origin: String,
        /// The DNS names in it.
        found: Vec<String>,
    },
    /// The key is not the certificate's.
    #[error("the key in {key} does not belong to the certificate in {certificate}")]
    KeyMismatch {
        /// Where the certificate came from.
        certificate: String,
        /// Where the key came from.
        key: String,
    },
    /// The cluster's name is no single DNS label.
    #[error("{0:?} is no cluster name: 1 to 63 of a-z, 0-9 and inner '-'")]
    Cluster(String),
    /// The node's or client's name is no single DNS label.
    #[error("{0:?} is no name: 1 to 63 of a-z, 0-9 and inner '-'")]
    Peer(String),
    /// The certificate would end before it begins.
    #[error("the validity ends before it begins")]
    Validity,
    /// The certificate could not be signed.
    #[error("cannot issue the certificate: {0}")]
    Issue(String),
}
