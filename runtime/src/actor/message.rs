//! A message on its way to an actor of the same node: the value itself, in a box, with the way back.
//!
//! Not for messages from other nodes, which are frames until the target's own thread decodes them.

use std::any::Any;

use actix::Message;
use actix::dev::OneshotSender;

use crate::wire::WireId;

/// A boxed [`LocalCall`] whose type only its dispatch entry knows.
pub(crate) trait LocalMessage: Any + Send {
    /// The message's id.
    fn id(&self) -> &'static str;
}

/// A message and where its answer goes, if one is wanted.
pub(crate) struct LocalCall<M: Message> {
    pub(crate) message: M,
    pub(crate) answer: Option<OneshotSender<M::Result>>,
}

impl<M> LocalMessage for LocalCall<M>
where
    M: Message + WireId + Send + 'static,
    M::Result: Send,
{
    fn id(&self) -> &'static str {
        M::ID
    }
}
