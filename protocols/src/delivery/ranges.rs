//! A set of numbers as runs: small where numbers come nearly in order.

use std::collections::BTreeMap;

/// A set of numbers, of which it remembers a bounded number of runs: beyond, the lowest run is forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges {
    /// First and last number of each run; runs neither overlap nor touch.
    runs: BTreeMap<u64, u64>,
}

impl Ranges {
    /// How many runs are remembered.
    pub const RUNS_MAX: usize = 4096;

    /// Puts a number into the set.
    pub fn insert(&mut self, number: u64) {
        if self.contains(number) {
            return;
        }
        let (mut first, mut last) = (number, number);
        if let Some((&before, &end)) = self.runs.range(..number).next_back()
            && end.checked_add(1) == Some(number)
        {
            first = before;
        }
        if let Some(after) = number.checked_add(1)
            && let Some(end) = self.runs.remove(&after)
        {
            last = end;
        }
        self.runs.insert(first, last);
        if self.runs.len() > Self::RUNS_MAX {
            self.runs.pop_first();
        }
    }

    /// Whether a number is in the set.
    #[must_use]
    pub fn contains(&self, number: u64) -> bool {
        self.runs.range(..=number).next_back().is_some_and(|(_, &last)| number <= last)
    }

    /// First and last number of each run, ascending.
    #[must_use]
    pub fn runs(&self) -> Vec<(u64, u64)> {
        self.runs.iter().map(|(&first, &last)| (first, last)).collect()
    }
}

impl FromIterator<u64> for Ranges {
    fn from_iter<I: IntoIterator<Item = u64>>(numbers: I) -> Self {
        let mut ranges = Self::default();
        numbers.into_iter().for_each(|number| ranges.insert(number));
        ranges
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prng::Prng;

    #[test]
    fn it_holds_what_was_put_in_and_runs_do_not_touch() {
        let mut chance = Prng::new(7);
        for _ in 0..50 {
            let (mut ranges, mut model) = (Ranges::default(), [false; 64]);
            for _ in 0..chance.below(64) {
                let number = chance.below(64);
                ranges.insert(number);
                model[number as usize] = true;
            }
            assert!((0..64).all(|number| ranges.contains(number) == model[number as usize]), "{ranges:?}");
            assert!(ranges.runs().windows(2).all(|two| two[0].1 + 1 < two[1].0), "{ranges:?}");
        }
    }

    #[test]
    fn the_lowest_runs_are_forgotten_first() {
        let ranges: Ranges = (0..=Ranges::RUNS_MAX as u64).map(|number| 2 * number).collect();
        assert_eq!(ranges.runs().len(), Ranges::RUNS_MAX);
        assert!(!ranges.contains(0) && ranges.contains(2));
        let mut edge = Ranges::default();
        edge.insert(u64::MAX);
        edge.insert(u64::MAX - 1);
        assert_eq!(edge.runs(), [(u64::MAX - 1, u64::MAX)]);
    }
}
