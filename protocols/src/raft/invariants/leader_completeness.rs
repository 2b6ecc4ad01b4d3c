//! Leader completeness: what was committed in a term is in the logs of the leaders of all later terms (Raft §5.4, Figure 3);
//! and what is committed stays as it is.

use crate::raft::Raft;
use crate::raft::invariants::commits::Commits;
use crate::raft::invariants::vitals::Vitals;
use crate::sim::{Invariant, Scene, Violation};
use crate::types::{LogIndex, Term};

const NAME: &str = "leader completeness";

/// Remembers what was committed, and what each node knew of it.
#[derive(Clone, Debug, Default)]
pub struct LeaderCompleteness {
    commits: Commits,
    led: Vec<Option<Term>>,
    seen: Vec<LogIndex>,
}

impl<A> Invariant<Raft, A> for LeaderCompleteness {
    fn check(&mut self, scene: &Scene<'_, Raft, A>) -> Result<(), Violation> {
        self.led.resize(scene.nodes.len(), None);
        self.seen.resize(scene.nodes.len(), LogIndex::ZERO);
        let Some(vitals) = Vitals::of(scene.node()) else { return Ok(()) };
        let leads = vitals.leads.then_some(vitals.term);
        if leads != std::mem::replace(&mut self.led[scene.actor], leads) && leads.is_some() {
            self.check_leader(scene, vitals.term)?;
        }
        if self.seen[scene.actor] != vitals.commit {
            self.seen[scene.actor] = vitals.commit;
            self.commits.learn(NAME, scene, vitals)?;
            self.check_same(scene, vitals.commit)?;
        }
        Ok(())
    }
}

impl LeaderCompleteness {
    fn check_leader<A>(&self, scene: &Scene<'_, Raft, A>, term: Term) -> Result<(), Violation> {
        let index = self.commits.last_before(term);
        self.check_entry(scene, index, || format!("leads term {term}"))
    }

    fn check_same<A>(&self, scene: &Scene<'_, Raft, A>, index: LogIndex) -> Result<(), Violation> {
        self.check_entry(scene, index, || "takes it for committed".to_owned())
    }

    fn check_entry<A>(
        &self,
        scene: &Scene<'_, Raft, A>,
        index: LogIndex,
        does: impl FnOnce() -> String,
    ) -> Result<(), Violation> {
        let (Some(commit), Some(machine)) = (self.commits.at(index), scene.node().machine()) else {
            return Ok(());
        };
        let held = machine.term_at(index);
        let compacted = scene.node().disk().written().base() >= index;
        if held == Some(commit.entry) || (held.is_none() && compacted) {
            return Ok(());
        }
        let details = format!(
            "{} and holds {held:?} at {index}, where {} was committed in {}",
            does(),
            commit.entry,
            commit.known
        );
        Err(scene.violation(NAME, details))
    }
}
