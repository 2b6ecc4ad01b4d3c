//! The bytes of a snapshot, in a file and on the way to a peer.
//!
//! A prologue of 32 bytes: magic, version `u32`, checksum `u32` of the rest, machine `u64`, index `u64`. Then frames: length
//! `u32`, checksum `u32`, bytes. All frames but the last are chunks of the application's state, the last one, whose length has
//! the top bit set, is the manifest. All little-endian. A chunk's checksum (CRC-32C) begins with the prologue's and the
//! chunk's number, so that a chunk in the place of another one, or of another snapshot, does not verify.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use synod_protocols::LogIndex;
use synod_protocols::log::SnapshotMeta;

use crate::address::MachineId;
use crate::wire::decode;

/// The newest format this program reads, and the one it writes.
pub(in crate::storage) const VERSION: u32 = 1;
/// The size of the prologue.
pub(in crate::storage) const PROLOGUE: usize = 32;
/// The size of what stands before a frame's bytes.
pub(in crate::storage) const FRAME_HEADER: usize = 8;
/// How many bytes of the application's state are in a chunk, the last one apart.
pub(super) const CHUNK: usize = 1 << 20;

const MAGIC: &[u8; 8] = b"synodsnp";
const MANIFEST: u32 = 1 << 31;
/// A manifest has a configuration in it and little else.
const MANIFEST_MAX: usize = 16 << 20;

/// What a whole snapshot says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::storage) struct Manifest {
    pub(in crate::storage) machine: MachineId,
    pub(in crate::storage) meta: SnapshotMeta,
    pub(super) chunks: u64,
    pub(super) bytes: u64,
    /// The checksum of the chunks' checksums, in order.
    pub(super) checksum: u32,
}

/// Why bytes are not those of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::storage) enum FormatFault {
    Prologue,
    Version(u32),
    Chunk(u64),
    Manifest,
}

/// A frame that is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::storage) struct FrameHeader {
    pub(in crate::storage) length: usize,
    manifest: bool,
    checksum: u32,
}

/// A frame that verified.
#[derive(Debug)]
pub(in crate::storage) enum Frame {
    Chunk(Bytes),
    Manifest(Manifest),
}

/// What runs along with a snapshot, written or read, from its prologue to its manifest.
#[derive(Clone, Debug)]
pub(in crate::storage) struct Chain {
    machine: MachineId,
    index: u64,
    seed: u32,
    chunks: u64,
    bytes: u64,
    checksum: u32,
}

impl Chain {
    /// The prologue of a snapshot, and what follows.
    pub(super) fn begin(machine: MachineId, index: u64) -> (Vec<u8>, Self) {
        let mut prologue = Vec::with_capacity(PROLOGUE);
        prologue.extend_from_slice(MAGIC);
        prologue.extend_from_slice(&VERSION.to_le_bytes());
        prologue.extend_from_slice(&[0; 4]);
        prologue.extend_from_slice(&machine.0.to_le_bytes());
        prologue.extend_from_slice(&index.to_le_bytes());
        let checksum = crc32c::crc32c(&prologue[16..]);
        prologue[12..16].copy_from_slice(&checksum.to_le_bytes());
        (prologue, Self::new(machine, index, checksum))
    }

    /// What follows a prologue that was found.
    pub(in crate::storage) fn read(prologue: &[u8; PROLOGUE]) -> Result<Self, FormatFault> {
        if !prologue.starts_with(MAGIC) {
            return Err(FormatFault::Prologue);
        }
        let version = u32_at(prologue, 8);
        if version > VERSION {
            return Err(FormatFault::Version(version));
        }
        let checksum = crc32c::crc32c(&prologue[16..]);
        if version != VERSION || checksum != u32_at(prologue, 12) {
            return Err(FormatFault::Prologue);
        }
        let number = |at: usize| u64::from_le_bytes(prologue[at..at + 8].try_into().expect("eight bytes"));
        Ok(Self::new(MachineId(number(16)), number(24), checksum))
    }

    /// The frame of the next chunk.
    pub(super) fn chunk(&mut self, bytes: &[u8]) -> Vec<u8> {
        let checksum = self.chunk_checksum(bytes);
        self.count(bytes.len(), checksum);
        frame(bytes.len() as u32, checksum, bytes)
    }

    /// The last frame.
    pub(super) fn manifest(&self, meta: SnapshotMeta) -> Vec<u8> {
        let manifest = Manifest {
            machine: self.machine,
            meta,
            chunks: self.chunks,
            bytes: self.bytes,
            checksum: self.checksum,
        };
        let bytes = rmp_serde::to_vec(&manifest).expect("numbers and bytes can be encoded");
        frame(bytes.len() as u32 | MANIFEST, self.seeded(u64::MAX, &bytes), &bytes)
    }

    /// What a frame's header announces, unless it is larger than any frame.
    pub(in crate::storage) fn frame_header(
        &self,
        header: [u8; FRAME_HEADER],
    ) -> Result<FrameHeader, FormatFault> {
        let length = u32_at(&header, 0);
        let manifest = length & MANIFEST != 0;
        let announced =
            FrameHeader { length: (length & !MANIFEST) as usize, manifest, checksum: u32_at(&header, 4) };
        let limit = if manifest { MANIFEST_MAX } else { CHUNK };
        if announced.length > limit { Err(FormatFault::Chunk(self.chunks)) } else { Ok(announced) }
    }

    /// Verifies the next frame.
    pub(in crate::storage) fn frame(
        &mut self,
        header: FrameHeader,
        bytes: Bytes,
    ) -> Result<Frame, FormatFault> {
        if header.manifest {
            return self.check_manifest(header, &bytes).map(Frame::Manifest);
        }
        let checksum = self.chunk_checksum(&bytes);
        if bytes.len() != header.length || checksum != header.checksum {
            return Err(FormatFault::Chunk(self.chunks));
        }
        self.count(bytes.len(), checksum);
        Ok(Frame::Chunk(bytes))
    }

    /// Counts the next frame, a chunk, without its bytes; false for a manifest.
    pub(super) fn skip(&mut self, header: FrameHeader) -> bool {
        if !header.manifest {
            self.count(header.length, header.checksum);
        }
        !header.manifest
    }

    /// The last entry whose effect it contains.
    pub(super) fn index(&self) -> LogIndex {
        LogIndex(self.index)
    }

    /// How many chunks have come.
    pub(super) fn chunks(&self) -> u64 {
        self.chunks
    }

    /// Whose snapshot it is.
    pub(super) fn machine(&self) -> MachineId {
        self.machine
    }

    fn new(machine: MachineId, index: u64, seed: u32) -> Self {
        Self { machine, index, seed, chunks: 0, bytes: 0, checksum: seed }
    }

    fn check_manifest(&self, header: FrameHeader, bytes: &[u8]) -> Result<Manifest, FormatFault> {
        if bytes.len() != header.length || self.seeded(u64::MAX, bytes) != header.checksum {
            return Err(FormatFault::Manifest);
        }
        let manifest: Manifest = decode(bytes, bytes.len()).map_err(|_| FormatFault::Manifest)?;
        let said =
            (manifest.machine, manifest.meta.index.0, manifest.chunks, manifest.bytes, manifest.checksum);
        let seen = (self.machine, self.index, self.chunks, self.bytes, self.checksum);
        if said == seen { Ok(manifest) } else { Err(FormatFault::Manifest) }
    }

    fn count(&mut self, length: usize, checksum: u32) {
        self.chunks += 1;
        self.bytes += length as u64;
        self.checksum = crc32c::crc32c_append(self.checksum, &checksum.to_le_bytes());
    }

    fn chunk_checksum(&self, bytes: &[u8]) -> u32 {
        self.seeded(self.chunks, bytes)
    }

    fn seeded(&self, number: u64, bytes: &[u8]) -> u32 {
        crc32c::crc32c_append(crc32c::crc32c_append(self.seed, &number.to_le_bytes()), bytes)
    }
}

fn frame(length: u32, checksum: u32, bytes: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(FRAME_HEADER + bytes.len());
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&checksum.to_le_bytes());
    frame.extend_from_slice(bytes);
    frame
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}
