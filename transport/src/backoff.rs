//! Exponential backoff with jitter for dials, from a seed: no clock and no chance of its own.
//!
//! Equal jitter: half of the wait is fixed, half is drawn, so that nodes that failed together do not dial together.

use std::time::Duration;

/// The waits between the dials of one address.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    failures: u32,
    state: u64,
}

impl Backoff {
    /// Waits between `min` and `max`; equal seeds give equal waits.
    pub(crate) fn new(min: Duration, max: Duration, seed: u64) -> Self {
        Self { min, max, failures: 0, state: seed }
    }

    /// The wait after one more failure.
    pub(crate) fn next_wait(&mut self) -> Duration {
        let full = self.min.saturating_mul(1 << self.failures.min(20)).min(self.max);
        self.failures = self.failures.saturating_add(1);
        let half = full / 2;
        let drawn = (u128::from(self.draw()) * (half.as_nanos() + 1)) >> 64;
        half + Duration::from_nanos(u64::try_from(drawn).unwrap_or(u64::MAX))
    }

    /// Starts over, after a success.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// SplitMix64.
    fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// A seed for one address out of the transport's seed: FNV-1a over the address, so that the order of dials does not matter.
pub(crate) fn seed_for(seed: u64, endpoint: &str) -> u64 {
    endpoint.bytes().fold(seed ^ 0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: Duration = Duration::from_millis(50);
    const MAX: Duration = Duration::from_secs(2);

    #[test]
    fn doubles_up_to_the_cap_and_keeps_half() {
        let mut backoff = Backoff::new(MIN, MAX, 7);
        let mut full = MIN;
        for _ in 0..40 {
            let wait = backoff.next_wait();
            assert!(wait >= full / 2 && wait <= full, "{wait:?} is not within half of {full:?}");
            full = (full * 2).min(MAX);
        }
        backoff.reset();
        assert!(backoff.next_wait() <= MIN);
    }

    #[test]
    fn seeds_decide_the_waits() {
        let waits = |seed| {
            let mut backoff = Backoff::new(MIN, MAX, seed);
            (0..8).map(|_| backoff.next_wait()).collect::<Vec<_>>()
        };
        assert_eq!(waits(1), waits(1));
        assert_ne!(waits(1), waits(2));
        assert_ne!(seed_for(1, "a:1"), seed_for(1, "a:2"));
        assert_ne!(seed_for(1, "a:1"), seed_for(2, "a:1"));
    }

    #[test]
    fn jitter_spreads_over_the_upper_half() {
        let mut low = 0;
        for seed in 0..1000 {
            let wait = Backoff::new(MAX, MAX, seed).next_wait();
            low += u32::from(wait < MAX * 3 / 4);
        }
        assert!((400..600).contains(&low), "{low} of 1000 waits lie in the lower half");
    }
}
