//! Reading a backup front to back, from a file or as it comes; blocking.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::storage::backup::fault::BackupFault;
use crate::storage::backup::header::{self, BackupHeader, PREFIX, Prefix, PrefixFault};
use crate::storage::snapshot::{Chain, FRAME_HEADER, FormatFault, Frame, PROLOGUE};

/// Gives the state piece by piece, each verified. What was given counts only when the end has been reached: a file can be cut.
pub struct BackupReader<R> {
    source: Source<R>,
    header: BackupHeader,
    chain: Chain,
    whole: bool,
}

struct Source<R> {
    reader: R,
    path: PathBuf,
    offset: u64,
}

impl<R: Read> BackupReader<R> {
    /// Reads the header; `path` names the backup in errors.
    ///
    /// # Errors
    /// [`BackupFault`] when it cannot be read, or is not that of a backup this program can read.
    pub fn open(reader: R, path: &Path) -> Result<Self, BackupFault> {
        let mut source = Source { reader, path: path.to_owned(), offset: 0 };
        let foreign = || BackupFault::Foreign { path: path.to_owned() };
        let start = match source.array::<PREFIX>() {
            // What is shorter than any backup may be anything.
            Err(BackupFault::Cut { .. }) => return Err(foreign()),
            start => start?,
        };
        let prefix = Prefix::read(&start).map_err(|fault| match fault {
            PrefixFault::Foreign => foreign(),
            PrefixFault::Version(found) => {
                BackupFault::Version { path: path.to_owned(), found, known: header::VERSION }
            }
            PrefixFault::Damaged => source.damaged_header(),
        })?;
        let map = source.bytes(prefix.length)?;
        let header = prefix.header(&map).ok_or_else(|| source.damaged_header())?;
        let chain = Chain::read(&source.array::<PROLOGUE>()?).map_err(BackupFault::format(path))?;
        Ok(Self { source, header, chain, whole: false })
    }

    /// What the backup says of itself.
    #[must_use]
    pub fn header(&self) -> &BackupHeader {
        &self.header
    }

    /// The next piece of the state; `None` when all of it was given and the backup is whole.
    ///
    /// # Errors
    /// [`BackupFault`]; nothing that was given before may be used then.
    pub fn next_chunk(&mut self) -> Result<Option<Bytes>, BackupFault> {
        if self.whole {
            return Ok(None);
        }
        let path = self.source.path.clone();
        let announced = self.source.array::<FRAME_HEADER>()?;
        let announced = self.chain.frame_header(announced).map_err(BackupFault::format(&path))?;
        let bytes = self.source.bytes(announced.length)?;
        match self.chain.frame(announced, bytes.into()).map_err(BackupFault::format(&path))? {
            Frame::Chunk(chunk) => Ok(Some(chunk)),
            Frame::Manifest(manifest) => {
                if !self.header.describes(manifest.machine, &manifest.meta) {
                    return Err(BackupFault::damaged(&path, "its state is not the one its header speaks of"));
                }
                self.source.end().map_err(BackupFault::format(&path))?;
                self.whole = true;
                Ok(None)
            }
        }
    }

    /// Verifies what has not been read yet; gives what the backup says of itself.
    ///
    /// # Errors
    /// As [`BackupReader::next_chunk`].
    pub fn verify(mut self) -> Result<BackupHeader, BackupFault> {
        while self.next_chunk()?.is_some() {}
        Ok(self.header)
    }
}

impl<R: Read> Source<R> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], BackupFault> {
        let bytes = self.bytes(N)?;
        Ok(bytes.try_into().expect("as many bytes as were asked for"))
    }

    /// So many bytes, of which only what is really there takes memory.
    fn bytes(&mut self, length: usize) -> Result<Vec<u8>, BackupFault> {
        let mut bytes = Vec::new();
        let read = (&mut self.reader).take(length as u64).read_to_end(&mut bytes);
        self.offset += bytes.len() as u64;
        read.map_err(|source| BackupFault::Read { path: self.path.clone(), source })?;
        if bytes.len() < length {
            return Err(BackupFault::Cut { path: self.path.clone(), bytes: self.offset });
        }
        Ok(bytes)
    }

    /// Nothing comes after the manifest.
    fn end(&mut self) -> Result<(), FormatFault> {
        let mut more = [0];
        loop {
            match self.reader.read(&mut more) {
                Ok(0) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => return Err(FormatFault::Manifest),
            }
        }
    }

    fn damaged_header(&self) -> BackupFault {
        BackupFault::damaged(&self.path, "its header is not what was written")
    }
}
