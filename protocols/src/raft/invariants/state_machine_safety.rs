//! State machine safety: no two nodes apply different entries at one index (Raft §5.4.3, Figure 3), and their applications are
//! in the same state afterwards, also when a snapshot brought them there.

use crate::raft::Raft;
use crate::sim::{Happening, Invariant, Scene, Violation};
use crate::types::LogIndex;

const NAME: &str = "state machine safety";

/// Remembers what was applied first at each index: a hash of the entry, and the application's digest.
#[derive(Clone, Debug, Default)]
pub struct StateMachineSafety {
    applied: Vec<(u64, u64)>,
}

impl<A> Invariant<Raft, A> for StateMachineSafety {
    fn check(&mut self, scene: &Scene<'_, Raft, A>) -> Result<(), Violation> {
        for happening in scene.happenings {
            match *happening {
                Happening::Applied { index, entry, state } => self.applied(scene, index, entry, state)?,
                Happening::Restored { index, state } => self.restored(scene, index, state)?,
                _ => {}
            }
        }
        Ok(())
    }
}

impl StateMachineSafety {
    fn applied<A>(
        &mut self,
        scene: &Scene<'_, Raft, A>,
        index: LogIndex,
        entry: u64,
        state: u64,
    ) -> Result<(), Violation> {
        match self.at(index) {
            None if index.0 == self.applied.len() as u64 + 1 => {
                self.applied.push((entry, state));
                Ok(())
            }
            None => {
                Err(scene.violation(NAME, format!("applies {index}, and nobody applied what is before it")))
            }
            Some((first, _)) if first != entry => {
                Err(scene.violation(NAME, format!("applies another entry at {index} than a node before it")))
            }
            Some((_, first)) if first != state => {
                Err(scene.violation(NAME, format!("is in another state after {index} than a node before it")))
            }
            Some(_) => Ok(()),
        }
    }

    fn restored<A>(&self, scene: &Scene<'_, Raft, A>, index: LogIndex, state: u64) -> Result<(), Violation> {
        if self.at(index).is_some_and(|(_, first)| first == state) {
            return Ok(());
        }
        Err(scene.violation(NAME, format!("restored a snapshot of {index} that nobody's state was in")))
    }

    fn at(&self, index: LogIndex) -> Option<(u64, u64)> {
        self.applied.get(usize::try_from(index.0.checked_sub(1)?).ok()?).copied()
    }
}
