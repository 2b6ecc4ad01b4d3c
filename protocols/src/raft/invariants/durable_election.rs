//! Elected only by a durable quorum: when a leader takes office, a majority of disks hold a vote for it in its term, or have
//! moved on to a later term (Raft §5.2, Figure 2: a vote is on stable storage before it is given).

use crate::raft::Raft;
use crate::raft::invariants::durable_ballot::ballot;
use crate::raft::invariants::vitals::Vitals;
use crate::sim::{Invariant, Scene, Violation};
use crate::types::Term;

/// Remembers in which term each node was last seen to lead.
#[derive(Clone, Debug, Default)]
pub struct DurableElection {
    led: Vec<Option<Term>>,
}

impl<A> Invariant<Raft, A> for DurableElection {
    fn check(&mut self, scene: &Scene<'_, Raft, A>) -> Result<(), Violation> {
        self.led.resize(scene.nodes.len(), None);
        let leads = Vitals::of(scene.node()).filter(|vitals| vitals.leads).map(|vitals| vitals.term);
        if std::mem::replace(&mut self.led[scene.actor], leads) == leads {
            return Ok(());
        }
        let Some(term) = leads else { return Ok(()) };
        let leader = Some(scene.node().id());
        let voters =
            scene.nodes.iter().map(ballot).filter(|&(at, vote)| at > term || at == term && vote == leader);
        let voters = voters.count();
        if voters > scene.nodes.len() / 2 {
            return Ok(());
        }
        Err(scene.violation("durable election", format!("leads term {term} by the votes of {voters} disks")))
    }
}
