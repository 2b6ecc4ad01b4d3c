//! What never goes back: term, commit and applied index of a process, the vote within a term, and the ballot on a disk,
//! from which the next process starts (Raft §5.1, Figure 2).

use crate::raft::Raft;
use crate::raft::invariants::durable_ballot::ballot;
use crate::raft::invariants::vitals::Vitals;
use crate::sim::{Happening, Invariant, Scene, Violation};
use crate::types::{LogIndex, NodeId, StoreId, Term};

const NAME: &str = "monotone";

/// Remembers each node's last numbers and the last ballot on its disk.
#[derive(Clone, Debug, Default)]
pub struct Monotone {
    processes: Vec<Option<Vitals>>,
    ballots: Vec<(Term, Option<NodeId>)>,
    stores: Vec<StoreId>,
}

impl<A> Invariant<Raft, A> for Monotone {
    fn check(&mut self, scene: &Scene<'_, Raft, A>) -> Result<(), Violation> {
        self.processes.resize(scene.nodes.len(), None);
        self.ballots.resize(scene.nodes.len(), (Term::ZERO, None));
        self.stores.resize(scene.nodes.len(), StoreId::ZERO);
        let store = scene.node().store();
        if std::mem::replace(&mut self.stores[scene.actor], store) != store {
            // Another disk has promised nothing.
            self.ballots[scene.actor] = (Term::ZERO, None);
        }
        let after = Vitals::of(scene.node());
        let before = std::mem::replace(&mut self.processes[scene.actor], after);
        let started = before.map(|before| before.life) != after.map(|after| after.life);
        if started || scene.happenings.contains(&Happening::Durable) {
            self.check_disk(scene)?;
        }
        let Some(after) = after else { return Ok(()) };
        let kept = match before {
            Some(before) if !started => process_kept(before, after),
            _ => ballot_kept(self.ballots[scene.actor], (after.term, after.vote)),
        };
        if kept {
            return Ok(());
        }
        Err(scene.violation(NAME, format!("went from {before:?} to {after:?}")))
    }
}

impl Monotone {
    fn check_disk<A>(&mut self, scene: &Scene<'_, Raft, A>) -> Result<(), Violation> {
        let after = ballot(scene.node().disk().durable());
        let before = std::mem::replace(&mut self.ballots[scene.actor], after);
        if ballot_kept(before, after) {
            return Ok(());
        }
        Err(scene.violation(NAME, format!("its disk went from ballot {before:?} to {after:?}")))
    }
}

fn process_kept(before: Vitals, after: Vitals) -> bool {
    ballot_kept((before.term, before.vote), (after.term, after.vote))
        && after.commit >= before.commit
        && after.applied >= before.applied
        && (after.applied <= after.commit || after.applied == LogIndex::ZERO)
}

fn ballot_kept(before: (Term, Option<NodeId>), after: (Term, Option<NodeId>)) -> bool {
    after.0 > before.0 || after.0 == before.0 && (before.1.is_none() || after.1 == before.1)
}
