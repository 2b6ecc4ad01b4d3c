//! Committed only on a durable quorum: whoever takes an entry for committed first, a quorum of the configuration in force there
//! holds it on disk, synced, and on the disks it names.
//!
//! Raft §5.3 with the rule that an acknowledgement promises durability; looks at the disks, not at what machines believe.

use std::collections::BTreeMap;

use crate::quorum::Tally;
use crate::raft::invariants::commits::Commits;
use crate::raft::invariants::vitals::Vitals;
use crate::raft::{Membership, Raft, Record};
use crate::sim::{Image, Invariant, Node, Scene, Violation};
use crate::types::{LogIndex, NodeId, Term};

const NAME: &str = "durable quorum";

/// Remembers what was known to be committed.
#[derive(Clone, Debug, Default)]
pub struct DurableQuorum {
    commits: Commits,
    /// By node, the configuration in force after its last step: one step may commit by it and go on to the next.
    before: BTreeMap<NodeId, (u64, LogIndex, Membership)>,
}

impl<A> Invariant<Raft, A> for DurableQuorum {
    fn check(&mut self, scene: &Scene<'_, Raft, A>) -> Result<(), Violation> {
        let Some(vitals) = Vitals::of(scene.node()) else { return Ok(()) };
        let before = self.remember(scene.node(), vitals.life);
        if vitals.commit <= self.commits.last_index() || !self.commits.learn(NAME, scene, vitals)? {
            return Ok(());
        }
        let index = self.commits.last_index();
        let Some(commit) = self.commits.at(index) else { return Ok(()) };
        let Some(machine) = scene.node().machine() else { return Ok(()) };
        let membership = machine.membership();
        let held = |membership: &Membership, voter| {
            let node = scene.nodes.iter().find(|node| node.id() == voter)?;
            Some(named(node, membership).is_some_and(|image| holds(image, index, commit.entry)))
        };
        let decides = |it: &Membership| it.quorum().tally(|voter| held(it, voter)) == Tally::Won;
        if decides(membership) || before.is_some_and(|before| decides(&before)) {
            return Ok(());
        }
        let voters = membership.voters().into_iter();
        let holders: Vec<_> = voters.filter(|&voter| held(membership, voter) == Some(true)).collect();
        let details = format!(
            "commits {index} of term {}, which {holders:?} hold, no quorum of {membership:?}",
            commit.entry
        );
        Err(scene.violation(NAME, details))
    }
}

impl DurableQuorum {
    /// Notes the configuration in force, and returns the one before when it has just changed within one life.
    fn remember<A>(&mut self, node: &Node<Raft, A>, life: u64) -> Option<Membership> {
        let machine = node.machine()?;
        let index = machine.configurations.index();
        if self.before.get(&node.id()).is_some_and(|(of, at, _)| (*of, *at) == (life, index)) {
            return None;
        }
        let before = self.before.insert(node.id(), (life, index, machine.membership().clone()));
        before.filter(|(of, _, _)| *of == life).map(|(_, _, membership)| membership)
    }
}

/// The disk that the configuration names, whether the node still has it or has lost it since: what a lost disk acknowledged counts,
/// for the node does not vote without it.
pub(super) fn named<'a, A>(node: &'a Node<Raft, A>, membership: &Membership) -> Option<&'a Image<Raft>> {
    node.durable_on(membership.member(node.id())?.store)
}

/// Whether a disk holds an entry of that term at an index, or has compacted it.
pub(super) fn holds(image: &Image<Raft>, index: LogIndex, term: Term) -> bool {
    match image.entry(index) {
        Some(Record::Entry(entry)) => entry.term == term,
        Some(Record::Ballot { .. } | Record::Founding(_) | Record::Anchor(_)) => false,
        None => index <= image.base(),
    }
}
