//! Frames: a length of four bytes and a body. An empty one asks how many came before it.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use quinn::RecvStream;

use crate::line::Failure;

const HEADER: usize = 4;
const CHUNKS: usize = 32;

/// Reads whole frames off a stream.
pub(crate) struct Frames {
    stream: RecvStream,
    buffer: BytesMut,
    chunks: Vec<Bytes>,
}

impl Frames {
    pub(crate) fn new(stream: RecvStream) -> Self {
        Self { stream, buffer: BytesMut::new(), chunks: vec![Bytes::new(); CHUNKS] }
    }

    /// All frames that are whole after one read; `None` at the end.
    pub(crate) async fn read(&mut self) -> Result<Option<Vec<Bytes>>, Failure> {
        loop {
            let Some(count) = self.stream.read_chunks(&mut self.chunks).await? else { return Ok(None) };
            for chunk in &self.chunks[..count] {
                self.buffer.extend_from_slice(chunk);
            }
            let frames = self.cut();
            if !frames.is_empty() {
                return Ok(Some(frames));
            }
        }
    }

    fn cut(&mut self) -> Vec<Bytes> {
        let mut end = 0;
        while let Some(header) = self.buffer.get(end..).and_then(|rest| rest.first_chunk::<HEADER>()) {
            let next = end + HEADER + u32::from_le_bytes(*header) as usize;
            if self.buffer.len() < next {
                break;
            }
            end = next;
        }
        let mut whole = self.buffer.split_to(end).freeze();
        let mut frames = Vec::new();
        while whole.has_remaining() {
            let length = whole.get_u32_le() as usize;
            frames.push(whole.split_to(length));
        }
        frames
    }
}

/// Appends a frame.
pub(crate) fn put(out: &mut BytesMut, body: &[u8]) {
    out.put_u32_le(body.len() as u32);
    out.put_slice(body);
}
