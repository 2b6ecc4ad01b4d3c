//! The settings of nodes as a script writes them: `start 3 pre_vote=off n2.election_timeout=1s`.

use std::collections::BTreeSet;

use crate::raft::Config;
use crate::sim::scenario::{Misread, Words};
use crate::types::NodeId;

/// Reads how many nodes there are, and their settings.
pub(super) fn parse(words: &mut Words<'_>) -> Result<Vec<Config>, Misread> {
    let count = words.next("the number of nodes")?;
    let ids = Words::parse_nodes(&format!("1-{count}"))
        .map_err(|_| Misread::Not { wanted: "number of nodes", word: count.to_owned() })?;
    let witnesses = words.named("witnesses").map(Words::parse_nodes).transpose()?.unwrap_or_default();
    let mut voters = match words.named("voters").map(Words::parse_nodes).transpose()? {
        Some(voters) => voters,
        None => ids.difference(&witnesses).copied().collect(),
    };
    voters.extend(&witnesses);
    let config = |&id: &NodeId| Config {
        // Whoever is no founder waits to be taken in.
        voters: if voters.contains(&id) { voters.clone() } else { BTreeSet::new() },
        witnesses: if voters.contains(&id) { witnesses.clone() } else { BTreeSet::new() },
        witness: witnesses.contains(&id),
        ..Config::sim(id, BTreeSet::new())
    };
    let mut configs: Vec<Config> = ids.iter().map(config).collect();
    let mut own: Vec<(NodeId, &str, &str)> = Vec::new();
    while let Some((name, value)) = words.option() {
        match name.split_once('.') {
            Some((nodes, name)) => {
                own.extend(Words::parse_nodes(nodes)?.into_iter().map(|node| (node, name, value)));
            }
            None => configs.iter_mut().try_for_each(|config| set(config, name, value))?,
        }
    }
    for (node, name, value) in own {
        let config = configs.iter_mut().find(|config| config.id == node).ok_or(Misread::NoNode(node))?;
        set(config, name, value)?;
    }
    configs.iter().try_for_each(validate)?;
    Ok(configs)
}

/// Changes one setting.
pub(super) fn tune(config: &mut Config, name: &str, value: &str) -> Result<(), Misread> {
    set(config, name, value)?;
    validate(config)
}

fn set(config: &mut Config, name: &str, value: &str) -> Result<(), Misread> {
    let number = || Words::parse_number(value);
    let size = || Words::parse_number(value).map(|number| number as usize);
    match name {
        "voters" => config.voters = Words::parse_nodes(value)?,
        "election_timeout" => config.election_timeout = Words::parse_duration(value)?,
        "heartbeat_interval" => config.heartbeat_interval = Words::parse_duration(value)?,
        "max_append_entries" => config.max_append_entries = size()?,
        "max_append_bytes" => config.max_append_bytes = size()?,
        "max_entry_bytes" => config.max_entry_bytes = size()?,
        "max_inflight_appends" => config.max_inflight_appends = size()?,
        "max_inflight_bytes" => config.max_inflight_bytes = size()?,
        "max_uncommitted_bytes" => config.max_uncommitted_bytes = size()?,
        "cache_bytes" => config.cache_bytes = size()?,
        "snapshot_entries" => config.snapshot_entries = number()?,
        "snapshot_bytes" => config.snapshot_bytes = number()?,
        "snapshot_interval" => config.snapshot_interval = Words::parse_duration(value)?,
        "keep_entries" => config.keep_entries = number()?,
        "witness" => config.witness = Words::parse_switch(value)?,
        "hibernate_after" => config.hibernate_after = Some(Words::parse_duration(value)?),
        "pre_vote" => config.pre_vote = Words::parse_switch(value)?,
        "lend_snapshots" => config.lend_snapshots = Words::parse_switch(value)?,
        "catch_up" => config.catch_up = Words::parse_switch(value)?,
        "check_quorum" => config.check_quorum = Words::parse_switch(value)?,
        "priority" => config.priority = Words::parse_number(value)? as u32,
        "lease_reads" => config.lease_reads = Words::parse_switch(value)?,
        "clock_drift_ppm" => config.clock_drift_ppm = Words::parse_number(value)? as u32,
        _ => return Err(Misread::Not { wanted: "setting", word: name.to_owned() }),
    }
    Ok(())
}

fn validate(config: &Config) -> Result<(), Misread> {
    let reason = |error: crate::raft::ConfigError| error.to_string();
    config.validate().map_err(|error| Misread::Settings { node: config.id, reason: reason(error) })
}
