//! Where a log ends or is compared: an index with the term of the entry there.
//!
//! Not the entry itself; two logs that agree on a position agree on everything before it (Raft §5.3, Log Matching).

use serde::{Deserialize, Serialize};

use crate::types::{LogIndex, Term};

/// The term and index of an entry. The order is that of "at least as up-to-date" (Raft §5.4.1): term first, then index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The entry's term.
    pub term: Term,
    /// The entry's index.
    pub index: LogIndex,
}

impl Position {
    /// Before the first entry of any log.
    pub const START: Self = Self { term: Term::ZERO, index: LogIndex::ZERO };
}
