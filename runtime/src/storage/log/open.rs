//! Opening a log: making it, or taking up the one that was left behind.
//!
//! Nothing is changed before the whole log has been read and found good.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use synod_protocols::prng::Prng;
use synod_protocols::{LogIndex, StoreId};

use crate::address::MachineId;
use crate::storage::disk::Disk;
use crate::storage::log::counters::Counters;
use crate::storage::log::engine::{Cleaning, Engine, Head, begin_segment, reserve};
use crate::storage::log::fault::OpenError;
use crate::storage::log::index::{Index, Slot};
use crate::storage::log::options::{LogOptions, OpenReport, RecoveredLog};
use crate::storage::log::record::{SEGMENT_HEADER, SegmentHeader};
use crate::storage::log::scan::{Scan, Torn, files, io_error, scan};
use crate::storage::log::segment::{SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, directory, segment_path};

/// A log that was opened, and what it held.
pub(super) struct Opened {
    pub(super) engine: Engine,
    pub(super) recovered: BTreeMap<MachineId, RecoveredLog>,
    pub(super) report: OpenReport,
}

/// Opens the log of a disk; makes it, with a name drawn from `seed`, when there is none.
pub(super) fn open(
    disk: &Arc<dyn Disk>,
    mut options: LogOptions,
    seed: u64,
    counters: &Counters,
) -> Result<Opened, OpenError> {
    options.segment_bytes = options.segment_bytes.clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX) / 8 * 8;
    options.kept_for_cells = options.kept_for_cells.min(options.segment_bytes / 2);
    disk.lock().map_err(|source| match source.kind() {
        io::ErrorKind::WouldBlock => OpenError::Locked(source),
        _ => io_error("lock", "LOCK".into(), source),
    })?;
    let (numbers, spares) = files(&**disk)?;
    let scanned = match numbers.as_slice() {
        [] => None,
        numbers => Some(scan(&**disk, numbers).inspect_err(|error| {
            if matches!(error, OpenError::Corrupt { .. }) {
                counters.corruptions.inc();
            }
        })?),
    };
    for spare in spares {
        disk.remove(&spare).map_err(|source| io_error("remove", spare, source))?;
    }
    let mut opened = match scanned {
        None => create(disk, options, seed, counters)?,
        Some(scan) => take_up(disk, options, scan, counters)?,
    };
    let engine = &mut opened.engine;
    engine.reserve_ahead(1).map_err(|source| io_error("reserve room in", directory().into(), source))?;
    engine.counters.segments.set(engine.segments.len() as i64);
    engine.counters.torn_bytes.inc_by(opened.report.torn_bytes);
    Ok(opened)
}

fn create(
    disk: &Arc<dyn Disk>,
    options: LogOptions,
    seed: u64,
    counters: &Counters,
) -> Result<Opened, OpenError> {
    const FIRST: u64 = 1;
    // Zero would mean that there is none.
    let store = StoreId(Prng::fork(seed, 0x5704E).next_u64().max(1));
    let header = SegmentHeader {
        store,
        number: FIRST,
        first_sequence: 1,
        durable: 0,
        oldest: FIRST,
        previous: 0,
        capacity: options.segment_bytes,
    };
    let made = || {
        disk.create_directory(directory())?;
        disk.sync_directory(Path::new(""))?;
        let spare = reserve(&**disk, FIRST, options.segment_bytes)?;
        begin_segment(&**disk, spare, &header)
    };
    let segment = made().map_err(|source| io_error("make the log in", directory().into(), source))?;
    let head = Head {
        segment: FIRST,
        capacity: segment.capacity,
        offset: SEGMENT_HEADER,
        sequence: 0,
        checksum: 0,
        durable: 0,
        unsaid: 0,
    };
    let engine = Engine {
        disk: Arc::clone(disk),
        options,
        counters: counters.clone(),
        store,
        segments: BTreeMap::from([(FIRST, segment)]),
        head,
        buffer: Vec::new(),
        spares: VecDeque::new(),
        index: Index::default(),
        zeroed: 0,
        cleaning: Cleaning { oldest: FIRST, ..Cleaning::default() },
    };
    let report = OpenReport { created: true, segments: 1, ..OpenReport::default() };
    Ok(Opened { engine, recovered: BTreeMap::new(), report })
}

fn take_up(
    disk: &Arc<dyn Disk>,
    options: LogOptions,
    mut scan: Scan,
    counters: &Counters,
) -> Result<Opened, OpenError> {
    if let Some(torn) = scan.torn {
        cut(&**disk, &mut scan, torn)
            .map_err(|source| io_error("cut the torn tail of", segment_path(torn.segment), source))?;
    }
    let recovered = recovered(&scan.index, &mut scan.bodies);
    let Scan { store, index, segments, head, oldest, report, .. } = scan;
    let mut opened = Opened {
        engine: Engine {
            disk: Arc::clone(disk),
            options,
            counters: counters.clone(),
            store,
            segments,
            head,
            buffer: Vec::new(),
            spares: VecDeque::new(),
            index,
            zeroed: 0,
            cleaning: Cleaning { oldest, ..Cleaning::default() },
        },
        recovered,
        report,
    };
    settle(&mut opened)
        .map_err(|source| io_error("make durable what was found in", directory().into(), source))?;
    Ok(opened)
}

/// Removes a torn tail: its bytes become zeros, so that nothing of it can ever continue what is written in its place.
fn cut(disk: &dyn Disk, scan: &mut Scan, torn: Torn) -> io::Result<()> {
    const CHUNK: u64 = 1 << 20;
    let file = &scan.segments.get(&torn.segment).expect("it was read").file;
    let mut offset = torn.offset;
    while offset < torn.end {
        let length = CHUNK.min(torn.end - offset);
        file.write_at(offset, &vec![0; length as usize])?;
        offset += length;
    }
    file.sync()?;
    for number in scan.segments.split_off(&(torn.segment + 1)).into_keys().rev() {
        disk.remove(&segment_path(number))?;
        disk.sync_directory(directory())?;
        scan.report.segments_removed += 1;
    }
    Ok(())
}

/// Makes durable what was found, for it may have been in a cache only; then says so in a mark, and finishes removals that had begun.
fn settle(opened: &mut Opened) -> io::Result<()> {
    let engine = &mut opened.engine;
    engine.disk.sync_directory(directory())?;
    for segment in engine.segments.values().rev().take(2).rev() {
        segment.file.sync()?;
        engine.counters.syncs.inc();
    }
    (engine.head.durable, engine.head.unsaid) = (engine.head.sequence, engine.head.sequence);
    engine.mark_durable();
    engine.sync()?;
    let needed = engine.segments.split_off(&engine.cleaning.oldest);
    for number in std::mem::replace(&mut engine.segments, needed).into_keys() {
        engine.disk.remove(&segment_path(number))?;
        engine.disk.sync_directory(directory())?;
        opened.report.segments_removed += 1;
    }
    Ok(())
}

fn recovered(index: &Index, bodies: &mut BTreeMap<Slot, Bytes>) -> BTreeMap<MachineId, RecoveredLog> {
    let mut take = |slot: &Slot| bodies.remove(slot).expect("the body of a record of use was kept");
    let mut recovered = BTreeMap::new();
    for (id, machine) in index.machines() {
        let cells = machine.cells.iter().map(|(&key, slot)| (key, take(slot))).collect();
        let entries = machine.entries.iter().map(|(&index, slot)| (LogIndex(index), take(slot))).collect();
        let compacted = LogIndex(machine.compacted_upto());
        recovered.insert(id, RecoveredLog { cells, compacted, entries });
    }
    recovered
}
