//! [`ActorSystem`]: the handle through which one node or client hosts actors and reaches those of others.
//!
//! A value; a hundred of them live in one process. What a node is beyond its actors stands elsewhere.

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::join_all;
use synod_transport::{Address, CloseReason, PeerName, Role, Transport};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::core::Core;
use super::interface::Interface;
use super::reference::ActorRef;
use super::registry::Watcher;
use super::terminated::Reason;
use crate::cluster::{Courier, Post};
use crate::env::Env;
use crate::telemetry::Metrics;

/// The actors of one node or client. Clones are the same system.
#[derive(Clone)]
pub struct ActorSystem {
    pub(crate) core: Arc<Core>,
}

impl ActorSystem {
    pub(crate) fn around(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// This node's name.
    #[must_use]
    pub fn name(&self) -> &PeerName {
        self.core.name()
    }

    /// Whether this is a node or a client.
    #[must_use]
    pub fn role(&self) -> Role {
        self.core.settings.role
    }

    /// This process start.
    #[must_use]
    pub fn incarnation(&self) -> u64 {
        self.core.incarnation()
    }

    /// Clock, spawner, seed, network and disk.
    #[must_use]
    pub fn env(&self) -> &Env {
        &self.core.settings.env
    }

    /// Where this system counts.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.core.settings.metrics
    }

    /// The network.
    #[must_use]
    pub fn transport(&self) -> &Arc<dyn Transport> {
        self.core.links.transport().expect("attached at the start")
    }

    /// The way of protocol machines over this system's links.
    #[must_use]
    pub fn courier(&self) -> Arc<dyn Courier> {
        Arc::new(Post::of(&self.core))
    }

    /// The members to which a link is up, by name.
    #[must_use]
    pub fn members(&self) -> Vec<PeerName> {
        self.core.links.members().iter().map(|session| session.peer().name.clone()).collect()
    }

    /// The peers of which a watcher here was told that they are down and that have not started again, by name and incarnation. Actors of
    /// this node and of theirs do not talk; protocols do.
    #[must_use]
    pub fn quarantined(&self) -> Vec<(PeerName, u64)> {
        self.core.links.quarantined()
    }

    /// Keeps a link to one more peer.
    pub fn connect(&self, address: Address) {
        self.core.links.connect(address);
    }

    /// The reference as this node uses it: one that was decoded elsewhere than for an actor or an asker belongs to no node.
    #[must_use]
    pub fn bind<I: Interface>(&self, reference: &ActorRef<I>) -> ActorRef<I> {
        ActorRef::new(reference.target().clone(), Some(self.core.clone()))
    }

    /// Asks an actor of this node to stop; `false` when it is none, or has stopped.
    #[must_use = "an actor of another node is not stopped"]
    pub fn stop<I: Interface>(&self, reference: &ActorRef<I>) -> bool {
        let target = reference.target();
        if target.node != *self.core.name() || target.incarnation != self.core.incarnation() {
            return false;
        }
        self.core.registry.find(target.actor).map(|feed| feed.stop(Reason::Stopped)).is_ok()
    }

    /// Ends an actor of this node without asking it, in the middle of what it waits for; `false` when it is none, or has stopped.
    #[must_use = "an actor of another node is not ended"]
    pub fn kill<I: Interface>(&self, reference: &ActorRef<I>) -> bool {
        let target = reference.target();
        if target.node != *self.core.name() || target.incarnation != self.core.incarnation() {
            return false;
        }
        self.core.registry.find(target.actor).map(|feed| feed.kill(Reason::Killed)).is_ok()
    }

    /// Gives actors something to find through their scope, once: a second call changes nothing. It is found for as long as its
    /// owner keeps it.
    pub fn attach<T: Any + Send + Sync>(&self, extension: &Arc<T>) {
        let found: Weak<T> = Arc::downgrade(extension);
        // What was attached first has been found already.
        let _ = self.core.attached.set(found);
    }

    /// What was attached, if it is of this type and still there.
    #[must_use]
    pub fn attached<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.core.attached.get()?.upgrade()?.downcast::<T>().ok()
    }

    /// Stops all actors and closes all links, taking at most `grace` for each of the two.
    pub async fn shutdown(&self, grace: Duration) {
        let feeds = self.core.registry.feeds();
        let children: BTreeSet<u64> = feeds.iter().flat_map(|feed| feed.signals.children()).collect();
        let stopped = feeds.into_iter().filter_map(|feed| {
            let (sender, receiver) = oneshot::channel();
            self.core.registry.watch(feed.actor, Watcher::Local(sender)).ok()?;
            // Children are stopped by their parents, in their order.
            if !children.contains(&feed.actor) {
                feed.stop(Reason::Shutdown);
            }
            Some(receiver)
        });
        // Actors that do not stop in time end with their arbiter.
        let _ = timeout(grace, join_all(stopped)).await;
        self.transport().close(CloseReason::Shutdown, grace).await;
        self.core.sooner.notify_one();
    }

    pub(crate) fn next_place(&self) -> usize {
        self.core.turn.fetch_add(1, Ordering::Relaxed)
    }
}
