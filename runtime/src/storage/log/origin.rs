//! What the log keeps for itself: that it replaces another one.
//!
//! A cell like those of the machines, under a name that no machine has, so that it is moved and found again as they are.

use std::collections::BTreeMap;
use std::io;

use bytes::Bytes;
use synod_protocols::StoreId;

use crate::address::MachineId;
use crate::storage::log::engine::Engine;
use crate::storage::log::index::Index;
use crate::storage::log::record::Kind;
use crate::storage::log::slot::Slot;

/// The log itself, as the owner of records.
pub(super) const OWN: MachineId = MachineId(0);
/// The cell that names the log in whose place this one is; zero when that name could not be read.
const REPLACED: u64 = 0;

/// Appends the origin of a log that replaces another one.
pub(super) fn write_origin(engine: &mut Engine, replaced: StoreId) -> io::Result<()> {
    engine.append(Kind::Cell, OWN, REPLACED, &replaced.0.to_le_bytes())
}

/// The log in whose place this one is, if it is in the place of one.
pub(super) fn origin(index: &Index, bodies: &BTreeMap<Slot, Bytes>) -> Option<StoreId> {
    let slot = index.machine(OWN)?.cells.get(REPLACED)?;
    let name = bodies.get(&slot)?.first_chunk()?;
    Some(StoreId(u64::from_le_bytes(*name)))
}
