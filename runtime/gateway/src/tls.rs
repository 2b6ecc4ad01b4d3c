//! The TLS of HTTP, from files. Not the cluster's mutual TLS: HTTP clients need no certificate.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::Credential;

/// A certificate or key that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct TlsError {
    path: PathBuf,
    reason: String,
}

/// TLS 1.2 and 1.3 with the credential's certificate.
pub(crate) fn server(credential: &Credential) -> Result<ServerConfig, TlsError> {
    let Credential { certificate, key } = credential;
    let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|error| at(certificate, error))?;
    if chain.is_empty() {
        return Err(at(certificate, "it holds no certificate"));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| at(key, error))?;
    ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private))
        .map_err(|error| at(key, error))
}

fn at(path: &Path, reason: impl ToString) -> TlsError {
    TlsError { path: path.to_owned(), reason: reason.to_string() }
}
