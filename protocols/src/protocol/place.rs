//! Where a record of a machine lives in the shared log.
//!
//! Not an address on the disk: the log decides where bytes go.

use crate::types::LogIndex;

/// Where a record lives in the shared log, which is how the log knows whether it is still of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// An entry of the machine's replicated log. Writing an index again replaces it and everything above it.
    Entry(LogIndex),
    /// A cell of the machine: of several records with one key, the last one wins.
    Cell(u64),
}

impl Place {
    /// The key of the cell that says where a log begins without a snapshot, of a machine that holds no data. A log with this cell needs
    /// no snapshot for what it has forgotten.
    pub const ANCHOR: u64 = u64::MAX;
}

/// A record that knows its place.
pub trait Placed {
    /// Where the record lives.
    fn place(&self) -> Place;

    /// The index up to which the log may be forgotten by the word of this cell, without a snapshot: for a machine that holds no data.
    fn forgets_upto(&self) -> Option<LogIndex> {
        None
    }
}
