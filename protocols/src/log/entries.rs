//! Consecutive entries, shared: what the log holds, what travels to each peer and what the application is given are the same ones.
//!
//! A clone or a slice costs a count, however many entries there are. On the wire it is a sequence of entries.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::log::entry::Entry;

/// A run of entries.
#[derive(Clone, Default)]
pub struct Entries {
    shared: Arc<[Entry]>,
    part: Part,
}

/// Which of the entries are meant, and what they count for. In one piece: it travels with every message and effect.
#[derive(Clone, Copy, Default)]
struct Part {
    from: u32,
    to: u32,
    bytes: usize,
}

impl Entries {
    /// The part between two places, counted from the first entry of this run; what lies beyond its end is left out.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        self.clone().into_slice(range)
    }

    /// As [`Entries::slice`], of a run that is not needed as a whole.
    #[must_use]
    pub fn into_slice(self, range: Range<usize>) -> Self {
        let (start, end) = (range.start.min(self.len()), range.end.min(self.len()));
        if (start, end) == (0, self.len()) {
            return self;
        }
        let part = &self[start..end.max(start)];
        let (from, bytes) = (self.part.from + count(start), part.iter().map(Entry::size).sum());
        let to = from + count(part.len());
        Self { shared: self.shared, part: Part { from, to, bytes } }
    }

    /// The bytes all of them count for in windows and limits.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.part.bytes
    }
}

impl Deref for Entries {
    type Target = [Entry];

    fn deref(&self) -> &[Entry] {
        &self.shared[self.part.from as usize..self.part.to as usize]
    }
}

impl FromIterator<Entry> for Entries {
    fn from_iter<I: IntoIterator<Item = Entry>>(entries: I) -> Self {
        let shared: Arc<[Entry]> = entries.into_iter().collect();
        let (to, bytes) = (count(shared.len()), shared.iter().map(Entry::size).sum());
        Self { shared, part: Part { from: 0, to, bytes } }
    }
}

impl From<Entry> for Entries {
    fn from(entry: Entry) -> Self {
        let bytes = entry.size();
        Self { shared: Arc::new([entry]), part: Part { from: 0, to: 1, bytes } }
    }
}

impl From<Vec<Entry>> for Entries {
    fn from(entries: Vec<Entry>) -> Self {
        entries.into_iter().collect()
    }
}

impl<'a> IntoIterator for &'a Entries {
    type Item = &'a Entry;
    type IntoIter = std::slice::Iter<'a, Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl PartialEq for Entries {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Entries {}

impl fmt::Debug for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Serialize for Entries {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

fn count(entries: usize) -> u32 {
    u32::try_from(entries).expect("no run has four billion entries")
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<Entry>::deserialize(deserializer).map(Self::from)
    }
}
