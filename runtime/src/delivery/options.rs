//! What a sender and a receiver of a queue are to be like.

use std::num::NonZeroU32;

use synod_protocols::delivery::{ConsumerOptions, Order, ProducerOptions};

/// What a sender is to be like. Start from [`SenderOptions::in_order`] or [`SenderOptions::jobs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderOptions(pub(super) ProducerOptions);

impl SenderOptions {
    /// One receiver at a time gets everything, in order; when it has gone, another one goes on.
    #[must_use]
    pub const fn in_order() -> Self {
        Self::of(Order::Sequential)
    }

    /// Each message goes to some receiver that has room for it; to another one when that has gone without confirming it.
    #[must_use]
    pub const fn jobs() -> Self {
        Self::of(Order::Jobs)
    }

    /// Keeps messages and confirmations on the node's disk, so that they outlive its process.
    #[must_use]
    pub const fn durable(mut self) -> Self {
        self.0.durable = true;
        self
    }

    /// At most this many messages, and this many bytes, may be unconfirmed; beyond, senders wait. 1,024 and 16 MiB unless given. All of
    /// them are in memory.
    #[must_use]
    pub const fn unconfirmed_max(mut self, messages: NonZeroU32, bytes: NonZeroU32) -> Self {
        (self.0.messages_max, self.0.bytes_max) = (messages.get() as usize, bytes.get() as usize);
        self
    }

    const fn of(order: Order) -> Self {
        Self(ProducerOptions { order, durable: false, messages_max: 1024, bytes_max: 16 << 20 })
    }
}

/// What a receiver is to be like. Start from [`ReceiverOptions::one_at_a_time`] or [`ReceiverOptions::at_once`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiverOptions(pub(super) ConsumerOptions);

impl ReceiverOptions {
    /// The next message is handed out after the one before was confirmed: in order, also where one is given back. 64 of each sender wait here
    /// meanwhile.
    #[must_use]
    pub const fn one_at_a_time() -> Self {
        Self(ConsumerOptions { ahead: 64, bytes: 4 << 20, in_hand: 1 })
    }

    /// So many are in the handler's hands at a time, and no more come: the others are for other workers.
    #[must_use]
    pub const fn at_once(jobs: NonZeroU32) -> Self {
        Self(ConsumerOptions { ahead: jobs.get(), bytes: 4 << 20, in_hand: jobs.get() })
    }

    /// So many messages of each sender, and so many bytes, may be here unconfirmed, those in the handler's hands among them.
    #[must_use]
    pub const fn ahead(mut self, messages: NonZeroU32, bytes: NonZeroU32) -> Self {
        (self.0.ahead, self.0.bytes) = (messages.get(), bytes.get());
        self
    }
}
