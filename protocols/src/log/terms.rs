//! The term of every entry of a log, as runs: a few words for each leadership, however long the log is.
//!
//! Not the entries; whoever holds some of them holds them beside this.

use std::collections::VecDeque;

use crate::log::position::Position;
use crate::types::{LogIndex, Term};

/// The terms of the entries above a base, of which the position is known too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    base: Position,
    last: LogIndex,
    runs: VecDeque<Run>,
}

/// Consecutive entries of one term, from `first` to the next run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    first: LogIndex,
    term: Term,
}

impl Terms {
    /// Of a log without entries, whose next one follows `base`.
    #[must_use]
    pub const fn new(base: Position) -> Self {
        Self { base, last: base.index, runs: VecDeque::new() }
    }

    /// Learns the position before the first entry, of which only the index was known.
    ///
    /// # Panics
    /// When it is another index.
    pub fn follow(&mut self, base: Position) {
        assert_eq!(base.index, self.base.index, "the base stands before the first entry");
        self.base.term = base.term;
    }

    /// Notes the next entry.
    ///
    /// # Panics
    /// When it does not follow the last one.
    pub fn push(&mut self, position: Position) {
        assert_eq!(position.index, self.last.next(), "entries are appended one by one");
        if self.last_term() != position.term || self.runs.is_empty() {
            self.runs.push_back(Run { first: position.index, term: position.term });
        }
        self.last = position.index;
    }

    /// Forgets the entries from `from` on; false when there are none, or they are below the base.
    pub fn truncate(&mut self, from: LogIndex) -> bool {
        if from > self.last || from <= self.base.index {
            return false;
        }
        self.last = from.previous();
        while self.runs.back().is_some_and(|run| run.first >= from) {
            self.runs.pop_back();
        }
        true
    }

    /// Makes an entry the base, and forgets those up to it; false when it is not one of this log.
    pub fn compact(&mut self, upto: LogIndex) -> bool {
        let Some(term) = self.term_at(upto) else { return false };
        self.base = Position { term, index: upto };
        while self.runs.get(1).is_some_and(|second| second.first <= upto.next()) || self.last == upto {
            if self.runs.pop_front().is_none() {
                break;
            }
        }
        true
    }

    /// Gives back room that is not used.
    pub fn shrink(&mut self) {
        self.runs.shrink_to_fit();
    }

    /// The term of an entry, or of the base; `None` outside of the log.
    #[must_use]
    pub fn term_at(&self, index: LogIndex) -> Option<Term> {
        if index == self.base.index {
            return Some(self.base.term);
        }
        if index < self.base.index || index > self.last {
            return None;
        }
        // Nearly every question is about the newest run.
        let newest = self.runs.back()?;
        if newest.first <= index {
            return Some(newest.term);
        }
        let after = self.runs.partition_point(|run| run.first <= index);
        self.runs.get(after.checked_sub(1)?).map(|run| run.term)
    }

    /// Whether the log holds, or has compacted to exactly, the entry at a position.
    #[must_use]
    pub fn holds(&self, position: Position) -> bool {
        self.term_at(position.index) == Some(position.term)
    }

    /// The last position not above `limit` in index nor in term: where two logs may still agree. `None` below the base.
    #[must_use]
    pub fn last_within(&self, limit: Position) -> Option<Position> {
        let index = limit.index.min(self.last);
        if index < self.base.index {
            return None;
        }
        let after = self.runs.partition_point(|run| run.first <= index);
        let mut end = index;
        for run in self.runs.iter().take(after).rev() {
            if run.term <= limit.term {
                return Some(Position { term: run.term, index: end });
            }
            end = run.first.previous();
        }
        (self.base.term <= limit.term).then_some(self.base)
    }

    /// Where the log ends.
    #[must_use]
    pub fn last(&self) -> Position {
        Position { term: self.last_term(), index: self.last }
    }

    /// The position before the first entry.
    #[must_use]
    pub const fn base(&self) -> Position {
        self.base
    }

    fn last_term(&self) -> Term {
        self.runs.back().map_or(self.base.term, |run| run.term)
    }
}
