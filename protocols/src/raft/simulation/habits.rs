//! What clients are like in a run: how many, how often they ask, how long they wait.
//!
//! Drawn from the seed, like everything else about a run.

use std::time::Duration;

use crate::prng::Prng;

/// What kind of clients a run has; drawn from the seed.
#[derive(Clone, Debug)]
pub(super) struct Habits {
    pub(super) clients: u64,
    pub(super) keys: u64,
    /// The mean time between two requests of all clients together.
    pub(super) pace: Duration,
    /// How many clients at most ask at the same instant.
    pub(super) burst: u64,
    pub(super) reads: f64,
    pub(super) tagged: f64,
    pub(super) padding: u64,
    pub(super) patience: Duration,
    pub(super) answer_timeout: Duration,
    /// The mean time between two requests of the operator: transfers, snapshots, campaigns.
    pub(super) operator: Duration,
}

impl Habits {
    pub(super) fn draw(chance: &mut Prng) -> Self {
        let burst = 1 << chance.below(5);
        Self {
            clients: chance.between(4, 48),
            keys: chance.between(1, 24),
            pace: chance.duration(Duration::from_millis(8), Duration::from_millis(20)) * (burst as u32 + 1)
                / 2,
            burst,
            reads: chance.unit() * 0.6,
            tagged: if chance.chance(0.3) { 1.0 } else { chance.unit() },
            padding: 1 << chance.below(10),
            patience: chance.duration(Duration::from_millis(500), Duration::from_secs(6)),
            answer_timeout: chance.duration(Duration::from_millis(100), Duration::from_secs(2)),
            operator: chance.duration(Duration::from_millis(500), Duration::from_secs(20)),
        }
    }
}
