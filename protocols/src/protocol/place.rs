//! Where a record of a machine lives in the shared log.
//!
//! Not an address on the disk: the log decides where bytes go.

use crate::types::{LogIndex, LogTime, Term};

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

    /// The term and the log time of an entry; zero for a machine whose entries have none.
    fn stamp(&self) -> (Term, LogTime) {
        (Term::ZERO, LogTime::ZERO)
    }

    /// Whether a machine that starts has to be given this entry whole. What it is not given it can read back with
    /// [`crate::protocol::Effect::Load`].
    fn is_read_at_start(&self) -> bool {
        true
    }

    /// The index up to which the log may be forgotten by the word of this cell, without a snapshot: for a machine that holds no data.
    fn forgets_upto(&self) -> Option<LogIndex> {
        None
    }
}
