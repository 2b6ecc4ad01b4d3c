//! What may be appended: records that fit, entries that follow, and room that is reserved before it is used.

use std::collections::BTreeMap;
use std::io;

use synod_protocols::LogIndex;

use crate::address::MachineId;
use crate::storage::log::engine::{Engine, reserve};
use crate::storage::log::fault::WriteFault;
use crate::storage::log::options::Write;
use crate::storage::log::record::{Kind, Record, SEGMENT_HEADER};
use crate::storage::log::segment::{largest_body, limit};

impl Engine {
    /// Appends a batch if it may be appended and there is room for all of it; otherwise says why not, and nothing is appended.
    ///
    /// # Errors
    /// The disk failed otherwise than for want of space.
    pub(super) fn take(&mut self, batch: &[(MachineId, Vec<Write>)]) -> io::Result<Result<(), WriteFault>> {
        if let Err(fault) = self.check(batch) {
            return Ok(Err(fault));
        }
        let admitted = self.admit(batch)?;
        if admitted.is_ok() {
            self.append_all(batch)?;
        }
        Ok(admitted)
    }

    /// Sees to it that there is room for all of a batch.
    fn admit(&mut self, batch: &[(MachineId, Vec<Write>)]) -> io::Result<Result<(), WriteFault>> {
        let (segments, offset) = self.pack(batch);
        // One more than needed: the next rotation must not be the first to find that there is no room.
        self.reserve_ahead(segments + 1)?;
        let mut writes = batch.iter().flat_map(|(_, writes)| writes);
        let has_entries = writes.any(|write| matches!(write, Write::Entry { .. }));
        let last = if segments == 0 { self.head.capacity } else { self.options.segment_bytes };
        let full = self.spares.len() < segments
            || (self.spares.len() == segments
                && has_entries
                && offset + self.options.kept_for_cells > limit(last));
        if full {
            self.counters.refusals.inc();
            return Ok(Err(WriteFault::NoSpace));
        }
        Ok(Ok(()))
    }

    /// Appends an admitted batch.
    fn append_all(&mut self, batch: &[(MachineId, Vec<Write>)]) -> io::Result<()> {
        for (machine, writes) in batch {
            for write in writes {
                let (kind, place) = match write {
                    Write::Entry { index, .. } => (Kind::Entry, index.0),
                    Write::Cell { key, .. } => (Kind::Cell, *key),
                    Write::Truncate { from } => (Kind::Truncate, from.0),
                    Write::Compact { upto } => (Kind::Compact, upto.0),
                    Write::Forget => (Kind::Forget, 0),
                };
                self.append(kind, *machine, place, write.body())?;
            }
        }
        Ok(())
    }

    /// Tries to have room for `count` segments beyond the head's.
    ///
    /// # Errors
    /// The disk failed otherwise than for want of space.
    pub(super) fn reserve_ahead(&mut self, count: usize) -> io::Result<()> {
        while self.spares.len() < count {
            let number = self.head.segment + 1 + self.spares.len() as u64;
            match reserve(&*self.disk, number, self.options.segment_bytes) {
                Ok(spare) => self.spares.push_back(spare),
                Err(error) if is_full(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether there is room beyond the head's segment.
    pub(super) fn has_room(&self) -> bool {
        !self.spares.is_empty()
    }

    fn check(&self, batch: &[(MachineId, Vec<Write>)]) -> Result<(), WriteFault> {
        let limit = largest_body(self.options.segment_bytes);
        let mut bounds = BTreeMap::new();
        for (machine, writes) in batch {
            let (compacted, last) = bounds.entry(*machine).or_insert_with(|| {
                self.index.machine(*machine).map_or((0, 0), |found| (found.compacted_upto(), found.last()))
            });
            for write in writes {
                let bytes = write.body().len() as u64;
                if bytes > limit {
                    return Err(WriteFault::TooLarge { bytes, limit });
                }
                match *write {
                    Write::Entry { index, .. } => {
                        if index.0 <= *compacted || index.0 > last.saturating_add(1) {
                            let next = LogIndex(*last).next();
                            return Err(WriteFault::Gap { machine: *machine, index, next });
                        }
                        *last = index.0;
                    }
                    Write::Cell { .. } => {}
                    Write::Truncate { from } => *last = (*last).min(from.0.saturating_sub(1).max(*compacted)),
                    Write::Compact { upto } => {
                        *compacted = upto.0.max(*compacted);
                        *last = (*last).max(*compacted);
                    }
                    Write::Forget => (*compacted, *last) = (0, 0),
                }
            }
        }
        Ok(())
    }

    /// How many further segments a batch takes, and how far it reaches in the last one.
    fn pack(&self, batch: &[(MachineId, Vec<Write>)]) -> (usize, u64) {
        let (mut segments, mut offset, mut end) = (0, self.head.offset, limit(self.head.capacity));
        for write in batch.iter().flat_map(|(_, writes)| writes) {
            let size = Record::size(write.body().len() as u64);
            if offset + size > end {
                (segments, offset, end) = (segments + 1, SEGMENT_HEADER, limit(self.options.segment_bytes));
            }
            offset += size;
        }
        (segments, offset)
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
