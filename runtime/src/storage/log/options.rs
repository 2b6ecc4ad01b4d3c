//! What is written to the log, what is found in it, and how it is laid out.
//!
//! No behaviour beyond defaults and sizes.

use std::path::PathBuf;

use bytes::Bytes;
use serde::Deserialize;
use synod_protocols::{LogIndex, Place};

/// One record to be appended for a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// An entry of the machine's replicated log. It replaces the entry of that index and everything above it; apart from that
    /// it has to be the next one.
    Entry {
        /// Its position.
        index: LogIndex,
        /// What it says.
        body: Bytes,
    },
    /// A cell: of several with one key, the last one wins.
    Cell {
        /// Its key.
        key: u64,
        /// What it says.
        body: Bytes,
    },
    /// Forgets the entries from `from` on.
    Truncate {
        /// The first entry to forget.
        from: LogIndex,
    },
    /// Forgets the entries up to `upto`, be they in the log or not; the next entry follows `upto` or what is left above it.
    Compact {
        /// The last entry to forget.
        upto: LogIndex,
    },
    /// Forgets everything of the machine.
    Forget,
}

impl Write {
    /// The record's body; empty for those that only forget.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        match self {
            Self::Entry { body, .. } | Self::Cell { body, .. } => body,
            Self::Truncate { .. } | Self::Compact { .. } | Self::Forget => &[],
        }
    }
}

/// What is done when a log is damaged below the position that is known to have been durable, or when a snapshot is that it
/// relies on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DamagedLog {
    /// It is set aside whole, and a log with another identity takes its place, whose machines neither vote nor lead until a
    /// leader has taken the node in again under that identity.
    #[default]
    Repair,
    /// The node does not start, and says what is damaged.
    Refuse,
}

/// How the log is laid out on the disk. May differ from one opening to the next.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// The size of a segment in bytes, which is also the limit of one record. Larger segments are reclaimed in larger pieces and
    /// take longer to scan when the log opens.
    pub segment_bytes: u64,
    /// How many bytes of the last segment are kept for cells and for forgetting when no further segment can be reserved.
    pub kept_for_cells: u64,
    /// How many bytes ahead of the head are filled with zeros, so that a commit overwrites and changes no metadata of the file;
    /// measured about twice as fast to sync. Zero for disks to which that means nothing.
    pub zeros_ahead: u64,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { segment_bytes: 64 << 20, kept_for_cells: 8 << 20, zeros_ahead: 1 << 20 }
    }
}

impl LogOptions {
    /// Small segments and no zeros ahead, for simulation: every path is walked often.
    #[must_use]
    pub fn sim() -> Self {
        Self { segment_bytes: 256 << 10, kept_for_cells: 64 << 10, zeros_ahead: 0 }
    }
}

/// A damaged log that was set aside, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// Where it is, relative to the disk's root.
    pub directory: PathBuf,
    /// What was wrong with it.
    pub reason: String,
}

/// What was found when the log was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// Segments read.
    pub segments: u64,
    /// Records read and verified.
    pub records: u64,
    /// Bytes of a torn tail that were cut: what was being written when the node went down.
    pub torn_bytes: u64,
    /// Segments removed because an interrupted removal or a cut had left them without use.
    pub segments_removed: u64,
    /// Whether the log was made by this opening.
    pub created: bool,
    /// The damaged log in whose place this opening put another one.
    pub replaced: Option<SetAside>,
    /// Where damaged logs are kept that were set aside by this opening and by earlier ones, relative to the disk's root.
    pub set_aside: Vec<PathBuf>,
    /// Snapshots that were damaged and set aside by this opening.
    pub snapshots_set_aside: Vec<PathBuf>,
}

/// What the log holds of one machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveredLog {
    /// The last record of each cell, ordered by key.
    pub cells: Vec<(u64, Bytes)>,
    /// The last entry that was forgotten by compaction; zero for none.
    pub compacted: LogIndex,
    /// The last entry; the ones above the last that was forgotten are all there. That one itself when there are none.
    pub last: LogIndex,
}

impl RecoveredLog {
    /// Whether what was forgotten has to be in a snapshot: a machine without data says in a cell where its log begins.
    #[must_use]
    pub fn relies_on_snapshot(&self) -> bool {
        self.compacted > LogIndex::ZERO && !self.cells.iter().any(|(key, _)| *key == Place::ANCHOR)
    }
}
