//! How a world comes to peace: a core of nodes is made well, and the others stay broken for ever.
//!
//! Chooses neither: whoever runs the simulation does. From then on no fault strikes, whenever it was planned.

use std::collections::{BTreeMap, BTreeSet};

use crate::sim::application::Application;
use crate::sim::disk::DiskConfig;
use crate::sim::event::Event;
use crate::sim::fault::{Fault, FaultKind};
use crate::sim::inject::around;
use crate::sim::network::NetworkConfig;
use crate::sim::subject::Subject;
use crate::sim::world::World;
use crate::types::{NodeId, Timestamp};

/// What becomes for ever of a node that is not made well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is dead.
    Dead,
    /// Its process does nothing.
    Paused,
    /// It lives, and neither hears nor reaches anybody.
    CutOff,
}

impl<P: Subject, A: Application> World<P, A> {
    /// Ends all faults for the nodes in `core`: they run, hear each other over a calm network, and have room on their disks. To each
    /// of the others comes its fate; where none is given, it dies. No fault strikes any more.
    pub fn make_well(&mut self, core: &BTreeSet<NodeId>, fates: &BTreeMap<NodeId, Fate>) {
        self.at_peace = true;
        self.coups.0 = self.now;
        self.network.heal_all();
        self.network.configure(NetworkConfig::calm());
        for node in 0..self.nodes.len() {
            let it = &mut self.nodes[node];
            let id = it.id;
            if let Some(until) = it.process.as_ref().and_then(|process| process.paused_until) {
                self.resume(node, until);
            }
            if core.contains(&id) {
                self.cure(node);
            } else {
                self.retire(node, fates.get(&id).copied().unwrap_or(Fate::Dead));
            }
        }
        self.refresh_links();
    }

    fn cure(&mut self, node: usize) {
        let id = self.nodes[node].id;
        if self.nodes[node].disk.has_failed() {
            self.order(Fault::Crash(id));
        }
        self.nodes[node].disk.heal(DiskConfig::calm());
        self.nodes[node].dies_in_write = None;
        self.give_room(node);
        self.order(Fault::Restart(id));
    }

    fn retire(&mut self, node: usize, fate: Fate) {
        self.nodes[node].retired = true;
        let id = self.nodes[node].id;
        match fate {
            Fate::Dead => self.order(Fault::Crash(id)),
            Fate::Paused => {
                if let Some(process) = &mut self.nodes[node].process {
                    process.paused_until = Some(Timestamp::NEVER);
                }
            }
            Fate::CutOff => {
                let all = self.network.nodes().to_vec();
                self.network.cut(FaultKind::Partition, around(id, &all));
            }
        }
    }

    /// Plans what is done at this instant in spite of the peace.
    fn order(&mut self, fault: Fault) {
        self.queue.push(self.now, Event::Order(fault));
    }
}
