//! Putting a log of another name in the place of a damaged one.
//!
//! The damaged log is neither shortened nor written to: it is set aside whole, under `log.damaged-<n>`. In its place comes a log
//! with an identity of its own that holds what the old one had said up to the damage.
//!
//! # Why that is safe
//!
//! Behind the damage stood promises: votes, and entries whose acknowledgement let a leader commit them. They may be lost. Whoever
//! keeps the old identity and forgets them can vote twice in a term, and can be counted for entries that are gone, so *no log with
//! the old identity and less than it had said may ever be opened*. The new log bears another [`StoreId`], under which nothing was
//! ever promised, and says of itself that it replaces another one, so that machines which start from it neither vote nor lead
//! until a configuration names the new identity. Committing that configuration takes a majority without this disk, hence everything
//! the old identity had helped to commit is on that majority, or nothing goes on: a loss is never papered over.
//!
//! What is kept serves speed alone. Per machine it is a state that its log had at some time: the records up to the damage, in the
//! order of their writing. Not what stands behind it, although it may be whole: the damaged record may have been one that
//! truncated the entries before, and entries of two histories in one log would contradict log matching. Where the beginning
//! of a machine's entries is missing, because reclaiming had moved it behind the damage, they are kept only if a whole snapshot reaches
//! them. A log that is a state of its own past is a follower's that lags behind, which the leader's consistency check mends
//! (Raft §5.3). Ballots among the cells may be old; they bind the machine to less than it had promised, and the new
//! identity had promised nothing.
//!
//! # Why a crash does no harm
//!
//! 1. The new log is made in `log.repair`, whole and durable with its name. A crash leaves `log`, still damaged: the next opening
//!    throws `log.repair` away and begins again.
//! 2. `log` becomes `log.damaged-<n>`, durably. A crash leaves no `log` and a whole `log.repair`: the next opening goes on with 3.
//! 3. `log.repair` becomes `log`, durably.
//!
//! After Alagappan et al., "Protocol-Aware Recovery for Consensus-Based Storage" (FAST 2018), with a change of identity and
//! membership in the place of the repair of single entries.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use synod_protocols::prng::Prng;
use synod_protocols::{LogIndex, StoreId};

use crate::address::MachineId;
use crate::storage::disk::Disk;
use crate::storage::log::counters::Counters;
use crate::storage::log::create::create;
use crate::storage::log::elsewhere::Elsewhere;
use crate::storage::log::engine::Engine;
use crate::storage::log::fault::OpenError;
use crate::storage::log::index::MachineIndex;
use crate::storage::log::options::{LogOptions, SetAside, Write};
use crate::storage::log::origin::{OWN, write_origin};
use crate::storage::log::read::load;
use crate::storage::log::scan::{Scan, files, io_error, scan_as_far_as_possible};
use crate::storage::log::segment::directory;

/// How much is appended at once.
const BATCH_BYTES: u64 = 1 << 20;

/// Where the new log is made.
fn workshop() -> &'static Path {
    Path::new("log.repair")
}

/// Brings a repair that was interrupted to an end, or undoes it.
pub(super) fn attend(disk: &dyn Disk) -> Result<(), OpenError> {
    let root = Path::new("");
    let names = disk.list(root).map_err(|source| io_error("list", root.into(), source))?;
    let has = |name: &Path| names.iter().any(|found| found == name);
    if has(workshop()) && !has(directory()) {
        return rename(disk, workshop(), directory());
    }
    clear(disk)
}

/// The directories of the logs that were set aside, and not taken away since.
pub(super) fn set_aside(disk: &dyn Disk) -> Result<Vec<PathBuf>, OpenError> {
    let root = Path::new("");
    let names = disk.list(root).map_err(|source| io_error("list", root.into(), source))?;
    Ok(names.into_iter().filter(|name| aside_number(name).is_some()).collect())
}

/// Puts a new log in the place of the one of a closed disk. `covered` says how far whole snapshots reach.
///
/// # Errors
/// [`OpenError`]; the log that was there is as it was, or set aside.
pub(super) fn replace(
    disk: &Arc<dyn Disk>,
    options: &LogOptions,
    seed: u64,
    counters: &Counters,
    covered: &BTreeMap<MachineId, LogIndex>,
    reason: String,
) -> Result<SetAside, OpenError> {
    let (numbers, _) = files(&**disk).or_else(|error| match error {
        OpenError::Corrupt { .. } => Ok((Vec::new(), Vec::new())),
        other => Err(other),
    })?;
    let scan = scan_as_far_as_possible(&**disk, &numbers)?;
    let number = set_aside(&**disk)?.iter().filter_map(|name| aside_number(name)).max().unwrap_or(0) + 1;
    let aside = PathBuf::from(format!("log.damaged-{number}"));

    clear(&**disk)?;
    let capacity = scan.segments.values().map(|segment| segment.capacity).max().unwrap_or(0);
    let options = LogOptions { segment_bytes: options.segment_bytes.max(capacity), ..options.clone() };
    let fresh = fresh_seed(seed, scan.store, number);
    let mut engine = create(&Elsewhere::beside(disk, workshop()), options, fresh, counters)?;
    fill(&mut engine, &scan, covered)?;
    drop(engine);

    rename(&**disk, directory(), &aside)?;
    rename(&**disk, workshop(), directory())?;
    counters.repairs.inc();
    Ok(SetAside { directory: aside, reason })
}

/// Appends what is kept, and makes it durable.
fn fill(engine: &mut Engine, scan: &Scan, covered: &BTreeMap<MachineId, LogIndex>) -> Result<(), OpenError> {
    let failed = |source| io_error("make the log in", workshop().into(), source);
    write_origin(engine, scan.store).map_err(failed)?;
    for (id, machine) in scan.index.machines().filter(|(id, _)| *id != OWN) {
        let body = |place, slot| {
            load(&scan.segments, scan.store, id, place, slot).map_err(|fault| {
                let path = directory().into();
                io_error("read again what stands before the damage of", path, std::io::Error::other(fault))
            })
        };
        let mut writes = Vec::new();
        for (key, slot) in machine.cells.iter() {
            writes.push(Write::Cell { key, body: body(key, slot)? });
        }
        let kept = kept_entries(machine, covered.get(&id).copied().unwrap_or_default());
        if let Some((first, _)) = kept.filter(|(first, _)| *first > 1) {
            writes.push(Write::Compact { upto: LogIndex(first - 1) });
        }
        let mut bytes = 0;
        for (index, slot) in kept.into_iter().flat_map(|(first, last)| machine.entries.range(first, last)) {
            writes.push(Write::Entry { index: LogIndex(index), body: body(index, slot)? });
            bytes += slot.size();
            if bytes >= BATCH_BYTES {
                append(engine, id, std::mem::take(&mut writes))?;
                bytes = 0;
            }
        }
        append(engine, id, writes)?;
    }
    engine.mark_durable();
    engine.sync().map_err(failed)
}

fn append(engine: &mut Engine, machine: MachineId, writes: Vec<Write>) -> Result<(), OpenError> {
    let failed = |source| io_error("make the log in", workshop().into(), source);
    let taken = engine.take(&[(machine, writes)]).map_err(failed)?;
    taken.map_err(|fault| failed(std::io::Error::other(fault)))?;
    engine.flush().map_err(failed)
}

/// The entries of a machine that are kept: the first ones without a gap, if a log may begin with them. Its own beginning, what
/// follows its compaction and what a whole snapshot reaches is such a place.
fn kept_entries(machine: &MachineIndex, covered: LogIndex) -> Option<(u64, u64)> {
    let (first, last) = (machine.entries.first()?, machine.entries.last_without_gap()?);
    (first <= covered.0.saturating_add(1)).then_some((first, last))
}

/// From which the new log's name is drawn, so that it is not the old one's even where chance repeats itself.
fn fresh_seed(seed: u64, old: StoreId, number: u64) -> u64 {
    Prng::fork(seed, old.0.wrapping_add(number)).next_u64()
}

/// Throws a new log away that was not put in place.
fn clear(disk: &dyn Disk) -> Result<(), OpenError> {
    let failed = |source| io_error("clear", workshop().into(), source);
    let left = disk.list(workshop()).map_err(failed)?;
    for name in &left {
        disk.remove(&workshop().join(name)).map_err(failed)?;
    }
    if left.is_empty() { Ok(()) } else { disk.sync_directory(workshop()).map_err(failed) }
}

fn rename(disk: &dyn Disk, from: &Path, to: &Path) -> Result<(), OpenError> {
    disk.rename(from, to).map_err(|source| io_error("rename", from.into(), source))?;
    let root = Path::new("");
    disk.sync_directory(root).map_err(|source| io_error("sync", root.into(), source))
}

fn aside_number(name: &Path) -> Option<u64> {
    name.to_str()?.strip_prefix("log.damaged-")?.parse().ok()
}
