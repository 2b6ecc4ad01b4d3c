//! The settings of a node's HTTP: where it listens, how it is protected, how much and how long it takes.
//!
//! Reading is parsing: a [`Config`] that exists is a good one. It opens nothing.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use synod::services::kv::VALUE_LIMIT;

/// The section `[http]` of a node's configuration file, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// Where to listen, an IP address and a port. Beyond loopback it needs a certificate, or `insecure`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bind: Option<String>,
    /// The PEM file with the certificate and its chain. Relative to the configuration file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// The PEM file with the certificate's private key. Relative to the configuration file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// Allows plain HTTP beyond loopback: whoever reaches the port may read and write everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub insecure: Option<bool>,
    /// The largest request body in bytes. 1 MiB unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_limit: Option<usize>,
    /// How long a request may take that does not say so itself, in milliseconds. 5,000 unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// How long a request may take at most, whatever it says, in milliseconds. 60,000 unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms_max: Option<u64>,
    /// How often a silent watch says that it lives, in milliseconds. 10,000 unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat_ms: Option<u64>,
    /// How long requests may go on after a stop, in milliseconds. 5,000 unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_ms: Option<u64>,
    /// The number of threads that serve connections. 2 unless given; more pay off with TLS and many connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<NonZeroUsize>,
}

/// The settings of a node's HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub(crate) bind: SocketAddr,
    pub(crate) credential: Option<Credential>,
    pub(crate) body_limit: usize,
    pub(crate) timeout: Duration,
    pub(crate) timeout_max: Duration,
    pub(crate) heartbeat: Duration,
    pub(crate) grace: Duration,
    pub(crate) workers: NonZeroUsize,
}

/// Files that make HTTP into HTTPS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credential {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// Why a section cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The address is none.
    #[error("http.bind: {0:?} is not an IP address and a port, such as 127.0.0.1:8080")]
    Address(String),
    /// One of certificate and key is missing.
    #[error("http.{missing}: a certificate and its key are given together or not at all")]
    HalfCredential {
        /// The missing one.
        missing: &'static str,
    },
    /// Everybody on the network could read and write.
    #[error(
        "http.bind: {0} is reachable from other machines; give http.certificate and http.key, or write \
         http.insecure = true to serve it unprotected"
    )]
    Unprotected(SocketAddr),
    /// A limit with which nothing could be served.
    #[error("http.{0}: it must not be zero")]
    Zero(&'static str),
    /// The default exceeds the most that is allowed.
    #[error("http.timeout_ms: it exceeds http.timeout_ms_max")]
    TimeoutAboveMost,
}

impl Config {
    /// The settings for 127.0.0.1 at `port`; port 0 lets the operating system choose.
    #[must_use]
    pub fn loopback(port: u16) -> Self {
        Self::with_defaults((Ipv4Addr::LOCALHOST, port).into(), None)
    }

    /// The settings that a section gives; its files are relative to `directory`.
    ///
    /// # Errors
    /// [`ConfigError`] names the key at fault.
    pub fn parse(section: &Section, directory: &Path) -> Result<Self, ConfigError> {
        let bind: SocketAddr = match &section.bind {
            None => (Ipv4Addr::LOCALHOST, 8080).into(),
            Some(text) => text.parse().map_err(|_| ConfigError::Address(text.clone()))?,
        };
        let credential = match (&section.certificate, &section.key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => {
                Some(Credential { certificate: directory.join(certificate), key: directory.join(key) })
            }
            (Some(_), None) => return Err(ConfigError::HalfCredential { missing: "key" }),
            (None, Some(_)) => return Err(ConfigError::HalfCredential { missing: "certificate" }),
        };
        if !bind.ip().is_loopback() && credential.is_none() && section.insecure != Some(true) {
            return Err(ConfigError::Unprotected(bind));
        }
        let mut config = Self::with_defaults(bind, credential);
        let durations = [
            ("timeout_ms", section.timeout_ms, &mut config.timeout),
            ("timeout_ms_max", section.timeout_ms_max, &mut config.timeout_max),
            ("heartbeat_ms", section.heartbeat_ms, &mut config.heartbeat),
            ("grace_ms", section.grace_ms, &mut config.grace),
        ];
        for (name, given, setting) in durations {
            match given {
                None => {}
                Some(0) => return Err(ConfigError::Zero(name)),
                Some(given) => *setting = Duration::from_millis(given),
            }
        }
        if config.timeout > config.timeout_max {
            return Err(ConfigError::TimeoutAboveMost);
        }
        match section.body_limit {
            None => {}
            Some(0) => return Err(ConfigError::Zero("body_limit")),
            Some(limit) => config.body_limit = limit,
        }
        config.workers = section.workers.unwrap_or(config.workers);
        Ok(config)
    }

    /// Where to listen.
    #[must_use]
    pub fn bind(&self) -> SocketAddr {
        self.bind
    }

    fn with_defaults(bind: SocketAddr, credential: Option<Credential>) -> Self {
        Self {
            bind,
            credential,
            body_limit: VALUE_LIMIT,
            timeout: Duration::from_secs(5),
            timeout_max: Duration::from_secs(60),
            heartbeat: Duration::from_secs(10),
            grace: Duration::from_secs(5),
            workers: NonZeroUsize::MIN.saturating_add(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(section: Section) -> Result<Config, ConfigError> {
        Config::parse(&section, Path::new("/etc/synod"))
    }

    #[test]
    fn beyond_loopback_needs_protection_or_a_word() {
        let open = Section { bind: Some("0.0.0.0:8080".into()), ..Section::default() };
        let refusal = parse(open.clone()).unwrap_err();
        assert_eq!(refusal, ConfigError::Unprotected("0.0.0.0:8080".parse().unwrap()));
        assert!(refusal.to_string().contains("http.insecure = true"));
        assert!(parse(Section { insecure: Some(true), ..open.clone() }).is_ok());
        let protected = Section { certificate: Some("a.pem".into()), key: Some("b.pem".into()), ..open };
        assert_eq!(parse(protected).unwrap().credential.unwrap().key, Path::new("/etc/synod/b.pem"));
        assert!(parse(Section { bind: Some("[::1]:8080".into()), ..Section::default() }).is_ok());
    }

    #[test]
    fn errors_name_the_key() {
        let cases = [
            (Section { bind: Some("localhost".into()), ..Section::default() }, "http.bind"),
            (Section { certificate: Some("a.pem".into()), ..Section::default() }, "http.key"),
            (Section { body_limit: Some(0), ..Section::default() }, "http.body_limit"),
            (Section { grace_ms: Some(0), ..Section::default() }, "http.grace_ms"),
            (Section { timeout_ms: Some(61_000), ..Section::default() }, "http.timeout_ms"),
        ];
        for (section, key) in cases {
            let error = parse(section).expect_err(key).to_string();
            assert!(error.starts_with(key), "{error}");
        }
    }
}
