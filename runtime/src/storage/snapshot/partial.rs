//! What had come of a peer's snapshot when the node went down: a file that holds its beginning.
//!
//! Only what verifies counts: of a file that is damaged, or that the disk has not kept whole, the chunks before the fault.

use std::path::{Path, PathBuf};

use synod_protocols::LogIndex;

use crate::address::MachineId;
use crate::storage::disk::Disk;
use crate::storage::snapshot::cursor::Cursor;
use crate::storage::snapshot::format::Chain;

/// The beginning of a snapshot.
#[derive(Debug)]
pub(in crate::storage) struct Partial {
    pub(super) path: PathBuf,
    /// The number in its name.
    pub(super) number: u64,
    /// What runs along with the snapshot up to there.
    pub(super) chain: Chain,
    /// Where the last chunk that verified ends.
    pub(super) end: u64,
}

impl Partial {
    /// Reads a file up to the first fault, or to the manifest, which comes again; `None` without a chunk of that machine.
    pub(super) fn read(disk: &dyn Disk, path: &Path, machine: MachineId, number: u64) -> Option<Self> {
        let (chain, end) = Cursor::open(disk, path).ok()?.last_chunk();
        let of_machine = chain.machine() == machine && chain.chunks() > 0;
        of_machine.then(|| Self { path: path.to_owned(), number, chain, end })
    }

    /// How far it is: the later snapshot first, then the greater part of it.
    pub(super) fn reach(&self) -> (LogIndex, u64) {
        (self.chain.index(), self.end)
    }
}

/// The machine and the number in the name of a file that was to become a snapshot.
pub(super) fn part_of(name: &Path) -> Option<(MachineId, u64)> {
    let (machine, number) = name.to_str()?.strip_suffix(".part")?.split_once('-')?;
    Some((MachineId(u64::from_str_radix(machine, 16).ok()?), number.parse().ok()?))
}
