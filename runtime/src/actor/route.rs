//! The way from a reference to its actor: a feed on this node, or a link and the numbers agreed on it.
//!
//! Found once and kept; a way over a link that broke is looked for again.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use synod_protocols::Timestamp;
use synod_transport::Lane;
use tokio::time::timeout;

use super::catalogue::Key;
use super::core::Core;
use super::feed::Feed;
use super::target::Target;
use crate::cluster::{Agreement, Body, Flow, Session, Waiting, Way};
use crate::error::{AskError, Cause};
use crate::wire::{Head, MANIFEST_BYTES_MAX, Manifest, decode, encode_body};

/// The way to an actor.
#[derive(Clone)]
pub(crate) enum Route {
    /// On this node.
    Local(Local),
    /// Over a link.
    Remote(Arc<Session>, Arc<Agreement>, Arc<Flow>),
}

/// The way to an actor of this node.
#[derive(Clone)]
pub(crate) struct Local {
    pub(crate) feed: Arc<Feed>,
    /// The interface's position among the actor's.
    pub(crate) interface: u16,
}

/// The way over a link.
pub(crate) type Linked = (Arc<Session>, Arc<Agreement>, Arc<Flow>);

/// An actor, and the way to it as seen from one node.
pub(crate) struct Destination {
    pub(crate) target: Target,
    pub(crate) core: Option<Arc<Core>>,
    found: Found,
}

/// The way that was found before.
enum Found {
    /// On this node; it never changes.
    Here(OnceLock<Local>),
    /// Over a link, which may break.
    There(Mutex<Option<Linked>>),
}

impl Destination {
    pub(crate) fn new(target: Target, core: Option<Arc<Core>>) -> Self {
        let found = match &core {
            Some(core) if target.node == *core.name() => Found::Here(OnceLock::new()),
            _ => Found::There(Mutex::default()),
        };
        Self { target, core, found }
    }

    pub(crate) fn core(&self) -> Result<&Arc<Core>, AskError> {
        self.core.as_ref().ok_or(AskError::not_executed(Cause::Unbound))
    }

    /// The lane on which its messages stay in order.
    pub(crate) fn lane(&self) -> Lane {
        Lane::for_target(self.target.actor)
    }

    /// The way over a link that was found before, for use in place: counting references to what two threads share costs as much as
    /// sending. `None` for an actor of this node.
    pub(crate) fn linked(&self) -> Option<MutexGuard<'_, Option<Linked>>> {
        match &self.found {
            Found::Here(_) => None,
            Found::There(linked) => Some(linked.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    /// The way to an actor of this node that was found before.
    pub(crate) fn settled(&self) -> Option<&Local> {
        match &self.found {
            Found::Here(local) => local.get(),
            Found::There(_) => None,
        }
    }

    /// The way to an actor of this node; `None` for one of another.
    pub(crate) fn local(&self, key: Key) -> Result<Option<&Local>, AskError> {
        let Found::Here(known) = &self.found else { return Ok(None) };
        if let Some(local) = known.get() {
            return Ok(Some(local));
        }
        let core = self.core()?;
        core.check_incarnation(self.target.incarnation)?;
        let feed = core.registry.find(self.target.actor).map_err(AskError::not_executed)?;
        let position = feed.offer.interfaces.iter().position(|offered| offered.key == key.id);
        let position = position.ok_or(AskError::not_executed(Cause::Unsupported))?;
        Ok(Some(known.get_or_init(|| Local { feed, interface: position as u16 })))
    }

    /// The way, if it is known without waiting.
    pub(crate) fn route_now(&self, key: Key) -> Result<Option<Route>, AskError> {
        if let Some(local) = self.local(key)? {
            return Ok(Some(Route::Local(local.clone())));
        }
        if let Some((session, agreement, flow)) = self.linked().and_then(|linked| linked.clone()) {
            return Ok(Some(Route::Remote(session, agreement, flow)));
        }
        let core = self.core()?;
        match core.links.way(&self.target.node, self.target.incarnation) {
            Way::Up(session) => Ok(agreed(core, &session, key).map(|agreed| self.over(session, agreed))),
            Way::Expected => Ok(None),
            Way::Stale => Err(AskError::not_executed(Cause::StaleIncarnation)),
            Way::Quarantined => Err(AskError::not_executed(Cause::Quarantined)),
            Way::Departed | Way::Nowhere => Err(AskError::not_executed(Cause::Unreachable)),
        }
    }

    /// The way, waiting for a link and for the peer's manifest.
    pub(crate) async fn route(&self, key: Key, limit: Duration) -> Result<Route, AskError> {
        if let Some(route) = self.route_now(key)? {
            return Ok(route);
        }
        let core = self.core()?;
        let deadline = core.deadline(limit);
        let session = linked(core, &self.target, limit.min(core.settings.limits.connect_timeout)).await?;
        let agreed = match agreed(core, &session, key) {
            Some(agreed) => agreed,
            None => describe(core, &session, key, deadline).await?,
        };
        Ok(self.over(session, agreed))
    }

    /// The way led over a link that is gone.
    pub(crate) fn forget(&self) {
        self.keep(None);
    }

    fn over(&self, session: Arc<Session>, agreed: Arc<Agreement>) -> Route {
        let flow = session.flows.open(self.target.actor, agreed.window);
        self.keep(Some((session.clone(), agreed.clone(), flow.clone())));
        Route::Remote(session, agreed, flow)
    }

    fn keep(&self, way: Option<Linked>) {
        // What was known before is dropped without the lock.
        let _before = self.linked().map(|mut linked| mem::replace(&mut *linked, way));
    }
}

/// The link to the actor's node, waiting at most `limit` for it to come up.
pub(crate) async fn linked(core: &Core, target: &Target, limit: Duration) -> Result<Arc<Session>, AskError> {
    let up = async {
        loop {
            let changed = core.links.changed.notified();
            tokio::pin!(changed);
            // Registered before the look, so that a link that comes up in between is not missed.
            changed.as_mut().enable();
            match core.links.way(&target.node, target.incarnation) {
                Way::Up(session) => return Ok(session),
                Way::Stale => return Err(AskError::not_executed(Cause::StaleIncarnation)),
                Way::Quarantined => return Err(AskError::not_executed(Cause::Quarantined)),
                Way::Departed | Way::Nowhere => return Err(AskError::not_executed(Cause::Unreachable)),
                Way::Expected => changed.await,
            }
        }
    };
    timeout(limit, up).await.unwrap_or(Err(AskError::not_executed(Cause::Unreachable)))
}

/// Asks a peer's node, not one of its actors.
pub(crate) async fn request(
    core: &Core,
    session: &Arc<Session>,
    head: fn(u64) -> Head,
    body: Bytes,
    deadline: Timestamp,
) -> Result<Bytes, AskError> {
    let lost = AskError::not_executed(Cause::LinkLost);
    let (waiting, sooner) = Waiting::enter(session, deadline).ok_or(lost)?;
    if sooner {
        core.sooner.notify_one();
    }
    let sent = session.send_patiently(Lane::Control, &head(waiting.correlation()), body).await;
    sent.map_err(|_| lost)?;
    waiting.await.map(Body::into_bytes)
}

fn agreed(core: &Core, session: &Session, key: Key) -> Option<Arc<Agreement>> {
    session.agreement(key.id, key.name, || core.catalogue.shapes(key))
}

async fn describe(
    core: &Core,
    session: &Arc<Session>,
    key: Key,
    deadline: Timestamp,
) -> Result<Arc<Agreement>, AskError> {
    let unsupported = AskError::not_executed(Cause::Unsupported);
    let answer = request(core, session, Head::Describe, encode_body(&key.name), deadline).await;
    // Whatever became of the description, the message itself has not left.
    let body = answer.map_err(|error| AskError::not_executed(error.cause))?;
    let manifest: Option<Manifest> = decode(&body, MANIFEST_BYTES_MAX).map_err(|_| unsupported)?;
    if !session.learn(manifest.ok_or(unsupported)?) {
        return Err(unsupported);
    }
    agreed(core, session, key).ok_or(unsupported)
}
