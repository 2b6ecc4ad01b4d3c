//! What goes wrong when a queue is opened, sent to and taken from.

use synod_protocols::Outcome;

use crate::delivery::delivered::Delivered;
use crate::driver::CommandError;
use crate::wire::DecodeError;

/// Why a node has no sender or no receiver of a queue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// The node has a sender with other options.
    #[error("this node sends to the queue {0:?} already, with other options")]
    OtherOptions(String),
    /// The node has a receiver. Options say how many messages it is handed at a time.
    #[error("this node takes from the queue {0:?} already")]
    Taken(String),
    /// The disk holds messages of a durable queue of this name.
    #[error("the queue {0:?} was durable, and its messages are on the disk: open it as a durable one")]
    Durable(String),
    /// The node is going down.
    #[error("the node is going down: {0}")]
    Gone(#[from] CommandError),
}

/// Why a message was not accepted, or nothing is known of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// As much is unconfirmed as may be. Not accepted.
    #[error("as many messages are unconfirmed as may be")]
    Full,
    /// A message has at most [`crate::delivery::ReliableSender::MESSAGE_BYTES_MAX`] bytes, and no more than all unconfirmed ones together. Not
    /// accepted.
    #[error("a message of {bytes} bytes is too large for the queue")]
    TooLarge {
        /// How many it has.
        bytes: usize,
    },
    /// The message's own `Serialize` refuses. Not accepted.
    #[error("the message cannot be encoded: {0}")]
    Encode(String),
    /// The disk has no room. Not accepted.
    #[error("the disk has no room")]
    NoSpace,
    /// No message was accepted under this number, or too many wait for confirmations.
    #[error("no such message is awaited")]
    Unknown,
    /// The machine did not answer.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl SendError {
    /// Whether the message may be delivered all the same.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::Full | Self::TooLarge { .. } | Self::Encode(_) | Self::NoSpace | Self::Unknown => {
                Outcome::NotExecuted
            }
            Self::Command(error) => error.outcome(),
        }
    }
}

/// Why there is no message.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The node is going down: nothing comes any more.
    #[error("the node is going down")]
    Ended,
    /// A message came that is none of this type. Confirm it to go on without it; dropped, it comes again, perhaps to a later version.
    #[error("a message cannot be read: {error}")]
    Unreadable {
        /// As it came.
        raw: Box<Delivered<bytes::Bytes>>,
        /// What is wrong with it.
        error: DecodeError,
    },
}
