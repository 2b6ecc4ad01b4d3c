//! The interfaces a node serves, each under a number that its manifests announce, and the shapes of those it calls.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
}

struct Served {
    key: TypeId,
    name: &'static str,
}

impl Catalogue {
    /// The number of an interface that is served from here on, and its manifest if this is the first time.
    pub(crate) fn serve(&self, key: Key) -> Result<(u16, Option<Manifest>), NameConflict> {
        if key.name.starts_with(PROTOCOL) {
            return Err(NameConflict);
        }
        let shapes = self.shapes(key);
        let mut state = self.lock();
        if let Some(position) = state.served.iter().position(|served| served.name == key.name) {
            return if state.served[position].key == key.id {
                Ok((position as u16, None))
            } else {
                Err(NameConflict)
            };
        }
        let number = u16::try_from(state.served.len()).map_err(|_| NameConflict)?;
        state.served.push(Served { key: key.id, name: key.name });
        Ok((number, Some(Manifest::of(key.name, number, &shapes))))
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

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn manifest(&self, position: usize) -> Manifest {
        let served = &self.served[position];
        Manifest::of(served.name, position as u16, &self.shapes[&served.key])
    }
}
