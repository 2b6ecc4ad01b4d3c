//! The part of a replicated log that a machine keeps in memory: the term of every entry, and the newest entries themselves.
//!
//! Not the durable log: that one is the driver's, and entries dropped from this cache are read back from there.

use std::collections::VecDeque;

use crate::log::entry::Entry;
use crate::log::position::Position;
use crate::types::{LogIndex, LogTime, Term};

/// A log above its last compaction. Terms are kept as runs, entries in a cache that always ends at the last index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryLog {
    base: Position,
    last: LogIndex,
    last_time: LogTime,
    runs: VecDeque<Run>,
    cache: VecDeque<Entry>,
    cache_bytes: usize,
}

/// Consecutive entries of one term, from `first` to the next run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    first: LogIndex,
    term: Term,
}

impl MemoryLog {
    /// An empty log whose next entry follows `base`, which was written at `time`.
    #[must_use]
    pub fn new(base: Position, time: LogTime) -> Self {
        Self {
            base,
            last: base.index,
            last_time: time,
            runs: VecDeque::new(),
            cache: VecDeque::new(),
            cache_bytes: 0,
        }
    }

    /// Appends the next entry.
    ///
    /// # Panics
    /// When the entry does not follow the last one.
    pub fn append(&mut self, entry: Entry) {
        assert_eq!(entry.index, self.last.next(), "entries are appended one by one");
        if self.last_term() != entry.term || self.runs.is_empty() {
            self.runs.push_back(Run { first: entry.index, term: entry.term });
        }
        self.last = entry.index;
        self.last_time = entry.time;
        self.cache_bytes += entry.size();
        self.cache.push_back(entry);
    }

    /// Forgets the entries from `from` on; entries below the base cannot be forgotten this way.
    pub fn truncate(&mut self, from: LogIndex) {
        let from = from.max(self.base.index.next());
        if from > self.last {
            return;
        }
        self.last = from.previous();
        while self.runs.back().is_some_and(|run| run.first >= from) {
            self.runs.pop_back();
        }
        while self.cache.back().is_some_and(|entry| entry.index >= from) {
            if let Some(entry) = self.cache.pop_back() {
                self.cache_bytes -= entry.size();
            }
        }
        // With an empty cache the old time stays: a bound from above is all that later stamps need.
        if let Some(entry) = self.cache.back() {
            self.last_time = entry.time;
        }
    }

    /// Forgets the entries up to `upto`, at most the whole log.
    pub fn compact(&mut self, upto: LogIndex) {
        let upto = upto.min(self.last);
        let Some(term) = self.term_at(upto) else { return };
        self.base = Position { term, index: upto };
        while self.runs.get(1).is_some_and(|second| second.first <= upto.next()) || self.last == upto {
            if self.runs.pop_front().is_none() {
                break;
            }
        }
        self.evict_through(upto);
    }

    /// Drops the oldest entries up to `upto` from memory while more than `limit` bytes are held.
    pub fn evict(&mut self, upto: LogIndex, limit: usize) {
        while self.cache_bytes > limit && self.cache.front().is_some_and(|entry| entry.index <= upto) {
            if let Some(entry) = self.cache.pop_front() {
                self.cache_bytes -= entry.size();
            }
        }
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

    /// Whether this log holds, or has compacted to exactly, the entry at a position.
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

    /// An entry, if it is in memory.
    #[must_use]
    pub fn entry(&self, index: LogIndex) -> Option<&Entry> {
        let first = self.cache.front()?.index;
        self.cache.get(usize::try_from(index.0.checked_sub(first.0)?).ok()?)
    }

    /// Copies of the entries from `from` to `to`, at most `count` and not beyond the one with which `bytes` would be exceeded,
    /// but at least one. `None` when the first is not in memory.
    #[must_use]
    pub fn range(&self, from: LogIndex, to: LogIndex, count: usize, bytes: usize) -> Option<Vec<Entry>> {
        self.entry(from)?;
        let mut held = 0usize;
        let wanted = usize::try_from(to.min(self.last).next().0.saturating_sub(from.0)).unwrap_or(usize::MAX);
        let mut entries = Vec::with_capacity(wanted.min(count));
        let mut index = from;
        while index <= to && entries.len() < count {
            let Some(entry) = self.entry(index) else { break };
            held = held.saturating_add(entry.size());
            if held > bytes && !entries.is_empty() {
                break;
            }
            entries.push(entry.clone());
            index = index.next();
        }
        Some(entries)
    }

    /// Where the log ends.
    #[must_use]
    pub fn last(&self) -> Position {
        Position { term: self.last_term(), index: self.last }
    }

    /// The log time of the last entry.
    #[must_use]
    pub fn last_time(&self) -> LogTime {
        self.last_time
    }

    /// The last position that was compacted away.
    #[must_use]
    pub fn base(&self) -> Position {
        self.base
    }

    /// Bytes of entries in memory.
    #[must_use]
    pub fn cached_bytes(&self) -> usize {
        self.cache_bytes
    }

    fn last_term(&self) -> Term {
        self.runs.back().map_or(self.base.term, |run| run.term)
    }

    fn evict_through(&mut self, upto: LogIndex) {
        while self.cache.front().is_some_and(|entry| entry.index <= upto) {
            if let Some(entry) = self.cache.pop_front() {
                self.cache_bytes -= entry.size();
            }
        }
    }
}
