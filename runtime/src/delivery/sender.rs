//! [`ReliableSender`]: what it accepts is delivered until it is confirmed.

use std::marker::PhantomData;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use serde::Serialize;
use synod_protocols::delivery::{Command, Refusal, Reply, Sequence, StreamId};
use tokio::sync::{SemaphorePermit, TryAcquireError};

use crate::delivery::end::End;
use crate::delivery::error::{QueueError, SendError};
use crate::delivery::options::SenderOptions;
use crate::driver::CommandError;
use crate::wire::{Form, encode};

/// Sends messages of one type to a queue. Clones are the same sender; its messages are delivered also when no clone is left.
pub struct ReliableSender<M> {
    end: Arc<End>,
    options: SenderOptions,
    stream: StreamId,
    message: PhantomData<fn(M)>,
}

/// Room for one message.
struct Room<'a>(SemaphorePermit<'a>, SemaphorePermit<'a>);

impl<M: Serialize + Send + 'static> ReliableSender<M> {
    /// The longest message, encoded.
    pub const MESSAGE_BYTES_MAX: usize = 1 << 20;

    pub(super) async fn open(end: Arc<End>, options: SenderOptions) -> Result<Self, QueueError> {
        let mut opened = end.opened.lock().await;
        let stream = match &*opened {
            Some((before, stream)) if *before == options => *stream,
            Some(_) => return Err(QueueError::OtherOptions(end.name.clone())),
            None => match end.command(Command::Produce(options.0), 0).await? {
                Reply::Producing { stream, unconfirmed, messages, bytes } => {
                    end.messages.add_permits(messages);
                    end.bytes.add_permits(bytes);
                    end.meters.unconfirmed.inc_by(unconfirmed as i64);
                    *opened = Some((options, stream));
                    stream
                }
                Reply::Refused(Refusal::Durable) => return Err(QueueError::Durable(end.name.clone())),
                reply => unreachable!("{reply:?} to the first who sends"),
            },
        };
        drop(opened);
        Ok(Self { end, options, stream, message: PhantomData })
    }

    /// Has a message delivered; waits for room, and until it is accepted: a durable sender has it on its disk then. Messages keep the order in
    /// which their futures were first polled. A future that is dropped leaves it open whether the message was accepted.
    ///
    /// # Errors
    /// [`SendError`]; its outcome says whether the message may be delivered all the same.
    pub async fn send(&self, message: M) -> Result<Sequence, SendError> {
        let (payload, permits) = self.pack(&message)?;
        drop(message);
        let closed = "nobody closes them";
        let room = Room(
            self.end.messages.acquire().await.expect(closed),
            self.end.bytes.acquire_many(permits).await.expect(closed),
        );
        self.push(payload, room).await
    }

    /// As [`ReliableSender::send`], without waiting for room.
    ///
    /// # Errors
    /// As there, and [`SendError::Full`].
    pub async fn try_send(&self, message: M) -> Result<Sequence, SendError> {
        let (payload, permits) = self.pack(&message)?;
        drop(message);
        let full = |_: TryAcquireError| SendError::Full;
        let room = Room(
            self.end.messages.try_acquire().map_err(full)?,
            self.end.bytes.try_acquire_many(permits).map_err(full)?,
        );
        self.push(payload, room).await
    }

    /// Completes when a message that was accepted is confirmed by its handler.
    ///
    /// # Errors
    /// [`SendError::Unknown`] for a number that was not given out; the node may go down before.
    pub async fn confirmed(&self, sequence: Sequence) -> Result<(), SendError> {
        match self.end.command(Command::Await(sequence), 0).await? {
            Reply::Done => Ok(()),
            Reply::Refused(_) => Err(SendError::Unknown),
            reply => unreachable!("{reply:?} to who awaits"),
        }
    }

    /// All that this sender ever sends: of a durable one, in this process and in those after it.
    #[must_use]
    pub fn stream(&self) -> StreamId {
        self.stream
    }

    fn pack(&self, message: &M) -> Result<(Bytes, u32), SendError> {
        let mut payload = BytesMut::new();
        // With names, for what is on a disk may be read by a later version.
        encode(message, Form::Named, &mut payload).map_err(|error| SendError::Encode(error.to_string()))?;
        let bytes = payload.len();
        let limit = Self::MESSAGE_BYTES_MAX.min(self.options.0.bytes_max);
        let permits = u32::try_from(bytes).ok().filter(|_| bytes <= limit);
        Ok((payload.freeze(), permits.ok_or(SendError::TooLarge { bytes })?))
    }

    async fn push(&self, payload: Bytes, room: Room<'_>) -> Result<Sequence, SendError> {
        let bytes = payload.len();
        let Room(message, permits) = room;
        // The machine counts from here on, whether anybody waits for its answer or not.
        message.forget();
        permits.forget();
        let not_taken = |error| {
            self.end.messages.add_permits(1);
            self.end.bytes.add_permits(bytes);
            Err(error)
        };
        match self.end.command(Command::Send(payload), bytes).await {
            Ok(Reply::Accepted(sequence)) => Ok(sequence),
            Ok(Reply::Refused(Refusal::NoSpace)) => not_taken(SendError::NoSpace),
            Ok(Reply::Refused(Refusal::Failed)) => not_taken(CommandError::Stopped.into()),
            Ok(reply) => unreachable!("{reply:?} to who has room"),
            Err(error @ (CommandError::Busy | CommandError::NoSuchMachine | CommandError::Stopped)) => {
                not_taken(error.into())
            }
            Err(error @ CommandError::Lost) => Err(error.into()),
        }
    }
}

impl<M> Clone for ReliableSender<M> {
    fn clone(&self) -> Self {
        Self { end: self.end.clone(), options: self.options, stream: self.stream, message: PhantomData }
    }
}
