//! The part of a replicated log that a machine keeps in memory: the term of every entry, and the newest entries themselves.
//!
//! Not the durable log: that one is the driver's, and entries dropped from this cache are read back from there.

use std::collections::VecDeque;

use crate::log::entries::Entries;
use crate::log::entry::Entry;
use crate::log::position::Position;
use crate::log::terms::Terms;
use crate::types::{LogIndex, LogTime, Term};

/// A log above its last compaction: all terms, and a cache of entries that is empty or ends at the last index.
#[derive(Clone, Debug)]
pub struct MemoryLog {
    terms: Terms,
    last_time: LogTime,
    /// The cache: what was appended together and is shared from here on, none of it empty; then what was appended one by one
    /// since.
    sealed: VecDeque<Entries>,
    open: Vec<Entry>,
    cache_bytes: usize,
}

impl MemoryLog {
    /// An empty log whose next entry follows `base`, which was written at `time`.
    #[must_use]
    pub fn new(base: Position, time: LogTime) -> Self {
        Self::on_disk(Terms::new(base), time)
    }

    /// A log whose entries have these terms, the last of which was written at `time`. None of them is in memory.
    #[must_use]
    pub fn on_disk(terms: Terms, time: LogTime) -> Self {
        Self { terms, last_time: time, sealed: VecDeque::new(), open: Vec::new(), cache_bytes: 0 }
    }

    /// Appends the next entry.
    ///
    /// # Panics
    /// When the entry does not follow the last one.
    pub fn append(&mut self, entry: Entry) {
        self.note(&entry);
        self.cache_bytes += entry.size();
        self.open.push(entry);
    }

    /// Appends the next entries, and shares them with whoever else has them.
    ///
    /// # Panics
    /// When they do not follow the last one.
    pub fn extend(&mut self, entries: Entries) {
        if entries.is_empty() {
            return;
        }
        self.seal();
        for entry in &entries {
            self.note(entry);
        }
        self.cache_bytes += entries.bytes();
        self.sealed.push_back(entries);
    }

    /// Ends the batch of what was appended one by one: from here on it is shared as a whole.
    pub fn seal(&mut self) {
        if self.open.len() > 1 {
            self.sealed.push_back(self.open.drain(..).collect());
        } else if let Some(entry) = self.open.pop() {
            self.sealed.push_back(entry.into());
        }
    }

    /// Forgets the entries from `from` on; entries below the base cannot be forgotten this way.
    pub fn truncate(&mut self, from: LogIndex) {
        let from = from.max(self.base().index.next());
        if !self.terms.truncate(from) {
            return;
        }
        self.seal();
        while let Some(batch) = self.sealed.pop_back_if(|batch| ends_at_or_after(batch, from)) {
            self.cache_bytes -= batch.bytes();
            let kept = batch.slice(0..batch.partition_point(|entry| entry.index < from));
            if !kept.is_empty() {
                self.cache_bytes += kept.bytes();
                self.sealed.push_back(kept);
                break;
            }
        }
        // With an empty cache the old time stays: a bound from above is all that later stamps need.
        if let Some(entry) = self.sealed.back().and_then(|batch| batch.last()) {
            self.last_time = entry.time;
        }
    }

    /// Forgets the entries up to `upto`, at most the whole log.
    pub fn compact(&mut self, upto: LogIndex) {
        let upto = upto.min(self.last().index);
        if self.terms.compact(upto) {
            self.drop_oldest(upto, |_| true);
        }
    }

    /// Drops the oldest entries up to `upto` from memory while more than `limit` bytes are held.
    pub fn evict(&mut self, upto: LogIndex, limit: usize) {
        if self.cache_bytes > limit {
            self.drop_oldest(upto, |held| held > limit);
        }
    }

    /// Drops the entries up to `upto` from memory, and gives back room that is not used: the log will not be read for long.
    pub fn rest(&mut self, upto: LogIndex) {
        self.seal();
        self.evict(upto, 0);
        self.sealed.shrink_to_fit();
        self.open.shrink_to_fit();
        self.terms.shrink();
    }

    /// The term of an entry, or of the base; `None` outside of the log.
    #[must_use]
    pub fn term_at(&self, index: LogIndex) -> Option<Term> {
        self.terms.term_at(index)
    }

    /// Whether this log holds, or has compacted to exactly, the entry at a position.
    #[must_use]
    pub fn holds(&self, position: Position) -> bool {
        self.terms.holds(position)
    }

    /// The last position not above `limit` in index nor in term: where two logs may still agree. `None` below the base.
    #[must_use]
    pub fn last_within(&self, limit: Position) -> Option<Position> {
        self.terms.last_within(limit)
    }

    /// An entry, if it is in memory.
    #[must_use]
    pub fn entry(&self, index: LogIndex) -> Option<&Entry> {
        self.since(index)?.first()
    }

    /// The entries from `from` to `to`, at most `count` and not beyond the one with which `bytes` would be exceeded, but at
    /// least one. `None` when the first is not in memory. What was appended together is not copied.
    #[must_use]
    #[inline]
    pub fn range(&self, from: LogIndex, to: LogIndex, count: usize, bytes: usize) -> Option<Entries> {
        let to = to.min(self.last().index);
        match self.recent(from, to).filter(|recent| recent.len() <= count && recent.bytes() <= bytes) {
            Some(recent) => Some(recent.clone()),
            None => self.gather(from, to, count, bytes),
        }
    }

    /// As [`MemoryLog::range`], of whatever batches the entries are in.
    fn gather(&self, from: LogIndex, to: LogIndex, count: usize, bytes: usize) -> Option<Entries> {
        let wanted = usize::try_from(to.next().0.saturating_sub(from.0)).unwrap_or(usize::MAX);
        let wanted = wanted.min(count).max(1);
        if let Some(batch) = self.batch(from) {
            let skipped = usize::try_from(from.0 - batch[0].index.0).expect("a batch is in memory");
            if batch.len() - skipped >= wanted {
                let run = batch.slice(skipped..skipped + wanted);
                return Some(if run.bytes() <= bytes { run } else { run.slice(0..fitting(&run, bytes)) });
            }
        }
        self.since(from)?;
        let mut entries = Vec::with_capacity(wanted);
        let mut next = from;
        while entries.len() < wanted {
            let Some(run) = self.since(next) else { break };
            entries.extend(run.iter().take(wanted - entries.len()).cloned());
            next = LogIndex(from.0 + entries.len() as u64);
        }
        entries.truncate(fitting(&entries, bytes));
        Some(entries.into())
    }

    /// The entries from `from` to the end of what was appended with it; `None` when it is not in memory.
    #[must_use]
    pub fn since(&self, from: LogIndex) -> Option<&[Entry]> {
        let run = match self.open.first() {
            Some(first) if first.index <= from => &self.open[..],
            Some(_) | None => self.batch(from)?,
        };
        let skipped = usize::try_from(from.0.checked_sub(run.first()?.index.0)?).ok()?;
        run.get(skipped..).filter(|rest| !rest.is_empty())
    }

    /// Where the log ends.
    #[must_use]
    pub fn last(&self) -> Position {
        self.terms.last()
    }

    /// The log time of the last entry.
    #[must_use]
    pub fn last_time(&self) -> LogTime {
        self.last_time
    }

    /// The last position that was compacted away.
    #[must_use]
    pub fn base(&self) -> Position {
        self.terms.base()
    }

    /// Bytes of entries in memory.
    #[must_use]
    pub fn cached_bytes(&self) -> usize {
        self.cache_bytes
    }

    /// Notes that the log ends with `entry`.
    fn note(&mut self, entry: &Entry) {
        self.terms.push(entry.position());
        self.last_time = entry.time;
    }

    /// The last batch or the one before, if it is what stands from `from` to `to`: nearly always what is asked for.
    fn recent(&self, from: LogIndex, to: LogIndex) -> Option<&Entries> {
        let (mut place, mut end) = (self.sealed.len().checked_sub(1)?, self.last().index);
        if !self.open.is_empty() {
            return None;
        }
        if to != end {
            end = LogIndex(end.0 - self.sealed[place].len() as u64);
            place = place.checked_sub(1)?;
        }
        let batch = &self.sealed[place];
        (to == end && from.0 + batch.len() as u64 == end.next().0).then_some(batch)
    }

    /// The sealed batch that holds `index`.
    fn batch(&self, index: LogIndex) -> Option<&Entries> {
        // Nearly every question is about the newest ones.
        const NEAR: usize = 4;
        let mut place = self.sealed.len();
        for _ in 0..NEAR {
            place = place.checked_sub(1)?;
            let near = &self.sealed[place];
            if near[0].index <= index {
                return ends_at_or_after(near, index).then_some(near);
            }
        }
        let after = self.sealed.partition_point(|batch| batch[0].index <= index);
        self.sealed.get(after.checked_sub(1)?).filter(|batch| ends_at_or_after(batch, index))
    }

    fn cached(&self) -> impl Iterator<Item = &Entry> {
        self.sealed.iter().flat_map(|batch| batch.iter()).chain(&self.open)
    }

    /// Drops the oldest entries up to `upto` from memory while `more` says so of the bytes held.
    fn drop_oldest(&mut self, upto: LogIndex, more: impl Fn(usize) -> bool) {
        loop {
            if self.sealed.is_empty() {
                self.seal();
            }
            let due = |batch: &mut Entries| more(self.cache_bytes) && batch[0].index <= upto;
            let Some(batch) = self.sealed.pop_front_if(due) else { return };
            let mut dropped = 0;
            for entry in batch.iter().take_while(|entry| entry.index <= upto) {
                if !more(self.cache_bytes) {
                    break;
                }
                self.cache_bytes -= entry.size();
                dropped += 1;
            }
            if dropped < batch.len() {
                // Its memory is freed with the last part of it.
                self.sealed.push_front(batch.slice(dropped..batch.len()));
                return;
            }
        }
    }
}

/// Two logs are the same that hold the same, whatever was appended together.
impl PartialEq for MemoryLog {
    fn eq(&self, other: &Self) -> bool {
        let of = |log: &Self| (log.last_time, log.cache_bytes);
        of(self) == of(other) && self.terms == other.terms && self.cached().eq(other.cached())
    }
}

impl Eq for MemoryLog {}

fn ends_at_or_after(batch: &[Entry], index: LogIndex) -> bool {
    batch.last().is_some_and(|last| last.index >= index)
}

/// How many of the first entries stay within `bytes`, at least one.
fn fitting(entries: &[Entry], bytes: usize) -> usize {
    let mut held = 0_usize;
    let within = entries.iter().take_while(|entry| {
        held = held.saturating_add(entry.size());
        held <= bytes
    });
    within.count().max(1)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::log::Body;
    use crate::prng::Prng;

    #[test]
    fn a_range_is_what_was_appended_there_however_it_was_batched() {
        let mut prng = Prng::new(1);
        for round in 0..200 {
            let mut log = MemoryLog::new(Position::START, LogTime::ZERO);
            let mut model = Vec::new();
            for _ in 0..1 + prng.below(6) {
                for _ in 0..1 + prng.below(4) {
                    let payload = Bytes::from(vec![0; prng.below(20) as usize]);
                    let index = log.last().index.next();
                    let body = Body::Command { session: None, payload };
                    let entry = Entry { term: Term(1), index, time: LogTime::ZERO, body };
                    log.append(entry.clone());
                    model.push(entry);
                }
                if prng.below(4) > 0 {
                    log.seal();
                }
            }
            for _ in 0..20 {
                let last = model.len() as u64;
                let (from, to) = (1 + prng.below(last), 1 + prng.below(last + 2));
                let (count, bytes) = (1 + prng.below(last) as usize, prng.below(400) as usize);
                let wanted = (to.min(last) + 1).saturating_sub(from).max(1).min(count as u64);
                let run = &model[from as usize - 1..][..wanted as usize];
                let run = &run[..fitting(run, bytes)];
                let range = log.range(LogIndex(from), LogIndex(to), count, bytes).expect("in memory");
                assert_eq!(&range[..], run, "round {round}: {from} to {to}, {count}, {bytes}");
                assert_eq!(range.bytes(), run.iter().map(Entry::size).sum::<usize>());
            }
        }
    }
}
