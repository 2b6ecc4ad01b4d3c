//! What clients are like in a run: how many, how often they ask, how long they wait.
//!
//! Drawn from the seed, like everything else about a run.

use std::time::Duration;

use crate::prng::Prng;
use crate::raft::simulation::options::Options;
use crate::raft::simulation::reduction::Quiet;
use crate::sim::Profile;

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
    /// How often nobody asks for a while.
    pub(super) idle: f64,
    /// The mean time between two requests of the operator, if there is one: transfers, snapshots, campaigns.
    pub(super) operator: Option<Duration>,
}

impl Habits {
    pub(super) fn draw(chance: &mut Prng, options: &Options) -> Self {
        let reduction = &options.reduction;
        let far = options.profile == Profile::Wan;
        let burst = 1 << chance.below(5);
        let apart = chance.duration(Duration::from_millis(8), Duration::from_millis(20));
        let apart = options.rate.map_or(apart, |rate| Duration::from_secs(1) / rate.max(1));
        let drawn = Self {
            clients: chance.between(4, 48),
            keys: chance.between(1, 24),
            pace: apart * (burst as u32 + 1) / 2,
            burst,
            reads: chance.unit() * 0.6,
            tagged: if chance.chance(0.3) { 1.0 } else { chance.unit() },
            padding: 1 << chance.below(10),
            patience: chance.duration(Duration::from_millis(500), Duration::from_secs(6)),
            answer_timeout: chance.duration(Duration::from_millis(100), Duration::from_secs(2)),
            idle: if chance.chance(0.75) { 0.0 } else { chance.unit() / 100.0 },
            operator: Some(chance.duration(Duration::from_millis(500), Duration::from_secs(20))),
        };
        Self {
            clients: reduction.clients.map_or(drawn.clients, |most| drawn.clients.min(most.max(1))),
            reads: if reduction.quiet.contains(&Quiet::Reads) { 0.0 } else { drawn.reads },
            operator: drawn.operator.filter(|_| {
                options.profile != Profile::Liveness && !reduction.quiet.contains(&Quiet::Operator)
            }),
            idle: if options.profile == Profile::Liveness { 0.0 } else { drawn.idle },
            // Nobody who asks over an ocean gives up before an answer can be there.
            answer_timeout: drawn.answer_timeout + if far { Duration::from_secs(1) } else { Duration::ZERO },
            patience: drawn.patience * if far { 4 } else { 1 },
            ..drawn
        }
    }
}
