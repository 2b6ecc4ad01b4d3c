//! Topics: what is published under a name reaches, once and without a promise, whoever subscribes to it at that moment, wherever.
//!
//! A publication is one frame to each node with subscribers, however many there are; that node hands it to each of them. Every node tells
//! its peers what it has subscribers for ([`interest`]), so that nothing goes where nobody listens. Fire and forget: what a subscriber, a
//! link or a node has no room for is dropped and counted, and the publisher never waits. For what must arrive there are asks and queues.

mod board;
mod error;
mod exchange;
mod fan;
mod inbox;
pub mod interest;
mod meters;
mod notice;
mod subscription;
mod topic;

pub(crate) use board::Board;
pub use error::{PublishError, SubscribeError, TopicError};
pub use subscription::Subscription;
pub use topic::{Publication, Topic};
