//! Acknowledged writes survive: what a client was told to have taken effect is in the log of every later leader, and on
//! every node that is well when the run ends.

use crate::raft::invariants::vitals::Vitals;
use crate::raft::{Raft, Reply};
use crate::sim::{Invariant, Node, Scene, Violation};
use crate::types::{LogIndex, Term};

const NAME: &str = "acknowledged survives";

#[derive(Clone, Copy, Debug)]
struct Acknowledged {
    index: LogIndex,
    /// The entry's term, unless it was compacted before its effect was acknowledged.
    entry: Option<Term>,
    /// The term of the node that acknowledged it.
    told: Term,
}

/// Remembers the last write acknowledged in each term.
#[derive(Clone, Debug, Default)]
pub struct AcknowledgedSurvives {
    acknowledged: Vec<Acknowledged>,
    led: Vec<Option<Term>>,
}

impl<A> Invariant<Raft, A> for AcknowledgedSurvives {
    fn check(&mut self, scene: &Scene<'_, Raft, A>) -> Result<(), Violation> {
        self.led.resize(scene.nodes.len(), None);
        let Some(vitals) = Vitals::of(scene.node()) else { return Ok(()) };
        let leads = vitals.leads.then_some(vitals.term);
        if leads != std::mem::replace(&mut self.led[scene.actor], leads) && leads.is_some() {
            self.check_leader(scene, vitals.term)?;
        }
        for answer in scene.answers {
            if let Reply::Applied { index, .. } = answer.reply {
                self.acknowledge(scene, index, vitals)?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, scene: &Scene<'_, Raft, A>) -> Result<(), Violation> {
        let last = self.acknowledged.iter().map(|it| it.index).max().unwrap_or_default();
        let leaders = scene.nodes.iter().filter_map(Node::machine).filter(|machine| machine.is_leader());
        let group = leaders.max_by_key(|machine| machine.term).map(Raft::membership);
        let belongs = |node: &Node<Raft, A>| group.is_none_or(|group| group.member(node.id()).is_some());
        let holds_data = |node: &&Node<Raft, A>| {
            belongs(node) && node.machine().is_some_and(|machine| !machine.is_witness())
        };
        let mut well = scene.nodes.iter().filter(|node| node.is_well()).filter(holds_data);
        match well.find(|node| node.applied() < last) {
            None => Ok(()),
            Some(node) => {
                let details = format!("applied only {} when {last} was acknowledged", node.applied());
                Err(Violation { invariant: NAME, at: scene.now, node: Some(node.id()), details })
            }
        }
    }
}

impl AcknowledgedSurvives {
    fn acknowledge<A>(
        &mut self,
        scene: &Scene<'_, Raft, A>,
        index: LogIndex,
        vitals: Vitals,
    ) -> Result<(), Violation> {
        if index > vitals.applied || index > scene.node().applied() {
            let details = format!("acknowledges {index} and has applied {}", scene.node().applied());
            return Err(scene.violation(NAME, details));
        }
        let entry = scene.node().machine().and_then(|machine| machine.term_at(index));
        let latest = Acknowledged { index, entry, told: vitals.term };
        match self.acknowledged.last_mut().filter(|last| last.told == latest.told) {
            Some(last) if last.index < index => *last = latest,
            Some(_) => {}
            None => self.acknowledged.push(latest),
        }
        Ok(())
    }

    fn check_leader<A>(&self, scene: &Scene<'_, Raft, A>, term: Term) -> Result<(), Violation> {
        let Some(machine) = scene.node().machine() else { return Ok(()) };
        for it in self.acknowledged.iter().filter(|it| it.told < term) {
            let held = machine.term_at(it.index);
            let compacted = scene.node().disk().written().base() >= it.index;
            if !compacted && (held.is_none() || it.entry.is_some() && held != it.entry) {
                let details = format!("leads term {term} and holds {held:?} where {it:?} was acknowledged");
                return Err(scene.violation(NAME, details));
            }
        }
        Ok(())
    }
}
