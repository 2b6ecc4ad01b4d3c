//! Where the entries of one machine are: sixteen bytes for each, in runs of consecutive indices.
//!
//! Nearly always one run. There are more of them only while a log is read whose first entries were moved behind later ones.

use std::collections::VecDeque;

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
    /// In the order of their entries; none is empty, and none follows another one without a gap.
    runs: Vec<Run>,
}

/// The slots of consecutive entries.
#[derive(Clone, Debug)]
struct Run {
    first: u64,
    slots: VecDeque<Packed>,
}

impl Entries {
    /// Puts an entry in its place; gives what was there.
    pub(super) fn insert(&mut self, index: u64, slot: Slot) -> Option<Slot> {
        let packed = Packed::of(slot);
        let at = self.runs.partition_point(|run| run.first <= index);
        let next_to = |run: &Run| index.checked_add(1) == Some(run.first);
        let before = at.checked_sub(1).map(|before| &mut self.runs[before]);
        if let Some(run) = before.filter(|run| index - run.first <= run.slots.len() as u64) {
            if let Some(place) = run.slots.get_mut((index - run.first) as usize) {
                return Some(std::mem::replace(place, packed).slot());
            }
            run.slots.push_back(packed);
            if self.runs.get(at).is_some_and(next_to) {
                let mut later = self.runs.remove(at);
                self.runs[at - 1].slots.append(&mut later.slots);
            }
            return None;
        }
        match self.runs.get_mut(at).filter(|run| next_to(run)) {
            Some(run) => {
                run.first = index;
                run.slots.push_front(packed);
            }
            None => {
                if self.runs.is_empty() {
                    // There are as many of these as machines.
                    self.runs.reserve_exact(1);
                }
                self.runs.insert(at, Run { first: index, slots: VecDeque::from([packed]) });
            }
        }
        None
    }

    /// Takes the entries from `from` on out.
    pub(super) fn take_from(&mut self, from: u64) -> Vec<Slot> {
        let mut taken = Vec::new();
        if self.last().is_none_or(|last| last < from) {
            return taken;
        }
        let at = self.runs.partition_point(|run| run.first < from);
        if let Some(run) = at.checked_sub(1).map(|before| &mut self.runs[before]) {
            let kept = (from - run.first).min(run.slots.len() as u64) as usize;
            taken.extend(run.slots.drain(kept..).map(Packed::slot));
        }
        for run in self.runs.drain(at..) {
            taken.extend(run.slots.into_iter().map(Packed::slot));
        }
        taken
    }

    /// Takes the entries up to `upto` out.
    pub(super) fn take_upto(&mut self, upto: u64) -> Vec<Slot> {
        let mut taken = Vec::new();
        while let Some(run) = self.runs.first_mut().filter(|run| run.first <= upto) {
            let count = (upto - run.first).saturating_add(1).min(run.slots.len() as u64);
            taken.extend(run.slots.drain(..count as usize).map(Packed::slot));
            if !run.slots.is_empty() {
                run.first += count;
                break;
            }
            self.runs.remove(0);
        }
        taken
    }

    /// Where an entry is.
    pub(super) fn get(&self, index: u64) -> Option<Slot> {
        let run = self.run_at(index)?;
        run.slots.get(usize::try_from(index - run.first).ok()?).map(|packed| packed.slot())
    }

    /// The first index.
    pub(super) fn first(&self) -> Option<u64> {
        self.runs.first().map(|run| run.first)
    }

    /// The last index.
    pub(super) fn last(&self) -> Option<u64> {
        self.runs.last().map(Run::last)
    }

    /// The last index of the first run.
    pub(super) fn last_without_gap(&self) -> Option<u64> {
        self.runs.first().map(Run::last)
    }

    /// All entries in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, Slot)> {
        self.runs.iter().flat_map(|run| (run.first..).zip(run.slots.iter().map(|packed| packed.slot())))
    }

    /// The entries `from..=to`, in order, up to the first gap.
    pub(super) fn range(&self, from: u64, to: u64) -> impl Iterator<Item = (u64, Slot)> {
        let found = self.run_at(from).into_iter().flat_map(move |run| {
            let start = usize::try_from(from - run.first).unwrap_or(usize::MAX).min(run.slots.len());
            (from..).zip(run.slots.range(start..).map(|packed| packed.slot()))
        });
        found.take_while(move |(index, _)| *index <= to)
    }

    /// The last run that begins at or before an index.
    fn run_at(&self, index: u64) -> Option<&Run> {
        let after = self.runs.partition_point(|run| run.first <= index);
        self.runs.get(after.checked_sub(1)?)
    }
}

impl Run {
    fn last(&self) -> u64 {
        self.first + self.slots.len() as u64 - 1
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
    use std::collections::BTreeMap;

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
                assert!(entries.runs.iter().all(|run| !run.slots.is_empty()));
                assert!(entries.runs.windows(2).all(|runs| runs[0].last() + 1 < runs[1].first));
            }
        }
    }
}
