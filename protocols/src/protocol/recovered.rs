//! What a machine finds when it starts: the state of its disk after its last durable write.
//!
//! Damage is not told here: a log that is damaged does not start its machines.

use crate::log::{Outline, SnapshotMeta};

/// What a machine finds on its disk when it starts.
#[derive(Clone, Debug)]
pub struct Recovered<R> {
    /// The last record of each cell, ordered by key.
    pub cells: Vec<R>,
    /// The newest whole snapshot.
    pub snapshot: Option<SnapshotMeta>,
    /// The entries of the log above the last compaction, without what can be read back.
    pub log: Outline<R>,
}

impl<R> Default for Recovered<R> {
    fn default() -> Self {
        Self { cells: Vec::new(), snapshot: None, log: Outline::default() }
    }
}
