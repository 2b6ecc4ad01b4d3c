//! All links of a node by peer, and the way of protocol machines over them.
//!
//! A table, told by the switchboard what comes and goes; it reads no frames.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use synod_protocols::{NodeId, SessionId};
use synod_transport::{Address, BulkSender, CloseReason, Lane, LinkError, PeerName, Role, Transport};
use tokio::sync::Notify;

use super::courier::{Courier, Inbox};
use super::session::Session;
use crate::address::ProtocolId;
use crate::wire::Head;

/// The table.
#[derive(Default)]
pub(crate) struct Links {
    state: RwLock<State>,
    transport: OnceLock<Arc<dyn Transport>>,
    /// Told when a link or a connection of it comes or goes.
    pub(crate) changed: Notify,
}

#[derive(Default)]
struct State {
    sessions: BTreeMap<PeerName, Arc<Session>>,
    nodes: BTreeMap<NodeId, PeerName>,
    inboxes: BTreeMap<ProtocolId, Arc<dyn Inbox>>,
    /// The latest incarnation of each peer that was ever linked.
    incarnations: BTreeMap<PeerName, u64>,
    /// Those that said goodbye, by their incarnation.
    departed: BTreeMap<PeerName, u64>,
    /// Those that were awaited for the reconnect window, in vain, by their incarnation.
    lapsed: BTreeMap<PeerName, u64>,
    /// The names that are dialled, and the addresses of which the name is not known.
    dialled: BTreeSet<PeerName>,
    seeds: BTreeSet<String>,
}

/// What is known about the way to one incarnation of a peer.
pub(crate) enum Way {
    /// The link is there; its connection may be away for a while.
    Up(Arc<Session>),
    /// The link may come up: somebody dials, or it was up before.
    Expected,
    /// The peer has started again since.
    Stale,
    /// The peer shut down.
    Departed,
    /// Nobody dials this peer.
    Nowhere,
}

impl Links {
    pub(crate) fn attach(&self, transport: Arc<dyn Transport>) {
        if self.transport.set(transport).is_err() {
            unreachable!("a node opens its transport once");
        }
    }

    pub(crate) fn transport(&self) -> Option<&Arc<dyn Transport>> {
        self.transport.get()
    }

    /// Keeps a link to this address from here on.
    pub(crate) fn connect(&self, address: Address) {
        match &address.name {
            Some(name) => {
                self.write().dialled.insert(name.clone());
            }
            None => {
                self.write().seeds.insert(address.endpoint.clone());
            }
        }
        if let Some(transport) = self.transport.get() {
            transport.connect(address);
        }
    }

    /// The way to one incarnation of a peer.
    pub(crate) fn way(&self, name: &PeerName, incarnation: u64) -> Way {
        let state = self.read();
        let latest = state.incarnations.get(name).copied();
        if latest.is_some_and(|latest| incarnation < latest) {
            return Way::Stale;
        }
        if let Some(session) = state.sessions.get(name)
            && session.peer().incarnation == incarnation
        {
            return Way::Up(session.clone());
        }
        if state.departed.get(name) == Some(&incarnation) {
            return Way::Departed;
        }
        let awaited = latest.is_some() || !state.seeds.is_empty() || state.dialled.contains(name);
        if awaited { Way::Expected } else { Way::Nowhere }
    }

    /// How many peers are dialled.
    pub(crate) fn dialled(&self) -> usize {
        let state = self.read();
        state.dialled.len() + state.seeds.len()
    }

    /// An address turned out to be this node's own.
    pub(crate) fn is_myself(&self, endpoint: &str) {
        self.write().seeds.remove(endpoint);
        self.changed.notify_waiters();
    }

    /// Whether this incarnation of a peer stayed away for too long and has not been back.
    pub(crate) fn has_lapsed(&self, name: &PeerName, incarnation: u64) -> bool {
        self.read().lapsed.get(name) == Some(&incarnation)
    }

    /// The links to members over which a connection is up, by name.
    pub(crate) fn members(&self) -> Vec<Arc<Session>> {
        let state = self.read();
        let up = |session: &&Arc<Session>| session.peer().role == Role::Member && session.carrier().is_some();
        state.sessions.values().filter(up).cloned().collect()
    }

    /// All links, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        self.read().sessions.values().cloned().collect()
    }

    /// A link came up.
    pub(crate) fn up(&self, session: &Arc<Session>) {
        {
            let mut state = self.write();
            let peer = session.peer().clone();
            state.incarnations.insert(peer.name.clone(), peer.incarnation);
            state.departed.remove(&peer.name);
            state.lapsed.remove(&peer.name);
            state.nodes.insert(session.node(), peer.name.clone());
            state.sessions.insert(peer.name, session.clone());
        }
        self.carried(session);
    }

    /// Another connection carries a link, or none does.
    pub(crate) fn carried(&self, session: &Session) {
        let number = session.link().connection();
        // Under the lock, so that a subscription comes before or after.
        let (before, inboxes) = {
            let state = self.write();
            (session.set_carrier(number), state.inboxes.values().cloned().collect::<Vec<_>>())
        };
        if session.peer().role == Role::Member {
            for inbox in &inboxes {
                if let Some(before) = before {
                    inbox.unreachable(session.node(), before);
                }
                if let Some(number) = number {
                    inbox.reachable(session.node(), SessionId(number));
                }
            }
        }
        self.changed.notify_waiters();
    }

    /// A link has ended, in order or not; once is enough.
    pub(crate) fn down(&self, gone: &Session, reason: &CloseReason) {
        let name = &gone.peer().name;
        {
            let mut state = self.write();
            let present = state.sessions.get(name);
            if present.is_none_or(|present| present.link().session() != gone.link().session()) {
                return;
            }
            state.sessions.remove(name);
            match reason {
                CloseReason::Shutdown => {
                    state.departed.insert(name.clone(), gone.peer().incarnation);
                }
                // Not one that was closed in the middle of its life.
                CloseReason::Idle | CloseReason::Lost(_) if gone.carrier().is_none() => {
                    state.lapsed.insert(name.clone(), gone.peer().incarnation);
                }
                CloseReason::Idle
                | CloseReason::Lost(_)
                | CloseReason::Replaced
                | CloseReason::Restarted
                | CloseReason::Forgotten
                | CloseReason::Violation(_) => {}
            }
        }
        self.carried(gone);
    }

    /// Who hears the frames of a protocol.
    pub(crate) fn inbox(&self, protocol: ProtocolId) -> Option<Arc<dyn Inbox>> {
        self.read().inboxes.get(&protocol).cloned()
    }

    fn to(&self, node: NodeId) -> Option<Arc<Session>> {
        let state = self.read();
        let session = state.sessions.get(state.nodes.get(&node)?)?;
        (session.peer().role == Role::Member).then(|| session.clone())
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Courier for Links {
    fn send(
        &self,
        to: NodeId,
        protocol: ProtocolId,
        body: &mut dyn FnMut(&mut BytesMut),
    ) -> Result<(), LinkError> {
        let session = self.to(to).ok_or(LinkError::Closed)?;
        session.link().send(Lane::Fleeting, &mut |out| {
            Head::Protocol(protocol.0).write(out);
            body(out);
        })
    }

    fn open_bulk(
        &self,
        to: NodeId,
        protocol: ProtocolId,
        header: Bytes,
    ) -> BoxFuture<'static, Result<Box<dyn BulkSender>, LinkError>> {
        let session = self.to(to);
        Box::pin(async move {
            let session = session.ok_or(LinkError::Closed)?;
            let mut whole = BytesMut::with_capacity(header.len() + 10);
            Head::Protocol(protocol.0).write(&mut whole);
            whole.extend_from_slice(&header);
            session.link().open_bulk(whole.freeze()).await
        })
    }

    fn subscribe(&self, protocol: ProtocolId, inbox: Arc<dyn Inbox>) {
        // Under the lock, so that no connection comes or goes between the list and the subscription.
        let mut state = self.write();
        for session in state.sessions.values().filter(|session| session.peer().role == Role::Member) {
            if let Some(carrier) = session.carrier() {
                inbox.reachable(session.node(), carrier);
            }
        }
        state.inboxes.insert(protocol, inbox);
    }
}
