//! Named timers of one machine, and the one next deadline that its driver has to know.
//!
//! Arms nothing in the world: a machine sets and clears names, and asks which have run out.

use std::collections::BTreeMap;

use crate::types::Timestamp;

/// Deadlines by name; setting a name again replaces its deadline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timers<K: Ord> {
    deadlines: BTreeMap<K, Timestamp>,
}

impl<K: Ord> Default for Timers<K> {
    fn default() -> Self {
        Self { deadlines: BTreeMap::new() }
    }
}

impl<K: Ord + Copy> Timers<K> {
    /// Lets `timer` run out at `deadline`, instead of when it was to run out before.
    pub fn set(&mut self, timer: K, deadline: Timestamp) {
        self.deadlines.insert(timer, deadline);
    }

    /// Forgets `timer`.
    pub fn clear(&mut self, timer: K) {
        self.deadlines.remove(&timer);
    }

    /// Forgets every timer.
    pub fn clear_all(&mut self) {
        self.deadlines.clear();
    }

    /// Takes one timer that has run out by `now`, the least name first; call until `None`.
    pub fn expire(&mut self, now: Timestamp) -> Option<K> {
        let due = self.deadlines.iter().find(|&(_, deadline)| *deadline <= now).map(|(&timer, _)| timer)?;
        self.deadlines.remove(&due);
        Some(due)
    }

    /// When `timer` runs out.
    #[must_use]
    pub fn deadline(&self, timer: K) -> Option<Timestamp> {
        self.deadlines.get(&timer).copied()
    }

    /// The timers that are set, by name.
    pub fn names(&self) -> impl Iterator<Item = K> {
        self.deadlines.keys().copied()
    }

    /// The earliest deadline of all.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.values().min().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_set_again_runs_out_once_at_the_later_deadline() {
        let mut timers = Timers::default();
        timers.set("election", Timestamp(10));
        timers.set("election", Timestamp(20));
        timers.set("heartbeat", Timestamp(15));
        assert_eq!(timers.next_deadline(), Some(Timestamp(15)));
        assert_eq!(timers.expire(Timestamp(15)), Some("heartbeat"));
        assert_eq!(timers.expire(Timestamp(15)), None);
        assert_eq!(timers.expire(Timestamp(20)), Some("election"));
        assert_eq!(timers.next_deadline(), None);
    }
}
