//! What was committed, by index: the entry's term, and the term of the machine that knew it first.
//!
//! The first to know is the leader that counted the quorum; everybody else learns it from a message.

use crate::raft::Raft;
use crate::raft::invariants::vitals::Vitals;
use crate::sim::{Scene, Violation};
use crate::types::{LogIndex, Term};

#[derive(Clone, Copy, Debug)]
pub(super) struct Commit {
    /// The entry's term.
    pub(super) entry: Term,
    /// The term in which it was first known to be committed.
    pub(super) known: Term,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Commits {
    by_index: Vec<Commit>,
}

impl Commits {
    /// Takes in what the stepping node knows; true when it knows more than anybody did.
    pub(super) fn learn<A>(
        &mut self,
        invariant: &'static str,
        scene: &Scene<'_, Raft, A>,
        vitals: Vitals,
    ) -> Result<bool, Violation> {
        let Some(machine) = scene.node().machine() else { return Ok(false) };
        let before = self.last_index();
        for index in before.0 + 1..=vitals.commit.0 {
            let Some(entry) = machine.term_at(LogIndex(index)) else {
                let details =
                    format!("knows {index} to be committed before anybody else, and does not have it");
                return Err(scene.violation(invariant, details));
            };
            self.by_index.push(Commit { entry, known: vitals.term });
        }
        Ok(self.last_index() > before)
    }

    /// The last index known to be committed.
    pub(super) fn last_index(&self) -> LogIndex {
        LogIndex(self.by_index.len() as u64)
    }

    /// What is known of one index.
    pub(super) fn at(&self, index: LogIndex) -> Option<Commit> {
        self.by_index.get(usize::try_from(index.0.checked_sub(1)?).ok()?).copied()
    }

    /// The last index that was known to be committed in a term before this one.
    pub(super) fn last_before(&self, term: Term) -> LogIndex {
        let later = self.by_index.iter().rev().take_while(|commit| commit.known >= term).count();
        LogIndex((self.by_index.len() - later) as u64)
    }
}
