//! The order of a log's marks: compacted ≤ snapshot, and compacted ≤ applied ≤ commit ≤ last; on the disk, nothing is compacted
//! that no durable snapshot contains (dissertation §5.1).

use crate::raft::Raft;
use crate::sim::{Invariant, Scene, Violation};
use crate::types::LogIndex;

/// Remembers nothing: one machine's marks are compared with each other.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bounds;

impl<A> Invariant<Raft, A> for Bounds {
    fn check(&mut self, scene: &Scene<'_, Raft, A>) -> Result<(), Violation> {
        let Some(machine) = scene.node().machine() else { return Ok(()) };
        let (base, last) = (machine.log.base().index, machine.log.last().index);
        let (snapshot, applied, commit) = (machine.snapshots.index, machine.applying.applied, machine.commit);
        // While a snapshot is put in the place of the log, the application is still where it was.
        let installing = machine.snapshots.installing;
        let contained = base <= installing.unwrap_or(snapshot).max(snapshot);
        // A witness applies nothing and takes no snapshots: its anchor says where its log begins.
        let taken = installing.is_some() || machine.is_witness() || applied >= base;
        let known = applied <= commit && machine.durable <= last;
        // A leader may commit before its own disk has an entry; nobody commits what his log does not reach.
        if contained && taken && known && commit <= last {
            return Ok(());
        }
        let image = scene.node().disk().durable();
        let details = format!(
            "compacted {base}, snapshot {snapshot} (installing {installing:?}), applied {applied}, commit {commit}, durable {}, \
             last {last}; its disk begins after {}",
            machine.durable,
            image.base(),
        );
        Err(scene.violation("order of marks", details))
    }

    fn finish(&mut self, scene: &Scene<'_, Raft, A>) -> Result<(), Violation> {
        let bare = scene.nodes.iter().find(|node| {
            let image = node.disk().durable();
            let witness = node.machine().is_some_and(Raft::is_witness);
            !witness && image.base() > image.snapshot().map_or(LogIndex::ZERO, |snapshot| snapshot.meta.index)
        });
        let Some(node) = bare else { return Ok(()) };
        let details = format!("its disk begins after {} without a snapshot", node.disk().durable().base());
        Err(Violation { invariant: "order of marks", at: scene.now, node: Some(node.id()), details })
    }
}
