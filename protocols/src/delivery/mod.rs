//! Reliable delivery: messages of a queue reach whoever consumes it, again and again until its handler confirms them.
//!
//! A queue has a name, a producer on each node that sends to it and a consumer on each node that takes from it; this machine is one
//! node's end of one queue, in either role or both. The producer numbers its messages (a *stream*) and gives them to a consumer over a
//! *channel*, which numbers them again; the consumer grants how far the channel may run ahead of what is confirmed. What a channel lost is
//! sent again, what came twice is handed out once, what a consumer that has gone did not confirm is given to the next one. In a queue
//! *in order* one consumer at a time gets everything; in a queue of *jobs* every consumer gets what it has room for. A durable producer keeps
//! what it accepted, and how far it was confirmed, on its disk.
//!
//! Not exactly once by itself: a handler that dies between its deed and its confirmation is handed the message again. A consumer that keeps
//! the stream and the sequence of its last deed with the deed's result can tell. After Akka's Reliable Delivery (producer and consumer
//! controllers) and the end-to-end argument (Saltzer, Reed and Clark, TOCS 1984).

mod acts;
mod channel;
mod config;
mod consumer;
mod inlet;
mod machine;
mod message;
mod numbers;
mod producer;
mod ranges;
mod record;
mod state;
mod stream;
#[cfg(test)]
mod tests;

pub use config::{Config, ConsumerOptions, Order, ProducerOptions};
pub use message::{Command, Event, Message, Refusal, Reply, Ticket};
pub use numbers::{ChannelId, ConsumerId, Position, Sequence, StreamId};
pub use ranges::Ranges;
pub use record::Record;
pub use state::Delivery;
