//! One change at a time: above what is committed, a log carries at most one configuration, and any quorum of it shares a node with
//! any quorum of the one before (Raft §6; RT-16, RT-17).
//!
//! What is committed is known as soon as one machine knows it.

use std::collections::BTreeSet;

use crate::quorum::Tally;
use crate::raft::{Membership, Raft};
use crate::sim::{Invariant, Scene, Violation};
use crate::types::{LogIndex, NodeId};

/// Remembers the greatest commit index, and the configuration last seen in force on each node.
#[derive(Clone, Debug, Default)]
pub struct OneChange {
    commit: LogIndex,
    seen: Vec<(u64, LogIndex)>,
}

impl<A> Invariant<Raft, A> for OneChange {
    fn check(&mut self, scene: &Scene<'_, Raft, A>) -> Result<(), Violation> {
        self.seen.resize(scene.nodes.len(), (0, LogIndex::ZERO));
        let node = scene.node();
        let Some(machine) = node.machine() else { return Ok(()) };
        self.commit = self.commit.max(machine.commit);
        let present = (node.life(), machine.configurations.index());
        if std::mem::replace(&mut self.seen[scene.actor], present) == present {
            return Ok(());
        }
        let open = machine.configurations.possible(LogIndex::ZERO).filter(|(index, _)| *index > self.commit);
        let open: Vec<_> = open.map(|(index, _)| index).collect();
        if open.len() > 1 {
            let details = format!(
                "carries configurations at {open:?}, and nobody knows more than {} committed",
                self.commit
            );
            return Err(scene.violation("one change at a time", details));
        }
        let (before, current) = (machine.configurations.before(), machine.configurations.current());
        if before == current || meet(before, current) {
            return Ok(());
        }
        let details = format!("goes from {before} to {current}, which can decide without each other");
        Err(scene.violation("quorums meet", details))
    }
}

/// Whether no quorum of one is disjoint from a quorum of the other. Looks at every set of voters, of which there are few.
fn meet(one: &Membership, other: &Membership) -> bool {
    let all: Vec<NodeId> =
        one.voters().union(&other.voters()).copied().collect::<BTreeSet<_>>().into_iter().collect();
    (0u32..1 << all.len()).all(|set| {
        let inside =
            |voter: NodeId| all.iter().position(|&it| it == voter).is_some_and(|bit| set >> bit & 1 == 1);
        let won = |it: &Membership, side: bool| {
            it.quorum().tally(|voter| Some(inside(voter) == side)) == Tally::Won
        };
        !(won(one, true) && won(other, false))
    })
}
