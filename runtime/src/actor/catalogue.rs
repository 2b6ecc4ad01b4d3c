//! The interfaces a node serves, each under a number that its manifests announce, and the shapes of those it calls.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::ledger::INITIAL_MAX;
use crate::wire::{Manifest, MessageShape, PROTOCOL};

/// Which interface, by our type of it.
#[derive(Clone, Copy)]
pub(crate) struct Key {
    pub(crate) id: TypeId,
    pub(crate) name: &'static str,
    pub(crate) messages: fn() -> Vec<MessageShape>,
}

/// Two interfaces that differ claim one name, or one claims a name that is a protocol's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NameConflict;

/// What a node serves and calls.
#[derive(Default)]
pub(crate) struct Catalogue {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    served: Vec<Served>,
    shapes: HashMap<TypeId, Arc<[MessageShape]>>,
    /// What is shared by all actors of a type, by that type.
    kinds: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
}

struct Served {
    key: TypeId,
    name: &'static str,
    window: Arc<AtomicU32>,
}

/// An interface that is served.
pub(crate) struct Serving {
    pub(crate) number: u16,
    /// The window that its manifest announces, in messages.
    pub(crate) window: Arc<AtomicU32>,
    /// Its manifest, where peers do not know it as it is.
    pub(crate) news: Option<Manifest>,
}

impl Catalogue {
    /// Serves an interface from here on with actors before whom so many messages wait: as many as before the one with the fewest
    /// may be sent to any of them at first.
    pub(crate) fn serve(&self, key: Key, mailbox: usize) -> Result<Serving, NameConflict> {
        if key.name.starts_with(PROTOCOL) {
            return Err(NameConflict);
        }
        let shapes = self.shapes(key);
        let room = u32::try_from(mailbox).unwrap_or(u32::MAX).clamp(1, INITIAL_MAX);
        let mut state = self.lock();
        if let Some(position) = state.served.iter().position(|served| served.name == key.name) {
            let Served { key: known, window, .. } = &state.served[position];
            if *known != key.id {
                return Err(NameConflict);
            }
            let smaller = window.fetch_min(room, Ordering::Relaxed) > room;
            let news = smaller.then(|| state.manifest(position));
            return Ok(Serving { number: position as u16, window: window.clone(), news });
        }
        let number = u16::try_from(state.served.len()).map_err(|_| NameConflict)?;
        let window = Arc::new(AtomicU32::new(room));
        state.served.push(Served { key: key.id, name: key.name, window: window.clone() });
        Ok(Serving { number, window, news: Some(Manifest::of(key.name, number, &shapes, room)) })
    }

    /// The manifest of an interface; `None` when it is not served.
    pub(crate) fn manifest(&self, name: &str) -> Option<Manifest> {
        let state = self.lock();
        let position = state.served.iter().position(|served| served.name == name)?;
        Some(state.manifest(position))
    }

    /// The manifests of all interfaces served, by number.
    pub(crate) fn manifests(&self) -> Vec<Manifest> {
        let state = self.lock();
        (0..state.served.len()).map(|position| state.manifest(position)).collect()
    }

    /// The messages of an interface as this node knows them.
    pub(crate) fn shapes(&self, key: Key) -> Arc<[MessageShape]> {
        if let Some(shapes) = self.lock().shapes.get(&key.id) {
            return shapes.clone();
        }
        let shapes: Arc<[MessageShape]> = (key.messages)().into();
        self.lock().shapes.insert(key.id, shapes.clone());
        shapes
    }

    /// What all actors of type `A` share, as it was kept.
    pub(crate) fn kind<A: 'static, K: Any + Send + Sync>(&self) -> Option<Arc<K>> {
        self.lock().kinds.get(&TypeId::of::<A>())?.clone().downcast().ok()
    }

    /// Keeps what all actors of type `A` share.
    pub(crate) fn keep_kind<A: 'static>(&self, kind: Arc<dyn Any + Send + Sync>) {
        self.lock().kinds.insert(TypeId::of::<A>(), kind);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn manifest(&self, position: usize) -> Manifest {
        let served = &self.served[position];
        let window = served.window.load(Ordering::Relaxed);
        Manifest::of(served.name, position as u16, &self.shapes[&served.key], window)
    }
}
