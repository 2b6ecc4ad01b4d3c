//! What a peer's bytes come to first, as functions of bytes: for whoever throws bytes at them.
//!
//! Not how a transport uses them, which has streams: the same code behind the same checks, without a connection.

use bytes::Bytes;

use crate::contract::{Frames, TransportError};
use crate::frame::Cutter;
use crate::quic::Hello;

/// What became of the bytes of a lane.
#[derive(Clone, Debug)]
pub struct Cut {
    /// The frames that are whole, in pieces as they would be handed over.
    pub frames: Vec<Frames>,
    /// What a frame claims that is larger than the limit; nothing behind it is read.
    pub oversized: Option<usize>,
    /// Whether a part of a frame is left.
    pub midway: bool,
}

/// Cuts a lane that arrives in these pieces into frames of at most `frame_max` bytes.
#[must_use]
pub fn cut(pieces: &[Bytes], frame_max: usize) -> Cut {
    let mut cutter = Cutter::new(frame_max);
    let (mut frames, mut oversized) = (Vec::new(), None);
    for piece in pieces {
        match cutter.feed(std::slice::from_ref(piece)) {
            Ok(whole) => frames.extend(whole.map(|(frames, _)| frames)),
            Err(fault) => {
                oversized = Some(fault.claimed);
                break;
            }
        }
    }
    Cut { frames, oversized, midway: cutter.is_midway() }
}

/// Reads the hello at the beginning of a control stream; gives how this version would write the same, and how many bytes it took.
/// `None` when it is not whole.
///
/// # Errors
/// What the peer is refused with.
pub fn hello(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, TransportError> {
    Ok(Hello::parse(bytes)?.map(|(hello, taken)| (hello.encode(), taken)))
}

/// A hello as this version writes it.
#[must_use]
pub fn written_hello(incarnation: u64, frame_max: u32, over: (u64, u64)) -> Vec<u8> {
    Hello { incarnation, frame_max, over }.encode()
}
