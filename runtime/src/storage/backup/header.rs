//! What a backup says of itself before its state.
//!
//! Magic, version `u32`, length `u32`, checksum `u32` (CRC-32C of what follows, seeded with the length), then a named MessagePack
//! map of that length; all numbers little-endian. Fields are added with `#[serde(default)]`, never removed.

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use synod_protocols::log::SnapshotMeta;
use synod_protocols::{LogIndex, LogTime, Term};

use crate::address::MachineId;
use crate::wire::{Form, decode, encode};

/// The newest format this program reads, and the one it writes.
pub(super) const VERSION: u32 = 1;
/// The size of what stands before the map.
pub(super) const PREFIX: usize = 20;

const MAGIC: &[u8; 8] = b"synodbak";
/// Names of a few members and little else.
const LENGTH_MAX: usize = 1 << 20;

/// What a backup says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupHeader {
    /// The cluster it was taken from.
    pub cluster: String,
    /// The service whose state it holds.
    pub service: String,
    /// The node that gave it.
    pub node: String,
    /// The version of the program that wrote it.
    pub program: String,
    /// The members of the group, as the node that gave it knew them.
    pub members: Vec<String>,
    /// The machine whose state it holds.
    pub machine: MachineId,
    /// The last entry whose effect the state contains.
    pub index: LogIndex,
    /// That entry's term.
    pub term: Term,
    /// That entry's log time.
    pub time: LogTime,
}

/// What stands before the map, once it is known to be that of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prefix {
    pub(super) length: usize,
    checksum: u32,
}

/// Why it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PrefixFault {
    Foreign,
    Version(u32),
    Damaged,
}

impl BackupHeader {
    /// The bytes with which a backup begins; a snapshot follows.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut map = BytesMut::new();
        encode(self, Form::Named, &mut map).expect("text and numbers can be encoded");
        let mut out = BytesMut::with_capacity(PREFIX + map.len());
        out.put_slice(MAGIC);
        out.put_u32_le(VERSION);
        out.put_u32_le(map.len() as u32);
        out.put_u32_le(checksum(&map));
        out.put_slice(&map);
        out.freeze()
    }

    /// Whether a snapshot's own words agree with it.
    pub(super) fn describes(&self, machine: MachineId, meta: &SnapshotMeta) -> bool {
        (self.machine, self.index, self.term, self.time) == (machine, meta.index, meta.term, meta.time)
    }
}

impl Prefix {
    pub(super) fn read(bytes: &[u8; PREFIX]) -> Result<Self, PrefixFault> {
        if !bytes.starts_with(MAGIC) {
            return Err(PrefixFault::Foreign);
        }
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        match number(8) {
            VERSION => {}
            later if later > VERSION => return Err(PrefixFault::Version(later)),
            _ => return Err(PrefixFault::Damaged),
        }
        let length = number(12) as usize;
        if length > LENGTH_MAX {
            return Err(PrefixFault::Damaged);
        }
        Ok(Self { length, checksum: number(16) })
    }

    /// The header in `map`, which is as long as the prefix says.
    pub(super) fn header(self, map: &[u8]) -> Option<BackupHeader> {
        if map.len() != self.length || checksum(map) != self.checksum {
            return None;
        }
        decode(map, LENGTH_MAX).ok()
    }
}

fn checksum(map: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&(map.len() as u32).to_le_bytes()), map)
}
