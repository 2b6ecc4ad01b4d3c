//! [`ActorRef`]: names one actor by the interface it serves, from anywhere in the cluster.
//!
//! Holds no actor. It can travel in messages; where it is decoded for an actor or an asker it belongs to that node, elsewhere
//! it is unbound until `ActorSystem::bind`.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::sync::Arc;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use synod_transport::PeerName;

use super::ask::Ask;
use super::core::Core;
use super::interface::{Accepts, Interface, key};
use super::outgoing::Outgoing;
use super::remote_message::RemoteMessage;
use super::route::Destination;
use super::target::Target;
use crate::error::AskError;
use crate::scope;
use crate::wire::{Schema, Wire};

/// A reference to an actor that serves interface `I`, on this node or another.
///
/// Equal references name the same actor of the same process of the same node.
pub struct ActorRef<I> {
    destination: Arc<Destination>,
    interface: PhantomData<fn() -> I>,
}

impl<I: Interface> ActorRef<I> {
    pub(crate) fn new(target: Target, core: Option<Arc<Core>>) -> Self {
        Self { destination: Arc::new(Destination::new(target, core)), interface: PhantomData }
    }

    pub(crate) fn target(&self) -> &Target {
        &self.destination.target
    }

    /// The name of the actor's node.
    #[must_use]
    pub fn node(&self) -> &PeerName {
        &self.destination.target.node
    }

    /// Which process start of its node the actor belongs to.
    #[must_use]
    pub fn incarnation(&self) -> u64 {
        self.destination.target.incarnation
    }

    /// Sends a message that wants no answer; waits for a link and for room on it.
    ///
    /// # Errors
    /// Whatever is known on this node, always with the outcome `NotExecuted`, but for a large message whose stream broke. What
    /// goes wrong later comes back as a dead letter.
    pub async fn tell<M>(&self, message: M) -> Result<(), AskError>
    where
        M: RemoteMessage,
        I: Accepts<M>,
    {
        Self::outgoing(message).tell(&self.destination).await
    }

    /// Sends a message that wants no answer, without waiting: when there is no link yet, it fails.
    ///
    /// # Errors
    /// Whatever is known on this node, always with the outcome `NotExecuted`. What goes wrong later comes back as a dead letter.
    pub fn try_tell<M>(&self, message: M) -> Result<(), AskError>
    where
        M: RemoteMessage,
        I: Accepts<M>,
    {
        Self::outgoing(message).tell_now(&self.destination)
    }

    /// Asks: await what this gives, after setting a deadline if the default does not fit.
    pub fn ask<M>(&self, message: M) -> Ask<M>
    where
        M: RemoteMessage,
        I: Accepts<M>,
    {
        Ask::new(self.destination.clone(), Self::outgoing(message))
    }

    fn outgoing<M>(message: M) -> Outgoing<M>
    where
        M: RemoteMessage,
        I: Accepts<M>,
    {
        Outgoing { message, key: key::<I>(), position: <I as Accepts<M>>::POSITION }
    }
}

impl<I> Clone for ActorRef<I> {
    fn clone(&self) -> Self {
        Self { destination: self.destination.clone(), interface: PhantomData }
    }
}

impl<I> PartialEq for ActorRef<I> {
    fn eq(&self, other: &Self) -> bool {
        self.destination.target == other.destination.target
    }
}

impl<I> Eq for ActorRef<I> {}

impl<I> Hash for ActorRef<I> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.destination.target.hash(state);
    }
}

impl<I: Interface> fmt::Debug for ActorRef<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Target { node, incarnation, actor } = &self.destination.target;
        write!(f, "{}@{node}/{incarnation}/{}.{}", I::NAME, actor >> 32, *actor as u32)
    }
}

impl<I> Serialize for ActorRef<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Target { node, incarnation, actor } = &self.destination.target;
        (node.as_str(), incarnation, actor).serialize(serializer)
    }
}

impl<'de, I: Interface> Deserialize<'de> for ActorRef<I> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (node, incarnation, actor) = <(String, u64, u64)>::deserialize(deserializer)?;
        let node = PeerName::new(&node).ok_or_else(|| D::Error::custom("not the name of a node"))?;
        Ok(Self::new(Target { node, incarnation, actor }, scope::node()))
    }
}

impl<I: Interface> Wire for ActorRef<I> {
    fn describe(schema: &mut Schema) {
        schema.word("reference");
        schema.word(I::NAME);
    }
}
