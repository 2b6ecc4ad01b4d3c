//! Where a record is.

use crate::storage::log::record::Record;

/// The place of one record in the log's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot {
    pub(super) segment: u64,
    pub(super) offset: u64,
    /// The length of the body.
    pub(super) length: u32,
}

impl Slot {
    /// The bytes the record takes.
    pub(super) fn size(&self) -> u64 {
        Record::size(u64::from(self.length))
    }
}
