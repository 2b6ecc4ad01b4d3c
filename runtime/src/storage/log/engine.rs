//! The log as it is at one moment, and the one place where it is appended to.
//!
//! Only jobs of the log's worker touch it, one after another. An error of any method here is final.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;

use synod_protocols::StoreId;

use crate::address::MachineId;
use crate::storage::disk::Disk;
use crate::storage::log::counters::Counters;
use crate::storage::log::index::Index;
use crate::storage::log::options::LogOptions;
use crate::storage::log::record::{Kind, Record, SEGMENT_HEADER, Seal, SegmentHeader};
use crate::storage::log::segment::{
    SegmentFile, Spare, directory, limit, marks_limit, segment_path, spare_path,
};
use crate::storage::log::slot::Slot;

/// Keep no more memory than this between commits.
const BUFFER_KEPT: usize = 4 << 20;

/// The state of an open log.
pub(super) struct Engine {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) options: LogOptions,
    pub(super) counters: Counters,
    pub(super) store: StoreId,
    /// All segments, the oldest one in use first, the head last.
    pub(super) segments: BTreeMap<u64, SegmentFile>,
    pub(super) head: Head,
    /// Records that are appended and not written: those that end at the head.
    pub(super) buffer: Vec<u8>,
    pub(super) spares: VecDeque<Spare>,
    pub(super) index: Index,
    /// Up to where the head's segment has been overwritten with zeros.
    pub(super) zeroed: u64,
    pub(super) cleaning: Cleaning,
}

/// Where the next record goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) segment: u64,
    pub(super) capacity: u64,
    pub(super) offset: u64,
    /// The last record's sequence number.
    pub(super) sequence: u64,
    /// The last record's checksum.
    pub(super) checksum: u32,
    /// The last record known to be durable.
    pub(super) durable: u64,
    /// The last record but marks, unless a record says that it is durable.
    pub(super) unsaid: u64,
}

/// How far the cleaning of the oldest segment has come.
#[derive(Default)]
pub(super) struct Cleaning {
    /// The oldest segment in use.
    pub(super) oldest: u64,
    /// What is still to be looked at in it; `None` before the first look.
    pub(super) candidates: Option<Vec<(MachineId, Kind, u64, Slot)>>,
}

impl Engine {
    /// Appends a record, in the next segment if need be; written by the next [`Engine::flush`].
    pub(super) fn append(
        &mut self,
        kind: Kind,
        machine: MachineId,
        place: u64,
        body: &[u8],
    ) -> io::Result<()> {
        if self.head.offset + Record::size(body.len() as u64) > limit(self.head.capacity) {
            self.rotate()?;
        }
        self.put(kind, machine, place, body);
        Ok(())
    }

    /// Appends a mark if the head's segment has room for it below `limit`; false otherwise.
    pub(super) fn mark(&mut self, limit: u64) -> bool {
        let fits = self.head.offset + Record::size(0) <= limit;
        if fits {
            self.put(Kind::Mark, MachineId(0), self.cleaning.oldest, &[]);
        }
        fits
    }

    /// Appends a mark if there is something durable of which no record says so, and room; false otherwise.
    pub(super) fn mark_durable(&mut self) -> bool {
        self.head.unsaid > 0 && self.mark(limit(self.head.capacity))
    }

    /// Writes what is appended, with one write.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            let start = self.head.offset - self.buffer.len() as u64;
            self.head_file().file.write_at(start, &self.buffer)?;
            self.counters.bytes.inc_by(self.buffer.len() as u64);
            self.buffer.clear();
            self.buffer.shrink_to(BUFFER_KEPT);
        }
        Ok(())
    }

    /// Makes everything appended durable.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        if self.head.durable < self.head.sequence {
            self.head_file().file.sync()?;
            self.counters.syncs.inc();
            self.head.durable = self.head.sequence;
        }
        Ok(())
    }

    /// Begins the next segment. It exists durably before the last record of this one says so, and this one is durable with all
    /// its records before anything is written to the next one.
    fn rotate(&mut self) -> io::Result<()> {
        self.flush()?;
        let spare = self.spares.pop_front().ok_or(io::ErrorKind::StorageFull)?;
        let mut end = Vec::new();
        let record = self.next_record(Kind::End, MachineId(0), self.head.segment + 1);
        let checksum = record.encode(&[], self.seal(), &mut end);
        debug_assert!(self.head.offset + end.len() as u64 <= self.head.capacity, "room is kept for the end");
        let header = SegmentHeader {
            store: self.store,
            number: self.head.segment + 1,
            first_sequence: record.sequence + 1,
            durable: self.head.durable,
            oldest: self.cleaning.oldest,
            previous: checksum,
            capacity: spare.segment.capacity,
        };
        let segment = begin_segment(&*self.disk, spare, &header)?;

        let ended = self.head_file();
        ended.file.write_at(self.head.offset, &end)?;
        ended.file.sync()?;
        self.counters.syncs.inc_by(2);
        self.counters.bytes.inc_by(end.len() as u64 + SEGMENT_HEADER);
        self.head = Head {
            segment: header.number,
            capacity: segment.capacity,
            offset: SEGMENT_HEADER,
            sequence: record.sequence,
            checksum,
            durable: record.sequence,
            unsaid: record.sequence,
        };
        self.segments.insert(header.number, segment);
        self.counters.segments.set(self.segments.len() as i64);
        self.zeroed = 0;
        Ok(())
    }

    /// Overwrites what lies ahead with zeros, if it is time: the next commits then change no metadata of the file.
    pub(super) fn write_zeros(&mut self) -> io::Result<()> {
        if self.wants_zeros() {
            let start = self.zeroed.max(self.head.offset);
            let end = self.head.capacity.min(self.head.offset + self.options.zeros_ahead);
            self.head_file().file.write_at(start, &vec![0; (end - start) as usize])?;
            self.zeroed = end;
        }
        Ok(())
    }

    /// Whether it is time for [`Engine::write_zeros`].
    pub(super) fn wants_zeros(&self) -> bool {
        let wanted = self.head.offset + self.options.zeros_ahead / 2;
        self.options.zeros_ahead > 0 && self.zeroed < wanted.min(self.head.capacity)
    }

    /// How far marks may reach that give space back.
    pub(super) fn marks_limit(&self) -> u64 {
        marks_limit(self.head.capacity)
    }

    pub(super) fn head_file(&self) -> &SegmentFile {
        self.segments.get(&self.head.segment).expect("the head's segment is open")
    }

    fn seal(&self) -> Seal {
        Seal::new(self.store, self.head.segment)
    }

    fn next_record(&self, kind: Kind, machine: MachineId, place: u64) -> Record {
        let Head { sequence, durable, checksum, .. } = self.head;
        Record { kind, machine, place, sequence: sequence + 1, durable, previous: checksum }
    }

    fn put(&mut self, kind: Kind, machine: MachineId, place: u64, body: &[u8]) {
        let record = self.next_record(kind, machine, place);
        let slot = Slot { segment: self.head.segment, offset: self.head.offset, length: body.len() as u32 };
        self.head.checksum = record.encode(body, self.seal(), &mut self.buffer);
        self.head.sequence = record.sequence;
        self.head.offset += slot.size();
        if kind != Kind::Mark {
            self.head.unsaid = record.sequence;
        } else if record.durable >= self.head.unsaid {
            self.head.unsaid = 0;
        }
        self.index.apply(&record, slot, &mut |_| {});
        self.counters.records.inc();
    }
}

/// Reserves the room of a segment.
pub(super) fn reserve(disk: &dyn Disk, number: u64, capacity: u64) -> io::Result<Spare> {
    let path = spare_path(number);
    let file = disk.open(&path, true)?;
    if let Err(error) = file.reserve(capacity) {
        // The empty file is found and used by the next attempt if it cannot be removed.
        let _ = disk.remove(&path);
        return Err(error);
    }
    Ok(Spare { path, segment: SegmentFile { file, capacity } })
}

/// Makes a segment of reserved room: header first, then the name.
pub(super) fn begin_segment(
    disk: &dyn Disk,
    spare: Spare,
    header: &SegmentHeader,
) -> io::Result<SegmentFile> {
    spare.segment.file.write_at(0, &header.encode())?;
    spare.segment.file.sync()?;
    disk.rename(&spare.path, &segment_path(header.number))?;
    disk.sync_directory(directory())?;
    Ok(spare.segment)
}
