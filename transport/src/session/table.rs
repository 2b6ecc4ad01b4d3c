//! The sessions of one transport by name. Calls nobody.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::open::Session;
use crate::peer::PeerName;

/// The table.
#[derive(Default)]
pub(crate) struct Sessions {
    by_name: Mutex<BTreeMap<PeerName, Arc<Session>>>,
}

impl Sessions {
    /// The session with a name, closed or not.
    pub(crate) fn find(&self, name: &PeerName) -> Option<Arc<Session>> {
        self.lock().get(name).cloned()
    }

    /// The session with a name, unless this end has closed it.
    pub(crate) fn living(&self, name: &PeerName) -> Option<Arc<Session>> {
        self.find(name).filter(|session| session.closed_by_us().is_none())
    }

    /// All sessions, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        self.lock().values().cloned().collect()
    }

    /// Enters a session; the one before it has been taken out.
    pub(crate) fn enter(&self, session: &Arc<Session>) {
        self.lock().insert(session.name_of_peer().clone(), session.clone());
    }

    /// Takes a session out that has ended.
    pub(crate) fn remove(&self, session: &Session) {
        let mut by_name = self.lock();
        let name = session.name_of_peer();
        if by_name.get(name).is_some_and(|found| found.id() == session.id()) {
            by_name.remove(name);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PeerName, Arc<Session>>> {
        self.by_name.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
