//! Reading a log that was left behind, and telling what was being written from what was destroyed.
//!
//! Changes nothing. The first record that does not continue the chain is a torn tail if nothing says that it was durable, and
//! corruption if any later record or header, found by looking at every place one could be, says that it was.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bytes::Bytes;
use synod_protocols::StoreId;

use crate::storage::disk::Disk;
use crate::storage::log::engine::Head;
use crate::storage::log::fault::OpenError;
use crate::storage::log::index::{Index, MachineIndex};
use crate::storage::log::options::OpenReport;
use crate::storage::log::record::{
    HeaderFault, Kind, RECORD_HEADER, Record, SEGMENT_HEADER, Seal, SegmentHeader, VERSION,
};
use crate::storage::log::segment::{
    END, SEGMENT_BYTES_MIN, SegmentFile, directory, is_spare, segment_number, segment_path, spare_path,
};
use crate::storage::log::slot::Slot;

/// No log counts further: what follows a number has one as well.
const COUNT_MAX: u64 = u64::MAX / 2;

/// What a log consists of.
pub(super) struct Scan {
    pub(super) store: StoreId,
    pub(super) index: Index,
    /// The bodies of the cells of use; entries are read back when somebody wants them.
    pub(super) bodies: BTreeMap<Slot, Bytes>,
    pub(super) segments: BTreeMap<u64, SegmentFile>,
    pub(super) head: Head,
    /// The oldest segment that is needed.
    pub(super) oldest: u64,
    pub(super) torn: Option<Torn>,
    pub(super) report: OpenReport,
}

/// What has to go before the log can be continued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Torn {
    pub(super) segment: u64,
    /// From here ...
    pub(super) offset: u64,
    /// ... to here, and all later segments.
    pub(super) end: u64,
}

/// A segment in memory.
struct Loaded {
    number: u64,
    header: SegmentHeader,
    bytes: Vec<u8>,
}

/// The files of the log: segments in order, reserved room.
pub(super) fn files(disk: &dyn Disk) -> Result<(Vec<u64>, Vec<PathBuf>), OpenError> {
    let names = disk.list(directory()).map_err(|source| io_error("list", directory().into(), source))?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| segment_number(name)).collect();
    numbers.sort_unstable();
    // A second spare segment is made beside a first segment that is there for good.
    if numbers.is_empty()
        && let Some(later) =
            names.iter().find(|name| is_spare(name) && directory().join(name) != spare_path(1))
    {
        let reason = "its segments are gone: a log that was in use has at least one";
        return Err(OpenError::Corrupt {
            path: directory().join(later),
            offset: 0,
            reason: reason.to_owned(),
        });
    }
    let spares = names.into_iter().filter(|name| is_spare(name)).map(|name| directory().join(name)).collect();
    Ok((numbers, spares))
}

/// Reads the segments `numbers`, at least one.
pub(super) fn scan(disk: &dyn Disk, numbers: &[u64]) -> Result<Scan, OpenError> {
    let mut scan = Scan::new();
    scan.read(disk, numbers)?;
    Ok(scan)
}

/// Reads the segments `numbers` up to the first damage.
pub(super) fn scan_as_far_as_possible(disk: &dyn Disk, numbers: &[u64]) -> Result<Scan, OpenError> {
    let mut scan = Scan::new();
    match if numbers.is_empty() { Ok(()) } else { scan.read(disk, numbers) } {
        Ok(()) | Err(OpenError::Corrupt { .. }) => Ok(scan),
        Err(error) => Err(error),
    }
}

impl Scan {
    fn new() -> Self {
        let head =
            Head { segment: 0, capacity: 0, offset: 0, sequence: 0, checksum: 0, durable: 0, unsaid: 0 };
        Self {
            store: StoreId(0),
            index: Index::default(),
            bodies: BTreeMap::new(),
            segments: BTreeMap::new(),
            head,
            oldest: 0,
            torn: None,
            report: OpenReport::default(),
        }
    }

    fn read(&mut self, disk: &dyn Disk, numbers: &[u64]) -> Result<(), OpenError> {
        let mut rest = numbers;
        while let Some((&number, later)) = rest.split_first() {
            rest = later;
            let segment = self.load(disk, number)?;
            if number == numbers[0] {
                self.begin(&segment.header);
            } else {
                self.join(&segment)?;
            }
            let stopped = self.walk(&segment);
            match (stopped, later.first()) {
                (None, Some(_)) => {}
                (None, None) => return Err(missing(number + 1)),
                (Some(offset), _) => {
                    self.judge(disk, &segment, offset, later)?;
                    break;
                }
            }
        }
        if numbers[0] > self.oldest {
            return Err(missing(self.oldest));
        }
        if self.oldest > self.head.segment {
            return Err(missing(self.oldest));
        }
        if self.head.offset + END > self.head.capacity {
            return Err(corrupt(self.head.segment, self.head.offset, "there is no room for the last record"));
        }
        for (_, machine) in self.index.machines() {
            check_entries(machine)?;
        }
        Ok(())
    }

    fn load(&mut self, disk: &dyn Disk, number: u64) -> Result<Loaded, OpenError> {
        let path = || segment_path(number);
        let file = disk.open(&path(), false).map_err(|source| io_error("open", path(), source))?;
        let length = file.length().map_err(|source| io_error("measure", path(), source))?;
        let mut bytes = vec![0; length as usize];
        // A disk that does not give back what it took is as damaged as one that gives back something else.
        let read = file.read_at(0, &mut bytes);
        let read = read.map_err(|error| corrupt(number, 0, format!("cannot be read: {error}")))?;
        bytes.truncate(read);
        let header = SegmentHeader::decode(&bytes).map_err(|fault| match fault {
            HeaderFault::Garbage => corrupt(number, 0, "this is not the header of a segment"),
            HeaderFault::Version(found) => OpenError::Version { path: path(), found, known: VERSION },
        })?;
        if header.number != number {
            return Err(corrupt(number, 0, format!("this is segment {:016x}", header.number)));
        }
        if number > COUNT_MAX || header.first_sequence > COUNT_MAX || header.capacity < SEGMENT_BYTES_MIN {
            return Err(corrupt(number, 0, "no program writes such a header"));
        }
        if length < header.capacity {
            let reason = format!("the file is cut: {length} of {} bytes are there", header.capacity);
            return Err(corrupt(number, length, reason));
        }
        if !self.segments.is_empty() && header.store != self.store {
            return Err(corrupt(number, 0, "this is a segment of another log"));
        }
        self.segments.insert(number, SegmentFile { file, capacity: length });
        self.report.segments += 1;
        Ok(Loaded { number, header, bytes })
    }

    /// Starts with the oldest segment there is: what came before is not needed.
    fn begin(&mut self, header: &SegmentHeader) {
        self.store = header.store;
        self.head.sequence = header.first_sequence.saturating_sub(1);
        self.head.checksum = header.previous;
    }

    fn join(&mut self, segment: &Loaded) -> Result<(), OpenError> {
        let Loaded { number, header, .. } = segment;
        if *number != self.head.segment + 1 {
            return Err(missing(self.head.segment + 1));
        }
        if header.first_sequence != self.head.sequence + 1 || header.previous != self.head.checksum {
            return Err(corrupt(*number, 0, "the segment does not continue the one before"));
        }
        Ok(())
    }

    /// Takes the records of a segment up to its last one; gives the place of the first one that is not a continuation, if any.
    fn walk(&mut self, segment: &Loaded) -> Option<u64> {
        let seal = Seal::new(self.store, segment.number);
        self.oldest = self.oldest.max(segment.header.oldest);
        self.head.segment = segment.number;
        self.head.capacity = segment.bytes.len() as u64;
        self.head.offset = SEGMENT_HEADER;
        loop {
            let offset = self.head.offset;
            let found = segment.bytes.get(offset as usize..).and_then(|rest| Record::decode(rest, seal));
            let Some(found) = found.filter(|found| {
                found.record.sequence == self.head.sequence + 1 && found.record.previous == self.head.checksum
            }) else {
                return Some(offset);
            };
            let slot = Slot { segment: segment.number, offset, length: found.body.len() as u32 };
            self.take(&found.record, slot, found.body);
            self.head.checksum = found.checksum;
            if found.record.kind == Kind::End {
                return None;
            }
        }
    }

    fn take(&mut self, record: &Record, slot: Slot, body: &[u8]) {
        let Self { index, bodies, head, oldest, report, .. } = self;
        head.sequence = record.sequence;
        head.offset += slot.size();
        report.records += 1;
        match record.kind {
            Kind::Cell => {
                bodies.insert(slot, Bytes::copy_from_slice(body));
            }
            Kind::Mark => *oldest = (*oldest).max(record.place),
            Kind::Entry | Kind::Copy | Kind::Truncate | Kind::Compact | Kind::Forget | Kind::End => {}
        }
        index.apply(record, slot, &mut |slot| drop(bodies.remove(&slot)));
    }

    /// Decides about the place at which the chain ends.
    fn judge(
        &mut self,
        disk: &dyn Disk,
        segment: &Loaded,
        offset: u64,
        later: &[u64],
    ) -> Result<(), OpenError> {
        let expected = self.head.sequence + 1;
        let rest = &segment.bytes[offset as usize..];
        let mut durable = evidence(rest, Seal::new(self.store, segment.number));
        for (&number, expected_number) in later.iter().zip(segment.number + 1..) {
            if number != expected_number {
                return Err(missing(expected_number));
            }
            let loaded = self.load(disk, number)?;
            let seal = Seal::new(self.store, number);
            durable = durable.max(loaded.header.durable);
            durable = durable.max(evidence(&loaded.bytes[SEGMENT_HEADER as usize..], seal));
        }
        if durable >= expected {
            let reason = format!(
                "record {expected} is not what was written, and records up to {durable} had been made durable"
            );
            return Err(corrupt(segment.number, offset, reason));
        }
        let length = rest.iter().rposition(|&byte| byte != 0).map_or(0, |last| last as u64 + 1);
        if length > 0 || !later.is_empty() {
            self.torn = Some(Torn { segment: segment.number, offset, end: offset + length });
            self.report.torn_bytes = length;
        }
        Ok(())
    }
}

/// The greatest durable position that any whole record in `bytes` speaks of, wherever it begins.
fn evidence(bytes: &[u8], seal: Seal) -> u64 {
    let mut durable = 0;
    let mut offset = 0;
    while let Some(rest) = bytes.get(offset..).filter(|rest| rest.len() as u64 >= RECORD_HEADER) {
        match Record::decode(rest, seal) {
            Some(found) => {
                durable = durable.max(found.record.durable);
                offset += Record::size(found.body.len() as u64) as usize;
            }
            None => offset += 8,
        }
    }
    durable
}

/// The chain guarantees it; a log that was written by a program with another idea of it must not be taken for a shorter one.
fn check_entries(machine: &MachineIndex) -> Result<(), OpenError> {
    for ((index, slot), expected) in machine.entries.iter().zip(machine.compacted_upto().saturating_add(1)..)
    {
        if index != expected {
            let reason = format!("entry {index} stands where entry {expected} belongs");
            return Err(corrupt(slot.segment, slot.offset, reason));
        }
    }
    Ok(())
}

fn corrupt(segment: u64, offset: u64, reason: impl Into<String>) -> OpenError {
    OpenError::Corrupt { path: segment_path(segment), offset, reason: reason.into() }
}

fn missing(segment: u64) -> OpenError {
    corrupt(segment, 0, "the segment is missing")
}

/// An operation on a file that the disk refused.
pub(super) fn io_error(operation: &'static str, path: PathBuf, source: std::io::Error) -> OpenError {
    OpenError::Io { operation, path, source }
}
