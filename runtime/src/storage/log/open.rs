//! Opening a log: making it, or taking up the one that was left behind.
//!
//! Nothing is changed before the whole log has been read and found good.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use synod_protocols::{LogIndex, StoreId};

use crate::address::MachineId;
use crate::storage::disk::Disk;
use crate::storage::log::counters::Counters;
use crate::storage::log::create::create;
use crate::storage::log::engine::{Cleaning, Engine};
use crate::storage::log::fault::OpenError;
use crate::storage::log::index::Index;
use crate::storage::log::options::{LogOptions, OpenReport, RecoveredLog};
use crate::storage::log::origin::{OWN, origin, write_origin};
use crate::storage::log::repair::{attend, set_aside};
use crate::storage::log::scan::{Scan, Torn, files, io_error, scan};
use crate::storage::log::segment::{SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, directory, segment_path};
use crate::storage::log::slot::Slot;

/// A log that was opened, and what it held.
pub(super) struct Opened {
    pub(super) engine: Engine,
    pub(super) recovered: BTreeMap<MachineId, RecoveredLog>,
    pub(super) report: OpenReport,
    /// The log in whose place this one is, if it is in the place of one.
    pub(super) replaces: Option<StoreId>,
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
    claim(&**disk)?;
    attend(&**disk)?;
    let set_aside = set_aside(&**disk)?;
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
        // Whoever takes the log away that replaced a damaged one does not make its promises unsaid.
        None if !set_aside.is_empty() => create_in_place_of_another(disk, options, seed, counters)?,
        None => empty(create(disk, options, seed, counters)?),
        Some(scan) => take_up(disk, options, scan, counters)?,
    };
    let engine = &mut opened.engine;
    engine.reserve_ahead(1).map_err(|source| io_error("reserve room in", directory().into(), source))?;
    engine.counters.segments.set(engine.segments.len() as i64);
    engine.counters.torn_bytes.inc_by(opened.report.torn_bytes);
    engine.counters.set_aside.set(set_aside.len() as i64);
    opened.report.set_aside = set_aside;
    Ok(opened)
}

/// Claims the disk for this process.
pub(super) fn claim(disk: &dyn Disk) -> Result<(), OpenError> {
    disk.lock().map_err(|source| match source.kind() {
        io::ErrorKind::WouldBlock => OpenError::Locked(source),
        _ => io_error("lock", "LOCK".into(), source),
    })
}

fn create_in_place_of_another(
    disk: &Arc<dyn Disk>,
    options: LogOptions,
    seed: u64,
    counters: &Counters,
) -> Result<Opened, OpenError> {
    let failed = |source| io_error("make the log in", directory().into(), source);
    let mut engine = create(disk, options, seed, counters)?;
    write_origin(&mut engine, StoreId::ZERO).map_err(failed)?;
    engine.sync().map_err(failed)?;
    Ok(Opened { replaces: Some(StoreId::ZERO), ..empty(engine) })
}

/// A log that was made, and holds nothing of a machine.
fn empty(engine: Engine) -> Opened {
    let report = OpenReport { created: true, segments: 1, ..OpenReport::default() };
    Opened { engine, recovered: BTreeMap::new(), report, replaces: None }
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
    let replaces = origin(&scan.index, &scan.bodies);
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
        replaces,
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
    for (id, machine) in index.machines().filter(|(id, _)| *id != OWN) {
        let cells = machine.cells.iter().map(|(key, slot)| (key, take(&slot))).collect();
        let (compacted, last) = (LogIndex(machine.compacted_upto()), LogIndex(machine.last()));
        recovered.insert(id, RecoveredLog { cells, compacted, last });
    }
    recovered
}
