//! Virtual time: tokio's paused clock, which jumps to the next timer when nothing is left to do.

use std::time::Duration;

use synod_protocols::Timestamp;
use tokio::time::Instant;

use crate::env::Clock;

/// The first of January 2026, from which the wall clock of every simulation starts.
const EPOCH: Duration = Duration::from_secs(1_767_225_600);

/// A simulated node's clock.
pub(crate) struct SimClock {
    /// When the process started.
    origin: Instant,
    /// When the simulation began. A wall clock goes on while a process is down: incarnations follow from it.
    beginning: Instant,
}

impl SimClock {
    /// The clock of a process that starts at this moment of a simulation.
    pub(crate) fn new(beginning: Instant) -> Self {
        Self { origin: Instant::now(), beginning }
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        Timestamp(u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    fn wall(&self) -> Duration {
        EPOCH + self.beginning.elapsed()
    }
}
