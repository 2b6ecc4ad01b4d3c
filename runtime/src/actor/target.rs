//! Which actor: the coordinates that references, watches and bonds share.

use synod_transport::PeerName;

use super::terminated::{BondEnded, Terminated};

/// Which actor.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Target {
    pub(crate) node: PeerName,
    pub(crate) incarnation: u64,
    /// Slot and generation.
    pub(crate) actor: u64,
}

impl Target {
    /// Whether it is an actor of this process of a node.
    pub(crate) fn is_of(&self, node: &PeerName, incarnation: u64) -> bool {
        self.node == *node && self.incarnation == incarnation
    }

    /// What an actor that is bound to it is told of its end.
    pub(crate) fn ended(&self, terminated: Terminated) -> BondEnded {
        BondEnded { node: self.node.clone(), incarnation: self.incarnation, actor: self.actor, terminated }
    }
}
