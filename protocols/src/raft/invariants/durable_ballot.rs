//! Term and vote are on disk: when no write is under way, the disk holds the ballot that the machine stands by, so that the
//! next process keeps this one's promises (Raft §5.1, Figure 2: updated on stable storage before responding).

use crate::protocol::{Place, Placed};
use crate::raft::{Raft, Record};
use crate::sim::{Image, Invariant, Scene, Violation};
use crate::types::{NodeId, Term};

/// Remembers nothing: disk and machine are compared as they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct DurableBallot;

impl<A> Invariant<Raft, A> for DurableBallot {
    fn check(&mut self, scene: &Scene<'_, Raft, A>) -> Result<(), Violation> {
        let node = scene.node();
        let Some(machine) = node.machine().filter(|_| node.disk().is_settled()) else { return Ok(()) };
        let (held, believed) = (ballot(node.disk().durable()), (machine.term, machine.vote));
        if held == believed {
            return Ok(());
        }
        Err(scene.violation("durable ballot", format!("stands by {believed:?} and its disk holds {held:?}")))
    }
}

/// The ballot on a disk.
pub(super) fn ballot(image: &Image<Raft>) -> (Term, Option<NodeId>) {
    let sample = Record::Ballot { term: Term::ZERO, vote: None };
    let Place::Cell(key) = sample.place() else { return (Term::ZERO, None) };
    match image.cell(key) {
        Some(Record::Ballot { term, vote }) => (*term, *vote),
        Some(Record::Entry(_) | Record::Founding(_) | Record::Anchor(_)) | None => (Term::ZERO, None),
    }
}
