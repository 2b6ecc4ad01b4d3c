//! How large a simulated run of Raft is.
//!
//! The circumstances (network, disks, faults, limits) are drawn from the seed, not chosen here.

use std::time::Duration;

use crate::sim::Profile;

/// What a run is asked to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// How many nodes, all voters.
    pub nodes: u64,
    /// The least simulated time; three quarters of it are the safety phase, in which faults strike.
    pub duration: Duration,
    /// The least number of commands; the run goes on until so many were asked.
    pub commands: u64,
    /// Which faults may strike.
    pub profile: Profile,
    /// How many of the last events a failure shows.
    pub tail: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nodes: 5,
            duration: Duration::from_secs(60),
            commands: 2_000,
            profile: Profile::Swarm,
            tail: 80,
        }
    }
}
