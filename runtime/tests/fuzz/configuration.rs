//! The configuration of a node: its file, and behind the first zero byte what the command line sets, as `key=value` with zero bytes between.

use std::path::Path;

use synod::node::{ConfigError, NodeConfig, Override};
use synod::transport::PeerName;

use crate::target::{Target, Verdict, unsealed};

/// The reader keeps a tree of the text; an error quotes the line it is about.
pub(crate) const TARGET: Target = Target {
    name: "configuration",
    seeds,
    reseal: unsealed,
    run,
    most: |length| 1024 * length + (256 << 10),
};

fn run(input: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(input) else { return Verdict::Refused("no text".to_owned()) };
    let mut parts = text.split('\0');
    let file = parts.next().unwrap_or_default();
    let set = |part: &str| {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        Override { origin: "--set".to_owned(), key: key.to_owned(), value: value.to_owned() }
    };
    let overrides: Vec<Override> = parts.map(set).collect();
    match NodeConfig::parse(file, "shop.toml", Path::new("etc"), &overrides) {
        Ok(config) => {
            let raft = &config.raft;
            assert!(!raft.heartbeat.is_zero() && raft.heartbeat * 2 <= raft.election_timeout);
            assert!(raft.snapshot_entries > 0 && raft.snapshot_bytes > 0 && raft.clock_drift_ppm < 1_000_000);
            assert!(!config.peers.contains_key(&config.node));
            let known = |name: &PeerName| *name == config.node || config.peers.contains_key(name);
            assert!(config.founders.voters.iter().chain(&config.founders.witnesses).all(known));
            assert!((1..=63).contains(&config.cluster.len()));
            Verdict::Taken(config.peers.len())
        }
        Err(
            error @ (ConfigError::Syntax { .. } | ConfigError::Value { .. } | ConfigError::UnknownKey { .. }),
        ) => {
            let sentence = error.to_string();
            assert!(!sentence.contains('\n') || file.contains('\r') || !overrides.is_empty(), "{sentence}");
            Verdict::Refused(sentence)
        }
        Err(error @ ConfigError::Read { .. }) => panic!("no file was read: {error}"),
    }
}

const FILE: &str = r#"cluster = "shop"
node = "node-1"
directory = "data"
damaged_log = "refuse"
[listen]
quic = "127.0.0.1:7401"
http = "[::1]:8080"
[http]
allow_clear_text = true
max_body_bytes = 4096
backup = "nobody"
peers = { node-2 = "10.0.0.2:8080" }
[tls]
authority = "ca.pem"
certificate = "node-1.pem"
key = "node-1.key"
[peers]
node-2 = "127.0.0.1:7402"
node-3 = "node-3.example:7403"
[members]
voters = ["node-1", "node-2"]
witnesses = ["node-3"]
[raft]
election_timeout_ms = 1000
heartbeat_ms = 100
lease_reads = true
clock_drift_ppm = 500
[kv]
clients = true
"#;

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let with = |more: &str| format!("{FILE}{more}").into_bytes();
    vec![
        ("whole", FILE.as_bytes().to_vec()),
        ("overridden", with("\0raft.heartbeat_ms=20\0peers.node-4=h:1\0listen.http=127.0.0.1:0")),
        (
            "edges",
            with("\0raft.election_timeout_ms=18446744073709551615\0raft.heartbeat_ms=9223372036854775807"),
        ),
        ("keys-within-keys", with(&format!("\0peers.{}=1", "a.".repeat(4000)))),
        ("deep-arrays", format!("a = {}", "[".repeat(8000)).into_bytes()),
        ("deep-tables", format!("a = {}", "{a=".repeat(4000)).into_bytes()),
        ("deep-dotted-key", format!("{}a = 1", "a.".repeat(4000)).into_bytes()),
        ("deep-header", format!("[{}a]", "a.".repeat(4000)).into_bytes()),
        ("deep-value-of-an-override", with(&format!("\0cluster={}", "[".repeat(8000)))),
    ]
}
