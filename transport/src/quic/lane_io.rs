//! The two ends of a lane's stream: one write takes everything that arrived during the previous one, one read hands over all
//! frames that are whole.

use std::sync::Arc;

use bytes::Bytes;
use quinn::{ReadError, RecvStream, SendStream};

use super::link::QuicLink;
use crate::batch::{Batch, Taken};
use crate::contract::{Link, Receiver};
use crate::frame::{Cutter, Oversized};
use crate::lane::Lane;
use crate::metrics::{Counters, add};

/// How many chunks one read takes at most.
const CHUNKS: usize = 32;

/// Writes a lane until it is drained or its connection is gone, and closes it then.
pub(crate) async fn write_lane(batch: Arc<Batch>, mut stream: SendStream, counters: Arc<Counters>) {
    loop {
        match batch.take() {
            Taken::Frames(bytes, count) => {
                let size = bytes.len();
                if stream.write_chunk(bytes).await.is_err() {
                    break;
                }
                batch.written(size);
                add(&counters.frames_out, count);
                add(&counters.batches_out, 1);
                add(&counters.bytes_out, size);
            }
            Taken::Nothing => batch.wake.notified().await,
            Taken::End => {
                if stream.finish().is_ok() {
                    // Either way there is nothing more to wait for: the peer has it all, or is gone.
                    let _ = stream.stopped().await;
                }
                break;
            }
        }
    }
    batch.close();
}

/// How a lane's stream ended.
pub(crate) enum LaneEnd {
    /// The link is gone, or the peer will send no more.
    Over,
    /// The peer broke a rule.
    Violation(String),
}

/// Reads a lane until it ends, and hands all frames to the receiver.
pub(crate) async fn read_lane(
    link: Arc<QuicLink>,
    lane: Lane,
    mut stream: RecvStream,
    frame_max: usize,
    receiver: Arc<dyn Receiver>,
) -> LaneEnd {
    let mut cutter = Cutter::new(frame_max);
    let mut chunks: [Bytes; CHUNKS] = std::array::from_fn(|_| Bytes::new());
    let handle: Arc<dyn Link> = link.clone();
    loop {
        let count = match stream.read_chunks(&mut chunks).await {
            Ok(Some(count)) => count,
            Ok(None) if cutter.is_midway() => {
                return LaneEnd::Violation("a lane ended within a frame".to_owned());
            }
            Ok(None) => return LaneEnd::Over,
            Err(ReadError::Reset(_)) => return LaneEnd::Violation("a lane was reset".to_owned()),
            Err(
                ReadError::ConnectionLost(_)
                | ReadError::ClosedStream
                | ReadError::IllegalOrderedRead
                | ReadError::ZeroRttRejected,
            ) => return LaneEnd::Over,
        };
        if link.is_over() || link.closed_by_us().is_some() {
            return LaneEnd::Over;
        }
        match cutter.feed(&chunks[..count]) {
            Ok(Some(frames)) => {
                add(&link.counters.batches_in, 1);
                add(&link.counters.bytes_in, frames.len());
                receiver.frames(&handle, lane, frames);
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
