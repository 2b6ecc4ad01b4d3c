//! How a world notices for a machine that a peer's node has fallen silent.
//!
//! The link stands in for the heartbeats of a node pair, its idle timeout for their patience: a link goes down when either node is
//! dead or paused or a path between them is cut, which is when heartbeats would stay away.

use std::collections::BTreeSet;

use crate::protocol::Input;
use crate::sim::application::Application;
use crate::sim::event::Arrival;
use crate::sim::subject::Subject;
use crate::sim::violation::Violation;
use crate::sim::world::World;
use crate::types::NodeId;

impl<P: Subject, A: Application> World<P, A> {
    /// Begins to watch these peers for a machine, and none but these. A peer without a link gets the time in which it would have
    /// been heard if it lived.
    pub(super) fn watch(&mut self, node: usize, peers: BTreeSet<NodeId>) {
        let at = self.now.after(self.config.links.idle_timeout);
        for &peer in &peers {
            if !self.is_linked(node, peer) {
                self.plan_arrival(at, node, Arrival::Doubt { peer });
            }
        }
        self.process(node).watched = peers;
    }

    /// Tells a machine that a peer is silent, if it wants to hear of that.
    pub(super) fn suspect(&mut self, node: usize, peer: NodeId) -> Result<(), Violation> {
        if self.process(node).watched.remove(&peer) {
            self.input(node, Input::Suspected { peer })?;
        }
        Ok(())
    }

    /// Whether a link to the peer is up.
    pub(super) fn is_linked(&self, node: usize, peer: NodeId) -> bool {
        self.position(peer).is_some_and(|peer| peer != node && self.links.session(node, peer).is_some())
    }
}
