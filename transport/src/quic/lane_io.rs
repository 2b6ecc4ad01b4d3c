//! The two ends of a lane's stream: one write takes everything that arrived during the previous one, one read hands over all
//! frames that are whole. And the two ends of the stream that says what has been received.

use std::sync::Arc;

use bytes::Bytes;
use quinn::{ReadError, ReadExactError, RecvStream, SendStream};
use tokio::time::timeout;

use super::link::QuicLink;
use crate::batch::{Batch, Taken};
use crate::contract::{Link, Receiver};
use crate::frame::{Cutter, Oversized};
use crate::lane::{Lane, REPLAYED};
use crate::metrics::{Counters, add};
use crate::session::{ACK_DELAY, Session};

/// The first byte of the stream of acknowledgements; lanes begin with their number.
pub(crate) const ACKS: u8 = 0x12;

/// A lane's number, and how many of its frames were received in the session, little-endian.
const ACK_BYTES: usize = 1 + 8;

/// From this size on frames are large, in bytes.
const LARGE: usize = 4 << 10;

/// How much of a batch of large frames is written until its room is given back, in bytes: a lane that was full is filled again while the
/// rest leaves. Small ones cost their sender more than the link, and are best appended by the thousand (measured).
const PIECE: usize = 256 << 10;

/// How many chunks one read takes at most.
const CHUNKS: usize = 32;

/// Writes a lane for one connection until it is drained or the connection is gone.
pub(crate) async fn write_lane(
    batch: Arc<Batch>,
    connection: u64,
    mut stream: SendStream,
    counters: Arc<Counters>,
) {
    loop {
        match batch.take(connection) {
            Taken::Frames(mut bytes, count) => {
                let size = bytes.len();
                let most = if size / count.max(1) >= LARGE { PIECE } else { size };
                while !bytes.is_empty() {
                    let piece = bytes.split_to(bytes.len().min(most));
                    let size = piece.len();
                    if stream.write_chunk(piece).await.is_err() {
                        return;
                    }
                    batch.written(connection, size);
                }
                add(&counters.frames_out, count);
                add(&counters.batches_out, 1);
                add(&counters.bytes_out, size);
            }
            Taken::Nothing => batch.wake.notified().await,
            Taken::End => {
                // Fails when the connection is gone, with which the stream is.
                let _ = stream.finish();
                break;
            }
        }
    }
}

/// How a stream of the peer ended.
pub(crate) enum LaneEnd {
    /// The connection is gone, or the peer will send no more.
    Over,
    /// The peer broke a rule.
    Violation(String),
}

/// Reads a lane until it ends, and hands all frames to the receiver.
pub(crate) async fn read_lane(
    link: Arc<QuicLink>,
    session: Arc<Session>,
    lane: Lane,
    mut stream: RecvStream,
    frame_max: usize,
    receiver: Arc<dyn Receiver>,
) -> LaneEnd {
    let mut cutter = Cutter::new(frame_max);
    let mut chunks: [Bytes; CHUNKS] = std::array::from_fn(|_| Bytes::new());
    let handle: Arc<dyn Link> = session.clone();
    loop {
        let count = match stream.read_chunks(&mut chunks).await {
            Ok(Some(count)) => count,
            Ok(None) if cutter.is_midway() => {
                return LaneEnd::Violation("a lane ended within a frame".to_owned());
            }
            Ok(None) => {
                session.receipts.press();
                return LaneEnd::Over;
            }
            Err(error) => return broken(&error),
        };
        if link.is_over() || link.closed_by_us().is_some() {
            return LaneEnd::Over;
        }
        match cutter.feed(&chunks[..count]) {
            Ok(Some((frames, count))) => {
                let size = frames.len();
                add(&link.counters.batches_in, 1);
                add(&link.counters.bytes_in, size);
                receiver.frames(&handle, lane, frames);
                session.receipts.received(lane, count, size);
            }
            Ok(None) => {}
            Err(Oversized { claimed }) => {
                return LaneEnd::Violation(format!(
                    "a frame claims {claimed} bytes, the limit is {frame_max}"
                ));
            }
        }
    }
}

fn broken(error: &ReadError) -> LaneEnd {
    match error {
        ReadError::Reset(_) => LaneEnd::Violation("a lane was reset".to_owned()),
        ReadError::ConnectionLost(_)
        | ReadError::ClosedStream
        | ReadError::IllegalOrderedRead
        | ReadError::ZeroRttRejected => LaneEnd::Over,
    }
}

/// Tells the peer what has been received, until the connection is gone; `told` is what it knows.
pub(crate) async fn write_acks(
    session: Arc<Session>,
    mut stream: SendStream,
    mut told: [u64; REPLAYED],
    counters: Arc<Counters>,
) {
    let receipts = &session.receipts;
    loop {
        if !receipts.is_due() {
            receipts.due.notified().await;
            continue;
        }
        if !receipts.is_pressing() {
            // Either way it is time.
            let _ = timeout(ACK_DELAY, receipts.due.notified()).await;
        }
        let counts = receipts.tell();
        let mut words = Vec::with_capacity(REPLAYED * ACK_BYTES);
        for (lane, (count, told)) in (0u8..).zip(counts.into_iter().zip(&mut told)) {
            if count != *told {
                words.push(lane);
                words.extend_from_slice(&count.to_le_bytes());
                *told = count;
            }
        }
        if words.is_empty() {
            continue;
        }
        if stream.write_all(&words).await.is_err() {
            return;
        }
        add(&counters.acks_out, 1);
    }
}

/// Hears what the peer has received, until the connection is gone.
pub(crate) async fn read_acks(link: &QuicLink, session: &Session, mut stream: RecvStream) -> LaneEnd {
    let mut word = [0; ACK_BYTES];
    loop {
        match stream.read_exact(&mut word).await {
            Ok(()) if link.is_over() => return LaneEnd::Over,
            Ok(()) => {}
            Err(ReadExactError::FinishedEarly(_)) => return LaneEnd::Over,
            Err(ReadExactError::ReadError(error)) => return broken(&error),
        }
        let [number, count @ ..] = word;
        let Some(lane) = Lane::from_number(number).filter(|lane| lane.is_replayed()) else {
            return LaneEnd::Violation(format!("frames of the lane {number} are acknowledged"));
        };
        if let Err(impossible) = session.batch(lane).acknowledge(u64::from_le_bytes(count)) {
            return LaneEnd::Violation(impossible.to_string());
        }
    }
}
