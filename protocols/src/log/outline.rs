//! The entries that a machine finds on its disk, without what they carry: however long the log is, this is short.
//!
//! What is left out stays on the disk, and is read back as entries are that left memory while the machine ran.

use crate::log::position::Position;
use crate::log::terms::Terms;
use crate::protocol::{Place, Placed};
use crate::types::{LogIndex, LogTime, Term};

/// Consecutive entries of a log on a disk.
#[derive(Clone, Debug)]
pub struct Outline<R> {
    terms: Option<Terms>,
    last_time: LogTime,
    whole: Vec<R>,
}

impl<R> Default for Outline<R> {
    fn default() -> Self {
        Self { terms: None, last_time: LogTime::ZERO, whole: Vec::new() }
    }
}

impl<R: Placed> Outline<R> {
    /// Notes the next entry.
    ///
    /// # Panics
    /// When the record is no entry, or does not follow the last one.
    pub fn push(&mut self, record: R) {
        let Place::Entry(index) = record.place() else { panic!("a cell is no entry of a log") };
        let (term, time) = record.stamp();
        // The term before the first entry is not known; index zero has none.
        let before = Position { term: Term::ZERO, index: index.previous() };
        self.terms.get_or_insert_with(|| Terms::new(before)).push(Position { term, index });
        self.last_time = time;
        if record.is_read_at_start() {
            self.whole.push(record);
        }
    }
}

impl<R> Outline<R> {
    /// The first entry's index; `None` when there are no entries.
    #[must_use]
    pub fn first(&self) -> Option<LogIndex> {
        self.terms.as_ref().map(|terms| terms.base().index.next())
    }

    /// The term of each entry, above a base whose term is not known unless its index is zero; `None` when there are no entries.
    #[must_use]
    pub fn terms(&self) -> Option<&Terms> {
        self.terms.as_ref()
    }

    /// The log time of the last entry.
    #[must_use]
    pub fn last_time(&self) -> LogTime {
        self.last_time
    }

    /// The entries that a machine reads when it starts, in order.
    #[must_use]
    pub fn whole(&self) -> &[R] {
        &self.whole
    }

    /// As [`Outline::whole`], of an outline that is not needed any more.
    #[must_use]
    pub fn into_whole(self) -> Vec<R> {
        self.whole
    }
}

impl<R: Placed> FromIterator<R> for Outline<R> {
    fn from_iter<I: IntoIterator<Item = R>>(records: I) -> Self {
        let mut outline = Self::default();
        records.into_iter().for_each(|record| outline.push(record));
        outline
    }
}
