//! What the environment and the command line change of a node's configuration file.
//!
//! By key, before anything is checked; what a value may be is the file's to say.

use std::collections::BTreeMap;

use crate::node::config::{ConfigError, Override};

/// Every key there is, but for those that name peers.
const KEYS: [&str; 34] = [
    "cluster",
    "node",
    "directory",
    "damaged_log",
    "listen.quic",
    "listen.http",
    "http.allow_clear_text",
    "http.certificate",
    "http.key",
    "http.max_body_bytes",
    "http.peers",
    "http.backup",
    "http.members",
    "members.voters",
    "members.witnesses",
    "tls.authority",
    "tls.certificate",
    "tls.key",
    "tls.revoked",
    "raft.election_timeout_ms",
    "raft.heartbeat_ms",
    "raft.snapshot_entries",
    "raft.snapshot_bytes",
    "raft.snapshot_interval_ms",
    "raft.keep_entries",
    "raft.snapshot_rate",
    "raft.hibernate_after_ms",
    "raft.lease_reads",
    "raft.clock_drift_ppm",
    "raft.priority",
    "link.reconnect_window_ms",
    "link.replay_bytes_max",
    "kv.clients",
    "peers",
];

/// The overrides that variables of known names amount to, in the order of their keys.
pub(super) fn from_environment(variables: impl Iterator<Item = (String, String)>) -> Vec<Override> {
    let names: BTreeMap<String, &str> =
        KEYS.iter().map(|key| (format!("SYNOD_{}", key.replace('.', "_").to_uppercase()), *key)).collect();
    let mut found: Vec<Override> = variables
        .filter_map(|(name, value)| {
            let key = names.get(&name)?;
            Some(Override { origin: format!("environment variable {name}"), key: (*key).into(), value })
        })
        .collect();
    found.sort_by(|a, b| a.key.cmp(&b.key));
    found
}

/// Puts one override in its place.
///
/// # Errors
/// Its key is not known, or leads through what is no table.
pub(super) fn set(table: &mut toml::Table, change: &Override) -> Result<(), ConfigError> {
    if !KEYS.contains(&change.key.as_str())
        && !change.key.starts_with("peers.")
        && !change.key.starts_with("http.peers.")
    {
        return Err(ConfigError::UnknownKey {
            origin: change.origin.clone(),
            key: change.key.clone(),
            known: KEYS.join(", "),
        });
    }
    let value = toml::from_str::<toml::Table>(&format!("value = {}", change.value))
        .ok()
        .and_then(|mut parsed| parsed.remove("value"))
        .unwrap_or_else(|| toml::Value::String(change.value.clone()));
    let mut place = table;
    let mut parts = change.key.split('.').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            place.insert(part.into(), value);
            break;
        }
        let inner = place.entry(part).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        let toml::Value::Table(inner) = inner else {
            return Err(ConfigError::Value {
                origin: change.origin.clone(),
                key: part.into(),
                reason: "is not a table".into(),
            });
        };
        place = inner;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_read_by_known_names_only() {
        let variables = [("SYNOD_LISTEN_QUIC", "127.0.0.1:1"), ("SYNOD_LOG", "debug"), ("PATH", "/bin")];
        let found = from_environment(variables.iter().map(|(k, v)| ((*k).into(), (*v).into())));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].key, "listen.quic");
    }
}
