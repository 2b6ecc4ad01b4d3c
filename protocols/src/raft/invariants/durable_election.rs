//! Elected only by a durable quorum: when a leader takes office, a quorum of the disks of its configuration hold a vote for it in its
//! term, or have moved on to a later term (Raft §5.2, Figure 2: a vote is on stable storage before it is given).

use crate::quorum::Tally;
use crate::raft::Raft;
use crate::raft::invariants::durable_ballot::ballot;
use crate::raft::invariants::durable_quorum::named;
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
        let Some(machine) = scene.node().machine() else { return Ok(()) };
        let membership = machine.membership();
        let gave = |voter| {
            let node = scene.nodes.iter().find(|node| node.id() == voter)?;
            let (at, vote) = named(node, membership).map(ballot)?;
            Some(at > term || at == term && vote == leader)
        };
        if membership.quorum().tally(gave) == Tally::Won {
            return Ok(());
        }
        let voters: Vec<_> =
            membership.voters().into_iter().filter(|&voter| gave(voter) == Some(true)).collect();
        let details = format!("leads term {term} by the votes of {voters:?}, no quorum of {membership:?}");
        Err(scene.violation("durable election", details))
    }
}
