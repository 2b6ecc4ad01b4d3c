//! What a replica's driver and its handles share: the state itself, and how the replica stands.
//!
//! Written by the driver's thread only; readers on other threads hold it for the length of one query.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use synod_protocols::raft::Role;
use synod_protocols::session::{SessionLimits, Sessions};
use synod_protocols::{LogIndex, NodeId, Term};

use crate::services::replicated::guess::Guess;
use crate::services::replicated::standing::Standing;
use crate::services::replicated::watched::{Watched, Watcher};

/// The application's state, and what was applied to it.
pub(crate) struct State<S> {
    pub(crate) machine: S,
    pub(crate) sessions: Sessions,
    /// The last entry whose effect the state contains.
    pub(crate) applied: LogIndex,
}

/// One replica's state and standing.
pub(crate) struct Shared<S> {
    state: Mutex<State<S>>,
    standing: Watched<Standing>,
    /// Who leads besides what this replica knows, from the first request on.
    others: OnceLock<Option<Arc<Guess>>>,
}

impl<S> Shared<S> {
    pub(crate) fn new(machine: S, limits: SessionLimits) -> Self {
        let state = State { machine, sessions: Sessions::new(limits), applied: LogIndex::ZERO };
        let standing = Standing { role: Role::Follower, term: Term::ZERO, leader: None };
        Self { state: Mutex::new(state), standing: Watched::new(standing), others: OnceLock::new() }
    }

    /// What this node's handles believe of the other members, who are asked for when that is first needed; `None` if there are none.
    pub(crate) fn others<I: Iterator<Item = NodeId>>(
        &self,
        others: impl FnOnce() -> I,
    ) -> Option<Arc<Guess>> {
        let begin = || {
            let others: Vec<NodeId> = others().collect();
            (!others.is_empty()).then(|| Arc::new(Guess::new(others)))
        };
        self.others.get_or_init(begin).clone()
    }

    /// The state, for as long as the guard lives. A panic of the application does not lock others out.
    pub(crate) fn state(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The standing and its changes.
    pub(crate) fn standing(&self) -> Watcher<Standing> {
        self.standing.watch()
    }

    pub(crate) fn stand(&self, standing: Standing) {
        self.standing.set(standing);
    }
}
