//! The other process: counts what it is told, sends back what it is asked.

use bytes::BytesMut;
use quinn::{Connection, RecvStream, SendStream};

use super::frames::{Frames, put};
use super::{COUNTED, ECHOED, runtime, setup};
use crate::child::be_found;
use crate::line::Failure;

/// The other process.
pub(crate) fn answer() -> Result<(), Failure> {
    runtime()?.block_on(async {
        let (endpoint, whereabouts) = setup::listen()?;
        be_found(&whereabouts)?;
        while let Some(incoming) = endpoint.accept().await {
            tokio::spawn(serve(incoming.await?));
        }
        Ok(())
    })
}

async fn serve(connection: Connection) {
    while let Ok((send, recv)) = connection.accept_bi().await {
        // A stream that breaks ends a measurement at the other end.
        tokio::spawn(async move { drop(stream(send, recv).await) });
    }
}

async fn stream(send: SendStream, mut recv: RecvStream) -> Result<(), Failure> {
    let mut kind = [0];
    recv.read_exact(&mut kind).await?;
    match kind[0] {
        COUNTED => count(send, Frames::new(recv)).await,
        ECHOED => echo(send, Frames::new(recv)).await,
        other => Err(format!("no kind of stream: {other}").into()),
    }
}

async fn count(mut send: SendStream, mut frames: Frames) -> Result<(), Failure> {
    let mut count = 0_u64;
    while let Some(read) = frames.read().await? {
        for frame in read {
            if frame.is_empty() {
                send.write_all(&count.to_le_bytes()).await?;
            } else {
                count += 1;
                std::hint::black_box(frame);
            }
        }
    }
    Ok(())
}

async fn echo(mut send: SendStream, mut frames: Frames) -> Result<(), Failure> {
    while let Some(read) = frames.read().await? {
        let mut answers = BytesMut::new();
        for frame in read {
            put(&mut answers, &frame);
        }
        send.write_chunk(answers.freeze()).await?;
    }
    Ok(())
}
