//! Reading a snapshot's file frame by frame, blocking.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::storage::disk::{Disk, DiskFile};
use crate::storage::snapshot::fault::SnapshotFault;
use crate::storage::snapshot::format::{
    Chain, FRAME_HEADER, FormatFault, Frame, FrameHeader, Manifest, PROLOGUE,
};

/// A place in a snapshot's file.
pub(super) struct Cursor {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    offset: u64,
    chain: Chain,
}

impl Cursor {
    /// Opens a file and reads its prologue.
    pub(super) fn open(disk: &dyn Disk, path: &Path) -> Result<Self, SnapshotFault> {
        let file = disk.open(path, false).map_err(SnapshotFault::io("open", path))?;
        let mut prologue = [0; PROLOGUE];
        file.read_at(0, &mut prologue).map_err(SnapshotFault::io("read", path))?;
        let chain = Chain::read(&prologue).map_err(SnapshotFault::format(path))?;
        Ok(Self { file, path: path.to_owned(), offset: PROLOGUE as u64, chain })
    }

    /// The prologue's bytes.
    pub(super) fn prologue(&self) -> Result<Bytes, SnapshotFault> {
        self.read(0, PROLOGUE, FormatFault::Prologue)
    }

    /// What the snapshot says of itself; the chunks are not read.
    pub(super) fn manifest(&self) -> Result<Manifest, SnapshotFault> {
        let (mut chain, mut offset) = (self.chain.clone(), self.offset);
        loop {
            let header = self.header(&chain, offset)?;
            let next = offset + (FRAME_HEADER + header.length) as u64;
            if chain.skip(header) {
                offset = next;
                continue;
            }
            let bytes = self.read(offset + FRAME_HEADER as u64, header.length, FormatFault::Manifest)?;
            let length = self.length()?;
            return match chain.frame(header, bytes).map_err(SnapshotFault::format(&self.path))? {
                Frame::Manifest(manifest) if length == next => Ok(manifest),
                Frame::Manifest(_) | Frame::Chunk(_) => {
                    Err(SnapshotFault::format(&self.path)(FormatFault::Manifest))
                }
            };
        }
    }

    /// How many bytes the file has.
    pub(super) fn length(&self) -> Result<u64, SnapshotFault> {
        self.file.length().map_err(SnapshotFault::io("measure", &self.path))
    }

    /// Goes on at an offset at which a frame begins.
    pub(super) fn skip_to(&mut self, offset: u64) -> Result<(), SnapshotFault> {
        while self.offset < offset {
            let header = self.header(&self.chain, self.offset)?;
            if !self.chain.skip(header) {
                return Err(SnapshotFault::Different);
            }
            self.offset += (FRAME_HEADER + header.length) as u64;
        }
        if self.offset == offset { Ok(()) } else { Err(SnapshotFault::Different) }
    }

    /// The next frame, verified, and its bytes in the file.
    pub(super) fn next(&mut self) -> Result<(Bytes, Frame), SnapshotFault> {
        let header = self.header(&self.chain, self.offset)?;
        let length = FRAME_HEADER + header.length;
        let raw = self.read(self.offset, length, FormatFault::Manifest)?;
        let frame = self.chain.frame(header, raw.slice(FRAME_HEADER..));
        self.offset += length as u64;
        Ok((raw, frame.map_err(SnapshotFault::format(&self.path))?))
    }

    /// What runs along up to the end of the last chunk that verifies, and where that is. The manifest is none.
    pub(super) fn last_chunk(mut self) -> (Chain, u64) {
        loop {
            let before = (self.chain.clone(), self.offset);
            match self.next() {
                Ok((_, Frame::Chunk(_))) => {}
                Ok((_, Frame::Manifest(_))) | Err(_) => return before,
            }
        }
    }

    fn header(&self, chain: &Chain, offset: u64) -> Result<FrameHeader, SnapshotFault> {
        let bytes = self.read(offset, FRAME_HEADER, FormatFault::Manifest)?;
        let header = bytes[..].try_into().expect("as many bytes as were asked for");
        chain.frame_header(header).map_err(SnapshotFault::format(&self.path))
    }

    /// Exactly so many bytes; `short` says what is damaged when the file ends before.
    fn read(&self, offset: u64, length: usize, short: FormatFault) -> Result<Bytes, SnapshotFault> {
        let mut bytes = vec![0; length];
        let read = self.file.read_at(offset, &mut bytes).map_err(SnapshotFault::io("read", &self.path))?;
        if read < length { Err(SnapshotFault::format(&self.path)(short)) } else { Ok(bytes.into()) }
    }
}
