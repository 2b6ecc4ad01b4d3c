//! How a simulated node loses its disk, within the fault model: only while the others can go on without what was on it.
//!
//! So a loss of what was acknowledged, or a group that cannot go on, is always a fault of the protocol.

use std::time::Duration;

use crate::protocol::Protocol;
use crate::sim::application::Application;
use crate::sim::disk::Disk;
use crate::sim::fault::{Fault, FaultKind};
use crate::sim::node::Node;
use crate::sim::subject::{Holder, Subject};
use crate::sim::world::{Step, World};
use crate::types::{NodeId, StoreId};

impl<P: Subject, A: Application> World<P, A> {
    /// Lets a node die with its disk, if the others can spare it, and start again on another after a while.
    pub(super) fn lose_disk(&mut self, node: NodeId, down: Duration, noticed: bool) -> Step {
        self.tally.request(FaultKind::LostDisk);
        let Some(position) = self.position(node).filter(|_| P::can_spare(node, &self.holders())) else {
            return Step::World;
        };
        self.tally.inject(FaultKind::LostDisk);
        self.kill(position);
        let config = self.config.disk.clone();
        let seed = self.chance.next_u64();
        let it = &mut self.nodes[position];
        it.lost.push((it.store, it.disk.durable().clone()));
        it.disk = Disk::replacing(&it.disk, seed, config);
        it.store = StoreId(seed | 1);
        it.rejoin = noticed;
        self.note(position, "disk lost", seed, String::new);
        self.plan(self.now.after(down), Fault::Restart(node));
        Step::Node(position)
    }

    /// Every node as far as its disk matters; one that is dead, or whose disk has failed under it, as it would start.
    #[must_use]
    pub fn holders(&self) -> Vec<Holder<P>> {
        self.nodes.iter().map(holder).collect()
    }
}

fn holder<P: Subject, A>(node: &Node<P, A>) -> Holder<P> {
    let mut config = node.config.clone();
    P::situate(&mut config, node.store, node.rejoin);
    let stored = <P as Protocol>::restore(config, 0, node.disk.recover());
    let living = node.machine().filter(|_| !node.disk.has_failed());
    let machine = living.unwrap_or(&stored).clone();
    Holder { node: node.id, store: node.store, lost: node.has_lost_a_disk(), machine, stored }
}
