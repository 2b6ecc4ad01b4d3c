//! A message on its way to an actor of the same node: the value itself, in a box, with the way back.
//!
//! Not for messages from other nodes, which are frames until the target's own thread decodes them.

use std::any::Any;
use std::sync::{Arc, OnceLock};

use actix::Message;
use actix::dev::OneshotSender;

use crate::error::AskError;

/// A boxed [`LocalCall`] whose type only its dispatch entry knows.
pub(crate) trait LocalMessage: Any + Send {
    /// Says that it was not delivered; gives the message's id when nobody waits for an answer.
    fn refuse(self: Box<Self>, error: AskError) -> Option<&'static str>;
}

/// A message and where its answer goes.
pub(crate) struct LocalCall<M: Message> {
    pub(crate) message: M,
    pub(crate) id: &'static str,
    pub(crate) answer: Option<LocalAnswer<M::Result>>,
}

/// Where the answer of a local ask goes.
pub(crate) struct LocalAnswer<R> {
    pub(crate) sender: OneshotSender<R>,
    pub(crate) fault: Fault,
}

/// Why a local ask was not answered, told before its sender is dropped.
#[derive(Clone, Default)]
pub(crate) struct Fault(Arc<OnceLock<AskError>>);

impl Fault {
    pub(crate) fn tell(&self, error: AskError) {
        // The first fault is the one that happened.
        let _ = self.0.set(error);
    }

    pub(crate) fn told(&self) -> Option<AskError> {
        self.0.get().copied()
    }
}

impl<M> LocalMessage for LocalCall<M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    fn refuse(self: Box<Self>, error: AskError) -> Option<&'static str> {
        match self.answer {
            Some(answer) => {
                answer.fault.tell(error);
                None
            }
            None => Some(self.id),
        }
    }
}
