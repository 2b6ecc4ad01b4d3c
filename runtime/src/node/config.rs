//! What a node is told at its start, complete and possible, and what can be wrong with it.
//!
//! Builds nothing and reads nothing: `file` parses it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use synod_transport::PeerName;

use crate::node::founders::Founders;
use crate::storage::DamagedLog;

/// Everything a node of the command line is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeConfig {
    /// The cluster's name, which the certificate has to bear.
    pub cluster: String,
    /// This node's name, which the certificate has to bear.
    pub node: PeerName,
    /// Where the node keeps its log and snapshots.
    pub directory: PathBuf,
    /// What the node does when its log is found damaged.
    pub damaged_log: DamagedLog,
    /// Where peers reach this node over QUIC.
    pub quic: SocketAddr,
    /// Where outsiders reach this node over HTTP; `None` for no gateway.
    pub http: Option<HttpConfig>,
    /// The node's credential.
    pub tls: TlsConfig,
    /// The other members, by name.
    pub peers: BTreeMap<PeerName, String>,
    /// Who founds the map's group: every name there is, unless it is said.
    pub founders: Founders,
    /// Timing and sizes of consensus.
    pub raft: RaftConfig,
    /// How links outlive their connections.
    pub link: LinkConfig,
    /// Who may use the replicated key-value map.
    pub kv: KvConfig,
}

/// How links outlive their connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkConfig {
    /// For how long a peer whose connection broke is awaited; after that, what it has not acknowledged comes back to its senders. Longer
    /// outlasts longer cuts, and lets senders and watchers wait longer for the word that a node is gone.
    pub reconnect_window: Duration,
    /// How many bytes of each lane are kept until the peer has said that it received them; beyond, the lane waits. Bandwidth times round
    /// trip, and what is sent during a break; 512 KiB or more.
    pub replay_bytes_max: usize,
}

/// The name of the replicated key-value map that a node of the command line serves.
pub const KV: &str = "kv";

/// Who may use the replicated key-value map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KvConfig {
    /// The cluster's clients too, over QUIC; by default members only.
    pub clients: bool,
}

/// Where outsiders reach a node over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// The address.
    pub address: SocketAddr,
    /// Serve clear text beyond the loopback interface.
    pub allow_clear_text: bool,
    /// The server's certificate chain and key in PEM; `None` for clear text.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// The largest request body, in bytes.
    pub max_body: usize,
    /// Where other members serve HTTP, as clients reach them; told to clients, never dialled.
    pub peers: BTreeMap<PeerName, String>,
    /// Who may take a backup.
    pub backup: BackupAccess,
    /// Who may change the group's members.
    pub members: BackupAccess,
}

/// Who may take a backup over HTTP: it holds the whole state, the recognised retries of all clients included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BackupAccess {
    /// Nobody; backups are taken from the directory of a stopped node.
    Nobody,
    /// Whoever asks from the node's own machine.
    #[default]
    Loopback,
    /// Whoever reaches the node.
    Anybody,
}

/// The files of a node's credential, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsConfig {
    /// The cluster's certificate authority.
    pub authority: PathBuf,
    /// The node's certificate.
    pub certificate: PathBuf,
    /// The certificate's private key.
    pub key: PathBuf,
    /// The list of certificates that are accepted no longer, by fingerprint; none unless given.
    pub revoked: Option<PathBuf>,
}

/// Timing and sizes of consensus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RaftConfig {
    /// The shortest election timeout; the drawn one is less than twice as long. Ten round trips or more.
    pub election_timeout: Duration,
    /// How often a leader without traffic reassures its followers. A tenth to a third of the election timeout.
    pub heartbeat: Duration,
    /// A snapshot is taken after so many entries, and as many bytes of them as the last snapshot had; at the latest after ten times so many.
    pub snapshot_entries: u64,
    /// A snapshot is taken after so many bytes of entries, and as many as the last snapshot had.
    pub snapshot_bytes: u64,
    /// A snapshot is taken once so much log time has passed since the last one and something was applied; zero for never by time.
    pub snapshot_interval: Duration,
    /// How many entries are kept below a snapshot, so that a member that is a little behind needs no snapshot.
    pub keep_entries: u64,
    /// How many bytes of snapshots the node sends to its peers a second, all groups together; zero for as many as it can.
    pub snapshot_rate: u64,
    /// A service that has had nothing to do for so long sleeps: it says nothing until somebody wants something, or the silence of a node
    /// is noticed by the one heartbeat that all services of a pair of nodes share. `None` for services that never sleep.
    pub hibernate_after: Option<Duration>,
    /// Linearizable reads without a round of messages, as long as a majority has promised the leader to elect nobody else: faster, and
    /// right only while clocks keep to `clock_drift_ppm`. The same on every member. A member abstains from elections for an election
    /// timeout after its start; let that time pass before one starts again with this off or a shorter timeout.
    pub lease_reads: bool,
    /// By how many millionths the clock of any member may run faster or slower than true time; counts with `lease_reads` only.
    pub clock_drift_ppm: u32,
    /// How much this node is preferred as a leader: with a higher priority than the leader's it asks for the leader's place, once a majority
    /// would follow it. Zero for a node that never asks. Elections take no notice of it.
    pub priority: u32,
}

/// Why a configuration was refused. Nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The text is not TOML, or a key is missing, unknown or of another type.
    #[error("{origin}: {reason}")]
    Syntax {
        /// The file, or what stands in its place.
        origin: String,
        /// Line, column, key and reason.
        reason: String,
    },
    /// A value is impossible.
    #[error("{origin}: {key}: {reason}")]
    Value {
        /// The file, or what stands in its place.
        origin: String,
        /// The key, with dots.
        key: String,
        /// Why it is impossible.
        reason: String,
    },
    /// An override names a key that does not exist.
    #[error("{origin}: there is no key {key:?}; the keys are {known}")]
    UnknownKey {
        /// Where the override came from.
        origin: String,
        /// The key as it was written.
        key: String,
        /// The keys that exist.
        known: String,
    },
}

/// A value that replaces one of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Who said so: the environment variable or the command-line option.
    pub origin: String,
    /// The key, with dots.
    pub key: String,
    /// The value as text; read as TOML where it is, else as a string.
    pub value: String,
}

impl Default for RaftConfig {
    /// Values for nodes in one data centre.
    fn default() -> Self {
        Self {
            election_timeout: Duration::from_millis(300),
            heartbeat: Duration::from_millis(50),
            snapshot_entries: 500_000,
            snapshot_bytes: 256 << 20,
            snapshot_interval: Duration::ZERO,
            keep_entries: 10_000,
            snapshot_rate: 0,
            hibernate_after: None,
            lease_reads: false,
            clock_drift_ppm: 10_000,
            priority: 0,
        }
    }
}

impl Default for LinkConfig {
    /// Values for nodes in one data centre.
    fn default() -> Self {
        Self { reconnect_window: Duration::from_secs(3), replay_bytes_max: 8 << 20 }
    }
}

impl ConfigError {
    /// The same, blaming the override that set the value instead of the file. A later override wins.
    pub(crate) fn of_its_origin(mut self, overrides: &[Override]) -> Self {
        if let Self::Value { origin, key, .. } = &mut self
            && let Some(change) = overrides.iter().rev().find(|change| change.key == *key)
        {
            origin.clone_from(&change.origin);
        }
        self
    }
}
