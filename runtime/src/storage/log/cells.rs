//! Where the cells of one machine are: few of them, by key, in one piece of memory.
//!
//! A tree would take ten times the room, and there are as many of these as machines.

use crate::storage::log::slot::Slot;

/// Slots by key.
#[derive(Clone, Debug, Default)]
pub(super) struct Cells(Vec<(u64, Slot)>);

impl Cells {
    /// Puts a slot under a key; gives the one before.
    pub(super) fn insert(&mut self, key: u64, slot: Slot) -> Option<Slot> {
        match self.find(key) {
            Ok(at) => Some(std::mem::replace(&mut self.0[at].1, slot)),
            Err(at) => {
                if self.0.len() < 4 {
                    self.0.reserve_exact(1);
                }
                self.0.insert(at, (key, slot));
                None
            }
        }
    }

    /// The slot under a key.
    pub(super) fn get(&self, key: u64) -> Option<Slot> {
        self.find(key).ok().map(|at| self.0[at].1)
    }

    /// Keys and slots, by key.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, Slot)> {
        self.0.iter().copied()
    }

    fn find(&self, key: u64) -> Result<usize, usize> {
        self.0.binary_search_by_key(&key, |&(key, _)| key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_slot_of_a_key_counts_and_keys_are_in_order() {
        let slot = |offset| Slot { segment: 1, offset, length: 8 };
        let mut cells = Cells::default();
        for key in [5, 1, 9, 3, 7, 1] {
            let before = cells.get(key);
            assert_eq!(cells.insert(key, slot(key + 100 * u64::from(before.is_some()))), before);
        }
        let all: Vec<_> = cells.iter().map(|(key, slot)| (key, slot.offset)).collect();
        assert_eq!(all, [(1, 101), (3, 3), (5, 5), (7, 7), (9, 9)]);
        assert_eq!(cells.get(2), None);
    }
}
