//! Reading records back, verified.

use std::collections::BTreeMap;

use bytes::Bytes;
use synod_protocols::{LogIndex, StoreId};

use crate::address::MachineId;
use crate::storage::log::engine::Engine;
use crate::storage::log::fault::ReadFault;
use crate::storage::log::index::Slot;
use crate::storage::log::record::{Found, RECORD_HEADER, Record, Seal};
use crate::storage::log::segment::{SegmentFile, segment_path};

impl Engine {
    /// The entries `from..=to` as far as they are there and as `max_bytes` allows.
    pub(super) fn read(
        &self,
        machine: MachineId,
        from: LogIndex,
        to: LogIndex,
        max_bytes: usize,
    ) -> Result<Vec<(LogIndex, Bytes)>, ReadFault> {
        let mut found = Vec::new();
        let Some(indexed) = self.index.machine(machine) else { return Ok(found) };
        if from > to || !indexed.entries.contains_key(&from.0) {
            return Ok(found);
        }
        let mut bytes = 0;
        for (&index, &slot) in indexed.entries.range(from.0..=to.0) {
            let body = self.load(machine, index, slot)?;
            bytes += body.len();
            found.push((LogIndex(index), body));
            if bytes >= max_bytes {
                break;
            }
        }
        Ok(found)
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
    let path = || segment_path(slot.segment);
    let segment = segments.get(&slot.segment);
    let segment = segment.ok_or_else(|| ReadFault::Damaged { path: path(), offset: slot.offset })?;
    let mut bytes = vec![0; slot.size() as usize];
    let read = segment.file.read_at(slot.offset, &mut bytes);
    read.map_err(|source| ReadFault::Io { path: path(), offset: slot.offset, source })?;
    let found = Record::decode(&bytes, Seal::new(store, slot.segment));
    let meant = found.is_some_and(|Found { record, body, .. }| {
        (record.machine, record.place, body.len()) == (machine, place, slot.length as usize)
    });
    if !meant {
        return Err(ReadFault::Damaged { path: path(), offset: slot.offset });
    }
    let body = RECORD_HEADER as usize..RECORD_HEADER as usize + slot.length as usize;
    Ok(Bytes::from(bytes).slice(body))
}
