//! Cuts the bytes of one lane into whole frames; the claimed length is checked before memory is taken for it.
//!
//! Knows no stream: whoever reads the lane hands over what arrived.

use bytes::{Bytes, BytesMut};

use crate::contract::Frames;
use crate::length;

/// So many bytes in one read are a sign of more.
const MUCH: usize = 64 << 10;

/// Collects the bytes of one lane until they are whole frames.
pub(crate) struct Cutter {
    buffer: BytesMut,
    frame_max: usize,
}

/// A frame that claims more bytes than the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Oversized {
    /// What it claims, in bytes.
    pub(crate) claimed: usize,
}

impl Cutter {
    /// For frames of at most `frame_max` bytes.
    pub(crate) fn new(frame_max: usize) -> Self {
        Self { buffer: BytesMut::new(), frame_max }
    }

    /// Adds the bytes that one read brought, and gives all frames that are whole with them, and how many they are.
    pub(crate) fn feed(&mut self, chunks: &[Bytes]) -> Result<Option<(Frames, usize)>, Oversized> {
        self.make_room(chunks.iter().map(Bytes::len).sum());
        for chunk in chunks {
            self.buffer.extend_from_slice(chunk);
        }
        let (mut at, mut count) = (0, 0);
        let claims_too_much = |_| Oversized { claimed: u32::MAX as usize };
        while let Some((header, length)) = length::read(&self.buffer[at..]).map_err(claims_too_much)? {
            if length > self.frame_max {
                return Err(Oversized { claimed: length });
            }
            let end = at + header + length;
            if self.buffer.len() < end {
                break;
            }
            at = end;
            count += 1;
        }
        if at == 0 {
            return Ok(None);
        }
        Ok(Some((Frames::new(self.buffer.split_to(at).freeze()), count)))
    }

    /// Takes memory for what came at once, and where much comes for what will follow: whatever grows, or begins within a frame, is copied.
    /// What comes byte by byte is copied as often as a vector that grows would, not once a byte.
    fn make_room(&mut self, size: usize) {
        if self.buffer.capacity() - self.buffer.len() < size {
            let more = if size >= MUCH { 2 * size } else { size };
            let mut larger = BytesMut::with_capacity(self.buffer.len() + more.max(self.buffer.len()));
            larger.extend_from_slice(&self.buffer);
            self.buffer = larger;
        }
    }

    /// Whether a part of a frame is waiting for the rest.
    pub(crate) fn is_midway(&self) -> bool {
        !self.buffer.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![body.len() as u8];
        bytes.extend_from_slice(body);
        bytes
    }

    #[test]
    fn cuts_at_every_boundary() {
        let stream: Vec<u8> = [&b"one"[..], b"", b"three"].iter().flat_map(|body| frame(body)).collect();
        for cut in 0..=stream.len() {
            let mut cutter = Cutter::new(5);
            let mut bodies = Vec::new();
            for part in [&stream[..cut], &stream[cut..]] {
                let cut = cutter.feed(&[Bytes::copy_from_slice(part)]).expect("all frames are small");
                let Some((frames, count)) = cut else { continue };
                let before = bodies.len();
                bodies.extend(frames);
                assert_eq!(bodies.len() - before, count);
            }
            assert_eq!(bodies, ["one", "", "three"], "cut at {cut}");
            assert!(!cutter.is_midway());
        }
    }

    #[test]
    fn refuses_a_claim_before_taking_memory() {
        let mut cutter = Cutter::new(5);
        let claim = Bytes::from_static(&[255, 255, 255, 255, 15]);
        assert_eq!(cutter.feed(&[claim]).map(|_| ()), Err(Oversized { claimed: 0xFFFF_FFFF }));
        assert!(cutter.buffer.capacity() < 1024);
    }

    #[test]
    fn waits_for_the_rest() {
        let mut cutter = Cutter::new(5);
        assert!(matches!(cutter.feed(&[Bytes::from_static(&[5, 1])]), Ok(None)));
        assert!(cutter.is_midway());
    }
}
