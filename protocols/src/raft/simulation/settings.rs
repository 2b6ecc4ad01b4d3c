//! The settings of a seed's nodes: limits from tiny to ample, the same on every node.
//!
//! Mostly patient enough for the network and the disks of the seed, as an operator would choose them; safety must hold without.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::prng::Prng;
use crate::raft::Config;
use crate::sim::{Profile, WorldConfig};
use crate::types::NodeId;

/// The longest election timeout: runs take a minute.
const PATIENCE: Duration = Duration::from_secs(4);

/// Draws the settings of all nodes of a seed.
pub(super) fn settings(seed: u64, profile: Profile, nodes: u64, world: &WorldConfig) -> Vec<Config> {
    let mut chance = Prng::fork(seed, 0xC0F1_6005);
    let voters: BTreeSet<_> = (1..=nodes).map(NodeId).collect();
    let shared = match profile {
        Profile::Wan => {
            Config { snapshot_entries: 500, keep_entries: 100, ..Config::wan(NodeId(1), voters.clone()) }
        }
        Profile::Liveness => timed(brisk(limits(&voters, &mut chance)), &mut chance, world, true),
        Profile::Calm | Profile::Network | Profile::Process | Profile::Swarm | Profile::Safety => {
            let ample = profile != Profile::Safety && chance.chance(0.875);
            let config = timed(limits(&voters, &mut chance), &mut chance, world, ample);
            // Safety must not hang on what only makes elections rare and calm.
            Config { pre_vote: !chance.chance(0.125), check_quorum: !chance.chance(0.125), ..config }
        }
    };
    let sleep = Prng::fork(seed, 0x51EE).duration(Duration::from_millis(1), Duration::from_millis(800));
    let hibernate_after = Prng::fork(seed, 0x51EF).chance(0.5).then_some(sleep);
    let lend_snapshots = Prng::fork(seed, 0x1E4D).chance(0.5);
    let many = profile != Profile::Liveness && nodes > 2;
    let witnesses: BTreeSet<_> =
        if many && chance.chance(0.2) { [NodeId(nodes)].into() } else { BTreeSet::new() };
    // Some groups begin without all of their later members.
    let founders =
        if many && witnesses.is_empty() && chance.chance(0.2) { chance.between(1, nodes - 1) } else { nodes };
    let voters: BTreeSet<_> = (1..=founders).map(NodeId).collect();
    let lease_reads = Prng::fork(seed, 0x1EA5).chance(0.5);
    let mut rank = Prng::fork(seed, 0x9A0C);
    let ranked = rank.chance(0.25);
    let catch_up = Prng::fork(seed, 0xCA7C).chance(0.5);
    let clock_drift_ppm = world.drift_ppm.unsigned_abs();
    let shared = Config {
        witnesses: witnesses.clone(),
        hibernate_after,
        lend_snapshots,
        catch_up,
        lease_reads,
        clock_drift_ppm,
        ..shared
    };
    (1..=nodes)
        .map(NodeId)
        .map(|id| {
            let voters = if voters.contains(&id) { voters.clone() } else { BTreeSet::new() };
            let priority = if ranked { rank.below(3) as u32 } else { 0 };
            Config { id, voters, witness: witnesses.contains(&id), priority, ..shared.clone() }
        })
        .collect()
}

fn limits(voters: &BTreeSet<NodeId>, chance: &mut Prng) -> Config {
    let often = chance.chance(0.25);
    Config {
        max_append_entries: 1 << chance.below(8),
        max_append_bytes: 128 << chance.below(8),
        max_inflight_appends: 1 << chance.below(6),
        max_inflight_bytes: 1024 << chance.below(8),
        max_uncommitted_bytes: 4096 << chance.below(6),
        cache_bytes: 256 << chance.below(8),
        snapshot_entries: if often { chance.between(2, 20) } else { chance.between(20, 1_000) },
        keep_entries: if often { chance.below(10) } else { chance.below(200) },
        ..Config::sim(NodeId(1), voters.clone())
    }
}

/// With limits that let a follower catch up in a moment: one entry a round trip is slower than a run can wait for.
fn brisk(limits: Config) -> Config {
    Config {
        max_append_entries: limits.max_append_entries.max(16),
        max_append_bytes: limits.max_append_bytes.max(4 << 10),
        max_inflight_appends: limits.max_inflight_appends.max(4),
        max_inflight_bytes: limits.max_inflight_bytes.max(16 << 10),
        ..limits
    }
}

/// An election timeout that is `ample` leaves room for some round trips with a write at either end.
fn timed(config: Config, chance: &mut Prng, world: &WorldConfig, ample: bool) -> Config {
    let heartbeat = chance.duration(Duration::from_millis(20), Duration::from_millis(100));
    let timeout = heartbeat * chance.between(3, 12) as u32;
    let network = &world.network;
    let round_trip = (network.delay_min + network.delay_mean + world.disk.sync_max) * 2;
    let least = round_trip * chance.between(2, 6) as u32;
    let timeout = if ample { timeout.max(least.min(PATIENCE)) } else { timeout };
    Config { heartbeat_interval: heartbeat, election_timeout: timeout, ..config }
}
