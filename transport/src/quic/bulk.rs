//! Bulk streams: one unidirectional QUIC stream each, a header first and then bytes until its end.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use quinn::{Connection, RecvStream, SendStream, VarInt};

use crate::contract::{BulkReceiver, BulkSender, LinkError};
use crate::metrics::{Counters, add};

/// The first byte of a bulk stream; lanes begin with their number.
pub(crate) const BULK: u8 = 0x10;

/// How a stream says that it was given up before its end.
const GIVEN_UP: VarInt = VarInt::from_u32(1);

/// The most that one `read` gives, in bytes.
const READ_MAX: usize = 256 << 10;

/// Opens a bulk stream and sends its header.
pub(crate) async fn open_bulk(
    connection: Connection,
    counters: Arc<Counters>,
    header: Bytes,
) -> Result<Box<dyn BulkSender>, LinkError> {
    let stream = connection.open_uni().await.map_err(|_| LinkError::Closed)?;
    let mut sender = QuicBulkSender { stream, finished: false };
    let mut start = Vec::with_capacity(5 + header.len());
    start.push(BULK);
    // Bounded by `bulk_header_bytes_max`, which is below the stream's window.
    start.extend_from_slice(&(header.len() as u32).to_le_bytes());
    start.extend_from_slice(&header);
    sender.stream.write_chunk(start.into()).await.map_err(broken)?;
    add(&counters.bulk_out, 1);
    Ok(Box::new(sender))
}

/// Why a bulk stream of a peer did not begin.
pub(crate) enum BeginError {
    /// The stream or its connection ended first.
    Stream,
    /// The header claims this many bytes, more than the limit.
    Oversized(usize),
}

/// Reads the header; the claimed length is checked before memory is taken.
pub(crate) async fn begin(
    mut stream: RecvStream,
    header_max: usize,
) -> Result<(Bytes, Box<dyn BulkReceiver>), BeginError> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).await.map_err(|_| BeginError::Stream)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > header_max {
        return Err(BeginError::Oversized(length));
    }
    let mut header = vec![0; length];
    stream.read_exact(&mut header).await.map_err(|_| BeginError::Stream)?;
    Ok((header.into(), Box::new(QuicBulkReceiver { stream })))
}

struct QuicBulkSender {
    stream: SendStream,
    finished: bool,
}

impl BulkSender for QuicBulkSender {
    fn write(&mut self, chunk: Bytes) -> BoxFuture<'_, Result<(), LinkError>> {
        Box::pin(async move { self.stream.write_chunk(chunk).await.map_err(broken) })
    }

    fn finish(&mut self) -> BoxFuture<'_, Result<(), LinkError>> {
        Box::pin(async move {
            self.stream.finish().map_err(broken)?;
            self.finished = true;
            match self.stream.stopped().await {
                Ok(None) => Ok(()),
                Ok(Some(_)) => Err(LinkError::Broken("the receiver gave up".to_owned())),
                Err(error) => Err(broken(error)),
            }
        })
    }
}

impl Drop for QuicBulkSender {
    /// quinn ends a stream that is dropped as if all had been sent; a part must not pass for the whole.
    fn drop(&mut self) {
        if !self.finished {
            // Fails when the stream is closed already: then there is nothing to give up.
            let _ = self.stream.reset(GIVEN_UP);
        }
    }
}

/// Dropping it stops the stream, which is quinn's doing.
struct QuicBulkReceiver {
    stream: RecvStream,
}

impl BulkReceiver for QuicBulkReceiver {
    fn read(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, LinkError>> {
        Box::pin(async move {
            let chunk = self.stream.read_chunk(READ_MAX, true).await.map_err(broken)?;
            Ok(chunk.map(|chunk| chunk.bytes))
        })
    }
}

fn broken(error: impl std::fmt::Display) -> LinkError {
    LinkError::Broken(error.to_string())
}
