//! Reading records back, verified.

use std::collections::BTreeMap;

use bytes::Bytes;
use synod_protocols::{LogIndex, StoreId};

use crate::address::MachineId;
use crate::storage::log::engine::Engine;
use crate::storage::log::fault::ReadFault;
use crate::storage::log::record::{Found, RECORD_HEADER, Record, Seal};
use crate::storage::log::segment::{SegmentFile, segment_path};
use crate::storage::log::slot::Slot;

/// How many bytes of no use are read over at most to reach the next record.
const GAP: u64 = 4 << 10;
/// How much is read at once at most, unless a record is larger.
const RUN: u64 = 4 << 20;

impl Engine {
    /// The entries `from..=to` as far as they are there and as `max_bytes` allows. Those that stand together are read together.
    pub(super) fn read(
        &self,
        machine: MachineId,
        from: LogIndex,
        to: LogIndex,
        max_bytes: usize,
    ) -> Result<Vec<(LogIndex, Bytes)>, ReadFault> {
        let mut found = Vec::new();
        let Some(indexed) = self.index.machine(machine) else { return Ok(found) };
        if from > to || indexed.entries.get(from.0).is_none() {
            return Ok(found);
        }
        let mut bytes = 0;
        let mut run: Vec<(u64, Slot)> = Vec::new();
        for (index, slot) in indexed.entries.range(from.0, to.0) {
            if !run.is_empty() && !continues(&run, slot) {
                self.load_run(machine, &run, &mut found)?;
                run.clear();
            }
            run.push((index, slot));
            bytes += slot.length as usize;
            if bytes >= max_bytes {
                break;
            }
        }
        self.load_run(machine, &run, &mut found)?;
        Ok(found)
    }

    /// The bodies of records of one segment, with one read.
    fn load_run(
        &self,
        machine: MachineId,
        run: &[(u64, Slot)],
        found: &mut Vec<(LogIndex, Bytes)>,
    ) -> Result<(), ReadFault> {
        let [(_, first), .., (_, last)] = run else {
            for &(index, slot) in run {
                found.push((LogIndex(index), self.load(machine, index, slot)?));
            }
            return Ok(());
        };
        let bytes = read_bytes(&self.segments, *first, last.offset + last.size() - first.offset)?;
        for &(index, slot) in run {
            let start = (slot.offset - first.offset) as usize;
            let record = bytes.slice(start..start + slot.size() as usize);
            let body = verify(&record, self.store, machine, index, slot).inspect_err(|_| {
                self.counters.corruptions.inc();
            })?;
            found.push((LogIndex(index), body));
        }
        Ok(())
    }

    /// The body of the record at `slot`, which is that of `place`.
    pub(super) fn load(&self, machine: MachineId, place: u64, slot: Slot) -> Result<Bytes, ReadFault> {
        load(&self.segments, self.store, machine, place, slot).inspect_err(|fault| {
            if matches!(fault, ReadFault::Damaged { .. }) {
                self.counters.corruptions.inc();
            }
        })
    }
}

/// The body of the record at `slot` of a log, which is that of `place`.
pub(super) fn load(
    segments: &BTreeMap<u64, SegmentFile>,
    store: StoreId,
    machine: MachineId,
    place: u64,
    slot: Slot,
) -> Result<Bytes, ReadFault> {
    verify(&read_bytes(segments, slot, slot.size())?, store, machine, place, slot)
}

/// Whether a record is read together with those before it: near enough, and not for the sake of what lies between.
fn continues(run: &[(u64, Slot)], slot: Slot) -> bool {
    let (Some((_, first)), Some((_, last))) = (run.first(), run.last()) else { return false };
    let end = last.offset + last.size();
    first.segment == slot.segment
        && end <= slot.offset
        && slot.offset - end <= GAP
        && slot.offset + slot.size() - first.offset <= RUN
}

fn read_bytes(segments: &BTreeMap<u64, SegmentFile>, slot: Slot, length: u64) -> Result<Bytes, ReadFault> {
    let path = || segment_path(slot.segment);
    let segment = segments.get(&slot.segment);
    let segment = segment.ok_or_else(|| ReadFault::Damaged { path: path(), offset: slot.offset })?;
    let mut bytes = vec![0; length as usize];
    let read = segment.file.read_at(slot.offset, &mut bytes);
    read.map_err(|source| ReadFault::Io { path: path(), offset: slot.offset, source })?;
    Ok(Bytes::from(bytes))
}

/// The body in the bytes of a record, if they are those of the record at `slot`.
fn verify(
    bytes: &Bytes,
    store: StoreId,
    machine: MachineId,
    place: u64,
    slot: Slot,
) -> Result<Bytes, ReadFault> {
    let found = Record::decode(bytes, Seal::new(store, slot.segment));
    let meant = found.is_some_and(|Found { record, body, .. }| {
        (record.machine, record.place, body.len()) == (machine, place, slot.length as usize)
    });
    if !meant {
        return Err(ReadFault::Damaged { path: segment_path(slot.segment), offset: slot.offset });
    }
    let start = RECORD_HEADER as usize;
    Ok(bytes.slice(start..start + slot.length as usize))
}
