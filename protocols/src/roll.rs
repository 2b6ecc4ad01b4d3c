//! A short table in the order of its keys, in one piece of memory and with no room to spare.
//!
//! For tables of a handful of members, of which a node with thousands of groups holds thousands: a tree takes room for eleven
//! of each. Not for long tables: a row is found by halves, but comes and goes by moving all that follow.

use std::iter::Map;
use std::slice;

/// Values by key, ascending.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Roll<K, V> {
    rows: Vec<(K, V)>,
}

impl<K, V> Default for Roll<K, V> {
    fn default() -> Self {
        Self { rows: Vec::new() }
    }
}

impl<K: Ord, V> Roll<K, V> {
    /// Puts a value under a key; gives the one before.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.find(&key) {
            Ok(at) => Some(std::mem::replace(&mut self.rows[at].1, value)),
            Err(at) => {
                self.rows.reserve_exact(1);
                self.rows.insert(at, (key, value));
                None
            }
        }
    }

    /// The value under a key, to be changed; one that `absent` gives if there is none.
    pub fn entry(&mut self, key: K, absent: impl FnOnce() -> V) -> &mut V {
        let at = match self.find(&key) {
            Ok(at) => at,
            Err(at) => {
                self.rows.reserve_exact(1);
                self.rows.insert(at, (key, absent()));
                at
            }
        };
        &mut self.rows[at].1
    }

    /// Takes the value under a key out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.find(key).ok()?;
        Some(self.rows.remove(at).1)
    }

    /// Keeps the rows of which `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        self.rows.retain_mut(|(key, value)| keep(key, value));
    }

    /// The value under a key.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        self.find(key).ok().map(|at| &self.rows[at].1)
    }

    /// The value under a key, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.find(key).ok().map(|at| &mut self.rows[at].1)
    }

    /// Whether there is a value under a key.
    #[must_use]
    pub fn contains_key(&self, key: &K) -> bool {
        self.find(key).is_ok()
    }

    fn find(&self, key: &K) -> Result<usize, usize> {
        self.rows.binary_search_by(|(at, _)| at.cmp(key))
    }
}

impl<K, V> Roll<K, V> {
    /// All rows.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&K, &V)> + Clone {
        self.rows.iter().map(|(key, value)| (key, value))
    }

    /// All rows, their values to be changed.
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (&K, &mut V)> {
        self.rows.iter_mut().map(|(key, value)| (&*key, value))
    }

    /// All keys.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &K> + Clone {
        self.rows.iter().map(|(key, _)| key)
    }

    /// All values.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &V> + Clone {
        self.rows.iter().map(|(_, value)| value)
    }

    /// How many rows there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// A later row takes the place of an earlier one with its key.
impl<K: Ord, V> FromIterator<(K, V)> for Roll<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(rows: I) -> Self {
        let mut roll = Self::default();
        roll.extend(rows);
        roll
    }
}

impl<K: Ord, V> Extend<(K, V)> for Roll<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, rows: I) {
        for (key, value) in rows {
            self.insert(key, value);
        }
    }
}

impl<'a, K, V> IntoIterator for &'a Roll<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Map<slice::Iter<'a, (K, V)>, fn(&'a (K, V)) -> Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.iter().map(|(key, value)| (key, value))
    }
}

impl<'a, K, V> IntoIterator for &'a mut Roll<K, V> {
    type Item = (&'a K, &'a mut V);
    type IntoIter = Map<slice::IterMut<'a, (K, V)>, fn(&'a mut (K, V)) -> Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.iter_mut().map(|(key, value)| (&*key, value))
    }
}

impl<K, V> IntoIterator for Roll<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::prng::Prng;

    #[test]
    fn it_is_a_map_without_room_to_spare() {
        for seed in 0..100 {
            let mut prng = Prng::new(seed);
            let (mut roll, mut model) = (Roll::default(), BTreeMap::new());
            for step in 0..100 {
                let key = prng.below(9);
                match prng.below(4) {
                    0 => assert_eq!(roll.remove(&key), model.remove(&key)),
                    1 if step % 10 == 0 => {
                        roll.retain(|key, _| key % 3 > 0);
                        model.retain(|key, _| key % 3 > 0);
                    }
                    2 => {
                        let value = *model.entry(key).or_insert(step);
                        assert_eq!(*roll.entry(key, || step), value);
                    }
                    _ => {
                        let grew = !roll.contains_key(&key);
                        let capacity = roll.rows.capacity();
                        assert_eq!(roll.insert(key, step), model.insert(key, step));
                        assert!(!grew || roll.rows.capacity() <= capacity.max(roll.len()), "seed {seed}");
                    }
                }
                assert!(roll.iter().eq(model.iter()), "seed {seed}: {roll:?}, {model:?}");
                assert_eq!((roll.get(&key), roll.len()), (model.get(&key), model.len()));
            }
            assert_eq!(roll, model.into_iter().rev().collect(), "in whatever order the rows come");
        }
    }
}
