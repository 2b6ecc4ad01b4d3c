//! What makes an actor, and what it is given to do so.

use std::any::{Any, TypeId};
use std::sync::Arc;

use actix::{Actor, ActorContext};

use super::interface::Interface;
use super::offer::Offer;
use super::reference::ActorRef;
use super::system::ActorSystem;
use super::target::Target;
use super::terminated::Reason;
use crate::env::Env;

/// What an actor may keep of its surroundings when it is made: the way for its handlers to reach the node.
#[derive(Clone)]
pub struct Scope {
    pub(crate) system: ActorSystem,
    pub(crate) own: Target,
    pub(crate) offer: Arc<Offer>,
}

/// Makes an actor, at first and before each restart: `Store::default`, or `|scope: &Scope| …`.
pub trait Factory<A, Shape>: Send + 'static {
    /// Makes it, on the thread on which it will live.
    fn make(&mut self, scope: &Scope) -> A;
}

impl<A, F> Factory<A, ()> for F
where
    F: FnMut() -> A + Send + 'static,
{
    fn make(&mut self, _scope: &Scope) -> A {
        self()
    }
}

impl<A, F> Factory<A, (Scope,)> for F
where
    F: FnMut(&Scope) -> A + Send + 'static,
{
    fn make(&mut self, scope: &Scope) -> A {
        self(scope)
    }
}

impl Scope {
    /// The actor's node.
    #[must_use]
    pub fn system(&self) -> &ActorSystem {
        &self.system
    }

    /// Clock, spawner, seed, network and disk.
    #[must_use]
    pub fn env(&self) -> &Env {
        self.system.env()
    }

    /// What was attached to the system, if it is of this type.
    #[must_use]
    pub fn attached<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.system.attached()
    }

    /// Stops the actor, which calls this from one of its handlers, with a number as its reason: its watchers hear it.
    pub fn exit<A: Actor>(&self, ctx: &mut A::Context, number: u32)
    where
        A::Context: ActorContext,
    {
        // An actor that has ended has given its reason.
        if let Ok(feed) = self.system.core.registry.find(self.own.actor) {
            feed.signals.leave(Reason::Exit(number));
        }
        ctx.stop();
    }

    /// The actor's own reference by one of its interfaces; `None` when it does not serve that one.
    #[must_use]
    pub fn own<I: Interface>(&self) -> Option<ActorRef<I>> {
        let serves = self.offer.interfaces.iter().any(|offered| offered.key == TypeId::of::<I>());
        serves.then(|| ActorRef::new(self.own.clone(), Some(self.system.core.clone())))
    }
}
