//! Brings actors to life: a slot, a name, a place, a supervisor.

use std::any::Any;
use std::sync::Arc;

use actix::Addr;
use synod_transport::{Lane, Role};
use tokio::sync::oneshot;

use super::catalogue::Serving;
use super::core::Core;
use super::factory::{Factory, Scope};
use super::feed::Feed;
use super::interface::{Remote, Served, Serves};
use super::kind::Kind;
use super::offer::{FeedLimits, Offer, Offered};
use super::pump::Source;
use super::reference::ActorRef;
use super::supervisor::Supervisor;
use super::system::ActorSystem;
use super::target::Target;
use super::terminated::Reason;
use crate::address::stable_hash;
use crate::env::{Spawner, Start};
use crate::wire::{Head, encode_body};

/// Why an actor did not come to life; nothing of it is left.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpawnError {
    /// Another actor of this node has the name.
    #[error("the name {0:?} is taken")]
    NameTaken(String),
    /// A client's actors have no names, because nobody looks them up there.
    #[error("actors of a client have no names")]
    NamedOnClient,
    /// Another interface of this name, or too many interfaces, are served by this node.
    #[error("another interface is called {0:?}")]
    InterfaceConflict(&'static str),
    /// What makes the actor panicked; the text is the panic's.
    #[error("making the actor panicked: {0}")]
    Panicked(String),
    /// The actor whose child it was to be has ended, or is being started again.
    #[error("the parent has ended, or is being started again")]
    NoParent,
    /// The thread on which it was to live is gone.
    #[error("the thread for the actor is gone")]
    NoPlace,
}

/// An actor that came to life.
pub struct Spawned<A: Remote> {
    core: Arc<Core>,
    target: Target,
    address: Addr<A>,
}

impl<A: Remote> Spawned<A> {
    /// A reference by one of the actor's interfaces.
    #[must_use]
    pub fn reference<I: Serves<A>>(&self) -> ActorRef<I> {
        ActorRef::new(self.target.clone(), Some(self.core.clone()))
    }

    /// The actor's plain actix address: for messages that never leave the node, past the feed and its bounds.
    #[must_use]
    pub fn address(&self) -> &Addr<A> {
        &self.address
    }

    /// Asks the actor to stop.
    pub fn stop(&self) {
        if let Ok(feed) = self.core.registry.find(self.target.actor) {
            feed.stop(Reason::Stopped);
        }
    }
}

impl ActorSystem {
    /// Brings an actor to life under a name: supervised, registered, at a place that follows from the name.
    ///
    /// # Errors
    /// [`SpawnError`]; nothing is left of the actor then.
    pub async fn spawn<A, S>(
        &self,
        name: impl Into<String>,
        factory: impl Factory<A, S>,
    ) -> Result<Spawned<A>, SpawnError>
    where
        A: Remote,
        S: 'static,
    {
        if self.role() == Role::Client {
            return Err(SpawnError::NamedOnClient);
        }
        let name = name.into();
        let place = stable_hash(name.as_bytes()) as usize;
        self.bring(Some(name), Spot::Place(place), None, factory).await
    }

    /// As [`ActorSystem::spawn`], beside the links where they share their thread with protocols: for actors that hand on what arrives,
    /// or answer it from a state machine of which the node's owner has said that it is quick.
    pub(crate) async fn spawn_by_links<A, S>(
        &self,
        name: String,
        factory: impl Factory<A, S>,
    ) -> Result<Spawned<A>, SpawnError>
    where
        A: Remote,
        S: 'static,
    {
        let place = stable_hash(name.as_bytes()) as usize;
        self.bring(Some(name), Spot::ByLinks(place), None, factory).await
    }

    /// Brings an actor to life that only holders of its reference reach. Such actors take places in turn.
    ///
    /// # Errors
    /// [`SpawnError`]; nothing is left of the actor then.
    pub async fn spawn_anonymous<A, S>(&self, factory: impl Factory<A, S>) -> Result<Spawned<A>, SpawnError>
    where
        A: Remote,
        S: 'static,
    {
        self.bring(None, Spot::Place(self.next_place()), None, factory).await
    }

    /// As the two above, as a child of another actor of this node.
    pub(crate) async fn bring_child<A, S>(
        &self,
        name: Option<String>,
        parent: u64,
        factory: impl Factory<A, S>,
    ) -> Result<Spawned<A>, SpawnError>
    where
        A: Remote,
        S: 'static,
    {
        if name.is_some() && self.role() == Role::Client {
            return Err(SpawnError::NamedOnClient);
        }
        self.bring(name, Spot::Place(self.next_place()), Some(parent), factory).await
    }

    async fn bring<A, S>(
        &self,
        name: Option<String>,
        spot: Spot,
        parent: Option<u64>,
        factory: impl Factory<A, S>,
    ) -> Result<Spawned<A>, SpawnError>
    where
        A: Remote,
        S: 'static,
    {
        let core = &self.core;
        let kind = self.kind::<A>()?;
        let feed = core.registry.enter(name.as_deref(), &kind.offer);
        let feed = feed.ok_or_else(|| SpawnError::NameTaken(name.unwrap_or_default()))?;
        if let Some(parent) = parent
            && !core.registry.find(parent).is_ok_and(|parent| parent.signals.adopt(feed.actor))
        {
            core.terminate(feed.actor, Reason::Stopped);
            return Err(SpawnError::NoParent);
        }
        let target = Target { node: core.name().clone(), incarnation: core.incarnation(), actor: feed.actor };
        let (born, birth) = oneshot::channel();
        let source = Source::new(core.clone(), feed.clone(), kind);
        let cradle = Cradle { core: core.clone(), feed, parent, left: false };
        // In this order, so that nothing is left of the actor when whoever spawns hears that its place is gone.
        let start = (cradle, born);
        spot.start(
            &*core.settings.env.spawner,
            Box::new(move || {
                let (mut cradle, born) = start;
                let actor = cradle.feed.actor;
                let launched = launch(source, parent, factory);
                cradle.left = launched.is_ok();
                drop(cradle);
                match born.send(launched) {
                    // Whoever spawned has given up waiting; the actor lives all the same.
                    Ok(()) | Err(Ok(_)) => {}
                    Err(Err(panic)) => {
                        tracing::error!(actor, panic, "making an actor panicked, and nobody waits for it")
                    }
                }
            }),
        );
        match birth.await {
            Ok(Ok(address)) => Ok(Spawned { core: core.clone(), target, address }),
            Ok(Err(panic)) => Err(SpawnError::Panicked(panic)),
            Err(_) => Err(SpawnError::NoPlace),
        }
    }

    /// What all actors of a type share: made with the first of them, whose interfaces are served from here on.
    fn kind<A: Remote>(&self) -> Result<Arc<Kind<A>>, SpawnError> {
        let Core { catalogue, settings, .. } = &*self.core;
        if let Some(kind) = catalogue.kind::<A, Kind<A>>() {
            return Ok(kind);
        }
        let served = A::serves();
        let interfaces = served.iter().map(|served| self.offer(served)).collect::<Result<_, _>>()?;
        let limits = FeedLimits { messages: A::MAILBOX, bytes: settings.limits.feed_bytes_max };
        let tables = served.into_iter().map(|served| served.entries).collect();
        let kind = Arc::new(Kind { offer: Arc::new(Offer { interfaces, limits }), tables });
        catalogue.keep_kind::<A>(kind.clone());
        Ok(kind)
    }

    /// Serves an interface from here on, and tells all peers at the first time and when its window has become smaller.
    fn offer<A: Remote>(&self, served: &Served<A>) -> Result<Offered, SpawnError> {
        let key = served.key;
        let serving = self.core.catalogue.serve(key, A::MAILBOX);
        let Serving { number, window, news } =
            serving.map_err(|_| SpawnError::InterfaceConflict(key.name))?;
        if let Some(manifest) = news {
            let body = encode_body(&manifest);
            for session in self.core.links.all() {
                self.core.send(session, Lane::Control, Head::Announce, body.clone());
            }
        }
        let callers = self.core.settings.policy.of(key.name);
        Ok(Offered { key: key.id, name: key.name, number, clients: served.clients, window, callers })
    }
}

/// An actor until it is born. Nothing is left of one that is not, whoever waits for it or does not.
struct Cradle {
    core: Arc<Core>,
    feed: Arc<Feed>,
    parent: Option<u64>,
    /// Whether it lives.
    left: bool,
}

impl Drop for Cradle {
    fn drop(&mut self) {
        if self.left {
            return;
        }
        self.core.terminate(self.feed.actor, Reason::Stopped);
        self.core.close(&self.feed, []);
        if let Some(Ok(parent)) = self.parent.map(|parent| self.core.registry.find(parent)) {
            parent.signals.release(self.feed.actor);
        }
    }
}

/// Where an actor is to live.
#[derive(Clone, Copy, Debug)]
enum Spot {
    /// At this place.
    Place(usize),
    /// Beside the links, or at this place where they have a thread of their own.
    ByLinks(usize),
}

impl Spot {
    fn start(self, spawner: &dyn Spawner, start: Start) {
        match self {
            Self::Place(place) => spawner.start_at(place, start),
            Self::ByLinks(place) => {
                if let Err(start) = spawner.start_by_links(start) {
                    spawner.start_at(place, start);
                }
            }
        }
    }
}

fn launch<A, S>(
    source: Source<A>,
    parent: Option<u64>,
    mut factory: impl Factory<A, S>,
) -> Result<Addr<A>, String>
where
    A: Remote,
    S: 'static,
{
    // Takes no memory of its own when the factory does not.
    let make = Box::new(move |scope: &Scope| factory.make(scope));
    let (supervisor, address) = Supervisor::start(source, make, parent).map_err(|panic| text_of(&*panic))?;
    actix_rt::spawn(supervisor);
    Ok(address)
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no text".to_owned())
}
