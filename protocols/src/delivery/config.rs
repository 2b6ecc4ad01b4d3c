//! What a machine of reliable delivery is told: who it is and how patient, and what each of its roles is to be like.

use std::time::Duration;

use crate::types::NodeId;

/// The settings of one node's end of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// This node.
    pub id: NodeId,
    /// How long a producer waits for news of what it has sent before it asks the consumer; longer from question to question.
    pub retry: Duration,
    /// For how long a producer waits for a consumer that says nothing and has something of it, before another one gets that. Longer than
    /// links take to heal.
    pub patience: Duration,
    /// After what time a message is handed out again that the handler gave back.
    pub redeliver_after: Duration,
    /// For how long a consumer, or a durable producer, gathers confirmations, at most.
    pub gather: Duration,
}

impl Config {
    /// For nodes in one building.
    #[must_use]
    pub const fn lan(id: NodeId) -> Self {
        Self {
            id,
            retry: Duration::from_millis(500),
            patience: Duration::from_secs(5),
            redeliver_after: Duration::from_millis(500),
            gather: Duration::from_millis(10),
        }
    }
}

/// Who gets the messages of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// One consumer at a time gets all of them, in order; another one after it has gone.
    Sequential,
    /// Each goes to some consumer that has room for it.
    Jobs,
}

/// What a producer is to be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerOptions {
    /// Who gets its messages.
    pub order: Order,
    /// Whether it keeps them on its disk.
    pub durable: bool,
    /// How many accepted messages may be unconfirmed.
    pub messages_max: usize,
    /// How many bytes they may have.
    pub bytes_max: usize,
}

/// What a consumer is to be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsumerOptions {
    /// How many unconfirmed messages each producer may have here, handed out or waiting.
    pub ahead: u32,
    /// How many bytes they may have.
    pub bytes: u32,
    /// How many the handler may have at a time, of all producers. One keeps the order.
    pub in_hand: u32,
}
