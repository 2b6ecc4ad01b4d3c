//! The ordered rows of the map in shared pieces, so that a snapshot freezes them without copying rows.
//!
//! A sorted vector of sorted chunks of at most 256 rows. Freezing clones one pointer per chunk (n/256 for n rows: 40 µs for a
//! million rows); the first write to a chunk after that copies this chunk alone. A plain `BTreeMap` behind an `Arc` would be
//! frozen faster, and pay for it with a copy of all rows at the next write. Not a general map: keys are text, rows know theirs.

use std::sync::Arc;

use bytes::Bytes;
use synod_protocols::LogIndex;

use crate::services::kv::model::LeaseId;

const CHUNK_ROWS: usize = 256;
/// A chunk below this joins its neighbour if both fit in one chunk, so that deletions do not leave a crowd of small chunks.
const SMALL_ROWS: usize = CHUNK_ROWS / 4;

/// One key and what it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) key: Arc<str>,
    pub(crate) value: Bytes,
    pub(crate) index: LogIndex,
    pub(crate) lease: Option<LeaseId>,
}

/// All rows in order of their keys. A clone shares the rows and changes apart.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    /// No chunk is empty.
    chunks: Vec<Arc<Vec<Row>>>,
    length: usize,
}

impl Rows {
    /// Puts a row in its place; gives the row it replaces.
    pub(crate) fn insert(&mut self, row: Row) -> Option<Row> {
        if self.chunks.is_empty() {
            self.chunks.push(Arc::new(vec![row]));
            self.length = 1;
            return None;
        }
        let at = self.chunk_of(&row.key);
        let chunk = Arc::make_mut(&mut self.chunks[at]);
        match chunk.binary_search_by(|present| (*present.key).cmp(&row.key)) {
            Ok(slot) => return Some(std::mem::replace(&mut chunk[slot], row)),
            Err(slot) => chunk.insert(slot, row),
        }
        self.length += 1;
        if chunk.len() > CHUNK_ROWS {
            let upper = chunk.split_off(chunk.len() / 2);
            self.chunks.insert(at + 1, Arc::new(upper));
        }
        None
    }

    /// Takes a row out.
    pub(crate) fn remove(&mut self, key: &str) -> Option<Row> {
        if self.chunks.is_empty() {
            return None;
        }
        let at = self.chunk_of(key);
        let slot = self.chunks[at].binary_search_by(|present| (*present.key).cmp(key)).ok()?;
        let chunk = Arc::make_mut(&mut self.chunks[at]);
        let row = chunk.remove(slot);
        self.length -= 1;
        if chunk.is_empty() {
            self.chunks.remove(at);
        } else if chunk.len() < SMALL_ROWS {
            self.join(at);
        }
        Some(row)
    }

    /// The row of a key.
    pub(crate) fn find(&self, key: &str) -> Option<&Row> {
        let chunk = self.chunks.get(self.chunk_of(key))?;
        let slot = chunk.binary_search_by(|present| (*present.key).cmp(key)).ok()?;
        Some(&chunk[slot])
    }

    /// The rows from `key` on, in order.
    pub(crate) fn from(&self, key: &str) -> impl Iterator<Item = &Row> {
        let at = self.chunk_of(key);
        let first = self.chunks.get(at).map_or(0, |chunk| chunk.partition_point(|row| &*row.key < key));
        self.chunks[at..].iter().flat_map(|chunk| chunk.iter()).skip(first)
    }

    /// All rows in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Row> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// The chunk that holds `key` or would hold it; 0 when there is none.
    fn chunk_of(&self, key: &str) -> usize {
        self.chunks.partition_point(|chunk| &*chunk[0].key <= key).saturating_sub(1)
    }

    fn join(&mut self, at: usize) {
        let left = if at + 1 < self.chunks.len() { at } else { at.saturating_sub(1) };
        let Some(right) = self.chunks.get(left + 1) else { return };
        if self.chunks[left].len() + right.len() > CHUNK_ROWS / 2 {
            return;
        }
        let right = self.chunks.remove(left + 1);
        Arc::make_mut(&mut self.chunks[left]).extend(right.iter().cloned());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use synod_protocols::prng::Prng;

    use super::*;

    fn row(key: &str, index: u64) -> Row {
        Row { key: key.into(), value: Bytes::new(), index: LogIndex(index), lease: None }
    }

    #[test]
    fn rows_behave_like_an_ordered_map_and_a_clone_stays_as_it_was() {
        let mut rows = Rows::default();
        let mut model = BTreeMap::new();
        let mut frozen = Vec::new();
        let mut prng = Prng::new(7);
        for step in 0..20_000u64 {
            let key = format!("k{:04}", prng.below(3_000));
            // The first half grows the map, the second shrinks it.
            if prng.chance(if step < 10_000 { 0.8 } else { 0.2 }) {
                let before = rows.insert(row(&key, step)).map(|row| row.index.0);
                assert_eq!(before, model.insert(key, step));
            } else {
                assert_eq!(rows.remove(&key).map(|row| row.index.0), model.remove(&key));
            }
            assert_eq!(rows.len(), model.len());
            if step % 5_000 == 0 {
                frozen.push((rows.clone(), model.clone()));
            }
        }
        frozen.push((rows, model));
        for (rows, model) in frozen {
            let found: Vec<_> = rows.iter().map(|row| (row.key.to_string(), row.index.0)).collect();
            assert_eq!(found, model.clone().into_iter().collect::<Vec<_>>());
            for start in ["", "k0", "k1500", "k15005", "k2999", "z"] {
                let expected: Vec<_> = model.range(start.to_owned()..).map(|(key, _)| key.clone()).collect();
                let found: Vec<_> = rows.from(start).map(|row| row.key.to_string()).collect();
                assert_eq!(found, expected, "from {start:?}");
            }
        }
    }

    #[test]
    fn freezing_shares_every_chunk_and_a_write_copies_one() {
        let mut rows = Rows::default();
        for index in 0..10_000 {
            rows.insert(row(&format!("k{index:05}"), index));
        }
        let frozen = rows.clone();
        rows.insert(row("k05000", 1));
        let shared = rows.chunks.iter().zip(&frozen.chunks).filter(|(a, b)| Arc::ptr_eq(a, b)).count();
        assert_eq!(shared, rows.chunks.len() - 1);
    }
}
