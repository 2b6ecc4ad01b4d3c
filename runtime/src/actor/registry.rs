//! The actors of one node by slot and by name, and who wants to know of their end.
//!
//! Holds feeds, not actors: an actor lives on its own thread.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::oneshot;

use super::feed::Feed;
use super::offer::Offer;
use super::terminated::{Reason, Terminated};
use crate::cluster::Session;
use crate::error::Cause;

/// The actors of a node.
#[derive(Default)]
pub(crate) struct Registry {
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    slots: Vec<Slot>,
    free: Vec<u32>,
    names: BTreeMap<Arc<str>, u32>,
}

struct Slot {
    /// Of the present occupant, or of the next one.
    generation: u32,
    /// How the occupant before that ended.
    last: Reason,
    occupant: Option<Occupant>,
}

struct Occupant {
    feed: Arc<Feed>,
    /// Not there for an actor without a name that nobody has watched.
    known: Option<Box<Known>>,
}

/// By what name others know an actor, and who wants to know of its end.
#[derive(Default)]
struct Known {
    name: Option<Arc<str>>,
    watchers: Vec<Watcher>,
}

/// Who wants to know of an actor's end.
pub(crate) enum Watcher {
    Local(oneshot::Sender<Terminated>),
    Remote(Arc<Session>, u64),
}

impl Watcher {
    fn is_forsaken(&self) -> bool {
        match self {
            Self::Local(sender) => sender.is_closed(),
            Self::Remote(..) => false,
        }
    }
}

/// How many watchers one actor has at most; beyond, a watch is refused.
const WATCHERS_MAX: usize = 1 << 16;

impl Registry {
    /// Gives an actor its slot; `None` when the name is taken.
    pub(crate) fn enter(&self, name: Option<&str>, offer: &Arc<Offer>) -> Option<Arc<Feed>> {
        let name: Option<Arc<str>> = name.map(Into::into);
        let mut state = self.write();
        if name.as_ref().is_some_and(|name| state.names.contains_key(name)) {
            return None;
        }
        let number = state.free.pop().unwrap_or(state.slots.len() as u32);
        if number as usize == state.slots.len() {
            state.slots.push(Slot { generation: 1, last: Reason::Gone, occupant: None });
        }
        let slot = &mut state.slots[number as usize];
        let actor = u64::from(number) << 32 | u64::from(slot.generation);
        let feed = Arc::new(Feed::new(actor, offer.clone()));
        let known = name.clone().map(|name| Box::new(Known { name: Some(name), watchers: Vec::new() }));
        slot.occupant = Some(Occupant { feed: feed.clone(), known });
        if let Some(name) = name {
            state.names.insert(name, number);
        }
        Some(feed)
    }

    /// Takes an actor out, which ended for this reason; gives who wants to know.
    pub(crate) fn leave(&self, actor: u64, reason: Reason) -> Vec<Watcher> {
        let mut state = self.write();
        let (number, generation) = split(actor);
        let Some(slot) = state.slots.get_mut(number as usize) else { return Vec::new() };
        if slot.generation != generation {
            return Vec::new();
        }
        let Some(occupant) = slot.occupant.take() else { return Vec::new() };
        slot.last = reason;
        if let Some(next) = slot.generation.checked_add(1) {
            slot.generation = next;
            state.free.push(number);
        }
        let known = occupant.known.map(|known| *known).unwrap_or_default();
        if let Some(name) = known.name {
            state.names.remove(&name);
        }
        known.watchers
    }

    /// The feed of an actor.
    pub(crate) fn find(&self, actor: u64) -> Result<Arc<Feed>, Cause> {
        let state = self.read();
        let (number, generation) = split(actor);
        let slot = state.slots.get(number as usize).ok_or(Cause::NoSuchActor)?;
        match &slot.occupant {
            Some(occupant) if slot.generation == generation => Ok(occupant.feed.clone()),
            _ if generation != 0 && generation < slot.generation => Err(Cause::Stopped),
            _ => Err(Cause::NoSuchActor),
        }
    }

    /// The feed of the actor with this name.
    pub(crate) fn named(&self, name: &str) -> Option<Arc<Feed>> {
        let state = self.read();
        let number = *state.names.get(name)?;
        Some(state.slots[number as usize].occupant.as_ref()?.feed.clone())
    }

    /// Keeps a watcher; gives it back with the reason when there is nothing to wait for.
    pub(crate) fn watch(&self, actor: u64, watcher: Watcher) -> Result<(), (Watcher, Reason)> {
        let mut state = self.write();
        let (number, generation) = split(actor);
        let Some(slot) = state.slots.get_mut(number as usize) else {
            return Err((watcher, Reason::NoSuchActor));
        };
        match &mut slot.occupant {
            Some(occupant) if slot.generation == generation => {
                let Known { watchers, .. } = &mut **occupant.known.get_or_insert_default();
                // Now and then, so that watches that nobody awaits any longer do not add up.
                if watchers.len().is_power_of_two() {
                    watchers.retain(|watcher| !watcher.is_forsaken());
                }
                if watchers.len() >= WATCHERS_MAX {
                    return Err((watcher, Reason::Denied));
                }
                watchers.push(watcher);
                Ok(())
            }
            _ if generation != 0 && generation < slot.generation => {
                let known = generation + 1 == slot.generation;
                Err((watcher, if known { slot.last } else { Reason::Gone }))
            }
            _ => Err((watcher, Reason::NoSuchActor)),
        }
    }

    /// Drops one watch of a peer.
    pub(crate) fn unwatch_one(&self, actor: u64, session: &Arc<Session>, correlation: u64) {
        let mut state = self.write();
        let (number, generation) = split(actor);
        let Some(slot) = state.slots.get_mut(number as usize) else { return };
        let occupant = slot.occupant.as_mut().filter(|_| slot.generation == generation);
        if let Some(Known { watchers, .. }) = occupant.and_then(|occupant| occupant.known.as_deref_mut()) {
            let before = watchers.len();
            watchers.retain(|watcher| match watcher {
                Watcher::Remote(known, id) => !(Arc::ptr_eq(known, session) && *id == correlation),
                Watcher::Local(_) => true,
            });
            session.shares.watches.give(before - watchers.len());
        }
    }

    /// Drops the watchers for which `unwanted` holds. Takes time in all actors: for links that end.
    pub(crate) fn unwatch(&self, unwanted: impl Fn(&Watcher) -> bool) {
        let mut state = self.write();
        let occupants = state.slots.iter_mut().filter_map(|slot| slot.occupant.as_mut());
        for known in occupants.filter_map(|occupant| occupant.known.as_mut()) {
            known.watchers.retain(|watcher| !unwanted(watcher));
        }
    }

    /// All feeds, by slot.
    pub(crate) fn feeds(&self) -> Vec<Arc<Feed>> {
        let state = self.read();
        state.slots.iter().filter_map(|slot| Some(slot.occupant.as_ref()?.feed.clone())).collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

const fn split(actor: u64) -> (u32, u32) {
    ((actor >> 32) as u32, actor as u32)
}

#[cfg(test)]
mod tests {
    use super::super::offer::FeedLimits;
    use super::*;

    fn offer() -> Arc<Offer> {
        let limits = FeedLimits { messages: 1, bytes: 1 };
        Arc::new(Offer { interfaces: Vec::new(), limits })
    }

    #[test]
    fn a_slot_is_used_again_under_another_generation() {
        let registry = Registry::default();
        let first = registry.enter(Some("a"), &offer()).unwrap().actor;
        assert!(registry.enter(Some("a"), &offer()).is_none());
        registry.leave(first, Reason::Stopped);
        assert_eq!(registry.find(first).err(), Some(Cause::Stopped));
        let second = registry.enter(Some("a"), &offer()).unwrap().actor;
        assert_eq!(second >> 32, first >> 32);
        assert_ne!(second, first);
        assert_eq!(registry.find(first).err(), Some(Cause::Stopped));
        assert_eq!(registry.find(second).unwrap().actor, second);
        assert!(registry.leave(first, Reason::Stopped).is_empty(), "the dead cannot evict the living");
        assert_eq!(registry.named("a").unwrap().actor, second);
        for unknown in [second + 1, 9 << 32 | 1, 0] {
            assert_eq!(registry.find(unknown).err(), Some(Cause::NoSuchActor));
        }
    }

    #[test]
    fn watching_the_dead_and_the_unknown_is_refused_with_the_reason() {
        let registry = Registry::default();
        let actor = registry.enter(None, &offer()).unwrap().actor;
        let watch =
            |actor| registry.watch(actor, Watcher::Local(oneshot::channel().0)).map_err(|(_, why)| why);
        assert_eq!(watch(actor), Ok(()));
        assert_eq!(registry.leave(actor, Reason::Panicked).len(), 1);
        assert_eq!(watch(actor), Err(Reason::Panicked));
        let next = registry.enter(None, &offer()).unwrap().actor;
        assert_eq!(watch(actor), Err(Reason::Panicked), "while its successor in the slot lives");
        registry.leave(next, Reason::Stopped);
        assert_eq!([watch(actor), watch(next)], [Err(Reason::Gone), Err(Reason::Stopped)]);
        assert_eq!(watch(77 << 32 | 1), Err(Reason::NoSuchActor));
    }

    #[test]
    fn watches_that_nobody_awaits_do_not_add_up() {
        let registry = Registry::default();
        let actor = registry.enter(None, &offer()).unwrap().actor;
        let (kept, _awaited) = oneshot::channel();
        assert!(registry.watch(actor, Watcher::Local(kept)).is_ok());
        for _ in 0..2 * WATCHERS_MAX {
            assert!(registry.watch(actor, Watcher::Local(oneshot::channel().0)).is_ok());
        }
        let watchers = registry.leave(actor, Reason::Stopped);
        assert!(watchers.len() < 10, "{}", watchers.len());
        assert!(matches!(&watchers[0], Watcher::Local(sender) if !sender.is_closed()));
    }
}
