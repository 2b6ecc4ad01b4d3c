//! The local clock of one simulated process: monotonic, with an origin and a rate of its own.
//!
//! Time of the world is what the event queue counts; only this file turns one into the other.

use crate::types::Timestamp;

const MILLION: u128 = 1_000_000;

/// A clock that started at some local time and runs a little fast or slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    origin: u64,
    started: u64,
    /// Local nanoseconds per million nanoseconds of the world.
    rate: u128,
}

impl Clock {
    /// A clock that shows `origin` at world time `now` and gains `drift_ppm` millionths (loses, when negative).
    #[must_use]
    pub(super) fn new(now: Timestamp, origin: u64, drift_ppm: i32) -> Self {
        let rate = (1_000_000_i64 + i64::from(drift_ppm)).max(1) as u128;
        Self { origin, started: now.0, rate }
    }

    /// What the clock shows at a time of the world.
    #[must_use]
    pub(super) fn local(&self, world: Timestamp) -> Timestamp {
        let passed = u128::from(world.0.saturating_sub(self.started)) * self.rate / MILLION;
        Timestamp(self.origin.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX)))
    }

    /// The first time of the world at which the clock shows `local` or more.
    #[must_use]
    pub(super) fn world(&self, local: Timestamp) -> Timestamp {
        let ahead = u128::from(local.0.saturating_sub(self.origin)) * MILLION;
        let passed = ahead.div_ceil(self.rate);
        Timestamp(self.started.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_never_early_and_at_most_a_tick_late() {
        for drift in [-50_000, -1, 0, 1, 333, 50_000] {
            let clock = Clock::new(Timestamp(1_000), 77, drift);
            for local in (77..1_000_000_u64).step_by(9_973) {
                let world = clock.world(Timestamp(local));
                assert!(clock.local(world) >= Timestamp(local));
                assert!(world.0 == 1_000 || clock.local(Timestamp(world.0 - 1)) < Timestamp(local));
            }
        }
    }
}
