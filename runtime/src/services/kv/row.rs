//! One key and what it has, in one piece of memory that the map, its history and its snapshots share.
//!
//! Never changes: a write makes another row. What the map says of a key stands before the key, so that whoever finds the row has
//! both with one access to memory. Not a form for disks or wires.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use synod_protocols::LogIndex;

use crate::services::kv::model::{LeaseId, Versioned};

const INDEX: usize = 8;
const LEASE: usize = INDEX + 8;
/// The index, the lease and the length of the key, then the key, then the value.
const HEADER: usize = LEASE + 4;
/// More room than this is not kept for the next row.
const SCRATCH_BYTES: usize = 64 << 10;

/// One key and what it has; clones are the same row.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Row(Arc<[u8]>);

/// Where rows are put together before they get memory of their own.
#[derive(Debug, Default)]
pub(crate) struct Press {
    scratch: Vec<u8>,
}

impl Press {
    /// A row.
    pub(crate) fn row(&mut self, key: &str, value: &[u8], index: LogIndex, lease: Option<LeaseId>) -> Row {
        let length = u32::try_from(key.len()).expect("keys are shorter than log entries");
        self.scratch.clear();
        self.scratch.extend_from_slice(&index.0.to_le_bytes());
        // Lease ids are log indexes, so zero is free to say "none".
        self.scratch.extend_from_slice(&lease.map_or(0, |lease| lease.0).to_le_bytes());
        self.scratch.extend_from_slice(&length.to_le_bytes());
        self.scratch.extend_from_slice(key.as_bytes());
        self.scratch.extend_from_slice(value);
        let row = Row(Arc::from(&self.scratch[..]));
        if self.scratch.capacity() > SCRATCH_BYTES {
            self.scratch = Vec::new();
        }
        row
    }
}

impl Row {
    /// The key's text.
    pub(crate) fn key(&self) -> &str {
        std::str::from_utf8(self.key_bytes()).expect("it was made of text")
    }

    /// The key as bytes, which have the order of texts.
    pub(crate) fn key_bytes(&self) -> &[u8] {
        &self.0[HEADER..self.value_begin()]
    }

    /// The value.
    pub(crate) fn value(&self) -> &[u8] {
        &self.0[self.value_begin()..]
    }

    /// The value without a copy; the whole row lives as long.
    pub(crate) fn shared_value(&self) -> Bytes {
        Bytes::from_owner(Value(self.clone()))
    }

    /// The value and the index.
    pub(crate) fn versioned(&self) -> Versioned {
        Versioned { value: self.shared_value(), index: self.index() }
    }

    /// The index of the write that made it.
    pub(crate) fn index(&self) -> LogIndex {
        LogIndex(self.word(0))
    }

    /// The lease with which it vanishes.
    pub(crate) fn lease(&self) -> Option<LeaseId> {
        Some(self.word(INDEX)).filter(|&lease| lease != 0).map(LeaseId)
    }

    /// Bytes of key and value.
    pub(crate) fn len(&self) -> usize {
        self.0.len() - HEADER
    }

    fn value_begin(&self) -> usize {
        let length = self.0[LEASE..HEADER].try_into().expect("four bytes");
        HEADER + u32::from_le_bytes(length) as usize
    }

    fn word(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.0[at..at + 8].try_into().expect("eight bytes"))
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row")
            .field("key", &self.key())
            .field("value", &self.shared_value())
            .field("index", &self.index())
            .field("lease", &self.lease())
            .finish()
    }
}

/// The part of a row that is its value.
struct Value(Row);

impl AsRef<[u8]> for Value {
    fn as_ref(&self) -> &[u8] {
        self.0.value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_what_it_was_made_of() {
        let mut press = Press::default();
        let large = vec![7; 2 * SCRATCH_BYTES];
        for (key, value) in [("", &b""[..]), ("k", b"v"), ("schlüssel", &[0; 300]), ("k", &large)] {
            for lease in [None, Some(LeaseId(u64::MAX))] {
                let row = press.row(key, value, LogIndex(9), lease);
                assert_eq!((row.key(), row.value(), row.len()), (key, value, key.len() + value.len()));
                assert_eq!((row.index(), row.lease()), (LogIndex(9), lease));
                assert_eq!(row.shared_value(), value);
                assert!(press.scratch.capacity() <= SCRATCH_BYTES, "what a large row took is not kept");
            }
        }
    }
}
