//! Rates and percentiles out of two readings of a Prometheus histogram.

const BUCKET: &str = "synod_http_put_seconds_bucket{le=\"";

/// A reading: how many puts took at most so many seconds, by rising bound.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Puts {
    buckets: Vec<(f64, u64)>,
}

impl Puts {
    /// The reading in a text of `/metrics`; empty when there is none.
    pub(super) fn parse(metrics: &str) -> Self {
        let bucket = |line: &str| {
            let (bound, count) = line.strip_prefix(BUCKET)?.split_once("\"}")?;
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? };
            Some((bound, count.split_whitespace().next()?.parse().ok()?))
        };
        Self { buckets: metrics.lines().filter_map(bucket).collect() }
    }

    /// How many puts there were.
    pub(super) fn count(&self) -> u64 {
        self.buckets.last().map_or(0, |(_, count)| *count)
    }

    /// The seconds that so large a part (0 to 1) of the puts since `earlier` took at most, to the precision of the bounds; `None`
    /// when there were none.
    pub(super) fn quantile_since(&self, earlier: &Self, part: f64) -> Option<f64> {
        let before = |index: usize| earlier.buckets.get(index).map_or(0, |(_, count)| *count);
        let since = |index: usize| self.buckets[index].1.saturating_sub(before(index));
        let total = since(self.buckets.len().checked_sub(1)?);
        if total == 0 {
            return None;
        }
        let rank = (part * total as f64).ceil() as u64;
        (0..self.buckets.len()).find(|&index| since(index) >= rank).map(|index| self.buckets[index].0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(counts: [u64; 3]) -> String {
        let [a, b, c] = counts;
        format!(
            "# TYPE synod_http_put_seconds histogram\nsynod_http_put_seconds_sum 1.5\nsynod_http_put_seconds_count {c}\n\
             synod_http_put_seconds_bucket{{le=\"0.001\"}} {a}\nsynod_http_put_seconds_bucket{{le=\"0.1\"}} {b}\n\
             synod_http_put_seconds_bucket{{le=\"+Inf\"}} {c}\nother_bucket{{le=\"1\"}} 5\n"
        )
    }

    #[test]
    fn a_percentile_is_that_of_the_time_between_two_readings() {
        let earlier = Puts::parse(&metrics([0, 100, 100]));
        let later = Puts::parse(&metrics([98, 200, 200]));
        assert_eq!(later.count() - earlier.count(), 100);
        assert_eq!(later.quantile_since(&earlier, 0.98), Some(0.001));
        assert_eq!(later.quantile_since(&earlier, 0.99), Some(0.1));
        assert_eq!(later.quantile_since(&later, 0.99), None);
        assert_eq!(Puts::parse("").quantile_since(&Puts::default(), 0.99), None);
    }
}
