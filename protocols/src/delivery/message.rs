//! What the ends of a queue say to each other, are asked, and tell.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::delivery::config::{ConsumerOptions, ProducerOptions};
use crate::delivery::numbers::{ChannelId, ConsumerId, Position, Sequence, StreamId};
use crate::types::NodeId;

/// Between the ends of a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// A producer, to nodes with which it has no channel: it looks for consumers. A consumer owes `Ready`.
    Offer,
    /// A consumer, when it comes to life, when its channel was closed, and when it is offered something: it takes messages. The producer owes
    /// `Probe` if there is a channel, else opens one when it has use for it.
    Ready {
        /// The consumer.
        consumer: ConsumerId,
        /// How many unconfirmed messages may be on the channel.
        messages: u32,
        /// And how many bytes.
        bytes: u32,
    },
    /// A producer: the message at a place of a channel. The first one opens the channel. The consumer owes `State` once it is confirmed, or
    /// at once if a place before it is empty.
    Deliver {
        /// Of which stream.
        stream: StreamId,
        /// To whom.
        consumer: ConsumerId,
        /// Over which channel.
        channel: ChannelId,
        /// Its place there.
        position: Position,
        /// Its place in the stream.
        sequence: Sequence,
        /// What it says.
        payload: Bytes,
    },
    /// A producer that has heard nothing for a while: where is the channel? The consumer owes `State`.
    Probe {
        /// Of which stream.
        stream: StreamId,
        /// Whom it asks.
        consumer: ConsumerId,
        /// The channel.
        channel: ChannelId,
    },
    /// A consumer: where a channel stands. The producer sends again what is missing.
    State {
        /// The channel.
        channel: ChannelId,
        /// Everything up to here has come.
        received: Position,
        /// Everything up to here is confirmed.
        confirmed: Position,
        /// And these, first and last of each run.
        beyond: Vec<(u64, u64)>,
        /// How far the producer may send.
        upto: Position,
        /// Whether what was sent after `received` is to be sent again.
        missing: bool,
    },
    /// A consumer, of a channel on which something came: it does not serve that one.
    Gone {
        /// The channel.
        channel: ChannelId,
    },
    /// A consumer that takes nothing any more.
    Leave {
        /// The consumer.
        consumer: ConsumerId,
    },
    /// A producer, of a channel of which it heard and which it has given up. The consumer owes `Ready`.
    Closed {
        /// The channel.
        channel: ChannelId,
    },
}

/// A request of this node's users.
#[derive(Clone, Debug)]
pub enum Command {
    /// Send to the queue from here on.
    Produce(ProducerOptions),
    /// Deliver this message.
    Send(Bytes),
    /// Reply when the message at this place of the stream is confirmed.
    Await(Sequence),
    /// Take from the queue from here on.
    Consume(ConsumerOptions),
    /// Take nothing any more.
    Retire,
    /// What was handed out is done.
    Confirm(Ticket),
    /// What was handed out is not done: hand it out again, after a while.
    Return(Ticket),
}

/// What tells a message that was handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket {
    /// The consumer to which it was handed.
    pub consumer: ConsumerId,
    /// The producer's node.
    pub producer: NodeId,
    /// The producer's stream.
    pub stream: StreamId,
    /// The message's place in it.
    pub sequence: Sequence,
}

/// The answer to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// To `Produce`: the stream, and for how much there is room, now. [`Event::Room`] tells of more.
    Producing {
        /// The stream.
        stream: StreamId,
        /// How many messages are unconfirmed, of which the disk told.
        unconfirmed: usize,
        /// Room for messages.
        messages: usize,
        /// Room for bytes.
        bytes: usize,
    },
    /// To `Send`: it will be delivered, in this place of the stream. What a durable producer accepted is on its disk.
    Accepted(Sequence),
    /// To `Consume`: this is who takes messages.
    Consuming(ConsumerId),
    /// So be it.
    Done,
    /// Nothing was done.
    Refused(Refusal),
}

/// Why nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The machine has no such role.
    Idle,
    /// The machine has that role already.
    Taken,
    /// As much is unconfirmed as may be.
    Full,
    /// The message is larger than everything unconfirmed may be.
    TooLarge,
    /// The disk has no room.
    NoSpace,
    /// The disk has failed.
    Failed,
    /// There is no such message yet, or too many wait.
    Unknown,
    /// The disk holds messages of a durable queue of this name, which is not to be one any more.
    Durable,
}

/// News for this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Here is a message for the handler, which owes `Confirm` or `Return`.
    Hand {
        /// What tells it from others.
        ticket: Ticket,
        /// How often it was handed out before by this consumer.
        attempt: u32,
        /// What it says.
        payload: Bytes,
    },
    /// There is room for so much more to be sent.
    Room {
        /// Messages.
        messages: usize,
        /// Bytes.
        bytes: usize,
    },
    /// A message was accepted, whether or not anybody waits to hear so.
    Accepted,
    /// So many messages were confirmed for the first time.
    Confirmed(u64),
    /// So many messages were sent over their channel again.
    Resent(u64),
    /// So many messages that were sent are to go to another consumer, or to the same one anew.
    Reassigned(u64),
    /// A message came that had come before, and was not handed out.
    Repeated,
    /// The handler gave a message back.
    Returned,
}
