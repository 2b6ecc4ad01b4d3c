//! Reliable delivery: a [`ReliableSender`] on one node, a [`ReliableReceiver`] on another, and a queue between them that has a name.
//!
//! What was accepted is delivered until the receiver's handler confirms it, whatever becomes of connections, receivers and, where the queue is
//! durable, of the sender's process. Thin typed handles: what is sent when, and again, the machine decides (`synod_protocols::delivery`), and the
//! one driver carries it out. A plain tell is cheaper and comes back when it is not delivered; this is for who would only send it again.

mod delivered;
mod end;
mod error;
mod meters;
mod options;
mod outlet;
mod queues;
mod receiver;
mod sender;

pub use delivered::Delivered;
pub use error::{QueueError, ReceiveError, SendError};
pub use options::{ReceiverOptions, SenderOptions};
pub(crate) use queues::Queues;
pub use receiver::ReliableReceiver;
pub use sender::ReliableSender;
pub use synod_protocols::delivery::{Order, Sequence, StreamId};
