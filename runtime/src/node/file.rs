//! The configuration file of a node: TOML, with overrides from the environment and the command line.
//!
//! Reading is parsing: what comes out is complete and possible, or an error that names file, line or key, and reason.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use synod_transport::PeerName;

use crate::node::config::{
    BackupAccess, ConfigError, HttpConfig, KvConfig, LinkConfig, NodeConfig, Override, RaftConfig, TlsConfig,
};
use crate::node::founders::Founders;
use crate::node::overrides::{from_environment, set};
use crate::storage::DamagedLog;

impl NodeConfig {
    /// Reads a file, then the environment (`SYNOD_LISTEN_QUIC` for `listen.quic`), then the given overrides; the last one wins.
    ///
    /// Relative paths in the file are relative to the file's directory.
    ///
    /// # Errors
    /// [`ConfigError`] names the file or variable, the key and the reason.
    #[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
    pub fn from_file(path: &Path, overrides: &[Override]) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_path_buf(), source })?;
        let mut all = from_environment(std::env::vars());
        all.extend_from_slice(overrides);
        let base = path.parent().unwrap_or(Path::new("."));
        Self::parse(&text, &path.display().to_string(), base, &all)
    }

    /// Parses a configuration. `origin` names it in errors, `base` is what relative paths are relative to.
    ///
    /// # Errors
    /// [`ConfigError`] names the origin, the key and the reason.
    pub fn parse(text: &str, origin: &str, base: &Path, overrides: &[Override]) -> Result<Self, ConfigError> {
        let syntax = |error: toml::de::Error| ConfigError::Syntax {
            origin: origin.into(),
            reason: error.to_string().trim().replace('\n', " "),
        };
        // Without overrides the text is read directly, so that errors tell the line.
        let file: FileConfig = if overrides.is_empty() {
            toml::from_str(text).map_err(syntax)?
        } else {
            let mut table: toml::Table = toml::from_str(text).map_err(syntax)?;
            for change in overrides {
                set(&mut table, change)?;
            }
            table.try_into().map_err(syntax)?
        };
        file.check(origin, base).map_err(|error| error.of_its_origin(overrides))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileConfig {
    cluster: String,
    node: String,
    directory: PathBuf,
    #[serde(default)]
    damaged_log: DamagedLog,
    listen: Listen,
    #[serde(default)]
    http: Http,
    tls: Tls,
    #[serde(default)]
    peers: BTreeMap<String, String>,
    #[serde(default)]
    members: Members,
    #[serde(default)]
    raft: Raft,
    #[serde(default)]
    link: LinkTable,
    #[serde(default)]
    kv: Kv,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LinkTable {
    reconnect_window_ms: u64,
    replay_bytes_max: usize,
}

impl Default for LinkTable {
    fn default() -> Self {
        let LinkConfig { reconnect_window, replay_bytes_max } = LinkConfig::default();
        let reconnect_window_ms = u64::try_from(reconnect_window.as_millis()).unwrap_or(u64::MAX);
        Self { reconnect_window_ms, replay_bytes_max }
    }
}

impl LinkTable {
    fn check(&self, complaint: &Complaint<'_>) -> Result<LinkConfig, ConfigError> {
        if self.replay_bytes_max < 512 << 10 {
            return Err(complaint.about("link.replay_bytes_max", "has to be at least 524288"));
        }
        let reconnect_window = Duration::from_millis(self.reconnect_window_ms);
        Ok(LinkConfig { reconnect_window, replay_bytes_max: self.replay_bytes_max })
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Kv {
    clients: bool,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Members {
    voters: Vec<String>,
    witnesses: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listen {
    quic: String,
    http: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Http {
    allow_clear_text: bool,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    max_body_bytes: usize,
    peers: BTreeMap<String, String>,
    backup: String,
    members: String,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            allow_clear_text: false,
            certificate: None,
            key: None,
            max_body_bytes: 1 << 20,
            peers: BTreeMap::new(),
            backup: "loopback".into(),
            members: "loopback".into(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tls {
    authority: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
    #[serde(default)]
    revoked: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Raft {
    election_timeout_ms: u64,
    heartbeat_ms: u64,
    snapshot_entries: u64,
    snapshot_bytes: u64,
    snapshot_interval_ms: u64,
    keep_entries: u64,
    snapshot_rate: u64,
    /// Zero for never.
    hibernate_after_ms: u64,
    lease_reads: bool,
    clock_drift_ppm: u32,
    priority: u32,
}

impl Default for Raft {
    fn default() -> Self {
        let RaftConfig {
            election_timeout,
            heartbeat,
            snapshot_entries,
            snapshot_bytes,
            snapshot_interval,
            keep_entries,
            snapshot_rate,
            hibernate_after,
            lease_reads,
            clock_drift_ppm,
            priority,
        } = RaftConfig::default();
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self {
            election_timeout_ms: millis(election_timeout),
            heartbeat_ms: millis(heartbeat),
            snapshot_entries,
            snapshot_bytes,
            snapshot_interval_ms: millis(snapshot_interval),
            keep_entries,
            snapshot_rate,
            hibernate_after_ms: hibernate_after.map_or(0, millis),
            lease_reads,
            clock_drift_ppm,
            priority,
        }
    }
}

/// Says what is wrong with a value of the file.
struct Complaint<'a> {
    origin: &'a str,
}

impl Complaint<'_> {
    fn about(&self, key: &str, reason: impl Into<String>) -> ConfigError {
        ConfigError::Value { origin: self.origin.into(), key: key.into(), reason: reason.into() }
    }

    fn name(&self, key: &str, text: &str) -> Result<PeerName, ConfigError> {
        let reason = || format!("{text:?} is no name: 1 to 63 of a-z, 0-9 and inner hyphens");
        PeerName::new(text).ok_or_else(|| self.about(key, reason()))
    }

    fn address(&self, key: &str, text: &str) -> Result<SocketAddr, ConfigError> {
        text.parse()
            .map_err(|_| self.about(key, format!("{text:?} is no address such as \"127.0.0.1:7400\"")))
    }
}

impl FileConfig {
    fn check(self, origin: &str, base: &Path) -> Result<NodeConfig, ConfigError> {
        let complaint = Complaint { origin };
        complaint.name("cluster", &self.cluster)?;
        let node = complaint.name("node", &self.node)?;
        let peers = check_peers(self.peers, &node, &complaint)?;
        let everybody: Vec<PeerName> = peers.keys().chain([&node]).cloned().collect();
        Ok(NodeConfig {
            quic: complaint.address("listen.quic", &self.listen.quic)?,
            http: match &self.listen.http {
                Some(text) => {
                    Some(self.http.check(complaint.address("listen.http", text)?, base, &complaint)?)
                }
                None => None,
            },
            founders: Founders::new(&self.members.voters, &self.members.witnesses, &everybody)
                .map_err(|(list, reason)| complaint.about(&format!("members.{list}"), reason))?,
            peers,
            raft: self.raft.check(&complaint)?,
            link: self.link.check(&complaint)?,
            kv: KvConfig { clients: self.kv.clients },
            tls: TlsConfig {
                authority: base.join(self.tls.authority),
                certificate: base.join(self.tls.certificate),
                key: base.join(self.tls.key),
                revoked: self.tls.revoked.map(|list| base.join(list)),
            },
            directory: base.join(self.directory),
            damaged_log: self.damaged_log,
            cluster: self.cluster,
            node,
        })
    }
}

impl Http {
    fn check(
        self,
        address: SocketAddr,
        base: &Path,
        complaint: &Complaint<'_>,
    ) -> Result<HttpConfig, ConfigError> {
        let tls = match (self.certificate, self.key) {
            (Some(certificate), Some(key)) => Some((base.join(certificate), base.join(key))),
            (None, None) => None,
            (Some(_), None) => return Err(complaint.about("http.key", "is missing beside http.certificate")),
            (None, Some(_)) => return Err(complaint.about("http.certificate", "is missing beside http.key")),
        };
        Ok(HttpConfig {
            address,
            allow_clear_text: self.allow_clear_text,
            tls,
            max_body: self.max_body_bytes,
            peers: check_endpoints("http.peers", self.peers, complaint)?,
            backup: access("http.backup", &self.backup, complaint)?,
            members: access("http.members", &self.members, complaint)?,
        })
    }
}

fn access(key: &str, text: &str, complaint: &Complaint<'_>) -> Result<BackupAccess, ConfigError> {
    match text {
        "nobody" => Ok(BackupAccess::Nobody),
        "loopback" => Ok(BackupAccess::Loopback),
        "anybody" => Ok(BackupAccess::Anybody),
        other => Err(complaint.about(key, format!("{other:?} is none of nobody, loopback and anybody"))),
    }
}

impl Raft {
    fn check(self, complaint: &Complaint<'_>) -> Result<RaftConfig, ConfigError> {
        if self.heartbeat_ms == 0 || self.heartbeat_ms.saturating_mul(2) > self.election_timeout_ms {
            let reason = "has to be at least 1 and at most half of raft.election_timeout_ms";
            return Err(complaint.about("raft.heartbeat_ms", reason));
        }
        if self.snapshot_entries == 0 {
            return Err(complaint.about("raft.snapshot_entries", "has to be at least 1"));
        }
        if self.snapshot_bytes == 0 {
            return Err(complaint.about("raft.snapshot_bytes", "has to be at least 1"));
        }
        if self.clock_drift_ppm >= 1_000_000 {
            return Err(complaint.about("raft.clock_drift_ppm", "has to be less than 1000000"));
        }
        Ok(RaftConfig {
            election_timeout: Duration::from_millis(self.election_timeout_ms),
            heartbeat: Duration::from_millis(self.heartbeat_ms),
            snapshot_entries: self.snapshot_entries,
            snapshot_bytes: self.snapshot_bytes,
            snapshot_interval: Duration::from_millis(self.snapshot_interval_ms),
            keep_entries: self.keep_entries,
            snapshot_rate: self.snapshot_rate,
            hibernate_after: (self.hibernate_after_ms > 0)
                .then(|| Duration::from_millis(self.hibernate_after_ms)),
            lease_reads: self.lease_reads,
            clock_drift_ppm: self.clock_drift_ppm,
            priority: self.priority,
        })
    }
}

fn check_peers(
    peers: BTreeMap<String, String>,
    node: &PeerName,
    complaint: &Complaint<'_>,
) -> Result<BTreeMap<PeerName, String>, ConfigError> {
    let peers = check_endpoints("peers", peers, complaint)?;
    if peers.contains_key(node) {
        return Err(complaint.about(&format!("peers.{node}"), "is this very node"));
    }
    Ok(peers)
}

fn check_endpoints(
    table: &str,
    endpoints: BTreeMap<String, String>,
    complaint: &Complaint<'_>,
) -> Result<BTreeMap<PeerName, String>, ConfigError> {
    let mut checked = BTreeMap::new();
    for (peer, endpoint) in endpoints {
        let key = format!("{table}.{peer}");
        let peer = complaint.name(&key, &peer)?;
        let whole = |(host, port): (&str, &str)| !host.is_empty() && port.parse::<u16>().is_ok();
        if !endpoint.rsplit_once(':').is_some_and(whole) {
            return Err(complaint.about(&key, format!("{endpoint:?} is no endpoint such as \"host:7400\"")));
        }
        checked.insert(peer, endpoint);
    }
    Ok(checked)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        cluster = "shop"
        node = "node-1"
        directory = "data"
        [listen]
        quic = "127.0.0.1:7401"
        http = "127.0.0.1:8080"
        [tls]
        authority = "ca.pem"
        certificate = "node-1.pem"
        key = "node-1.key"
        [peers]
        node-2 = "127.0.0.1:7402"
    "#;

    fn parse(text: &str, overrides: &[Override]) -> Result<NodeConfig, String> {
        NodeConfig::parse(text, "shop.toml", Path::new("etc"), overrides).map_err(|error| error.to_string())
    }

    fn change(key: &str, value: &str) -> Override {
        Override { origin: "--set".into(), key: key.into(), value: value.into() }
    }

    #[test]
    fn a_complete_file_is_read_and_paths_are_relative_to_it() {
        let config = parse(TEXT, &[]).expect("complete");
        assert_eq!(config.tls.authority, Path::new("etc/ca.pem"));
        assert_eq!(config.tls.revoked, None);
        let revoking = parse(TEXT, &[change("tls.revoked", "gone.txt")]).expect("good");
        assert_eq!(revoking.tls.revoked.as_deref(), Some(Path::new("etc/gone.txt")));
        assert_eq!(config.peers.len(), 1);
        assert_eq!(config.raft.election_timeout, Duration::from_millis(300));
        let access = |config: &NodeConfig| config.http.as_ref().expect("it stands there").backup;
        assert_eq!(access(&config), BackupAccess::Loopback, "what is not said is refused to other machines");
        let open = parse(TEXT, &[change("http.backup", "anybody")]).expect("good");
        assert_eq!(access(&open), BackupAccess::Anybody);
        assert!(!config.kv.clients, "closed to clients unless it is said otherwise");
        assert!(parse(TEXT, &[change("kv.clients", "true")]).expect("good").kv.clients);
    }

    #[test]
    fn overrides_win_and_numbers_stay_numbers() {
        let config =
            parse(TEXT, &[change("raft.heartbeat_ms", "20"), change("node", "node-9")]).expect("good");
        assert_eq!((config.raft.heartbeat, config.node.as_str()), (Duration::from_millis(20), "node-9"));
        let paced = [change("raft.snapshot_rate", "1000000"), change("raft.keep_entries", "7")];
        let raft = parse(TEXT, &paced).expect("good").raft;
        assert!(!raft.lease_reads, "off unless it is said otherwise");
        let leases = [change("raft.lease_reads", "true"), change("raft.clock_drift_ppm", "500")];
        let leased = parse(TEXT, &leases).expect("good").raft;
        assert_eq!((leased.lease_reads, leased.clock_drift_ppm), (true, 500));
        let preferred = parse(TEXT, &[change("raft.priority", "7")]).expect("good").raft;
        assert_eq!((raft.priority, preferred.priority), (0, 7));
        assert_eq!((raft.snapshot_rate, raft.keep_entries, raft.snapshot_bytes), (1_000_000, 7, 256 << 20));
    }

    #[test]
    fn how_links_outlive_connections_may_be_said() {
        assert_eq!(parse(TEXT, &[]).expect("good").link, LinkConfig::default());
        let set = [change("link.reconnect_window_ms", "10000"), change("link.replay_bytes_max", "67108864")];
        let link = parse(TEXT, &set).expect("good").link;
        assert_eq!((link.reconnect_window, link.replay_bytes_max), (Duration::from_secs(10), 64 << 20));
        let error = parse(TEXT, &[change("link.replay_bytes_max", "1000")]).expect_err("too little");
        assert!(error.starts_with("--set: link.replay_bytes_max"), "{error}");
    }

    #[test]
    fn errors_name_the_file_the_line_and_the_key() {
        let error = parse(&TEXT.replace("quic =", "quick ="), &[]).expect_err("unknown key");
        assert!(
            error.contains("shop.toml") && error.contains("line 6") && error.contains("quick"),
            "{error}"
        );
        let error = parse(&TEXT.replace("127.0.0.1:7401", "here"), &[]).expect_err("no address");
        assert!(error.contains("listen.quic") && error.contains("here"), "{error}");
        let error = parse(TEXT, &[change("listen.quic", "here")]).expect_err("no address");
        assert!(error.starts_with("--set: listen.quic"), "the file is not to blame: {error}");
        let error = parse(TEXT, &[change("raft.tempo", "1")]).expect_err("unknown override");
        assert!(error.contains("--set") && error.contains("raft.tempo"), "{error}");
        let error = parse(TEXT, &[change("http.peers.node-2", "here")]).expect_err("no endpoint");
        assert!(error.contains("http.peers.node-2") && error.contains("here"), "{error}");
        let error = parse(TEXT, &[change("peers.node-1", "127.0.0.1:1")]).expect_err("itself");
        assert!(error.contains("peers.node-1: is this very node"), "{error}");
        let error = parse(TEXT, &[change("http.backup", "friends")]).expect_err("nobody known");
        assert!(error.contains("http.backup: \"friends\" is none of nobody"), "{error}");
        let error = parse(TEXT, &[change("damaged_log", "ignore")]).expect_err("no such way");
        assert!(error.contains("ignore") && error.contains("repair"), "{error}");
        let refuse = NodeConfig::parse(TEXT, "test", Path::new("/etc"), &[change("damaged_log", "refuse")]);
        assert_eq!(refuse.expect("it parses").damaged_log, DamagedLog::Refuse);
        let error = parse(TEXT, &[change("raft.clock_drift_ppm", "1000000")]).expect_err("no clock at all");
        assert!(error.contains("raft.clock_drift_ppm"), "{error}");
        let error = parse(TEXT, &[change("raft.heartbeat_ms", "200")]).expect_err("too slow");
        assert!(error.contains("raft.heartbeat_ms"), "{error}");
    }
}
