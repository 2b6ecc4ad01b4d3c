//! Who the members of a group are, in the words of people: machines know them by number only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use synod_protocols::NodeId;
use synod_transport::PeerName;

/// The names of one replica, its service and its group's members.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// The service.
    pub service: String,
    /// The node of this replica.
    pub node: Arc<str>,
    /// All members.
    pub members: Arc<BTreeMap<NodeId, PeerName>>,
}

impl Names {
    /// The name of a member; its number, if it is none.
    #[must_use]
    pub fn of(&self, member: NodeId) -> String {
        self.members.get(&member).map_or_else(|| member.to_string(), ToString::to_string)
    }
}

/// The members of a node's services: kept once, however many services have the same. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Rosters(Arc<Mutex<Known>>);

/// Every set of members once.
#[derive(Default)]
struct Known(BTreeSet<Arc<BTreeMap<NodeId, PeerName>>>);

impl Rosters {
    /// The one copy of these members.
    pub(crate) fn share(&self, members: BTreeMap<NodeId, PeerName>) -> Arc<BTreeMap<NodeId, PeerName>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = known.0.get(&members) {
            return same.clone();
        }
        let members = Arc::new(members);
        known.0.insert(members.clone());
        members
    }
}
