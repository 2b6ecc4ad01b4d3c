//! The topics of a node: who subscribes here, and which peers have subscribers.
//!
//! A table. What it has to tell peers it gives to whoever asks; it sends nothing itself.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use serde::de::DeserializeOwned;
use synod_protocols::{NodeId, SessionId};
use tokio::sync::Notify;

use crate::actor::ActorSystem;
use crate::address::stable_hash;
use crate::cluster::Courier;
use crate::topics::error::TopicError;
use crate::topics::fan::{Fan, Hub};
use crate::topics::interest::{Learned, NAME_BYTES_MAX, Own, Theirs, TopicNumber, Version};
use crate::topics::meters::Meters;
use crate::topics::notice::{Notice, Word};

/// The topics of a node.
pub(crate) struct Board {
    pub(super) system: ActorSystem,
    courier: Arc<dyn Courier>,
    pub(super) meters: Meters,
    /// Told when there is something to tell a peer, and at the end.
    pub(super) changed: Arc<Notify>,
    state: RwLock<State>,
}

/// The nodes with subscribers to one topic, by what they call it.
pub(super) struct Routes(RwLock<Vec<(NodeId, TopicNumber)>>);

#[derive(Default)]
struct State {
    own: Own,
    open: BTreeMap<String, Open>,
    /// The topics with subscribers here.
    numbers: BTreeMap<TopicNumber, Arc<dyn Fan>>,
    peers: BTreeMap<NodeId, Peer>,
}

/// A topic that this node has a handle of.
struct Open {
    fan: Arc<dyn Fan>,
    routes: Arc<Routes>,
    number: Option<TopicNumber>,
}

/// A peer over one connection.
struct Peer {
    session: SessionId,
    told: Version,
    theirs: Theirs,
    /// Whether it has to tell the whole.
    has_gap: bool,
}

/// Something to be told to a peer over one connection.
pub(super) struct Errand {
    pub(super) to: NodeId,
    session: SessionId,
    pub(super) word: Word,
}

/// How many changes one notice tells.
const CHANGES_MAX: usize = 512;

impl Board {
    pub(super) fn new(system: ActorSystem) -> Self {
        let meters = Meters::new(system.metrics());
        let courier = system.courier();
        Self { system, courier, meters, changed: Arc::default(), state: RwLock::default() }
    }

    /// The subscribers of a topic here, and the way to those elsewhere.
    pub(super) fn open<M: DeserializeOwned + Clone + Send + 'static>(
        &self,
        topic: &str,
    ) -> Result<(Arc<Hub<M>>, Arc<Routes>), TopicError> {
        if topic.is_empty() || topic.len() > NAME_BYTES_MAX {
            return Err(TopicError::Name);
        }
        let mut state = self.write();
        if let Some(open) = state.open.get(topic) {
            let hub = open.fan.clone().as_any().downcast::<Hub<M>>();
            let hub = hub.map_err(|_| TopicError::OtherType(topic.to_owned()))?;
            return Ok((hub, open.routes.clone()));
        }
        let place = stable_hash(topic.as_bytes()) as usize;
        let hub = Hub::<M>::start(&self.system.core, place, self.meters.clone());
        let routes = Arc::new(Routes(RwLock::new(state.routes(topic))));
        let open = Open { fan: hub.clone(), routes: routes.clone(), number: None };
        state.open.insert(topic.to_owned(), open);
        Ok((hub, routes))
    }

    /// The way to peers.
    pub(super) fn courier(&self) -> &dyn Courier {
        &*self.courier
    }

    /// Subscribers of a topic came or went here.
    pub(super) fn settle(&self, topic: &str) {
        let mut state = self.write();
        let State { own, open, numbers, .. } = &mut *state;
        let Some(open) = open.get_mut(topic) else { return };
        match open.number {
            None if !open.fan.is_empty() => {
                let number = own.begin(topic);
                open.number = Some(number);
                numbers.insert(number, open.fan.clone());
            }
            Some(number) if open.fan.is_empty() => {
                own.end(topic);
                open.number = None;
                numbers.remove(&number);
            }
            Some(_) | None => return,
        }
        drop(state);
        self.changed.notify_one();
    }

    /// A connection to a peer came up: it knows nothing.
    pub(super) fn meet(&self, peer: NodeId, session: SessionId) {
        let fresh = Peer { session, told: Version(0), theirs: Theirs::default(), has_gap: false };
        let mut state = self.write();
        state.peers.insert(peer, fresh);
        state.reroute_all();
        drop(state);
        self.changed.notify_one();
    }

    /// The board began to listen: what peers over connections that are up have said is lost, and they are asked for the whole.
    pub(super) fn miss_what_was_said(&self) {
        self.write().peers.values_mut().for_each(|peer| peer.has_gap = true);
        self.changed.notify_one();
    }

    /// A connection to a peer went down.
    pub(super) fn part(&self, peer: NodeId, session: SessionId) {
        let mut state = self.write();
        if state.peers.get(&peer).is_some_and(|known| known.session == session) {
            state.peers.remove(&peer);
            state.reroute_all();
        }
    }

    /// Hears what a peer says.
    pub(super) fn hear(&self, from: NodeId, session: SessionId, frame: Bytes) {
        match Word::read(frame) {
            Some(Word::Publication(number, payload)) => {
                let fan = self.read().numbers.get(&number).cloned();
                // It may have been sent before the peer heard that the last subscriber has gone.
                if let Some(fan) = fan {
                    fan.offer(payload);
                }
            }
            Some(Word::Notice(notice)) => self.learn(from, session, &notice),
            Some(Word::Again) => {
                if let Some(peer) = self.write().peers.get_mut(&from) {
                    peer.told = Version(0);
                }
                self.changed.notify_one();
            }
            None => {
                tracing::warn!(node = %self.system.name(), peer = %from, "a frame about topics was not understood");
            }
        }
    }

    /// What is to be told to peers now.
    pub(super) fn errands(&self) -> Vec<Errand> {
        let mut state = self.write();
        let known = state.peers.values().map(|peer| peer.told).min().unwrap_or(state.own.version());
        state.own.forget(known);
        let mut errands = Vec::new();
        for (&to, peer) in &state.peers {
            let session = peer.session;
            if peer.has_gap {
                errands.push(Errand { to, session, word: Word::Again });
            }
            let base = peer.told;
            if base < state.own.version() {
                let (version, changes) = state.own.since(base, CHANGES_MAX);
                let word = Word::Notice(Notice { base, version, changes });
                errands.push(Errand { to, session, word });
            }
        }
        errands
    }

    /// A peer was told.
    pub(super) fn told(&self, errand: &Errand) {
        let mut state = self.write();
        let peer = state.peers.get_mut(&errand.to).filter(|peer| peer.session == errand.session);
        match (&errand.word, peer) {
            (Word::Again, Some(peer)) => peer.has_gap = false,
            (Word::Notice(notice), Some(peer)) if peer.told == notice.base => peer.told = notice.version,
            // It has asked for the whole meanwhile, or has another connection.
            (Word::Notice(_) | Word::Again | Word::Publication(..), _) => {}
        }
    }

    fn learn(&self, from: NodeId, session: SessionId, notice: &Notice) {
        let mut state = self.write();
        let Some(peer) = state.peers.get_mut(&from).filter(|peer| peer.session == session) else { return };
        match peer.theirs.learn(notice.base, notice.version, &notice.changes) {
            Learned::Well if notice.base == Version(0) => state.reroute_all(),
            Learned::Well => {
                for change in &notice.changes {
                    state.reroute(&change.topic);
                }
            }
            Learned::Gap => {
                peer.has_gap = true;
                drop(state);
                self.changed.notify_one();
            }
            Learned::TooMuch => {
                peer.theirs = Theirs::default();
                state.reroute_all();
                tracing::warn!(node = %self.system.name(), peer = %from, "it subscribes to more topics than are remembered");
            }
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The peers with subscribers to a topic.
    fn routes(&self, topic: &str) -> Vec<(NodeId, TopicNumber)> {
        let peers = self.peers.iter();
        peers.filter_map(|(&node, peer)| Some((node, peer.theirs.number(topic)?))).collect()
    }

    fn reroute(&self, topic: &str) {
        if let Some(open) = self.open.get(topic) {
            *open.routes.0.write().unwrap_or_else(PoisonError::into_inner) = self.routes(topic);
        }
    }

    fn reroute_all(&self) {
        for topic in self.open.keys() {
            self.reroute(topic);
        }
    }
}

impl Routes {
    /// The nodes with subscribers.
    pub(super) fn nodes(&self) -> RwLockReadGuard<'_, Vec<(NodeId, TopicNumber)>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.changed.notify_one();
    }
}
