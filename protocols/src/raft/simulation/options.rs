//! How large a simulated run of Raft is, and what is left out of it.
//!
//! The circumstances (network, disks, faults, limits) are drawn from the seed, not chosen here.

use std::time::Duration;

use crate::prng::Prng;
use crate::raft::simulation::reduction::Reduction;
use crate::sim::{Profile, Schedule, mix};
use crate::types::Timestamp;

/// What a run is asked to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// How many nodes; `None` lets each seed of [`Profile::Swarm`] and [`Profile::Safety`] draw one to seven, and is five elsewhere.
    pub nodes: Option<u64>,
    /// The least simulated time; three quarters of it are the safety phase, in which faults strike.
    pub duration: Duration,
    /// The least number of commands; the run goes on until so many were asked.
    pub commands: u64,
    /// How many commands are asked a simulated second; `None` lets each seed draw it.
    pub rate: Option<u32>,
    /// Which faults may strike, and what is owed meanwhile.
    pub profile: Profile,
    /// How many of the last events a failure shows.
    pub tail: usize,
    /// What of the seed's circumstances is left out.
    pub reduction: Reduction,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nodes: None,
            duration: Duration::from_secs(60),
            commands: 2_000,
            rate: None,
            profile: Profile::Swarm,
            tail: 80,
            reduction: Reduction::default(),
        }
    }
}

impl Options {
    /// How many nodes a seed's group has.
    #[must_use]
    pub fn nodes_of(&self, seed: u64) -> u64 {
        const SIZES: [u64; 12] = [1, 2, 3, 3, 3, 4, 5, 5, 5, 5, 6, 7];
        let drawn = match self.profile {
            Profile::Swarm | Profile::Safety => Prng::fork(seed, 0x0DE5).pick(&SIZES).copied(),
            Profile::Calm | Profile::Network | Profile::Process | Profile::Liveness | Profile::Wan => None,
        };
        self.nodes.or(drawn).unwrap_or(5)
    }

    /// The circumstances of a seed's run, with what is left out left out.
    #[must_use]
    pub fn schedule(&self, seed: u64) -> Schedule {
        let until = Timestamp::ZERO.after(self.duration * 3 / 4);
        let mut schedule = Schedule::generate(seed, self.profile, self.nodes_of(seed), until);
        self.reduction.apply(&mut schedule);
        schedule
    }

    /// When the safety phase of a run ends.
    pub(super) fn safe_until(&self) -> Timestamp {
        let until = Timestamp::ZERO.after(self.duration * 3 / 4);
        self.reduction.until.map_or(until, |earlier| earlier.min(until))
    }

    /// When a run may end.
    pub(super) fn end(&self) -> Timestamp {
        match self.reduction.until {
            Some(_) => self.safe_until(),
            None => Timestamp::ZERO.after(self.duration),
        }
    }

    /// How many commands a run has to ask at least.
    pub(super) fn commands_owed(&self) -> u64 {
        if self.reduction.until.is_some() { 0 } else { self.commands }
    }

    /// The seed of all chance that is not circumstance.
    pub(super) fn chance_of(&self, seed: u64) -> u64 {
        if self.reduction.salt == 0 { seed } else { mix(seed, self.reduction.salt) }
    }
}
