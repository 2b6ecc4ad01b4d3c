//! How long a group is without a leader after the end of one (Ongaro and Ousterhout, USENIX ATC 2014, Figure 16): five nodes, a
//! leader that ends anywhere between two heartbeats, and two of those left that cannot win because their logs are behind.

use std::time::Duration;

use crate::prng::Prng;
use crate::raft::Config;
use crate::raft::lab::stage::{Latency, Rules, Stage};

const NODES: u64 = 5;

/// A group whose leader is about to end.
#[derive(Clone, Debug)]
pub struct Replacement {
    stage: Stage,
    heartbeat: Duration,
}

impl Replacement {
    /// A group that waits for `least` to `least + spread`, with a heartbeat of half of the least.
    #[must_use]
    pub fn new(least: Duration, spread: Duration, rules: Rules) -> Self {
        let heartbeat = least / 2;
        let mut stage = Stage::led_by(NODES, 1, 0, |config| {
            let config = rules.put_into(config);
            Config {
                election_timeout: least,
                election_spread: Some(spread),
                heartbeat_interval: heartbeat,
                ..config
            }
        });
        for behind in [4, 5] {
            stage.cut(1, behind);
        }
        stage.propose();
        stage.settle();
        stage.heal();
        Self { stage, heartbeat }
    }

    /// The group.
    #[must_use]
    pub fn stage(&self) -> &Stage {
        &self.stage
    }
}

/// Lets the leader end, and says how long the group is without one; `limit` when it takes longer.
#[must_use]
pub fn replace_leader(
    group: &Replacement,
    seed: u64,
    latency: Latency,
    write: Duration,
    limit: Duration,
) -> Duration {
    let mut stage = group.stage.clone();
    stage.begin(seed, latency, write);
    stage.last_heartbeat();
    let ended = stage.now().after(Prng::fork(seed, 0xE4D).duration(Duration::ZERO, group.heartbeat));
    while stage.leader().is_none() && stage.now().since(ended) < limit {
        stage.step();
    }
    stage.now().since(ended).min(limit)
}
