//! The requests of one peer that their callers have given up and that may still wait before an actor.
//!
//! Best effort: a request that has begun goes on, and when very many are given up the oldest are forgotten and carried out.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// How many are remembered.
const REMEMBERED: usize = 1 << 12;

/// The requests, by correlation.
#[derive(Default)]
pub(crate) struct Cancelled {
    asks: Mutex<BTreeSet<u64>>,
    /// Looked at for every request.
    count: AtomicUsize,
}

impl Cancelled {
    /// A caller has given up.
    pub(crate) fn enter(&self, correlation: u64) {
        let mut asks = self.asks.lock().unwrap_or_else(PoisonError::into_inner);
        asks.insert(correlation);
        if asks.len() > REMEMBERED {
            asks.pop_first();
        }
        self.count.store(asks.len(), Ordering::Release);
    }

    /// Whether the caller of a request whose turn has come has given up.
    pub(crate) fn take(&self, correlation: u64) -> bool {
        if self.count.load(Ordering::Acquire) == 0 {
            return false;
        }
        let mut asks = self.asks.lock().unwrap_or_else(PoisonError::into_inner);
        let found = asks.remove(&correlation);
        self.count.store(asks.len(), Ordering::Release);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_found_once_and_the_oldest_are_forgotten() {
        let cancelled = Cancelled::default();
        assert!(!cancelled.take(1));
        for correlation in 0..REMEMBERED as u64 + 1 {
            cancelled.enter(correlation);
        }
        assert!(!cancelled.take(0), "forgotten");
        assert!(cancelled.take(1) && !cancelled.take(1));
    }
}
