//! Who the members of a group are, in the words of people: machines know them by number only.

use std::collections::BTreeMap;
use std::sync::Arc;

use synod_protocols::NodeId;
use synod_transport::PeerName;

/// The names of one replica, its service and its group's members.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// The service.
    pub service: Arc<str>,
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
