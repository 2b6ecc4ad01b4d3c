//! Small clusters under everything at once: lost, late and repeated messages, crashes, stalled disks, busy applications.
//!
//! The simulator does this at length; these few seconds find what a change breaks at once.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::prng::Prng;
use crate::raft::tests::harness::{Cluster, n};
use crate::raft::{Command, Config, Reply, Role};

fn tiny(config: Config) -> Config {
    Config {
        max_append_entries: 5,
        max_inflight_appends: 3,
        cache_bytes: 600,
        snapshot_entries: 25,
        keep_entries: 5,
        ..config
    }
}

fn disturb(cluster: &mut Cluster, prng: &mut Prng, voters: u64) {
    let id = 1 + prng.below(voters);
    match prng.below(12) {
        0 => cluster.restart(id),
        1 => cluster.node(id).stalled = true,
        2 | 3 => cluster.sync(id),
        4 => cluster.node(id).app_busy = true,
        5 | 6 => {
            cluster.node(id).app_busy = false;
            cluster.sync(id);
        }
        7 => cluster.isolate(id),
        8 => {
            cluster.cut.insert((n(id), n(1 + prng.below(voters))));
        }
        9 | 10 => cluster.cut.clear(),
        _ => {
            cluster.command(id, Command::Transfer { to: None });
        }
    }
}

fn step(cluster: &mut Cluster, prng: &mut Prng) {
    for _ in 0..prng.below(30) {
        cluster.flush();
        match prng.below(20) {
            0 => drop(cluster.wire.pop_front()),
            1 => {
                if let Some(message) = cluster.wire.pop_front() {
                    cluster.wire.push_back(message);
                }
            }
            2 => {
                if let Some(message) = cluster.wire.front().cloned() {
                    cluster.wire.push_back(message);
                }
            }
            _ => {
                cluster.deliver_next();
            }
        }
    }
    cluster.now = cluster.now.after(Duration::from_millis(1 + prng.below(20)));
}

/// Runs one seed and returns the rare paths it took.
fn chaos(seed: u64) -> BTreeSet<&'static str> {
    let mut prng = Prng::new(seed);
    let voters = 3 + 2 * (seed % 2);
    let mut cluster = Cluster::with(voters, tiny);
    let mut tokens = Vec::new();
    for round in 0..1_500u32 {
        if prng.chance(0.05) {
            disturb(&mut cluster, &mut prng, voters);
        }
        let leaders: Vec<u64> = (1..=voters).filter(|&id| cluster.raft(id).role() == Role::Leader).collect();
        for id in leaders {
            if prng.chance(0.6) {
                let payload = format!("{round}");
                tokens.push((id, cluster.propose(id, &payload), payload));
            }
            if prng.chance(0.1) {
                cluster.command(id, Command::Read);
            }
        }
        step(&mut cluster, &mut prng);
        cluster.seen.clear();
    }
    let acknowledged: Vec<String> = tokens
        .iter()
        .filter(|(id, token, _)| matches!(cluster.reply(*id, *token), Some(Reply::Applied { .. })))
        .map(|(_, _, payload)| payload.clone())
        .collect();
    cluster.cut.clear();
    for id in 1..=voters {
        cluster.node(id).app_busy = false;
        cluster.sync(id);
    }
    cluster.run(Duration::from_secs(2));
    let leader = cluster.run_until_led();
    let last = cluster.propose(leader, "last");
    cluster.run(Duration::from_secs(2));
    assert!(
        matches!(cluster.reply(leader, last), Some(Reply::Applied { .. })),
        "seed {seed}: no progress after"
    );
    let state = cluster.agreed();
    for payload in acknowledged {
        assert!(state.contains(&payload), "seed {seed}: {payload} was acknowledged and is gone");
    }
    for id in 1..=voters {
        let node = cluster.node(id);
        let silent: Vec<_> = node.asked.iter().filter(|token| !node.replies.contains_key(token)).collect();
        assert!(silent.is_empty(), "seed {seed}: node {id} never answered {silent:?}");
    }
    cluster.reached
}

#[test]
fn whatever_happens_nothing_acknowledged_is_lost_and_everyone_is_answered() {
    let seeds = 240;
    let reached: BTreeSet<_> = (0..seeds).flat_map(chaos).collect();
    let rare = [
        "answer of an earlier term ignored",
        "committed entries read back",
        "conflicting tail replaced",
        "entries of an earlier term wait for one of this term",
        "late pre-vote ignored",
        "log on disk made to follow the snapshot",
        "no campaign while the disk stalls",
        "reads wait for the first commit of the term",
        "snapshot sent to a peer that is behind the log",
        "stepped down without a quorum",
        "transfer abandoned",
        "unsent proposals taken back",
    ];
    let missed: Vec<_> = rare.into_iter().filter(|path| !reached.contains(path)).collect();
    assert!(missed.is_empty(), "{seeds} seeds never took the paths {missed:?}, but {reached:?}");
}
