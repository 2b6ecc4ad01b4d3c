//! Named timers of one machine, and the one next deadline that its driver has to know.
//!
//! Arms nothing in the world: a machine sets and clears names, and asks which have run out.

use crate::types::Timestamp;

/// Deadlines by name; setting a name again replaces its deadline. A machine has a handful, so they stand in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timers<K: Ord> {
    /// Ascending by name.
    deadlines: Vec<(K, Timestamp)>,
}

impl<K: Ord> Default for Timers<K> {
    fn default() -> Self {
        Self { deadlines: Vec::new() }
    }
}

impl<K: Ord + Copy> Timers<K> {
    /// Lets `timer` run out at `deadline`, instead of when it was to run out before.
    pub fn set(&mut self, timer: K, deadline: Timestamp) {
        let place = self.place(timer);
        match self.deadlines.get_mut(place) {
            Some((name, set)) if *name == timer => *set = deadline,
            Some(_) | None => self.deadlines.insert(place, (timer, deadline)),
        }
    }

    /// Forgets `timer`.
    pub fn clear(&mut self, timer: K) {
        let place = self.place(timer);
        if self.deadlines.get(place).is_some_and(|(name, _)| *name == timer) {
            self.deadlines.remove(place);
        }
    }

    /// Forgets every timer.
    pub fn clear_all(&mut self) {
        self.deadlines.clear();
    }

    /// Gives back room that is not used.
    pub fn shrink(&mut self) {
        self.deadlines.shrink_to_fit();
    }

    /// Takes one timer that has run out by `now`, the least name first; call until `None`.
    pub fn expire(&mut self, now: Timestamp) -> Option<K> {
        let due = self.deadlines.iter().position(|&(_, deadline)| deadline <= now)?;
        Some(self.deadlines.remove(due).0)
    }

    /// When `timer` runs out.
    #[must_use]
    pub fn deadline(&self, timer: K) -> Option<Timestamp> {
        self.deadlines
            .get(self.place(timer))
            .filter(|(name, _)| *name == timer)
            .map(|&(_, deadline)| deadline)
    }

    /// The timers that are set, by name.
    pub fn names(&self) -> impl Iterator<Item = K> {
        self.deadlines.iter().map(|&(timer, _)| timer)
    }

    /// The earliest deadline of all.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.iter().map(|&(_, deadline)| deadline).min()
    }

    /// Where `timer` stands, or would stand.
    fn place(&self, timer: K) -> usize {
        self.deadlines.iter().position(|&(name, _)| name >= timer).unwrap_or(self.deadlines.len())
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
