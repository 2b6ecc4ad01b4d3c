//! The proposals of which a leader has not told their askers what became.
//!
//! They stand in the order of their entries: the oldest are answered first, and what a log loses is its end.

use std::collections::VecDeque;

use crate::types::{LogIndex, LogTime, Token};

/// A proposal that was not answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) token: Token,
    pub(super) time: LogTime,
    pub(super) bytes: usize,
}

/// Proposals by index, each for the entry that stands there in this log.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiters {
    /// Ascending.
    queue: VecDeque<(LogIndex, Waiting)>,
}

impl Waiters {
    /// Adds the proposal of an entry behind all others.
    pub(super) fn push(&mut self, index: LogIndex, waiting: Waiting) {
        debug_assert!(self.queue.back().is_none_or(|(last, _)| *last < index), "a log grows at its end");
        self.queue.push_back((index, waiting));
    }

    /// Takes the proposal of an entry.
    pub(super) fn take(&mut self, index: LogIndex) -> Option<Waiting> {
        // Nearly always the oldest.
        if self.queue.front().is_some_and(|(first, _)| *first == index) {
            return self.queue.pop_front().map(|(_, waiting)| waiting);
        }
        let place = self.queue.binary_search_by_key(&index, |(at, _)| *at).ok()?;
        self.queue.remove(place).map(|(_, waiting)| waiting)
    }

    /// Takes the oldest proposal if its entry does not stand after `upto`.
    pub(super) fn take_through(&mut self, upto: LogIndex) -> Option<Waiting> {
        self.queue.pop_front_if(|(first, _)| *first <= upto).map(|(_, waiting)| waiting)
    }

    /// Takes the proposals of the entries from `from` on.
    pub(super) fn split_off(&mut self, from: LogIndex) -> impl Iterator<Item = Waiting> + use<> {
        let place = self.queue.partition_point(|(index, _)| *index < from);
        self.queue.split_off(place).into_iter().map(|(_, waiting)| waiting)
    }

    /// Gives back room that is not used.
    pub(super) fn shrink(&mut self) {
        self.queue.shrink_to_fit();
    }

    /// All of them, the oldest first.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &(LogIndex, Waiting)> {
        self.queue.iter()
    }

    /// Whether none waits.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}
