//! Frames one way, in batches of 64 KiB that are ready, as many bytes around a payload as synod's own have.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use quinn::Connection;

use super::COUNTED;
use super::frames::put;
use crate::line::Failure;

/// Bytes of a batch, as much as a full lane's writer finds at once.
const BATCH: usize = 64 << 10;
/// Bytes after which the other end is asked how much has come.
const ROUND: usize = 16 << 20;
/// What one of synod's messages has around its payload, besides the length.
const AROUND: usize = 7;

/// Frames a second.
pub(crate) async fn batches(
    connection: &Connection,
    payload: usize,
    duration: Duration,
) -> Result<f64, Failure> {
    let (mut send, mut recv) = connection.open_bi().await?;
    send.write_all(&[COUNTED]).await?;
    let frame = vec![7; payload + AROUND];
    let mut batch = BytesMut::new();
    let mut frames = 0;
    while batch.len() < BATCH {
        put(&mut batch, &frame);
        frames += 1;
    }
    let batch = batch.freeze();
    let (began, mut told, mut asked) = (Instant::now(), 0_u64, false);
    let mut count = [0; 8];
    while began.elapsed() < duration {
        for _ in 0..ROUND / batch.len() {
            send.write_chunk(batch.clone()).await?;
            told += frames;
        }
        // The answer of the round before: two are under way.
        if std::mem::replace(&mut asked, true) {
            recv.read_exact(&mut count).await?;
        }
        send.write_all(&0_u32.to_le_bytes()).await?;
    }
    recv.read_exact(&mut count).await?;
    let took = began.elapsed();
    send.finish()?;
    if u64::from_le_bytes(count) == told {
        Ok(told as f64 / took.as_secs_f64())
    } else {
        Err("frames were lost on a stream".into())
    }
}
