//! The ordered rows of the map in shared pieces, so that a snapshot freezes them without copying rows.
//!
//! A sorted vector of sorted chunks of at most 256 rows, searched by how keys begin. Freezing clones one pointer per chunk (n/256 for n rows: 40 µs for a
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

/// How a key begins: its first sixteen bytes as a number, zeros behind a shorter one. Most keys are told apart by it, without a look
/// at where their text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Head(u128);

/// Rows in order, shared with frozen maps until they change.
#[derive(Clone, Debug, Default)]
struct Piece {
    /// The head of each row.
    heads: Vec<Head>,
    rows: Vec<Row>,
}

/// A piece that is not empty, and where it begins.
#[derive(Clone, Debug)]
struct Chunk {
    head: Head,
    first: Arc<str>,
    piece: Arc<Piece>,
}

/// All rows in order of their keys. A clone shares the rows and changes apart.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    chunks: Vec<Chunk>,
    length: usize,
}

impl Rows {
    /// Puts a row in its place; gives the row it replaces.
    pub(crate) fn insert(&mut self, row: Row) -> Option<Row> {
        let head = Head::of(&row.key);
        let at = self.chunk_of(head, &row.key);
        let Some(chunk) = self.chunks.get_mut(at) else {
            self.chunks.push(Chunk::of(Piece { heads: vec![head], rows: vec![row] }));
            self.length = 1;
            return None;
        };
        let piece = Arc::make_mut(&mut chunk.piece);
        match piece.slot(head, &row.key) {
            Ok(slot) => return Some(std::mem::replace(&mut piece.rows[slot], row)),
            Err(slot) => {
                piece.heads.insert(slot, head);
                piece.rows.insert(slot, row);
            }
        }
        self.length += 1;
        if piece.rows.len() > CHUNK_ROWS {
            let half = piece.rows.len() / 2;
            let upper = Piece { heads: piece.heads.split_off(half), rows: piece.rows.split_off(half) };
            chunk.begin();
            self.chunks.insert(at + 1, Chunk::of(upper));
        } else {
            chunk.begin();
        }
        None
    }

    /// Takes a row out.
    pub(crate) fn remove(&mut self, key: &str) -> Option<Row> {
        let (at, slot) = self.place(key)?;
        let chunk = &mut self.chunks[at];
        let piece = Arc::make_mut(&mut chunk.piece);
        piece.heads.remove(slot);
        let row = piece.rows.remove(slot);
        self.length -= 1;
        match piece.rows.len() {
            0 => drop(self.chunks.remove(at)),
            1..SMALL_ROWS => {
                chunk.begin();
                self.join(at);
            }
            SMALL_ROWS.. => chunk.begin(),
        }
        Some(row)
    }

    /// The row of a key.
    pub(crate) fn find(&self, key: &str) -> Option<&Row> {
        let (at, slot) = self.place(key)?;
        Some(&self.chunks[at].piece.rows[slot])
    }

    /// The row of a key, to be given another value; its key has to stay.
    pub(crate) fn find_mut(&mut self, key: &str) -> Option<&mut Row> {
        let (at, slot) = self.place(key)?;
        Some(&mut Arc::make_mut(&mut self.chunks[at].piece).rows[slot])
    }

    /// The rows from `key` on, in order.
    pub(crate) fn from(&self, key: &str) -> impl Iterator<Item = &Row> {
        let head = Head::of(key);
        let at = self.chunk_of(head, key);
        let slot = |chunk: &Chunk| chunk.piece.slot(head, key).unwrap_or_else(|slot| slot);
        let first = self.chunks.get(at).map_or(0, slot);
        self.chunks[at..].iter().flat_map(|chunk| chunk.piece.rows.iter()).skip(first)
    }

    /// All rows in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Row> {
        self.chunks.iter().flat_map(|chunk| chunk.piece.rows.iter())
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// The chunk and the slot of a key.
    fn place(&self, key: &str) -> Option<(usize, usize)> {
        let head = Head::of(key);
        let at = self.chunk_of(head, key);
        let slot = self.chunks.get(at)?.piece.slot(head, key).ok()?;
        Some((at, slot))
    }

    /// The chunk that holds `key` or would hold it; 0 when there is none.
    fn chunk_of(&self, head: Head, key: &str) -> usize {
        let begins = |chunk: &Chunk| (chunk.head, &*chunk.first) <= (head, key);
        self.chunks.partition_point(begins).saturating_sub(1)
    }

    fn join(&mut self, at: usize) {
        let left = if at + 1 < self.chunks.len() { at } else { at.saturating_sub(1) };
        let Some(right) = self.chunks.get(left + 1) else { return };
        if self.chunks[left].piece.rows.len() + right.piece.rows.len() > CHUNK_ROWS / 2 {
            return;
        }
        let right = self.chunks.remove(left + 1);
        let piece = Arc::make_mut(&mut self.chunks[left].piece);
        piece.heads.extend(&right.piece.heads);
        piece.rows.extend(right.piece.rows.iter().cloned());
    }
}

impl Head {
    fn of(key: &str) -> Self {
        let mut bytes = [0; 16];
        let length = key.len().min(bytes.len());
        bytes[..length].copy_from_slice(&key.as_bytes()[..length]);
        Self(u128::from_be_bytes(bytes))
    }
}

impl Piece {
    /// Where a key is, or where it would be.
    fn slot(&self, head: Head, key: &str) -> Result<usize, usize> {
        let from = self.heads.partition_point(|present| *present < head);
        let alike = self.heads[from..].partition_point(|present| *present == head);
        let found = self.rows[from..from + alike].binary_search_by(|present| (*present.key).cmp(key));
        found.map(|slot| from + slot).map_err(|slot| from + slot)
    }
}

impl Chunk {
    fn of(piece: Piece) -> Self {
        Self { head: piece.heads[0], first: Arc::clone(&piece.rows[0].key), piece: Arc::new(piece) }
    }

    /// Notes where the piece begins: its first row may be another one.
    fn begin(&mut self) {
        let first = &self.piece.rows[0];
        if !Arc::ptr_eq(&self.first, &first.key) {
            (self.head, self.first) = (self.piece.heads[0], Arc::clone(&first.key));
        }
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
            // Some keys are alike in their first sixteen bytes, and some differ in nothing but zeros behind.
            let number = prng.below(3_000);
            let key = match number % 3 {
                0 => format!("k{number:04}"),
                1 => format!("a rather long beginning {number:04}"),
                _ => format!("k{:04}{}", number / 30, "\0".repeat((number % 30) as usize)),
            };
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
            for start in ["", "a rather long beginning 15", "k0", "k0050\0", "k1500", "k15005", "k2999", "z"]
            {
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
        let shared =
            rows.chunks.iter().zip(&frozen.chunks).filter(|(a, b)| Arc::ptr_eq(&a.piece, &b.piece)).count();
        assert_eq!(shared, rows.chunks.len() - 1);
    }
}
