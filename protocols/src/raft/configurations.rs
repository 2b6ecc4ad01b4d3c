//! The configurations of a log, each in force from the entry that carries it (dissertation §4.1: in effect on append).
//!
//! Follows the log: what is truncated takes its configuration along, and what is compacted leaves the one that was in force.

use std::sync::Arc;

use crate::raft::membership::Membership;
use crate::types::LogIndex;

/// Configurations by the index from which they are in force; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Configurations {
    first: (LogIndex, Arc<Membership>),
    later: Vec<(LogIndex, Arc<Membership>)>,
}

impl Configurations {
    /// The configuration in force at `index`, where the log begins.
    pub(super) fn new(index: LogIndex, membership: Membership) -> Self {
        Self { first: (index, Arc::new(membership)), later: Vec::new() }
    }

    /// The configuration in force: the newest of the log, committed or not.
    pub(super) fn current(&self) -> &Membership {
        &self.latest().1
    }

    /// The configuration before the one in force, if it was not left behind; else the one in force.
    pub(super) fn before(&self) -> &Membership {
        let position = self.later.len().checked_sub(2);
        position.map_or(&self.first.1, |position| &self.later[position].1)
    }

    /// The index of the entry that carries the configuration in force.
    pub(super) fn index(&self) -> LogIndex {
        self.latest().0
    }

    /// Every configuration with the index from which it is in force, in the order of the log.
    pub(super) fn all(&self) -> impl Iterator<Item = (LogIndex, &Membership)> {
        self.rows().map(|(index, membership)| (*index, &**membership))
    }

    /// The index of the oldest configuration that is kept.
    pub(super) fn first(&self) -> LogIndex {
        self.first.0
    }

    /// From where on it is known which configuration is in force.
    pub(super) fn begin(&self) -> LogIndex {
        let known = self.all().find(|(_, membership)| !membership.members().is_empty());
        known.map_or(self.first.0, |(index, _)| index)
    }

    /// The configuration in force at an index of the log, at or above where they are known.
    pub(super) fn at(&self, index: LogIndex) -> &Membership {
        let after = self.later.partition_point(|(from, _)| *from <= index);
        after.checked_sub(1).map_or(&self.first.1, |position| &self.later[position].1)
    }

    /// The configuration in force at an index, if it is known: before the first one in its log, a node that did not found the group
    /// knows none, and a group that has slept has left behind what was in force before.
    pub(super) fn known_at(&self, index: LogIndex) -> Option<&Membership> {
        Some(self.at(index)).filter(|membership| index >= self.first.0 && !membership.members().is_empty())
    }

    /// Notes the configuration of a new entry.
    pub(super) fn push(&mut self, index: LogIndex, membership: Membership) {
        debug_assert!(index > self.index(), "configurations come in the order of the log");
        // A group has few of them, and keeps them for long.
        self.later.reserve_exact(1);
        self.later.push((index, Arc::new(membership)));
    }

    /// Forgets the configurations of entries from `from` on. Says whether there was one.
    pub(super) fn truncate(&mut self, from: LogIndex) -> bool {
        let kept = self.later.partition_point(|(index, _)| *index < from);
        let cut = kept < self.later.len();
        self.later.truncate(kept);
        cut
    }

    /// Forgets the configurations that `upto` has left behind.
    pub(super) fn compact(&mut self, upto: LogIndex) {
        let past = self.later.partition_point(|(index, _)| *index <= upto);
        if let Some(last) = self.later.drain(..past).next_back() {
            self.first = last;
        }
        self.later.shrink_to_fit();
    }

    /// The configurations that are or may come into force when what is after `commit` may still be cut off, oldest first.
    pub(super) fn possible(&self, commit: LogIndex) -> impl Iterator<Item = (LogIndex, &Membership)> {
        let after = self.later.partition_point(|(from, _)| *from <= commit);
        self.all().skip(after)
    }

    fn rows(&self) -> impl Iterator<Item = &(LogIndex, Arc<Membership>)> {
        std::iter::once(&self.first).chain(&self.later)
    }

    fn latest(&self) -> &(LogIndex, Arc<Membership>) {
        self.later.last().unwrap_or(&self.first)
    }
}
