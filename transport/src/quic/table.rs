//! The connections of one transport by name, and who is about to become one. Calls nobody.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::hello::Hello;
use super::link::QuicLink;
use crate::contract::{CloseReason, TransportError};
use crate::peer::{Peer, PeerName};
use crate::pool::{Admission, admit};

pub(crate) struct Table {
    state: Mutex<State>,
    incarnation: u64,
    links_max: usize,
}

#[derive(Default)]
struct State {
    places: BTreeMap<PeerName, Place>,
    /// Of each name, the last link that ended.
    over: BTreeMap<PeerName, (u64, u64)>,
    births: u64,
}

enum Place {
    Link(Arc<QuicLink>),
    /// The arbiter has said yes and waits for the dialer to go.
    Reserved(Peer, u64),
}

/// A place kept for a newcomer; dropping it gives the place up.
pub(crate) struct Reservation {
    table: Arc<Table>,
    name: PeerName,
    ticket: u64,
    /// The link that has to end for the newcomer, and why.
    pub(crate) replaced: Option<(Arc<QuicLink>, CloseReason)>,
}

impl Table {
    pub(crate) fn new(incarnation: u64, links_max: usize) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), incarnation, links_max })
    }

    /// A number that was not given before.
    pub(crate) fn birth(&self) -> u64 {
        let mut state = self.lock();
        state.births += 1;
        state.births
    }

    /// The link to a name, unless it is closed.
    pub(crate) fn living(&self, name: &PeerName) -> Option<Arc<QuicLink>> {
        match self.lock().places.get(name) {
            Some(Place::Link(link)) if link.closed_by_us().is_none() => Some(link.clone()),
            Some(Place::Link(_) | Place::Reserved(..)) | None => None,
        }
    }

    /// The link to a name, closed or not.
    pub(crate) fn present(&self, name: &PeerName) -> Option<Arc<QuicLink>> {
        match self.lock().places.get(name) {
            Some(Place::Link(link)) => Some(link.clone()),
            Some(Place::Reserved(..)) | None => None,
        }
    }

    /// All links.
    pub(crate) fn links(&self) -> Vec<Arc<QuicLink>> {
        let state = self.lock();
        let link = |place: &Place| match place {
            Place::Link(link) => Some(link.clone()),
            Place::Reserved(..) => None,
        };
        state.places.values().filter_map(link).collect()
    }

    /// The last link with a name that ended here, for our hello.
    pub(crate) fn over(&self, name: &PeerName) -> (u64, u64) {
        self.lock().over.get(name).copied().unwrap_or_default()
    }

    /// What becomes of a newcomer.
    pub(crate) fn judge(&self, newcomer: &Peer, hello: &Hello) -> Admission {
        let state = self.lock();
        match state.places.get(&newcomer.name) {
            Some(Place::Link(link)) => {
                let (arbiter, id) = link.birth.id;
                let peer_lost = arbiter == self.incarnation && hello.over.0 == arbiter && hello.over.1 >= id;
                admit(Some(&link.birth.peer), newcomer, peer_lost || link.closed_by_us().is_some())
            }
            Some(Place::Reserved(peer, _)) => admit(Some(peer), newcomer, false),
            None if state.places.len() >= self.links_max => {
                Admission::Refuse(TransportError::Handshake("there are too many links".to_owned()))
            }
            None => admit(None, newcomer, false),
        }
    }

    /// Judges a newcomer and, unless it is refused, keeps the place for it. Gives the link that has to end for it, and why.
    pub(crate) fn reserve(
        self: &Arc<Self>,
        newcomer: &Peer,
        hello: &Hello,
    ) -> Result<Reservation, Admission> {
        let replaced = match self.judge(newcomer, hello) {
            admission @ (Admission::Duplicate | Admission::Refuse(_)) => return Err(admission),
            Admission::Open => None,
            Admission::Replace(reason) => Some(reason),
        };
        let ticket = self.birth();
        let name = newcomer.name.clone();
        let place = Place::Reserved(newcomer.clone(), ticket);
        let old = match (self.lock().places.insert(name.clone(), place), replaced) {
            (Some(Place::Link(old)), Some(reason)) => Some((old, reason)),
            _ => None,
        };
        Ok(Reservation { table: self.clone(), name, ticket, replaced: old })
    }

    /// Whether a reservation still holds: a later incarnation may have taken it.
    pub(crate) fn holds(&self, reservation: &Reservation) -> bool {
        matches!(self.lock().places.get(&reservation.name), Some(Place::Reserved(_, ticket)) if *ticket == reservation.ticket)
    }

    /// Puts a link in its place; gives the one that was there, and why it has to end.
    pub(crate) fn insert(&self, link: &Arc<QuicLink>) -> Option<(Arc<QuicLink>, CloseReason)> {
        let name = link.birth.peer.name.clone();
        match self.lock().places.insert(name, Place::Link(link.clone())) {
            Some(Place::Link(old)) => {
                let same = old.birth.peer == link.birth.peer;
                let reason = if same { CloseReason::Replaced } else { CloseReason::Restarted };
                Some((old, reason))
            }
            Some(Place::Reserved(..)) | None => None,
        }
    }

    /// Takes an ended link out, unless another has its place.
    pub(crate) fn remove(&self, link: &QuicLink) {
        let name = &link.birth.peer.name;
        let mut state = self.lock();
        state.over.insert(name.clone(), link.birth.id);
        if matches!(state.places.get(name), Some(Place::Link(found)) if found.birth.number == link.birth.number)
        {
            state.places.remove(name);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut state = self.table.lock();
        if matches!(state.places.get(&self.name), Some(Place::Reserved(_, ticket)) if *ticket == self.ticket)
        {
            state.places.remove(&self.name);
        }
    }
}
