//! What one write appends to a machine's log on its disk: records of the machine's own making, or entries that it shares with its peers
//! and its application.
//!
//! Not their encoding, nor where they go. What is shared is not copied before somebody takes it apart.

use std::borrow::Cow;
use std::fmt;

use crate::log::{Entries, Entry};

/// Records in the order in which they are to be written.
#[derive(Clone)]
pub struct Records<R>(Source<R>);

#[derive(Clone)]
enum Source<R> {
    Own(Vec<R>),
    Shared { entries: Entries, record: fn(Entry) -> R },
}

impl<R: Clone> Records<R> {
    /// A record for each entry, made by `record` when it is asked for.
    #[must_use]
    pub fn shared(entries: Entries, record: fn(Entry) -> R) -> Self {
        Self(Source::Shared { entries, record })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Source::Own(records) => records.len(),
            Source::Shared { entries, .. } => entries.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = Cow<'_, R>> {
        (0..self.len()).map(|place| match &self.0 {
            Source::Own(records) => Cow::Borrowed(&records[place]),
            Source::Shared { entries, record } => Cow::Owned(record(entries[place].clone())),
        })
    }

    /// All of them.
    #[must_use]
    pub fn into_vec(self) -> Vec<R> {
        match self.0 {
            Source::Own(records) => records,
            Source::Shared { entries, record } => entries.iter().cloned().map(record).collect(),
        }
    }
}

impl<R> From<Vec<R>> for Records<R> {
    fn from(records: Vec<R>) -> Self {
        Self(Source::Own(records))
    }
}

impl<R: Clone> IntoIterator for Records<R> {
    type Item = R;
    type IntoIter = std::vec::IntoIter<R>;

    fn into_iter(self) -> Self::IntoIter {
        self.into_vec().into_iter()
    }
}

impl<R: Clone + fmt::Debug> fmt::Debug for Records<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
