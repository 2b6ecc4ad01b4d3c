//! [`Topic`]: a name under which messages of one type are published, and to which actors and programs subscribe.

use std::num::NonZeroUsize;
use std::sync::Arc;

use bytes::BytesMut;
use serde::Serialize;
use serde::de::DeserializeOwned;
use synod_transport::LinkError;
use tokio::sync::mpsc::channel;
use tokio::sync::oneshot;

use crate::actor::{Accepts, ActorRef, RemoteMessage};
use crate::address::{ProtocolId, stable_hash};
use crate::topics::board::{Board, Routes};
use crate::topics::error::{PublishError, SubscribeError, TopicError};
use crate::topics::fan::{Fan as _, Hub, Who};
use crate::topics::meters::Dropped;
use crate::topics::notice::Word;
use crate::topics::subscription::{Leave, Subscription};
use crate::wire::{Form, encode};

/// A topic as one node holds it. Clones are the same topic.
pub struct Topic<M> {
    inner: Arc<Inner<M>>,
}

struct Inner<M> {
    board: Arc<Board>,
    name: String,
    hub: Arc<Hub<M>>,
    routes: Arc<Routes>,
    protocol: ProtocolId,
}

/// What became of a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publication {
    /// To how many other nodes it is under way.
    pub nodes: usize,
    /// To how many it is not, because the link had no room or was gone.
    pub missed: usize,
}

impl Publication {
    /// The largest publication, encoded.
    pub const BYTES_MAX: usize = (1 << 20) - 64;
}

impl<M: Serialize + DeserializeOwned + Clone + Send + 'static> Topic<M> {
    pub(crate) fn open(board: &Arc<Board>, name: &str) -> Result<Self, TopicError> {
        let (hub, routes) = board.open::<M>(name)?;
        let (board, name) = (board.clone(), name.to_owned());
        Ok(Self { inner: Arc::new(Inner { board, name, hub, routes, protocol: Word::protocol() }) })
    }

    /// Lets everybody have a message who subscribes at this moment, as far as this node knows and there is room: one frame to each
    /// other node with subscribers. Waits for nobody.
    ///
    /// # Errors
    /// [`PublishError`]; nobody hears it then.
    pub fn publish(&self, message: M) -> Result<Publication, PublishError> {
        let Inner { board, hub, routes, .. } = &*self.inner;
        let mut publication = Publication { nodes: 0, missed: 0 };
        let nodes = routes.nodes();
        if !nodes.is_empty() {
            let mut payload = BytesMut::new();
            // With names: other nodes may run another version.
            encode(&message, Form::Named, &mut payload)
                .map_err(|error| PublishError::Encode(error.to_string()))?;
            let bytes = payload.len();
            if bytes > Publication::BYTES_MAX {
                return Err(PublishError::TooLarge { bytes });
            }
            let payload = payload.freeze();
            let courier = board.courier();
            for &(node, number) in nodes.iter() {
                let word = Word::Publication(number, payload.clone());
                match courier.send(node, self.inner.protocol, &mut |form, out| word.write(form, out)) {
                    Ok(()) => publication.nodes += 1,
                    Err(LinkError::Full | LinkError::Closed | LinkError::Broken(_)) => {
                        publication.missed += 1
                    }
                    Err(LinkError::TooLarge { .. }) => return Err(PublishError::TooLarge { bytes }),
                }
            }
        }
        drop(nodes);
        board.meters.published.inc();
        board.meters.frames.inc_by(publication.nodes as u64);
        board.meters.dropped(Dropped::Link).inc_by(publication.missed as u64);
        if !hub.is_empty() {
            hub.offer_value(message);
        }
        Ok(publication)
    }

    /// Lets an actor of this node hear what is published from here on, until it stops or [`Topic::unsubscribe`] is called. Publications are
    /// told to it as if by [`ActorRef::try_tell`]: with a full mailbox it misses some.
    ///
    /// # Errors
    /// [`SubscribeError`].
    pub fn subscribe<I>(&self, actor: &ActorRef<I>) -> Result<(), SubscribeError>
    where
        I: Accepts<M>,
        M: RemoteMessage,
    {
        let Inner { board, name, hub, .. } = &*self.inner;
        let who = self.who(actor).ok_or(SubscribeError::Elsewhere)?;
        let (leaves, left) = oneshot::channel::<()>();
        let (listener, end) = (actor.clone(), board.system.bind(actor));
        // Who is taken out takes the sender along, which ends the watch.
        let hearing = move |message: M| !leaves.is_closed() && listener.try_tell(message).is_ok();
        if !hub.enter(who, Box::new(hearing)) {
            return Err(SubscribeError::Twice);
        }
        board.settle(name);
        let (own, hub, name) = (Arc::downgrade(board), hub.clone(), name.clone());
        let system = board.system.clone();
        board.system.core.run(stable_hash(name.as_bytes()) as usize, async move {
            tokio::select! {
                _stopped = system.watch(&end) => {
                    hub.leave(who);
                    if let Some(board) = own.upgrade() {
                        board.settle(&name);
                    }
                }
                _unsubscribed = left => {}
            }
        });
        Ok(())
    }

    /// Lets an actor hear no more; says whether it subscribed.
    pub fn unsubscribe<I: Accepts<M>>(&self, actor: &ActorRef<I>) -> bool
    where
        M: RemoteMessage,
    {
        let left = self.who(actor).is_some_and(|who| self.inner.hub.leave(who));
        self.inner.board.settle(&self.inner.name);
        left
    }

    /// What is published from here on, for whoever is no actor. Beyond `room` publications that wait it misses some.
    #[must_use]
    pub fn listen(&self, room: NonZeroUsize) -> Subscription<M> {
        let inner = &self.inner;
        let (sender, publications) = channel(room.get());
        let who = inner.hub.newcomer();
        inner.hub.enter(who, Box::new(move |message| sender.try_send(message).is_ok()));
        inner.board.settle(&inner.name);
        let topic = self.clone();
        let leave = move || {
            topic.inner.hub.leave(who);
            topic.inner.board.settle(&topic.inner.name);
        };
        Subscription::new(publications, Leave(Some(Box::new(leave))))
    }

    fn who<I: Accepts<M>>(&self, actor: &ActorRef<I>) -> Option<Who>
    where
        M: RemoteMessage,
    {
        let system = &self.inner.board.system;
        let is_here = actor.node() == system.name() && actor.incarnation() == system.incarnation();
        is_here.then(|| Who::Actor(actor.target().actor))
    }
}

impl<M> Clone for Topic<M> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}
