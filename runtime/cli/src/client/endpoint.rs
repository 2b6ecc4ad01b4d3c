//! Where nodes listen for HTTP, as given on the command line.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use ureq::Agent;
use ureq::config::{Config, ConfigBuilder};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::typestate::AgentScope;

use crate::failure::Failure;

/// How long one attempt may take before the next node is asked.
const ATTEMPT: Duration = Duration::from_secs(4);
/// How long a watch may be silent: several times the nodes' heartbeat.
const SILENCE: Duration = Duration::from_secs(60);

/// The options of every command that speaks to nodes.
#[derive(Args, Clone, Debug)]
pub(crate) struct Connection {
    /// Where nodes listen for HTTP: one or more of host:port or https://host:port, separated by commas. When one does not
    /// answer, the next is asked.
    #[arg(long, global = true, default_value = "127.0.0.1:8080", value_name = "A,B,…")]
    pub(crate) addr: Endpoints,
    /// The certificates, in a PEM file, that https addresses are checked against instead of the public authorities.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// How many seconds to go on asking when no node answers.
    #[arg(long, global = true, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) timeout: Option<Duration>,
}

/// Connections to nodes of this machine; an attempt takes at most `timeout`.
pub(crate) fn local_agent(timeout: Duration) -> Agent {
    let config = Config::builder().http_status_as_error(false).proxy(None).timeout_global(Some(timeout));
    config.build().new_agent()
}

/// One or more endpoints, in the order given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoints(pub(crate) Vec<Endpoint>);

/// Where one node listens for HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    scheme: &'static str,
    authority: String,
}

impl Connection {
    /// Connections for requests, pooled.
    ///
    /// # Errors
    /// When the certificates cannot be read.
    pub(crate) fn agent(&self) -> Result<Agent, Failure> {
        self.build(Config::builder().timeout_per_call(Some(ATTEMPT)))
    }

    /// Connections for answers that go on.
    ///
    /// # Errors
    /// When the certificates cannot be read.
    pub(crate) fn watcher(&self) -> Result<Agent, Failure> {
        self.build(Config::builder().timeout_per_read(Some(SILENCE)))
    }

    fn build(&self, config: ConfigBuilder<AgentScope>) -> Result<Agent, Failure> {
        let config = config
            .http_status_as_error(false)
            .proxy(None)
            .max_redirects(0)
            .max_idle_connections(512)
            .max_idle_connections_per_host(256)
            .timeout_connect(Some(Duration::from_secs(1)));
        let Some(path) = &self.ca else { return Ok(config.build().new_agent()) };
        let pem = std::fs::read(path).map_err(|error| Failure::at(path, "read the certificates", error))?;
        let roots = certificates(&pem).map_err(|error| Failure::at(path, "read the certificates", error))?;
        let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&roots)).build();
        Ok(config.tls_config(tls).build().new_agent())
    }
}

impl Endpoint {
    /// Plain HTTP at an address.
    pub(crate) fn plain(address: SocketAddr) -> Self {
        Self { scheme: "http", authority: address.to_string() }
    }

    /// The whole address of a path with its query.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.authority)
    }
}

impl FromStr for Endpoint {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let (scheme, authority) = match text.split_once("://") {
            None => ("http", text),
            Some(("http", rest)) => ("http", rest),
            Some(("https", rest)) => ("https", rest),
            Some((other, _)) => {
                return Err(Failure::new(format!("{text:?} has the scheme {other}, use http or https")));
            }
        };
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let port = authority.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port);
        if port.is_none_or(|port| port.parse::<u16>().is_err())
            || authority.contains(['/', '?', '#', '@', ' '])
        {
            return Err(Failure::new(format!("{text:?} is no address, write host:port")));
        }
        Ok(Self { scheme, authority: authority.to_owned() })
    }
}

impl FromStr for Endpoints {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        text.split(',').map(|part| part.trim().parse()).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.authority)
    }
}

impl fmt::Display for Endpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.0.iter().map(Endpoint::to_string).collect();
        f.write_str(&names.join(", "))
    }
}

/// A positive number of seconds, such as 0.5 or 60.
pub(crate) fn seconds(text: &str) -> Result<Duration, Failure> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| *seconds > 0.0);
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.ok_or_else(|| Failure::new(format!("{text:?} is no positive number of seconds")))
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate<'static>>, String> {
    let mut found = Vec::new();
    for item in parse_pem(pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| error.to_string())? {
            found.push(certificate);
        }
    }
    if found.is_empty() { Err("it holds no certificate".into()) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_addresses_keep_their_order() {
        let endpoints: Endpoints = "127.0.0.1:8080, https://node-2.example:443/".parse().unwrap();
        assert_eq!(endpoints.0[0].url("/kv/a"), "http://127.0.0.1:8080/kv/a");
        assert_eq!(endpoints.0[1].url("/kv/a"), "https://node-2.example:443/kv/a");
        assert!("[::1]:8080".parse::<Endpoint>().is_ok());
    }

    #[test]
    fn what_is_no_address_is_refused_by_name() {
        for bad in
            ["", "8080", ":8080", "host", "host:port", "host:70000", "host:1/path", "ftp://host:1", "a b:1"]
        {
            let error = bad.parse::<Endpoints>().expect_err(bad);
            assert!(error.to_string().contains(&format!("{bad:?}")), "{error}");
        }
    }
}
