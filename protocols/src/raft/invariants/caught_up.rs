//! Nobody is given a voice before having caught up: a disk that comes to vote holds what the log held when it became a member
//! (dissertation §4.2.1), so that no group waits for a newcomer with an empty log.
//!
//! Looks at leaders, which alone append configurations, and at the disks these name.

use std::collections::BTreeMap;

use crate::raft::{Membership, Raft, Role};
use crate::sim::{Invariant, Scene, Violation};
use crate::types::{LogIndex, NodeId};

/// Remembers from which index each node has been a member, and the configuration last seen on each node.
#[derive(Clone, Debug, Default)]
pub struct CaughtUp {
    joined: BTreeMap<NodeId, LogIndex>,
    seen: Vec<(u64, LogIndex)>,
}

impl<A> Invariant<Raft, A> for CaughtUp {
    fn check(&mut self, scene: &Scene<'_, Raft, A>) -> Result<(), Violation> {
        self.seen.resize(scene.nodes.len(), (0, LogIndex::ZERO));
        let Some(machine) = scene.node().machine() else { return Ok(()) };
        let present = (scene.node().life(), machine.configurations.index());
        let before = std::mem::replace(&mut self.seen[scene.actor], present);
        if before == present || machine.role() != Role::Leader {
            return Ok(());
        }
        let all: Vec<_> = machine.configurations.all().collect();
        let steps = all.windows(2).map(|pair| (&pair[0].1, &pair[1].1, pair[1].0));
        let fresh = |index: LogIndex| before.0 != present.0 || index > before.1;
        steps.filter(|(_, _, index)| fresh(*index)).try_for_each(|(from, to, index)| {
            for node in to.members().keys().filter(|&&node| from.member(node).is_none()) {
                self.joined.insert(*node, index);
            }
            self.check_step(scene, from, to)
        })
    }
}

impl CaughtUp {
    fn check_step<A>(
        &self,
        scene: &Scene<'_, Raft, A>,
        from: &Membership,
        to: &Membership,
    ) -> Result<(), Violation> {
        let raised = |node: &NodeId| to.is_voter(*node) && !from.is_voter(*node);
        for (&node, member) in to.members().iter().filter(|(node, _)| raised(node)) {
            let owed = self.joined.get(&node).map_or(LogIndex::ZERO, |index| index.previous());
            let image = scene.nodes.iter().find(|it| it.id() == node);
            let held = image.and_then(|it| it.durable_on(member.store)).map(|image| image.last_index());
            if held.is_none_or(|held| held < owed) {
                let details =
                    format!("gives {node} a voice by {to}, whose disk holds {held:?} and has to hold {owed}");
                return Err(scene.violation("caught up", details));
            }
        }
        Ok(())
    }
}
