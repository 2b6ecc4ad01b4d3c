//! What stands on a disk at one instant: cells, consecutive entries and the newest snapshot.
//!
//! No durability here; a [`super::Disk`] keeps two images, the written one and the durable one.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::log::SnapshotMeta;
use crate::protocol::{Input, Place, Placed, Recovered};
use crate::sim::subject::Subject;
use crate::types::{LogIndex, WriteId};

/// A snapshot of the application and what it says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// What it says of itself.
    pub meta: SnapshotMeta,
    /// The application's state.
    pub state: Bytes,
}

impl Snapshot {
    /// What the machine that wanted it is told when its writing has ended, well if it was `kept`.
    #[must_use]
    pub fn written<P: Subject>(self, kept: bool) -> Input<P> {
        let bytes = self.state.len() as u64;
        if kept { Input::SnapshotTaken { meta: self.meta, bytes } } else { Input::SnapshotFailed }
    }
}

/// One write in a machine's total order.
#[derive(Clone, Debug)]
pub enum Write<P: Subject> {
    /// Append records.
    Persist {
        /// The write's id.
        id: WriteId,
        /// In order.
        records: Vec<P::Record>,
    },
    /// Forget entries from an index on.
    Truncate {
        /// The write's id.
        id: WriteId,
        /// The first entry to forget.
        from: LogIndex,
    },
    /// Forget entries up to an index.
    Compact {
        /// The write's id.
        id: WriteId,
        /// The last entry to forget.
        upto: LogIndex,
    },
    /// Put a received snapshot in the place of the log up to its index.
    Install {
        /// The write's id.
        id: WriteId,
        /// The snapshot.
        snapshot: Snapshot,
    },
}

impl<P: Subject> Write<P> {
    /// The write's id.
    #[must_use]
    pub fn id(&self) -> WriteId {
        match self {
            Self::Persist { id, .. }
            | Self::Truncate { id, .. }
            | Self::Compact { id, .. }
            | Self::Install { id, .. } => *id,
        }
    }
}

/// Why a write makes no sense on this image; the machine that asked for it is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misuse {
    /// An entry that is not next to the last one and replaces none.
    Hole(LogIndex),
    /// An entry that a compaction has already forgotten.
    Compacted(LogIndex),
    /// A compaction of entries that no durable snapshot contains.
    NoSnapshot(LogIndex),
}

/// The contents of one machine's part of the log, and its newest snapshot.
#[derive(Clone, Debug)]
pub struct Image<P: Subject> {
    cells: BTreeMap<u64, P::Record>,
    /// The index before the first entry.
    base: LogIndex,
    entries: VecDeque<P::Record>,
    snapshot: Option<Snapshot>,
}

impl<P: Subject> Default for Image<P> {
    fn default() -> Self {
        Self { cells: BTreeMap::new(), base: LogIndex::ZERO, entries: VecDeque::new(), snapshot: None }
    }
}

impl<P: Subject> Image<P> {
    /// Carries a write out; a misuse may leave some of its records written.
    pub fn apply(&mut self, write: &Write<P>) -> Result<(), Misuse> {
        match write {
            Write::Persist { records, .. } => records.iter().try_for_each(|record| self.put(record)),
            Write::Truncate { from, .. } => {
                self.truncate(*from);
                Ok(())
            }
            Write::Compact { upto, .. } => self.compact(*upto),
            Write::Install { snapshot, .. } => {
                self.install(snapshot);
                Ok(())
            }
        }
    }

    /// Writes one record to its place.
    pub fn put(&mut self, record: &P::Record) -> Result<(), Misuse> {
        match record.place() {
            Place::Cell(key) => {
                self.cells.insert(key, record.clone());
            }
            Place::Entry(index) if index <= self.base => return Err(Misuse::Compacted(index)),
            Place::Entry(index) if index > self.last_index().next() => return Err(Misuse::Hole(index)),
            Place::Entry(index) => {
                self.truncate(index);
                self.entries.push_back(record.clone());
            }
        }
        Ok(())
    }

    /// Keeps a snapshot that is newer than the present one.
    pub fn keep_snapshot(&mut self, snapshot: &Snapshot) {
        if self.snapshot.as_ref().is_none_or(|present| present.meta.index < snapshot.meta.index) {
            self.snapshot = Some(snapshot.clone());
        }
    }

    /// The record of an entry; `None` below the compaction and above the last one.
    #[must_use]
    pub fn entry(&self, index: LogIndex) -> Option<&P::Record> {
        let offset = index.0.checked_sub(self.base.0 + 1)?;
        self.entries.get(usize::try_from(offset).ok()?)
    }

    /// The last record of a cell.
    #[must_use]
    pub fn cell(&self, key: u64) -> Option<&P::Record> {
        self.cells.get(&key)
    }

    /// The index before the first entry.
    #[must_use]
    pub fn base(&self) -> LogIndex {
        self.base
    }

    /// The index of the last entry, or the base when there is none.
    #[must_use]
    pub fn last_index(&self) -> LogIndex {
        LogIndex(self.base.0 + self.entries.len() as u64)
    }

    /// The newest snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Option<&Snapshot> {
        self.snapshot.as_ref()
    }

    /// What a machine that starts from this image is given.
    #[must_use]
    pub fn recover(&self) -> Recovered<P::Record> {
        Recovered {
            cells: self.cells.values().cloned().collect(),
            snapshot: self.snapshot.as_ref().map(|snapshot| snapshot.meta.clone()),
            log: self.entries.iter().cloned().collect(),
        }
    }

    fn truncate(&mut self, from: LogIndex) {
        let keep = from.0.saturating_sub(self.base.0 + 1);
        self.entries.truncate(usize::try_from(keep).unwrap_or(usize::MAX));
    }

    fn compact(&mut self, upto: LogIndex) -> Result<(), Misuse> {
        let anchored = self.cells.values().filter_map(Placed::forgets_upto).max();
        let contained = self.snapshot.as_ref().map(|snapshot| snapshot.meta.index).max(anchored);
        if contained.is_none_or(|contained| contained < upto) {
            return Err(Misuse::NoSnapshot(upto));
        }
        self.forget_upto(upto);
        Ok(())
    }

    fn install(&mut self, snapshot: &Snapshot) {
        let index = snapshot.meta.index;
        if self.entry(index).is_some_and(|record| P::ends_at(record, &snapshot.meta)) || index <= self.base {
            self.forget_upto(index);
        } else {
            self.entries.clear();
            self.base = index;
        }
        self.keep_snapshot(snapshot);
    }

    fn forget_upto(&mut self, upto: LogIndex) {
        while self.base < upto && self.entries.pop_front().is_some() {
            self.base = self.base.next();
        }
        self.base = self.base.max(upto);
    }
}
