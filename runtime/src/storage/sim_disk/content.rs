//! The bytes of one simulated file: what is durable, what is visible, and the changes between the two.

use synod_protocols::prng::Prng;

use crate::storage::sim_disk::faults::DiskFaults;

/// What a disk writes whole or not at all, in bytes.
const SECTOR: u64 = 512;

#[derive(Clone, Debug)]
enum Change {
    Write { offset: u64, bytes: Vec<u8> },
    Length(u64),
}

/// A file's content.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    durable: Vec<u8>,
    visible: Vec<u8>,
    unsynced: Vec<Change>,
}

impl Content {
    pub(super) fn length(&self) -> u64 {
        self.visible.len() as u64
    }

    pub(super) fn read(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let Some(rest) = self.visible.get(offset as usize..) else { return 0 };
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        length
    }

    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        put(&mut self.visible, offset, bytes);
        self.unsynced.push(Change::Write { offset, bytes: bytes.to_vec() });
    }

    pub(super) fn set_length(&mut self, length: u64) {
        self.visible.resize(length as usize, 0);
        self.unsynced.push(Change::Length(length));
    }

    pub(super) fn flip(&mut self, offset: u64, mask: u8) -> bool {
        let mut found = false;
        for bytes in [&mut self.durable, &mut self.visible] {
            if let Some(byte) = bytes.get_mut(offset as usize) {
                *byte ^= mask;
                found = true;
            }
        }
        found
    }

    pub(super) fn sync(&mut self) {
        for change in std::mem::take(&mut self.unsynced) {
            apply(&mut self.durable, &change);
        }
    }

    /// A sync that failed: the changes stay visible and are never written (fsyncgate).
    pub(super) fn fail_sync(&mut self) {
        self.unsynced.clear();
    }

    pub(super) fn crash(&mut self, prng: &mut Prng, faults: &mut DiskFaults) {
        for change in std::mem::take(&mut self.unsynced) {
            match (prng.below(3), change) {
                (0, Change::Write { .. }) => faults.writes_lost += 1,
                (1, Change::Write { offset, bytes }) => {
                    faults.writes_torn += 1;
                    self.tear(prng, offset, &bytes);
                }
                (0, Change::Length(_)) => {}
                (_, change) => apply(&mut self.durable, &change),
            }
        }
        self.visible.clone_from(&self.durable);
    }

    fn tear(&mut self, prng: &mut Prng, offset: u64, bytes: &[u8]) {
        let mut start = 0;
        while start < bytes.len() {
            let at = offset + start as u64;
            let end = bytes.len().min(start + (SECTOR - at % SECTOR) as usize);
            if prng.chance(0.5) {
                put(&mut self.durable, at, &bytes[start..end]);
            }
            start = end;
        }
    }
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { offset, bytes: written } => put(bytes, *offset, written),
        Change::Length(length) => bytes.resize(*length as usize, 0),
    }
}

fn put(bytes: &mut Vec<u8>, offset: u64, written: &[u8]) {
    let end = offset as usize + written.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset as usize..end].copy_from_slice(written);
}
