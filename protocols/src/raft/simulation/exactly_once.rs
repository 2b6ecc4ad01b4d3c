//! What must stand in the lists when a run has come to rest: every acknowledged number where its client was told, none twice,
//! none that was refused.
//!
//! A number whose outcome its client never learnt may stand there or not, but not twice.

use std::collections::BTreeMap;

use crate::raft::Raft;
use crate::raft::simulation::client::{Action, Seen};
use crate::sim::{Ending, History, Lists, Node, Violation};
use crate::types::Timestamp;

/// Compares what clients were told with the lists of one node.
pub(super) fn check(
    history: &History<Action, Seen>,
    at: Timestamp,
    node: &Node<Raft, Lists>,
) -> Result<(), Violation> {
    let broken = |details| Err(Violation { invariant: "exactly once", at, node: Some(node.id()), details });
    let Some(lists) = node.application() else { return Ok(()) };
    let mut places = BTreeMap::new();
    for (key, list) in lists.lists() {
        for (offset, &id) in list.iter().enumerate() {
            if let Some(first) = places.insert(id, (key, offset as u64 + 1)) {
                return broken(format!("{id} took effect twice: at {first:?} and {:?}", (key, offset + 1)));
            }
        }
    }
    for operation in history.operations() {
        let Action::Append { key, id } = operation.action else { continue };
        let place = places.get(&id);
        match operation.ending {
            Ending::Ok(Seen::Appended(position)) if place != Some(&(key, position)) => {
                return broken(format!(
                    "{id} was acknowledged at {position} of {key} and stands at {place:?}"
                ));
            }
            Ending::Fail if place.is_some() => {
                return broken(format!("{id} was refused and stands at {place:?}"));
            }
            Ending::Ok(_) | Ending::Fail | Ending::Info => {}
        }
    }
    Ok(())
}
