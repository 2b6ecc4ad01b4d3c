//! Requests and answers: one at a time, and many by number on one stream.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use quinn::Connection;

use super::ECHOED;
use super::frames::{Frames, put};
use crate::latency::Latencies;
use crate::line::Failure;
use crate::load::PAYLOAD;

/// What one of synod's asks has around its payload, besides the length, its number among it.
const AROUND: usize = 16;
const REQUEST: usize = PAYLOAD + AROUND;

/// One at a time.
pub(crate) async fn ping_pong(
    connection: &Connection,
    duration: Duration,
) -> Result<(Duration, Latencies), Failure> {
    let (mut send, mut recv) = connection.open_bi().await?;
    send.write_all(&[ECHOED]).await?;
    let mut request = BytesMut::new();
    put(&mut request, &[7; REQUEST]);
    let mut answer = vec![0; request.len()];
    let mut latencies = Latencies::default();
    let began = Instant::now();
    let mut asked = began;
    while asked < began + duration {
        send.write_all(&request).await?;
        recv.read_exact(&mut answer).await?;
        let answered = Instant::now();
        latencies.add(answered - asked);
        asked = answered;
    }
    send.finish()?;
    Ok((began.elapsed(), latencies))
}

/// As many at a time as there are numbers: each answer makes room for the next request.
pub(crate) async fn multiplexed(
    connection: &Connection,
    at_once: usize,
    duration: Duration,
) -> Result<(Duration, Latencies), Failure> {
    let (mut send, recv) = connection.open_bi().await?;
    send.write_all(&[ECHOED]).await?;
    let mut frames = Frames::new(recv);
    let mut latencies = Latencies::default();
    let began = Instant::now();
    let mut asked = vec![began; at_once];
    let mut under_way = at_once;
    let mut requests = BytesMut::new();
    (0..at_once).for_each(|number| request(&mut requests, number));
    send.write_chunk(requests.split().freeze()).await?;
    while under_way > 0 {
        let Some(answers) = frames.read().await? else { return Err("the answers ended".into()) };
        let now = Instant::now();
        for answer in answers {
            let Some(number) = answer.first_chunk::<8>() else {
                return Err("an answer has no number".into());
            };
            let number = u64::from_le_bytes(*number) as usize;
            latencies.add(now - asked[number]);
            if now < began + duration {
                asked[number] = now;
                request(&mut requests, number);
            } else {
                under_way -= 1;
            }
        }
        if !requests.is_empty() {
            send.write_chunk(requests.split().freeze()).await?;
        }
    }
    send.finish()?;
    Ok((began.elapsed(), latencies))
}

fn request(out: &mut BytesMut, number: usize) {
    let mut body = [7; REQUEST];
    body[..8].copy_from_slice(&(number as u64).to_le_bytes());
    put(out, &body);
}
