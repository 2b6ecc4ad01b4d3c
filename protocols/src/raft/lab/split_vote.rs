//! Split votes: how often the first election after a leader's end finds no winner because several stood at once, and how long it takes
//! until somebody leads (Ongaro's dissertation, §9.2 and §9.3).

use std::time::Duration;

use crate::raft::Config;
use crate::raft::lab::stage::{Latency, Rules, Stage};
use crate::types::Timestamp;

/// A group whose leader is about to end.
#[derive(Clone, Debug)]
pub struct SplitVote {
    stage: Stage,
}

/// What became of an election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vote {
    /// Nobody won in the first term.
    pub split: bool,
    /// From the leader's last word until somebody leads.
    pub took: Duration,
}

/// The shortest wait, and the range of waits above it.
pub const TIMEOUT: Duration = Duration::from_millis(100);

impl SplitVote {
    /// A group of `nodes`, of which `alive` are left when the leader ends.
    ///
    /// # Panics
    /// When fewer than a majority or all of them are to be left.
    #[must_use]
    pub fn new(nodes: u64, alive: u64, rules: Rules) -> Self {
        assert!(alive > nodes / 2 && alive < nodes, "a majority without the leader");
        let mut stage = Stage::led_by(nodes, 1, 0, |config| tuned(config, rules));
        for gone in alive + 2..=nodes {
            stage.stop(gone);
        }
        Self { stage }
    }
}

/// The experiment's settings.
pub(super) fn tuned(config: Config, rules: Rules) -> Config {
    Config { election_timeout: TIMEOUT, heartbeat_interval: TIMEOUT / 2, ..rules.put_into(config) }
}

/// Lets the leader end and an election take place, by the chance of `seed`.
#[must_use]
pub fn play_vote(group: &SplitVote, seed: u64, latency: Latency) -> Vote {
    let mut stage = group.stage.clone();
    stage.begin(seed, latency, Duration::ZERO);
    stage.last_heartbeat();
    let (begun, first) = (stage.now(), stage.term() + 1);
    while stage.leader().is_none() && stage.now() < Timestamp(u64::MAX / 2) {
        stage.step();
    }
    Vote { split: stage.term() > first, took: stage.now().since(begun) }
}

/// The chance of a split vote when all messages take the same time, `latency` times the range of the waits: at least so many of those
/// alive stand within that time that too few are left to vote. The gap between the first and the c-th of uniform waits is a beta
/// variable, which gives the sum.
#[must_use]
pub fn closed_form(nodes: u64, alive: u64, latency: f64) -> f64 {
    let standing = alive - nodes / 2 + 1;
    let term =
        |k: u64| binomial(alive, k) * latency.powi(k as i32) * (1.0 - latency).powi((alive - k) as i32);
    (standing - 1..=alive).map(term).sum()
}

/// The mean time from the end of a leader until another leads, in shortest waits, for waits of one to two of them and a leader that ends
/// anywhere between two heartbeats, which are half a wait apart.
#[must_use]
pub fn mean_election_time(nodes: u64, alive: u64, latency: f64) -> f64 {
    let round = 1.0 + 1.0 / (alive as f64 + 1.0) + latency;
    round / (1.0 - closed_form(nodes, alive, latency)) + latency - 0.25
}

fn binomial(n: u64, k: u64) -> f64 {
    (0..k).map(|i| (n - i) as f64 / (i + 1) as f64).product()
}
