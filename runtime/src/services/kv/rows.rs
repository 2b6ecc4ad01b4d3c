//! The ordered rows of the map in shared pieces, so that a snapshot freezes them without copying rows.
//!
//! A sorted vector of sorted chunks of at most 256 rows. A key is looked for by a print of it, for which the prints of one chunk are
//! read through, and its place in the order by how keys begin; so one access to memory that nobody has touched for long finds a row,
//! and one more reads it. Freezing clones one pointer per chunk (n/256 for n rows: 40 µs for a
//! million rows); the first write to a chunk after that copies this chunk alone. A plain `BTreeMap` behind an `Arc` would be
//! frozen faster, and pay for it with a copy of all rows at the next write. Not a general map: keys are text, rows know theirs.

use std::sync::Arc;

use crate::services::kv::row::Row;

const CHUNK_ROWS: usize = 256;
/// A chunk below this joins its neighbour if both fit in one chunk, so that deletions do not leave a crowd of small chunks.
const SMALL_ROWS: usize = CHUNK_ROWS / 4;
/// So many prints are compared at a time.
const LANES: usize = 32;

/// How a key begins: its first sixteen bytes as a number, zeros behind a shorter one. Most keys are told apart by it, without a look
/// at where their text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Head(u128);

/// What two keys rarely have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Print(u16);

/// A key that is looked for.
#[derive(Clone, Copy)]
struct Sought<'a> {
    head: Head,
    print: Print,
    key: &'a [u8],
}

/// Rows in order, shared with frozen maps until they change.
#[derive(Clone, Debug, Default)]
struct Piece {
    /// The print of each row's key.
    prints: Vec<Print>,
    /// The head of each row's key.
    heads: Vec<Head>,
    rows: Vec<Row>,
}

/// A piece that is not empty, and where it begins.
#[derive(Clone, Debug)]
struct Chunk {
    head: Head,
    first: Arc<[u8]>,
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
        let sought = Sought::of(row.key_bytes());
        let at = self.chunk_of(sought);
        let Some(chunk) = self.chunks.get_mut(at) else {
            let mut piece = Piece::default();
            piece.insert(row);
            self.chunks.push(Chunk::of(piece));
            self.length = 1;
            return None;
        };
        let found = chunk.piece.find(sought);
        let piece = Arc::make_mut(&mut chunk.piece);
        if let Some(slot) = found {
            return Some(std::mem::replace(&mut piece.rows[slot], row));
        }
        piece.insert(row);
        self.length += 1;
        let upper = (piece.rows.len() > CHUNK_ROWS).then(|| piece.split());
        chunk.begin();
        if let Some(upper) = upper {
            self.chunks.insert(at + 1, Chunk::of(upper));
        }
        None
    }

    /// Takes a row out.
    pub(crate) fn remove(&mut self, key: &str) -> Option<Row> {
        let (at, slot) = self.place(key)?;
        let chunk = &mut self.chunks[at];
        let piece = Arc::make_mut(&mut chunk.piece);
        let row = piece.remove(slot);
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

    /// The rows from `key` on, in order.
    pub(crate) fn from(&self, key: &str) -> impl Iterator<Item = &Row> {
        let sought = Sought::of(key.as_bytes());
        let at = self.chunk_of(sought);
        let first = self.chunks.get(at).map_or(0, |chunk| chunk.piece.slot(sought));
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
        let sought = Sought::of(key.as_bytes());
        let at = self.chunk_of(sought);
        let slot = self.chunks.get(at)?.piece.find(sought)?;
        Some((at, slot))
    }

    /// The chunk that holds a key or would hold it; 0 when there is none.
    fn chunk_of(&self, sought: Sought<'_>) -> usize {
        let begins = |chunk: &Chunk| (chunk.head, &*chunk.first) <= (sought.head, sought.key);
        self.chunks.partition_point(begins).saturating_sub(1)
    }

    fn join(&mut self, at: usize) {
        let left = if at + 1 < self.chunks.len() { at } else { at.saturating_sub(1) };
        let Some(right) = self.chunks.get(left + 1) else { return };
        if self.chunks[left].piece.rows.len() + right.piece.rows.len() > CHUNK_ROWS / 2 {
            return;
        }
        let right = self.chunks.remove(left + 1);
        Arc::make_mut(&mut self.chunks[left].piece).append(&right.piece);
    }
}

impl Head {
    fn of(key: &[u8]) -> Self {
        let mut bytes = [0; 16];
        let length = key.len().min(bytes.len());
        bytes[..length].copy_from_slice(&key[..length]);
        Self(u128::from_be_bytes(bytes))
    }
}

impl Print {
    fn of(key: &[u8]) -> Self {
        // Half of the bits say as much as a half can.
        Self(crc32c::crc32c(key) as u16)
    }
}

impl<'a> Sought<'a> {
    fn of(key: &'a [u8]) -> Self {
        Self { head: Head::of(key), print: Print::of(key), key }
    }
}

impl Piece {
    /// Puts in a row whose key is absent.
    fn insert(&mut self, row: Row) {
        let sought = Sought::of(row.key_bytes());
        let (slot, Sought { head, print, .. }) = (self.slot(sought), sought);
        self.prints.insert(slot, print);
        self.heads.insert(slot, head);
        self.rows.insert(slot, row);
    }

    fn remove(&mut self, slot: usize) -> Row {
        self.prints.remove(slot);
        self.heads.remove(slot);
        self.rows.remove(slot)
    }

    /// Gives the upper half away.
    fn split(&mut self) -> Self {
        let half = self.rows.len() / 2;
        Self {
            prints: self.prints.split_off(half),
            heads: self.heads.split_off(half),
            rows: self.rows.split_off(half),
        }
    }

    /// Takes up the rows of a piece that comes behind this one.
    fn append(&mut self, upper: &Self) {
        self.prints.extend(&upper.prints);
        self.heads.extend(&upper.heads);
        self.rows.extend(upper.rows.iter().cloned());
    }

    /// Where a key is.
    fn find(&self, sought: Sought<'_>) -> Option<usize> {
        let alike = |print: &Print| *print == sought.print;
        for (group, prints) in self.prints.chunks(LANES).enumerate() {
            // Without a branch for each, so that they are compared side by side.
            if !prints.iter().fold(false, |any, print| any | alike(print)) {
                continue;
            }
            for (lane, _) in prints.iter().enumerate().filter(|(_, print)| alike(print)) {
                let slot = group * LANES + lane;
                if self.rows[slot].key_bytes() == sought.key {
                    return Some(slot);
                }
            }
        }
        None
    }

    /// Where a key is in the order, or would be.
    fn slot(&self, sought: Sought<'_>) -> usize {
        let from = self.heads.partition_point(|present| *present < sought.head);
        let alike = self.heads[from..].partition_point(|present| *present == sought.head);
        from + self.rows[from..from + alike].partition_point(|present| present.key_bytes() < sought.key)
    }
}

impl Chunk {
    fn of(piece: Piece) -> Self {
        Self { head: piece.heads[0], first: piece.rows[0].key_bytes().into(), piece: Arc::new(piece) }
    }

    /// Notes where the piece begins: its first row may have another key.
    fn begin(&mut self) {
        let first = self.piece.rows[0].key_bytes();
        if *self.first != *first {
            (self.head, self.first) = (self.piece.heads[0], first.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use synod_protocols::LogIndex;
    use synod_protocols::prng::Prng;

    use super::*;
    use crate::services::kv::row::Press;

    fn row(key: &str, index: u64) -> Row {
        Press::default().row(key, b"", LogIndex(index), None)
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
                let before = rows.insert(row(&key, step)).map(|row| row.index().0);
                assert_eq!(before, model.insert(key.clone(), step));
            } else {
                assert_eq!(rows.remove(&key).map(|row| row.index().0), model.remove(&key));
            }
            assert_eq!(rows.len(), model.len());
            assert_eq!(rows.find(&key).map(|row| row.index().0), model.get(&key).copied());
            if step % 5_000 == 0 {
                frozen.push((rows.clone(), model.clone()));
            }
        }
        frozen.push((rows, model));
        for (rows, model) in frozen {
            let found: Vec<_> = rows.iter().map(|row| (row.key().to_owned(), row.index().0)).collect();
            assert_eq!(found, model.clone().into_iter().collect::<Vec<_>>());
            for start in ["", "a rather long beginning 15", "k0", "k0050\0", "k1500", "k15005", "k2999", "z"]
            {
                let expected: Vec<_> = model.range(start.to_owned()..).map(|(key, _)| key.clone()).collect();
                let found: Vec<_> = rows.from(start).map(|row| row.key().to_owned()).collect();
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
