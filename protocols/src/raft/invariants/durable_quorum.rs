//! Committed only on a durable quorum: whoever takes an entry for committed first, a majority holds it on disk, synced.
//!
//! Raft §5.3 with the rule that an acknowledgement promises durability; looks at the disks, not at what machines believe.

use crate::raft::invariants::commits::Commits;
use crate::raft::invariants::vitals::Vitals;
use crate::raft::{Raft, Record};
use crate::sim::{Invariant, Node, Scene, Violation};
use crate::types::{LogIndex, Term};

const NAME: &str = "durable quorum";

/// Remembers what was known to be committed.
#[derive(Clone, Debug, Default)]
pub struct DurableQuorum {
    commits: Commits,
}

impl<A> Invariant<Raft, A> for DurableQuorum {
    fn check(&mut self, scene: &Scene<'_, Raft, A>) -> Result<(), Violation> {
        let Some(vitals) = Vitals::of(scene.node()) else { return Ok(()) };
        if vitals.commit <= self.commits.last_index() || !self.commits.learn(NAME, scene, vitals)? {
            return Ok(());
        }
        let index = self.commits.last_index();
        let Some(commit) = self.commits.at(index) else { return Ok(()) };
        let holders = scene.nodes.iter().filter(|node| holds(node, index, commit.entry)).count();
        if holders > scene.nodes.len() / 2 {
            return Ok(());
        }
        let details = format!("commits {index} of term {}, which {holders} disks hold", commit.entry);
        Err(scene.violation(NAME, details))
    }
}

fn holds<A>(node: &Node<Raft, A>, index: LogIndex, term: Term) -> bool {
    let image = node.disk().durable();
    match image.entry(index) {
        Some(Record::Entry(entry)) => entry.term == term,
        Some(Record::Ballot { .. } | Record::Founding(_)) => false,
        None => index <= image.base(),
    }
}
