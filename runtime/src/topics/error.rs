//! What goes wrong with topics. That nobody listens does not.

/// Why a node has no handle of a topic.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// A name has at most 256 bytes.
    #[error("the name of a topic has 1 to 256 bytes")]
    Name,
    /// On this node the topic has messages of another type.
    #[error("the topic {0:?} has messages of another type on this node")]
    OtherType(String),
}

/// Why nobody heard a publication; it went nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The message's own `Serialize` refuses.
    #[error("the message cannot be encoded: {0}")]
    Encode(String),
    /// A publication has at most [`crate::topics::Publication::BYTES_MAX`] bytes.
    #[error("a publication of {bytes} bytes is too large")]
    TooLarge {
        /// How many it has.
        bytes: usize,
    },
}

/// Why an actor was not subscribed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubscribeError {
    /// Actors subscribe on their own node.
    #[error("the actor lives on another node: subscribe it there")]
    Elsewhere,
    /// The actor subscribes to the topic already.
    #[error("the actor subscribes to the topic already")]
    Twice,
}
