//! [`Delivered`]: a message in its handler's hands, until it is confirmed or dropped.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use synod_protocols::NodeId;
use synod_protocols::delivery::{Command, Sequence, StreamId, Ticket};

use crate::delivery::end::End;

/// A message in its handler's hands. [`Delivered::confirm`] says that it is done; dropped without that — also by a panic — it is handed out
/// again after half a second.
///
/// It is an actix message, so that an actor can handle it ([`crate::delivery::ReliableReceiver::hand_to`]).
#[must_use = "dropped without being confirmed, a message comes again"]
pub struct Delivered<M> {
    message: M,
    attempt: u32,
    hold: Hold,
}

/// What has to be said when the handler lets go.
struct Hold {
    end: Arc<End>,
    ticket: Ticket,
    is_done: bool,
}

impl<M> Delivered<M> {
    pub(super) fn new(end: Arc<End>, ticket: Ticket, attempt: u32, message: M) -> Self {
        Self { message, attempt, hold: Hold { end, ticket, is_done: false } }
    }

    /// It is done, and does not come again to a receiver that lives. Call this after its effects are where they have to be.
    pub fn confirm(mut self) {
        self.hold.is_done = true;
    }

    /// The node of the sender.
    #[must_use]
    pub fn producer(&self) -> NodeId {
        self.hold.ticket.producer
    }

    /// All that this sender ever sends; of a durable one it outlives the process. Kept with what the message did, together with
    /// [`Delivered::sequence`], it tells whether that was done before.
    #[must_use]
    pub fn stream(&self) -> StreamId {
        self.hold.ticket.stream
    }

    /// The message's place in the stream, from 1 on without gaps.
    #[must_use]
    pub fn sequence(&self) -> Sequence {
        self.hold.ticket.sequence
    }

    /// How often this receiver has handed it out before.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The same delivery with another view of its message.
    pub(super) fn try_map<N, E>(
        self,
        view: impl FnOnce(&M) -> Result<N, E>,
    ) -> Result<Delivered<N>, (Self, E)> {
        match view(&self.message) {
            Ok(message) => Ok(Delivered { message, attempt: self.attempt, hold: self.hold }),
            Err(error) => Err((self, error)),
        }
    }
}

impl<M> Deref for Delivered<M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.message
    }
}

impl<M: 'static> actix::Message for Delivered<M> {
    type Result = ();
}

impl<M: fmt::Debug> fmt::Debug for Delivered<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {:?}", self.stream(), self.sequence(), self.message)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let ticket = self.ticket;
        self.end.tell(if self.is_done { Command::Confirm(ticket) } else { Command::Return(ticket) });
    }
}
