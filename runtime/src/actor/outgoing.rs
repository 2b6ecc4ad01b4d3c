//! Sending one message: into a feed of this node as it is, onto a link encoded.
//!
//! Knows no references; where a message goes was settled by its route.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use synod_protocols::Timestamp;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::catalogue::Key;
use super::core::Core;
use super::feed::{Feed, LocalItem};
use super::letter::DeadLetter;
use super::message::{Fault, LocalAnswer, LocalCall};
use super::remote_message::RemoteMessage;
use super::route::{Destination, Route};
use crate::cluster::{Agreement, Parcel, SendError, Session};
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
    agreed: Agreed,
    /// Not shared, so that a message need not be `Sync`.
    message: &'a mut M,
}

const LOST: AskError = AskError::not_executed(Cause::LinkLost);

impl<M: RemoteMessage> Outgoing<M> {
    /// Sends a message that wants no answer, without waiting for anything.
    pub(crate) fn tell_now(mut self, to: &Destination) -> Result<(), AskError> {
        let core = to.core()?;
        if let Some(Route::Local(feed, interface)) = &*to.known() {
            return self.deliver(feed, *interface, None);
        }
        match to.route_now(self.key)? {
            None => Err(AskError::not_executed(Cause::Unreachable)),
            Some(Route::Local(feed, interface)) => self.deliver(&feed, interface, None),
            Some(Route::Remote(session, agreement)) => {
                let mut passage = self.passage(core, to, &session, &agreement)?;
                passage.tell_now().inspect_err(|error| forget_lost(to, *error))
            }
        }
    }

    /// Sends a message that wants no answer, waiting for a link and for room on it.
    pub(crate) async fn tell(mut self, to: &Destination) -> Result<(), AskError> {
        let core = to.core()?;
        {
            let known = to.known();
            match &*known {
                Some(Route::Local(feed, interface)) => return self.deliver(feed, *interface, None),
                Some(Route::Remote(session, agreement)) => {
                    let mut passage = self.passage(core, to, session, agreement)?;
                    let head = passage.tell_head();
                    if passage.try_send(&head).is_ok() {
                        return Ok(());
                    }
                }
                None => {}
            }
        }
        let limit = core.settings.limits.ask_timeout;
        let mut again = true;
        loop {
            match to.route(self.key, limit).await? {
                Route::Local(feed, interface) => return self.deliver(&feed, interface, None),
                Route::Remote(session, agreement) => {
                    let mut passage = self.passage(core, to, &session, &agreement)?;
                    let head = passage.tell_head();
                    match passage.send(&head, limit).await {
                        // The way was known and the link is gone: there may be another.
                        Err(error) if error == LOST && again => to.forget(),
                        sent => return sent,
                    }
                }
            }
            again = false;
        }
    }

    /// Sends a message and waits for its answer.
    pub(crate) async fn ask(mut self, to: &Destination, limit: Duration) -> Result<M::Result, AskError> {
        let core = to.core()?;
        let deadline = core.deadline(limit);
        let mut again = true;
        loop {
            match to.route(self.key, deadline.since(core.now())).await? {
                Route::Local(feed, interface) => return self.ask_here(&feed, interface, limit).await,
                Route::Remote(session, agreement) => {
                    let mut passage = self.passage(core, to, &session, &agreement)?;
                    match passage.ask(deadline).await {
                        Err(error) if error == LOST && again => to.forget(),
                        answer => return answer,
                    }
                }
            }
            again = false;
        }
    }

    async fn ask_here(self, feed: &Feed, interface: u16, limit: Duration) -> Result<M::Result, AskError> {
        let (sender, receiver) = oneshot::channel();
        let fault = Fault::default();
        self.deliver(feed, interface, Some(LocalAnswer { sender, fault: fault.clone() }))?;
        match timeout(limit, receiver).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(_)) => Err(fault.told().unwrap_or(AskError::unknown(Cause::Cancelled))),
            Err(_) => Err(AskError::unknown(Cause::Timeout)),
        }
    }

    fn deliver(
        self,
        feed: &Feed,
        interface: u16,
        answer: Option<LocalAnswer<M::Result>>,
    ) -> Result<(), AskError> {
        let item = LocalItem {
            interface,
            message: self.position,
            size: size_of::<M>(),
            call: Box::new(LocalCall { message: self.message, id: M::ID, answer }),
        };
        feed.push(item).map_err(|(_, cause)| AskError::not_executed(cause))
    }

    fn passage<'a>(
        &'a mut self,
        core: &'a Arc<Core>,
        to: &'a Destination,
        session: &'a Arc<Session>,
        agreement: &Agreement,
    ) -> Result<Passage<'a, M>, AskError> {
        let agreed = agreement.get(usize::from(self.position)).copied().flatten();
        let agreed = agreed.ok_or(AskError::not_executed(Cause::Unsupported))?;
        Ok(Passage { core, to, session, agreed, message: &mut self.message })
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

    fn try_send(&mut self, head: &Head) -> Result<(), SendError> {
        self.session.send(self.to.lane(), head, &mut |out| encode(self.message, self.agreed.form, out))
    }

    fn tell_now(&mut self) -> Result<(), AskError> {
        let head = self.tell_head();
        match self.try_send(&head) {
            Ok(()) => Ok(()),
            Err(SendError::Closed) => Err(LOST),
            Err(SendError::Full) => Err(AskError::not_executed(Cause::LinkFull)),
            Err(SendError::Encode) => Err(AskError::not_executed(Cause::Encode)),
            Err(SendError::TooLarge) => {
                let body = self.body()?;
                let limit = self.core.settings.limits.bulk_bytes_max;
                match self.session.try_place(self.to.lane(), &head, body.len(), limit) {
                    Ok(parcel) => {
                        self.carry(&head, parcel, body);
                        Ok(())
                    }
                    Err(SendError::Full) => Err(AskError::not_executed(Cause::LinkFull)),
                    Err(_) => Err(LOST),
                }
            }
        }
    }

    async fn send(&mut self, head: &Head, limit: Duration) -> Result<(), AskError> {
        loop {
            match self.try_send(head) {
                Ok(()) => return Ok(()),
                Err(SendError::Closed) => return Err(LOST),
                Err(SendError::Encode) => return Err(AskError::not_executed(Cause::Encode)),
                Err(SendError::Full) => {
                    let room = timeout(limit, self.session.link().ready(self.to.lane())).await;
                    room.map_err(|_| AskError::not_executed(Cause::LinkFull))?.map_err(|_| LOST)?;
                }
                Err(SendError::TooLarge) => return self.send_large(head, limit).await,
            }
        }
    }

    async fn ask(&mut self, deadline: Timestamp) -> Result<M::Result, AskError> {
        let (correlation, answer, sooner) = self.session.pending.enter(deadline).ok_or(LOST)?;
        if sooner {
            self.core.sooner.notify_one();
        }
        let left = deadline.since(self.core.now());
        let deadline_ms = Some(u32::try_from(left.as_millis()).unwrap_or(u32::MAX));
        let head = Head::Ask(correlation, Call { deadline_ms, ..self.call() });
        if let Err(error) = self.send(&head, left).await {
            self.session.pending.withdraw(correlation);
            return Err(error);
        }
        let body = answer.await.unwrap_or(Err(AskError::unknown(Cause::LinkLost)))?;
        let limit = self.core.settings.limits.message_bytes_max;
        let mut decoder = Decoder::new(self.core.clone());
        decoder.decode(&body, limit).map_err(|_| AskError::unknown(Cause::Decode))
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
        let place = self.session.place(self.to.lane(), head, body.len(), under_way);
        let place = timeout(limit, place).await;
        let parcel = place.map_err(|_| AskError::not_executed(Cause::LinkFull))?.map_err(|_| LOST)?;
        let done = self.carry(head, parcel, body);
        if matches!(head, Head::Tell(_)) {
            // Whatever became of it: if the peer does not have it, it comes back.
            let _ = done.await;
        }
        Ok(())
    }

    /// Sends the body of a large message, whatever becomes of the caller; it comes back if it does not get through. Gives where the
    /// end of that is told.
    fn carry(&self, head: &Head, parcel: Parcel, body: Bytes) -> oneshot::Receiver<()> {
        let (core, session) = (self.core.clone(), self.session.clone());
        let (target, head) = (self.to.target.clone(), head.clone());
        let (done, told) = oneshot::channel();
        self.core.run(0, async move {
            if let Err(error) = session.carry(parcel, body.clone()).await {
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

fn forget_lost(to: &Destination, error: AskError) {
    if error == LOST {
        to.forget();
    }
}
