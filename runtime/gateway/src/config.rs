//! The settings of a node's HTTP: where it listens, how it is protected, how much and how long it takes.
//!
//! A [`Config`] that exists is a good one. It opens nothing.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use synod::node::{BackupAccess, HttpConfig};
use synod::services::kv::VALUE_LIMIT;

/// The settings of a node's HTTP. Start from [`Config::loopback`] or [`Config::new`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub(crate) bind: SocketAddr,
    pub(crate) credential: Option<Credential>,
    pub(crate) body_limit: usize,
    pub(crate) backup: BackupAccess,
    /// Who may change the members.
    pub(crate) members: BackupAccess,
    /// How long a request may take that does not say so itself.
    pub timeout: Duration,
    /// How long a request may take at most, whatever it says.
    pub timeout_max: Duration,
    /// How often a silent watch says that it lives; shorter than what stands between clients and nodes takes for dead.
    pub heartbeat: Duration,
    /// How long requests may go on after a stop, in whole seconds and at least one.
    pub grace: Duration,
    /// The number of threads that serve connections; more than two pay off with TLS and many connections.
    pub workers: NonZeroUsize,
}

/// Files that make HTTP into HTTPS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credential {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// Why HTTP cannot be served as configured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Everybody on the network could read and write.
    #[error(
        "listen.http: {0} is reachable from other machines; give http.certificate and http.key, or write \
         http.allow_clear_text = true to serve it unprotected"
    )]
    Unprotected(SocketAddr),
    /// No value could be written.
    #[error("http.max_body_bytes: it must not be zero")]
    NoBody,
}

impl Config {
    /// The settings for 127.0.0.1 at `port`; port 0 lets the operating system choose.
    #[must_use]
    pub fn loopback(port: u16) -> Self {
        Self {
            bind: (Ipv4Addr::LOCALHOST, port).into(),
            credential: None,
            body_limit: VALUE_LIMIT,
            backup: BackupAccess::default(),
            members: BackupAccess::default(),
            timeout: Duration::from_secs(5),
            timeout_max: Duration::from_secs(60),
            heartbeat: Duration::from_secs(10),
            grace: Duration::from_secs(5),
            workers: NonZeroUsize::MIN.saturating_add(1),
        }
    }

    /// The settings that a node's configuration gives.
    ///
    /// # Errors
    /// [`ConfigError`] names the key at fault.
    pub fn new(http: &HttpConfig) -> Result<Self, ConfigError> {
        if !http.address.ip().is_loopback() && http.tls.is_none() && !http.allow_clear_text {
            return Err(ConfigError::Unprotected(http.address));
        }
        if http.max_body == 0 {
            return Err(ConfigError::NoBody);
        }
        let credential = http.tls.clone().map(|(certificate, key)| Credential { certificate, key });
        let (body_limit, backup, members) = (http.max_body, http.backup, http.members);
        Ok(Self { bind: http.address, credential, body_limit, backup, members, ..Self::loopback(0) })
    }

    /// Where to listen.
    #[must_use]
    pub fn bind(&self) -> SocketAddr {
        self.bind
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn http(address: &str) -> HttpConfig {
        let address = address.parse().unwrap();
        HttpConfig {
            address,
            allow_clear_text: false,
            tls: None,
            max_body: 10,
            peers: BTreeMap::new(),
            backup: BackupAccess::Loopback,
            members: BackupAccess::Loopback,
        }
    }

    #[test]
    fn beyond_loopback_needs_protection_or_a_word() {
        let refusal = Config::new(&http("0.0.0.0:8080")).unwrap_err();
        assert_eq!(refusal, ConfigError::Unprotected("0.0.0.0:8080".parse().unwrap()));
        assert!(refusal.to_string().contains("http.allow_clear_text = true"));
        assert!(Config::new(&HttpConfig { allow_clear_text: true, ..http("0.0.0.0:8080") }).is_ok());
        let files = Some(("a.pem".into(), "b.pem".into()));
        let protected = Config::new(&HttpConfig { tls: files, ..http("192.0.2.1:443") }).unwrap();
        assert_eq!(protected.credential.unwrap().key, PathBuf::from("b.pem"));
        assert!(Config::new(&http("[::1]:8080")).is_ok());
        assert_eq!(Config::new(&http("127.0.0.1:1")).unwrap().body_limit, 10);
        assert_eq!(Config::new(&HttpConfig { max_body: 0, ..http("127.0.0.1:1") }), Err(ConfigError::NoBody));
    }
}
