//! Election safety: at most one leader is elected in a given term (Raft §5.2, Figure 3).

use std::collections::BTreeMap;

use crate::raft::Raft;
use crate::raft::invariants::vitals::Vitals;
use crate::sim::{Invariant, Scene, Violation};
use crate::types::{NodeId, Term};

/// Remembers who led in each term.
#[derive(Clone, Debug, Default)]
pub struct ElectionSafety {
    leaders: BTreeMap<Term, NodeId>,
    last: Option<(Term, NodeId)>,
}

impl<A> Invariant<Raft, A> for ElectionSafety {
    fn check(&mut self, scene: &Scene<'_, Raft, A>) -> Result<(), Violation> {
        let Some(vitals) = Vitals::of(scene.node()).filter(|vitals| vitals.leads) else { return Ok(()) };
        let claim = (vitals.term, scene.node().id());
        if self.last == Some(claim) {
            return Ok(());
        }
        self.last = Some(claim);
        let (term, node) = claim;
        let first = *self.leaders.entry(term).or_insert(node);
        if first == node {
            return Ok(());
        }
        Err(scene.violation("election safety", format!("leads in term {term}, as {first} does or did")))
    }
}
