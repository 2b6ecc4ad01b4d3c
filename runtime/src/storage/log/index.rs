//! Which records are of use, and where they are.
//!
//! Holds no bodies. The same steps are taken when a record is appended and when it is found again, in the same order.

use std::collections::BTreeMap;

use crate::address::MachineId;
use crate::storage::log::cells::Cells;
use crate::storage::log::entries::Entries;
use crate::storage::log::record::{Kind, Record};
use crate::storage::log::slot::Slot;

/// What is of use of one machine.
#[derive(Clone, Debug, Default)]
pub(super) struct MachineIndex {
    pub(super) cells: Cells,
    pub(super) entries: Entries,
    /// The last entry compacted away, and the record that says so.
    pub(super) compacted: Option<(u64, Slot)>,
}

/// What is of use of all machines.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    machines: BTreeMap<MachineId, MachineIndex>,
    live: BTreeMap<u64, u64>,
}

impl MachineIndex {
    pub(super) fn compacted_upto(&self) -> u64 {
        self.compacted.map_or(0, |(upto, _)| upto)
    }

    /// The index of the last entry, or of the last one compacted away when there is none.
    pub(super) fn last(&self) -> u64 {
        self.entries.last().unwrap_or(self.compacted_upto())
    }

    fn slots(&self) -> impl Iterator<Item = (Kind, u64, Slot)> {
        let cells = self.cells.iter().map(|(key, slot)| (Kind::Cell, key, slot));
        let entries = self.entries.iter().map(|(index, slot)| (Kind::Copy, index, slot));
        let compacted = self.compacted.iter().map(|&(upto, slot)| (Kind::Compact, upto, slot));
        compacted.chain(cells).chain(entries)
    }
}

impl Index {
    /// Takes a record into account; `dropped` hears of every slot that is of no use any more, its own perhaps.
    pub(super) fn apply(&mut self, record: &Record, slot: Slot, dropped: &mut dyn FnMut(Slot)) {
        let place = record.place;
        let mut gone = Vec::new();
        let machine = match record.kind {
            Kind::Mark | Kind::End => return dropped(slot),
            Kind::Forget => {
                gone.push(slot);
                if let Some(machine) = self.machines.remove(&record.machine) {
                    gone.extend(machine.slots().map(|(_, _, slot)| slot));
                }
                return self.forget(gone, slot, dropped);
            }
            Kind::Entry | Kind::Copy | Kind::Cell | Kind::Truncate | Kind::Compact => {
                self.machines.entry(record.machine).or_default()
            }
        };
        match record.kind {
            Kind::Entry => {
                gone.extend(machine.entries.take_from(place));
                machine.entries.insert(place, slot);
            }
            Kind::Copy => gone.extend(machine.entries.insert(place, slot)),
            Kind::Cell => gone.extend(machine.cells.insert(place, slot)),
            Kind::Truncate => {
                gone.push(slot);
                gone.extend(machine.entries.take_from(place));
            }
            Kind::Compact if place < machine.compacted_upto() => gone.push(slot),
            Kind::Compact => {
                gone.extend(machine.entries.take_upto(place));
                gone.extend(machine.compacted.replace((place, slot)).map(|(_, slot)| slot));
            }
            Kind::Forget | Kind::Mark | Kind::End => {}
        }
        self.forget(gone, slot, dropped);
    }

    pub(super) fn machine(&self, machine: MachineId) -> Option<&MachineIndex> {
        self.machines.get(&machine)
    }

    pub(super) fn machines(&self) -> impl Iterator<Item = (MachineId, &MachineIndex)> {
        self.machines.iter().map(|(&id, machine)| (id, machine))
    }

    /// The bytes of records in a segment that are of use.
    pub(super) fn live_in(&self, segment: u64) -> u64 {
        self.live.get(&segment).copied().unwrap_or(0)
    }

    /// The bytes of all records that are of use.
    pub(super) fn live(&self) -> u64 {
        self.live.values().sum()
    }

    /// The records of use in a segment, as what they would be appended again.
    pub(super) fn in_segment(&self, segment: u64) -> Vec<(MachineId, Kind, u64, Slot)> {
        let all = self.machines.iter().flat_map(|(&id, machine)| {
            machine.slots().map(move |(kind, place, slot)| (id, kind, place, slot))
        });
        all.filter(|(_, _, _, slot)| slot.segment == segment).collect()
    }

    /// Whether the record at `slot` is still the one of use for its place.
    pub(super) fn is_live(&self, machine: MachineId, kind: Kind, place: u64, slot: Slot) -> bool {
        let Some(machine) = self.machines.get(&machine) else { return false };
        match kind {
            Kind::Entry | Kind::Copy => machine.entries.get(place) == Some(slot),
            Kind::Cell => machine.cells.get(place) == Some(slot),
            Kind::Compact => machine.compacted == Some((place, slot)),
            Kind::Truncate | Kind::Forget | Kind::Mark | Kind::End => false,
        }
    }

    /// Accounts for a slot that came and for those that went.
    fn forget(&mut self, gone: Vec<Slot>, came: Slot, dropped: &mut dyn FnMut(Slot)) {
        *self.live.entry(came.segment).or_default() += came.size();
        for slot in gone {
            if let Some(live) = self.live.get_mut(&slot.segment) {
                *live -= slot.size();
                if *live == 0 {
                    self.live.remove(&slot.segment);
                }
            }
            dropped(slot);
        }
    }
}
