//! All links of a node by peer, and who hears the frames of which protocol.
//!
//! A table, told by the switchboard what comes and goes; it reads no frames.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use synod_protocols::{NodeId, SessionId};
use synod_transport::{Address, CloseReason, Peer, PeerName, Role, Transport};
use tokio::sync::Notify;

use super::courier::{Inbox, Spoken};
use super::session::Session;
use crate::address::ProtocolId;
use crate::wire::Shape;

/// The table.
#[derive(Default)]
pub(crate) struct Links {
    state: RwLock<State>,
    transport: OnceLock<Arc<dyn Transport>>,
    /// Told when a link or a connection of it comes or goes.
    pub(crate) changed: Notify,
    /// Looked at for everything that arrives.
    any_quarantined: AtomicBool,
}

#[derive(Default)]
struct State {
    sessions: BTreeMap<PeerName, Arc<Session>>,
    nodes: BTreeMap<NodeId, PeerName>,
    heard: BTreeMap<ProtocolId, Heard>,
    /// The latest incarnation of each peer that was ever linked.
    incarnations: BTreeMap<PeerName, u64>,
    /// Those that said goodbye, by their incarnation.
    departed: BTreeMap<PeerName, u64>,
    /// Those that were awaited for the reconnect window, in vain, by their incarnation.
    lapsed: BTreeMap<PeerName, u64>,
    /// Those of whom a watcher was told that they are down, by their incarnation.
    quarantined: BTreeMap<PeerName, u64>,
    /// The names that are dialled, and the addresses of which the name is not known.
    dialled: BTreeSet<PeerName>,
    seeds: BTreeSet<String>,
}

/// How a protocol is spoken here, and who hears its frames.
struct Heard {
    protocol: Spoken,
    inbox: Arc<dyn Inbox>,
}

/// What is known about the way to one incarnation of a peer.
pub(crate) enum Way {
    /// The link is there; its connection may be away for a while.
    Up(Arc<Session>),
    /// The link may come up: somebody dials, or it was up before.
    Expected,
    /// The peer has started again since.
    Stale,
    /// The peer was taken for dead, and a watcher was told so.
    Quarantined,
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
        if state.quarantined.get(name) == Some(&incarnation) {
            return Way::Quarantined;
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

    /// A watcher is told that this incarnation of a peer is down: actors do not talk with it again. Gives how many are kept so, and
    /// the link to it if there is one; `None` when it was so before, or there is no such peer.
    pub(crate) fn quarantine(
        &self,
        name: &PeerName,
        incarnation: u64,
    ) -> Option<(usize, Option<Arc<Session>>)> {
        let mut state = self.write();
        let present = state.incarnations.get(name) == Some(&incarnation);
        // What said goodbye, or has started again, does not come back.
        if !present || state.departed.get(name) == Some(&incarnation) {
            return None;
        }
        if state.quarantined.insert(name.clone(), incarnation) == Some(incarnation) {
            return None;
        }
        self.any_quarantined.store(true, Ordering::Release);
        Some((state.quarantined.len(), state.sessions.get(name).cloned()))
    }

    /// Whether actors of this peer and of this node do not talk.
    pub(crate) fn is_quarantined(&self, peer: &Peer) -> bool {
        self.any_quarantined.load(Ordering::Acquire)
            && self.read().quarantined.get(&peer.name) == Some(&peer.incarnation)
    }

    /// The peers with which actors of this node do not talk, and their incarnations.
    pub(crate) fn quarantined(&self) -> Vec<(PeerName, u64)> {
        self.read().quarantined.iter().map(|(name, incarnation)| (name.clone(), *incarnation)).collect()
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
            state.quarantined.retain(|name, known| *name != peer.name || *known == peer.incarnation);
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
            (
                session.set_carrier(number),
                state.heard.values().map(|heard| heard.inbox.clone()).collect::<Vec<_>>(),
            )
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
        self.read().heard.get(&protocol).map(|heard| heard.inbox.clone())
    }

    /// Lets somebody hear the frames of a protocol, beginning with the connections that are up. Gives the links to members, which have
    /// not heard how it is spoken here.
    pub(super) fn hear(&self, protocol: Spoken, inbox: Arc<dyn Inbox>) -> Vec<Arc<Session>> {
        // Under the lock, so that no connection comes or goes between the list and the subscription.
        let mut state = self.write();
        let members = state.sessions.values().filter(|session| session.peer().role == Role::Member);
        let members: Vec<Arc<Session>> = members.cloned().collect();
        for session in &members {
            if let Some(carrier) = session.carrier() {
                inbox.reachable(session.node(), carrier);
            }
        }
        state.heard.insert(ProtocolId::of(protocol.name), Heard { protocol, inbox });
        members
    }

    /// How the protocols are spoken here.
    pub(super) fn spoken(&self) -> Vec<Spoken> {
        self.read().heard.values().map(|heard| heard.protocol).collect()
    }

    /// The link to a member, and how this node speaks the protocol, if it does.
    pub(super) fn to(&self, node: NodeId, protocol: ProtocolId) -> Option<(Arc<Session>, Option<Shape>)> {
        let state = self.read();
        let session = state.sessions.get(state.nodes.get(&node)?)?;
        let ours = state.heard.get(&protocol).map(|heard| heard.protocol.shape);
        (session.peer().role == Role::Member).then(|| (session.clone(), ours))
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}
