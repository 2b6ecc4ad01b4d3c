//! How long many requests took.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Durations from 1 ns to a minute, to three digits.
#[derive(Clone, Debug)]
pub(crate) struct Latencies(Histogram<u64>);

const LONGEST: u64 = 60_000_000_000;

impl Default for Latencies {
    fn default() -> Self {
        Self(Histogram::new_with_max(LONGEST, 3).expect("bounds that a histogram can have"))
    }
}

impl Latencies {
    /// Adds one.
    pub(crate) fn add(&mut self, latency: Duration) {
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.0.saturating_record(nanoseconds.clamp(1, LONGEST));
    }

    /// How many.
    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// The microseconds that so large a part (0 to 1) took at most.
    pub(crate) fn quantile_us(&self, part: f64) -> f64 {
        self.0.value_at_quantile(part) as f64 / 1_000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_what_was_added_are_told_in_microseconds() {
        let mut all = Latencies::default();
        for _ in 0..98 {
            all.add(Duration::from_micros(100));
        }
        all.add(Duration::from_secs(100));
        all.add(Duration::from_millis(5));
        assert_eq!(all.count(), 100);
        assert!((all.quantile_us(0.5) - 100.0).abs() < 1.0);
        assert!((all.quantile_us(0.99) - 5_000.0).abs() < 50.0);
        assert!(all.quantile_us(1.0) > 59_000_000.0);
    }
}
