//! From a queued message straight to the actor's handler, without an envelope: one entry per actor type and message.
//!
//! The handler stays plain actix; its answer goes through `MessageResponse`, so futures work as they do in actix.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use actix::dev::{MessageResponse, OneshotSender};
use actix::{Actor, Context, Handler, Message};
use bytes::{Bytes, BytesMut};
use serde::Serialize;
use synod_transport::Lane;
use tokio::sync::oneshot;

use super::core::Core;
use super::feed::{Feed, LocalItem};
use super::letter::DeadLetter;
use super::message::LocalCall;
use super::remote_message::RemoteMessage;
use crate::cluster::{SendError, Session};
use crate::error::{AskError, Cause};
use crate::scope::Decoder;
use crate::wire::{Form, Head, encode};

/// What a panic leaves behind.
pub(crate) type Panic = Box<dyn Any + Send>;

/// How one actor type handles one message, from here and from elsewhere.
pub struct Entry<A: Actor<Context = Context<A>>> {
    pub(crate) local: LocalEntry<A>,
    pub(crate) remote: RemoteEntry<A>,
}

pub(crate) type LocalEntry<A> = fn(&mut A, &mut Context<A>, &Around<'_>, LocalItem) -> Result<(), Panic>;
pub(crate) type RemoteEntry<A> =
    fn(&mut A, &mut Context<A>, &mut Around<'_>, Arrival<'_>) -> Result<(), Panic>;

/// What an entry finds around the actor.
pub(crate) struct Around<'a> {
    pub(crate) core: &'a Arc<Core>,
    pub(crate) feed: &'a Feed,
    pub(crate) decoder: &'a mut Decoder,
}

/// A message of another node.
pub(crate) struct Arrival<'a> {
    pub(crate) session: &'a Arc<Session>,
    pub(crate) head: Head,
    pub(crate) body: Bytes,
}

impl<A: Actor<Context = Context<A>>> Entry<A> {
    /// The entry for a message that the actor handles.
    #[must_use]
    pub fn of<M>() -> Self
    where
        M: RemoteMessage,
        A: Handler<M>,
        M::Result: Serialize + Send,
    {
        Self { local: local::<A, M>, remote: remote::<A, M> }
    }
}

fn local<A, M>(actor: &mut A, ctx: &mut Context<A>, around: &Around<'_>, item: LocalItem) -> Result<(), Panic>
where
    A: Actor<Context = Context<A>> + Handler<M>,
    M: RemoteMessage,
    M::Result: Send,
{
    let LocalItem { ask, call, .. } = item;
    let call: Box<dyn Any> = call;
    let call =
        call.downcast::<LocalCall<M>>().expect("a reference names its message by the interface's own table");
    let LocalCall { message, answer } = *call;
    let Some(answer) = answer else {
        return handle(actor, ctx, message, None).inspect_err(|_| {
            around.core.dead_letter(DeadLetter {
                node: around.core.name().clone(),
                actor: around.feed.actor,
                message: M::ID.to_owned(),
                error: AskError::unknown(Cause::Panicked),
                body: None,
            });
        });
    };
    if answer.is_closed() {
        // The asker has given up; as in actix, what was not begun is not done.
        around.core.counters.cancelled.inc();
        return Ok(());
    }
    // The sender stays outside, so that the asker finds the fault when it goes.
    match catch_unwind(AssertUnwindSafe(|| actor.handle(message, ctx))) {
        Ok(result) => catch_unwind(AssertUnwindSafe(|| result.handle(ctx, Some(answer)))),
        Err(panic) => {
            if let Some(ask) = ask {
                around.feed.fail(ask, AskError::unknown(Cause::Panicked));
            }
            Err(panic)
        }
    }
}

fn remote<A, M>(
    actor: &mut A,
    ctx: &mut Context<A>,
    around: &mut Around<'_>,
    arrival: Arrival<'_>,
) -> Result<(), Panic>
where
    A: Actor<Context = Context<A>> + Handler<M>,
    M: RemoteMessage,
    M::Result: Serialize + Send,
{
    let Arrival { session, head, body } = arrival;
    let core = around.core;
    let limit = core.settings.limits.message_bytes_max;
    // A `Deserialize` that panics is the message's fault, not the actor's.
    let decoded = catch_unwind(AssertUnwindSafe(|| around.decoder.decode::<M>(&body, limit)));
    let Ok(Ok(message)) = decoded else {
        core.refuse(session, &head, &body, AskError::not_executed(Cause::Decode));
        return Ok(());
    };
    let (correlation, call) = match &head {
        Head::Ask(correlation, call) => (*correlation, call),
        _ => {
            return handle(actor, ctx, message, None)
                .inspect_err(|_| core.refuse(session, &head, &body, AskError::unknown(Cause::Panicked)));
        }
    };
    if session.shares.asks.is_full(core.settings.limits.peer_asks_max) {
        core.limit_reached("asks");
        core.refuse(session, &head, &body, AskError::not_executed(Cause::LinkFull));
        return Ok(());
    }
    let form = if call.named { Form::Named } else { Form::Compact };
    let answering =
        Answering { session: session.clone(), correlation, lane: Lane::for_target(call.target), form };
    let (sender, mut receiver) = oneshot::channel();
    handle(actor, ctx, message, Some(sender))
        .inspect_err(|_| core.refuse(session, &head, &body, AskError::unknown(Cause::Panicked)))?;
    match receiver.try_recv() {
        Ok(result) => answering.give(core, Ok(&result)),
        Err(oneshot::error::TryRecvError::Closed) => {
            answering.give::<M::Result>(core, Err(AskError::unknown(Cause::Cancelled)));
        }
        Err(oneshot::error::TryRecvError::Empty) => {
            let core = core.clone();
            let session = session.clone();
            session.shares.asks.add(1);
            actix_rt::spawn(async move {
                match receiver.await {
                    Ok(result) => answering.give(&core, Ok(&result)),
                    Err(_) => answering.give::<M::Result>(&core, Err(AskError::unknown(Cause::Cancelled))),
                }
                session.shares.asks.give(1);
            });
        }
    }
    Ok(())
}

fn handle<A, M>(
    actor: &mut A,
    ctx: &mut Context<A>,
    message: M,
    sender: Option<OneshotSender<M::Result>>,
) -> Result<(), Panic>
where
    A: Actor<Context = Context<A>> + Handler<M>,
    M: Message,
{
    // After a panic the actor is replaced by a new one, so nobody sees it half changed.
    catch_unwind(AssertUnwindSafe(|| actor.handle(message, ctx).handle(ctx, sender)))
}

/// The way back of one remote ask.
struct Answering {
    session: Arc<Session>,
    correlation: u64,
    lane: Lane,
    form: Form,
}

impl Answering {
    fn give<R: Serialize>(self, core: &Core, result: Result<&R, AskError>) {
        let correlation = self.correlation;
        let head = Head::Reply { correlation, stream: false };
        let result = match result {
            Ok(result) => result,
            Err(error) => return self.fail(core, error),
        };
        // A `Serialize` that panics spoils this answer and nothing else: the actor has done its work.
        let sent = catch_unwind(AssertUnwindSafe(|| {
            self.session.send(self.lane, &head, &mut |out| encode(result, self.form, out))
        }));
        match sent.unwrap_or(Err(SendError::Encode)) {
            // A link that is gone has failed the ask at the other end, and answers have no window.
            Ok(()) | Err(SendError::Closed | SendError::Exhausted | SendError::Gone) => {}
            Err(SendError::Encode) => self.fail(core, AskError::unknown(Cause::Encode)),
            Err(SendError::Full | SendError::TooLarge) => {
                let mut body = BytesMut::new();
                if encode(result, self.form, &mut body).is_err() {
                    self.fail(core, AskError::unknown(Cause::Encode));
                } else if body.len() > core.settings.limits.message_bytes_max {
                    self.fail(core, AskError::unknown(Cause::TooLarge));
                } else {
                    core.send(self.session, self.lane, head, body.freeze());
                }
            }
        }
    }

    fn fail(self, core: &Core, error: AskError) {
        let head = Head::Failure { correlation: self.correlation, error };
        core.send(self.session, self.lane, head, Bytes::new());
    }
}
