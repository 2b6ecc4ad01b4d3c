//! What is inside a snapshot, in memory, verified.

use std::io;

use bytes::{Buf, Bytes};
use std::collections::VecDeque;

/// A snapshot's content in order; read it through [`io::Read`] or chunk by chunk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SnapshotBody {
    chunks: VecDeque<Bytes>,
}

impl SnapshotBody {
    /// A body of these chunks.
    #[must_use]
    pub fn new(chunks: Vec<Bytes>) -> Self {
        Self { chunks: chunks.into() }
    }

    /// How many bytes are left to read.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.chunks.iter().map(Bytes::len).sum()
    }

    /// The next chunk; `None` at the end.
    pub fn next_chunk(&mut self) -> Option<Bytes> {
        self.chunks.pop_front()
    }
}

impl io::Read for SnapshotBody {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(chunk) = self.chunks.front_mut() {
            if chunk.is_empty() {
                self.chunks.pop_front();
                continue;
            }
            let length = chunk.len().min(buffer.len());
            chunk.copy_to_slice(&mut buffer[..length]);
            return Ok(length);
        }
        Ok(0)
    }
}
