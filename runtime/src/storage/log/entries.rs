//! Where the entries of one machine are: sixteen bytes for each, in runs of consecutive indices.
//!
//! Nearly always one run. There are more of them only while a log is read whose first entries were moved behind later ones.

use std::collections::{BTreeMap, VecDeque};

use crate::storage::log::slot::Slot;

/// A slot as it is kept: a segment is shorter than 4 GiB.
#[derive(Clone, Copy, Debug)]
struct Packed {
    segment: u64,
    offset: u32,
    length: u32,
}

/// The slots of entries by index.
#[derive(Clone, Debug, Default)]
pub(super) struct Entries {
    /// By the first index of each run; no run is empty, and none follows another one without a gap.
    runs: BTreeMap<u64, VecDeque<Packed>>,
}

impl Entries {
    /// Puts an entry in its place; gives what was there.
    pub(super) fn insert(&mut self, index: u64, slot: Slot) -> Option<Slot> {
        let packed = Packed::of(slot);
        let before = self.runs.range_mut(..=index).next_back();
        if let Some((&first, run)) = before.filter(|(first, run)| index - **first <= run.len() as u64) {
            if let Some(place) = run.get_mut((index - first) as usize) {
                return Some(std::mem::replace(place, packed).slot());
            }
            run.push_back(packed);
            self.join(first, index.saturating_add(1));
            return None;
        }
        let mut run = index.checked_add(1).and_then(|next| self.runs.remove(&next)).unwrap_or_default();
        run.push_front(packed);
        self.runs.insert(index, run);
        None
    }

    /// Takes the entries from `from` on out.
    pub(super) fn take_from(&mut self, from: u64) -> Vec<Slot> {
        let mut taken = Vec::new();
        if self.last().is_none_or(|last| last < from) {
            return taken;
        }
        if let Some((&first, run)) = self.runs.range_mut(..from).next_back() {
            let kept = (from - first).min(run.len() as u64) as usize;
            taken.extend(run.drain(kept..).map(Packed::slot));
        }
        for run in self.runs.split_off(&from).into_values() {
            taken.extend(run.into_iter().map(Packed::slot));
        }
        taken
    }

    /// Takes the entries up to `upto` out.
    pub(super) fn take_upto(&mut self, upto: u64) -> Vec<Slot> {
        let mut taken = Vec::new();
        while let Some(mut run) = self.runs.first_entry().filter(|run| *run.key() <= upto) {
            let first = *run.key();
            let count = (upto - first).saturating_add(1).min(run.get().len() as u64);
            taken.extend(run.get_mut().drain(..count as usize).map(Packed::slot));
            let left = run.remove();
            if !left.is_empty() {
                self.runs.insert(first + count, left);
                break;
            }
        }
        taken
    }

    /// Where an entry is.
    pub(super) fn get(&self, index: u64) -> Option<Slot> {
        let (first, run) = self.runs.range(..=index).next_back()?;
        run.get(usize::try_from(index - first).ok()?).map(|packed| packed.slot())
    }

    /// The first index.
    pub(super) fn first(&self) -> Option<u64> {
        self.runs.first_key_value().map(|(&first, _)| first)
    }

    /// The last index.
    pub(super) fn last(&self) -> Option<u64> {
        self.runs.last_key_value().map(|(&first, run)| first + run.len() as u64 - 1)
    }

    /// The last index of the first run.
    pub(super) fn last_without_gap(&self) -> Option<u64> {
        self.runs.first_key_value().map(|(&first, run)| first + run.len() as u64 - 1)
    }

    /// All entries in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, Slot)> {
        self.runs.iter().flat_map(|(&first, run)| (first..).zip(run.iter().map(|packed| packed.slot())))
    }

    /// The entries `from..=to`, in order, up to the first gap.
    pub(super) fn range(&self, from: u64, to: u64) -> impl Iterator<Item = (u64, Slot)> {
        let run = self.runs.range(..=from).next_back();
        let found = run.into_iter().flat_map(move |(&first, run)| {
            let start = usize::try_from(from - first).unwrap_or(usize::MAX).min(run.len());
            (from..).zip(run.range(start..).map(|packed| packed.slot()))
        });
        found.take_while(move |(index, _)| *index <= to)
    }

    /// Joins the run that begins at `next`, if there is one, to the one that begins at `first`.
    fn join(&mut self, first: u64, next: u64) {
        if let Some(mut later) = self.runs.remove(&next)
            && let Some(run) = self.runs.get_mut(&first)
        {
            run.append(&mut later);
        }
    }
}

impl Packed {
    fn of(slot: Slot) -> Self {
        let offset = u32::try_from(slot.offset).expect("a segment is shorter than 4 GiB");
        Self { segment: slot.segment, offset, length: slot.length }
    }

    fn slot(self) -> Slot {
        Slot { segment: self.segment, offset: u64::from(self.offset), length: self.length }
    }
}

#[cfg(test)]
mod tests {
    use synod_protocols::prng::Prng;

    use super::*;

    fn sorted(slots: impl IntoIterator<Item = Slot>) -> Vec<Slot> {
        let mut slots: Vec<Slot> = slots.into_iter().collect();
        slots.sort_unstable();
        slots
    }

    #[test]
    fn it_is_a_map() {
        assert_eq!(size_of::<Packed>(), 16);
        for seed in 0..200 {
            let mut prng = Prng::new(seed);
            let (mut entries, mut model) = (Entries::default(), BTreeMap::new());
            for step in 0..200 {
                let index = prng.between(1, 30);
                let slot = Slot { segment: seed, offset: step * 8 + 64, length: 5 };
                match prng.below(12) {
                    0 => {
                        let gone = model.split_off(&index);
                        assert_eq!(sorted(entries.take_from(index)), sorted(gone.into_values()));
                    }
                    1 => {
                        let kept = model.split_off(&(index + 1));
                        let gone = std::mem::replace(&mut model, kept);
                        assert_eq!(sorted(entries.take_upto(index)), sorted(gone.into_values()));
                    }
                    _ => assert_eq!(entries.insert(index, slot), model.insert(index, slot)),
                }
                assert!(entries.iter().eq(model.iter().map(|(&index, &slot)| (index, slot))));
                assert_eq!(entries.first(), model.first_key_value().map(|(&index, _)| index));
                assert_eq!(entries.last(), model.last_key_value().map(|(&index, _)| index));
                assert_eq!(entries.get(index), model.get(&index).copied());
                let (from, to) = (prng.between(0, 31), prng.between(0, 31));
                let expected = (from..=to).map_while(|index| Some((index, *model.get(&index)?)));
                assert!(entries.range(from, to).eq(expected), "seed {seed}, {from}..={to}");
                assert!(entries.runs.iter().all(|(first, run)| {
                    !run.is_empty() && !entries.runs.contains_key(&(first + run.len() as u64))
                }));
            }
        }
    }
}
