//! Writing a snapshot's file, blocking.

use std::io;

use synod_protocols::log::SnapshotMeta;

use crate::address::MachineId;
use crate::storage::disk::DiskFile;
use crate::storage::snapshot::format::{CHUNK, Chain};

/// Cuts what is written into chunks. Nothing is durable before the file is synced.
pub(in crate::storage) struct Writer<'a> {
    file: &'a dyn DiskFile,
    offset: u64,
    chain: Chain,
    chunk: Vec<u8>,
}

impl<'a> Writer<'a> {
    pub(super) fn begin(file: &'a dyn DiskFile, machine: MachineId, meta: &SnapshotMeta) -> io::Result<Self> {
        file.set_length(0)?;
        Self::begin_at(file, 0, machine, meta)
    }

    /// A snapshot that stands in a file behind something else.
    pub(in crate::storage) fn begin_at(
        file: &'a dyn DiskFile,
        offset: u64,
        machine: MachineId,
        meta: &SnapshotMeta,
    ) -> io::Result<Self> {
        let (prologue, chain) = Chain::begin(machine, meta.index.0);
        file.write_at(offset, &prologue)?;
        let offset = offset + prologue.len() as u64;
        Ok(Self { file, offset, chain, chunk: Vec::with_capacity(CHUNK) })
    }

    /// Writes what is left and the manifest; gives the length of the file.
    pub(in crate::storage) fn finish(mut self, meta: SnapshotMeta) -> io::Result<u64> {
        if !self.chunk.is_empty() {
            self.put_chunk()?;
        }
        let manifest = self.chain.manifest(meta);
        self.put(&manifest)?;
        Ok(self.offset)
    }

    fn put_chunk(&mut self) -> io::Result<()> {
        let frame = self.chain.chunk(&self.chunk);
        self.chunk.clear();
        self.put(&frame)
    }

    fn put(&mut self, frame: &[u8]) -> io::Result<()> {
        self.file.write_at(self.offset, frame)?;
        self.offset += frame.len() as u64;
        Ok(())
    }
}

impl io::Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = bytes.len().min(CHUNK - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..length]);
        if self.chunk.len() == CHUNK {
            self.put_chunk()?;
        }
        Ok(length)
    }

    /// Chunks are written when they are full; there is nothing to be hastened.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
