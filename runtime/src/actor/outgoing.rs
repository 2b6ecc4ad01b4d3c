//! Sending one message: into a feed of this node as it is, onto a link encoded.
//!
//! Knows no references; where a message goes was settled by its route.

use std::sync::Arc;
use std::time::Duration;

use actix::dev::OneshotSender;
use bytes::{Bytes, BytesMut};
use synod_protocols::Timestamp;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};

use super::asking::Asking;
use super::catalogue::Key;
use super::charged::{Charged, large};
use super::core::Core;
use super::feed::{Feed, LocalItem};
use super::letter::DeadLetter;
use super::message::LocalCall;
use super::remote_message::{RemoteMessage, RemoteValue};
use super::route::{Destination, Local, Route};
use crate::cluster::{Agreement, Answer, Body, Flow, Parcel, SendError, Session, Waiting};
use crate::error::{AskError, Cause};
use crate::scope::Decoder;
use crate::wire::{Agreed, Call, Form, Head, encode};

/// A message to an actor, with all that does not depend on the way.
pub(crate) struct Outgoing<M> {
    pub(crate) message: M,
    pub(crate) key: Key,
    /// The message's position in the interface.
    pub(crate) position: u16,
}

/// A message on its way over one link.
struct Passage<'a, M> {
    core: &'a Arc<Core>,
    to: &'a Destination,
    session: &'a Arc<Session>,
    flow: &'a Arc<Flow>,
    agreed: Agreed,
    /// Not shared, so that a message need not be `Sync`.
    message: &'a mut M,
}

const LOST: AskError = AskError::not_executed(Cause::LinkLost);

impl<M: RemoteMessage> Outgoing<M> {
    /// Sends a message that wants no answer, without waiting for anything.
    pub(crate) fn tell_now(mut self, to: &Destination) -> Result<(), AskError> {
        let core = to.core()?;
        if let Some(local) = to.local(self.key)? {
            return self.deliver(local);
        }
        match to.route_now(self.key)? {
            None => Err(AskError::not_executed(Cause::Unreachable)),
            Some(Route::Local(local)) => self.deliver(&local),
            Some(Route::Remote(session, agreement, flow)) => {
                let mut passage = self.passage(core, to, &session, &agreement, &flow)?;
                passage.tell_now().inspect_err(|error| forget_lost(to, *error))
            }
        }
    }

    /// Sends a message that wants no answer, waiting for a link and for room on it and before the actor.
    pub(crate) async fn tell(mut self, to: &Destination) -> Result<(), AskError> {
        let core = to.core()?;
        let limit = core.settings.limits.ask_timeout;
        if let Some(local) = to.local(self.key)? {
            return match local.feed.push(self.item(local.interface, None)) {
                Ok(()) => Ok(()),
                Err((item, Cause::MailboxFull)) => push_patiently(&local.feed, item, limit).await,
                Err((_, cause)) => Err(AskError::not_executed(cause)),
            };
        }
        if let Some((session, agreement, flow)) = to.linked().as_deref().and_then(Option::as_ref) {
            let mut passage = self.passage(core, to, session, agreement, flow)?;
            let head = passage.tell_head();
            if passage.try_send(&head).is_ok() {
                return Ok(());
            }
        }
        self.tell_patiently(core, to, limit).await
    }

    async fn tell_patiently(
        mut self,
        core: &Arc<Core>,
        to: &Destination,
        limit: Duration,
    ) -> Result<(), AskError> {
        let mut again = true;
        loop {
            match to.route(self.key, limit).await? {
                Route::Local(Local { feed, interface }) => {
                    return push_patiently(&feed, self.item(interface, None), limit).await;
                }
                Route::Remote(session, agreement, flow) => {
                    let mut passage = self.passage(core, to, &session, &agreement, &flow)?;
                    let head = passage.tell_head();
                    match passage.send(head, limit).await {
                        // The way was known and the link is gone: there may be another.
                        Err(error) if error == LOST && again => to.forget(),
                        sent => return sent,
                    }
                }
            }
            again = false;
        }
    }

    /// Sends a message to an actor of another node and waits for its answer.
    pub(crate) async fn ask(mut self, to: &Destination, limit: Duration) -> Result<M::Result, AskError> {
        let core = to.core()?;
        let deadline = core.deadline(limit);
        let asking = match to.linked().as_deref().and_then(Option::as_ref) {
            Some((session, agreement, flow)) => {
                self.passage(core, to, session, agreement, flow)?.ask_now(deadline, limit)
            }
            None => None,
        };
        if let Some(asking) = asking {
            match asking.await {
                Err(LOST) => to.forget(),
                answer => return result(core, answer),
            }
        }
        // In a box, for the sake of those that need not wait.
        Box::pin(self.ask_patiently(core, to, deadline)).await
    }

    async fn ask_patiently(
        mut self,
        core: &Arc<Core>,
        to: &Destination,
        deadline: Timestamp,
    ) -> Result<M::Result, AskError> {
        let mut again = true;
        loop {
            let left = deadline.since(core.now());
            match to.route(self.key, left).await? {
                Route::Local(_) => unreachable!("an actor of this node is asked without a link"),
                Route::Remote(session, agreement, flow) => {
                    let mut passage = self.passage(core, to, &session, &agreement, &flow)?;
                    match passage.ask(deadline).await {
                        Err(error) if error == LOST && again => to.forget(),
                        Err(error) => return Err(error),
                        Ok(asking) => match asking.await {
                            Err(error) if error == LOST && again => to.forget(),
                            answer => return result(core, answer),
                        },
                    }
                }
            }
            again = false;
        }
    }

    fn deliver(self, local: &Local) -> Result<(), AskError> {
        let pushed = local.feed.push(self.item(local.interface, None));
        pushed.map_err(|(_, cause)| AskError::not_executed(cause))
    }

    /// The message as a feed of this node takes it.
    pub(crate) fn item(self, interface: u16, answer: Option<OneshotSender<M::Result>>) -> LocalItem {
        LocalItem {
            interface,
            message: self.position,
            size: u32::try_from(size_of::<M>()).unwrap_or(u32::MAX),
            ask: None,
            call: Box::new(LocalCall { message: self.message, answer }),
        }
    }

    fn passage<'a>(
        &'a mut self,
        core: &'a Arc<Core>,
        to: &'a Destination,
        session: &'a Arc<Session>,
        agreement: &Agreement,
        flow: &'a Arc<Flow>,
    ) -> Result<Passage<'a, M>, AskError> {
        let agreed = agreement.messages.get(usize::from(self.position)).copied().flatten();
        let agreed = agreed.ok_or(AskError::not_executed(Cause::Unsupported))?;
        Ok(Passage { core, to, session, flow, agreed, message: &mut self.message })
    }
}

impl<M: RemoteMessage> Passage<'_, M> {
    fn call(&self) -> Call {
        Call {
            message: self.agreed.number,
            target: self.to.target.actor,
            named: self.agreed.form == Form::Named,
            ..Call::default()
        }
    }

    fn tell_head(&self) -> Head {
        Head::Tell(self.call())
    }

    /// Sends if there is room, and nobody waits for it.
    fn try_send(&mut self, head: &Head) -> Result<(), SendError> {
        self.flow.admits()?;
        self.send_now(head)
    }

    fn send_now(&mut self, head: &Head) -> Result<(), SendError> {
        let (message, form) = (&mut *self.message, self.agreed.form);
        self.session.send_in(self.flow, self.to.lane(), head, &mut |out| encode(message, form, out))
    }

    fn tell_now(&mut self) -> Result<(), AskError> {
        let head = self.tell_head();
        match self.try_send(&head) {
            Ok(()) => Ok(()),
            Err(SendError::TooLarge) => {
                let body = self.body()?;
                let limit = self.core.settings.limits.bulk_bytes_max;
                let charged = Charged::with(self.flow, large(&head, &body));
                match self.session.try_place(self.to.lane(), &head, body.len(), limit) {
                    Ok(parcel) => {
                        self.carry(&head, parcel, body, charged);
                        Ok(())
                    }
                    Err(SendError::Full) => Err(AskError::not_executed(Cause::LinkFull)),
                    Err(_) => Err(LOST),
                }
            }
            Err(error) => Err(told(error)),
        }
    }

    /// Sends as soon as there is room. What a request has waited here is taken from the time that its header leaves it.
    async fn send(&mut self, mut head: Head, limit: Duration) -> Result<(), AskError> {
        let until = Instant::now() + limit;
        let mut sent = self.try_send(&head);
        loop {
            sent = match sent {
                Err(SendError::Full) => {
                    let room = timeout_at(until, self.session.link().ready(self.to.lane())).await;
                    room.map_err(|_| told(SendError::Full))?.map_err(|_| LOST)?;
                    shorten(&mut head, until);
                    self.try_send(&head)
                }
                Err(SendError::Exhausted) => {
                    let flow = self.flow;
                    let send = || {
                        shorten(&mut head, until);
                        Some(self.send_now(&head))
                    };
                    let waited = timeout_at(until, flow.wait(send)).await;
                    waited.map_err(|_| told(SendError::Exhausted))?.unwrap_or_else(|shut| Err(shut.into()))
                }
                Err(SendError::TooLarge) => {
                    return self.send_large(&head, until.saturating_duration_since(Instant::now())).await;
                }
                sent => return sent.map_err(told),
            }
        }
    }

    /// Enters the request; what is to be sent is its header.
    fn enter(&self, deadline: Timestamp, left: Duration) -> Result<(Asking, Head), AskError> {
        let (waiting, sooner) = Waiting::enter(self.session, deadline).ok_or(LOST)?;
        if sooner {
            self.core.sooner.notify_one();
        }
        let deadline_ms = Some(millis(left));
        let head = Head::Ask(waiting.correlation(), Call { deadline_ms, ..self.call() });
        Ok((Asking::new(waiting, self.to.target.actor), head))
    }

    /// Asks if there is room, and nobody waits for it.
    fn ask_now(&mut self, deadline: Timestamp, left: Duration) -> Option<Asking> {
        let (mut asking, head) = self.enter(deadline, left).ok()?;
        self.try_send(&head).ok()?;
        asking.is_sent();
        Some(asking)
    }

    /// Asks as soon as there is room.
    async fn ask(&mut self, deadline: Timestamp) -> Result<Asking, AskError> {
        let left = deadline.since(self.core.now());
        let (mut asking, head) = self.enter(deadline, left)?;
        self.send(head, left).await?;
        asking.is_sent();
        Ok(asking)
    }

    /// The encoded message, if it is not too large for any way.
    fn body(&mut self) -> Result<Bytes, AskError> {
        let mut body = BytesMut::new();
        encode(self.message, self.agreed.form, &mut body)
            .map_err(|_| AskError::not_executed(Cause::Encode))?;
        if body.len() > self.core.settings.limits.message_bytes_max {
            return Err(AskError::not_executed(Cause::TooLarge));
        }
        Ok(body.freeze())
    }

    /// Sends a large message, waiting for its place in the lane and, for a tell, until the peer has it: so that nobody tells faster
    /// than the link carries.
    async fn send_large(&mut self, head: &Head, limit: Duration) -> Result<(), AskError> {
        let body = self.body()?;
        let under_way = self.core.settings.limits.bulk_bytes_max;
        let charged = Charged::with(self.flow, large(head, &body));
        let place = self.session.place(self.to.lane(), head, body.len(), under_way);
        let place = timeout(limit, place).await;
        let parcel = place.map_err(|_| AskError::not_executed(Cause::LinkFull))?.map_err(|_| LOST)?;
        let done = self.carry(head, parcel, body, charged);
        if matches!(head, Head::Tell(_)) {
            // Whatever became of it: if the peer does not have it, it comes back.
            let _ = done.await;
        }
        Ok(())
    }

    /// Sends the body of a large message, whatever becomes of the caller; it comes back if it does not get through. Gives where the
    /// end of that is told.
    fn carry(&self, head: &Head, parcel: Parcel, body: Bytes, charged: Charged) -> oneshot::Receiver<()> {
        let (core, session) = (self.core.clone(), self.session.clone());
        let (target, head) = (self.to.target.clone(), head.clone());
        let (done, told) = oneshot::channel();
        self.core.run(0, async move {
            let carried = session.carry(parcel, body.clone()).await;
            match &carried {
                // It has come into its target's feed, which says when it leaves it.
                Ok(()) => charged.stands(),
                Err(_) => drop(charged),
            }
            if let Err(error) = carried {
                match head {
                    Head::Ask(correlation, _) => {
                        session.pending.answer(correlation, Err(error));
                    }
                    _ => core.dead_letter(DeadLetter {
                        node: target.node,
                        actor: target.actor,
                        message: M::ID.to_owned(),
                        error,
                        body: Some(body),
                    }),
                }
            }
            // The caller may have given up waiting.
            let _ = done.send(());
        });
        told
    }
}

/// The value in an answer.
fn result<R: RemoteValue>(core: &Arc<Core>, answer: Answer) -> Result<R, AskError> {
    let limit = core.settings.limits.message_bytes_max;
    let mut decoder = Decoder::new(core.clone());
    let decoded = match answer? {
        Body::Whole(body) => decoder.decode(&body, limit),
        body => decoder.decode_copied(&body, limit),
    };
    decoded.map_err(|_| AskError::unknown(Cause::Decode))
}

/// Leaves a request the time until its deadline.
fn shorten(head: &mut Head, until: Instant) {
    if let Head::Ask(_, Call { deadline_ms: Some(left), .. }) = head {
        *left = (*left).min(millis(until.saturating_duration_since(Instant::now())));
    }
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

fn told(error: SendError) -> AskError {
    AskError::not_executed(match error {
        SendError::Closed => Cause::LinkLost,
        SendError::Full => Cause::LinkFull,
        SendError::TooLarge => Cause::TooLarge,
        SendError::Encode => Cause::Encode,
        SendError::Exhausted => Cause::MailboxFull,
        SendError::Gone => Cause::Stopped,
    })
}

/// Puts a message into a feed of this node as soon as there is room.
async fn push_patiently(feed: &Feed, item: LocalItem, limit: Duration) -> Result<(), AskError> {
    match timeout(limit, feed.push_patiently(item)).await {
        Ok(pushed) => pushed.map_err(|(_, cause)| AskError::not_executed(cause)),
        Err(_) => Err(AskError::not_executed(Cause::MailboxFull)),
    }
}

fn forget_lost(to: &Destination, error: AskError) {
    if error == LOST {
        to.forget();
    }
}
