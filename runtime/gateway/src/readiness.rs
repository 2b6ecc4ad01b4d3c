//! Whether a node can serve: it knows a leader and has caught up.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::status::Status;

/// Whether the node has ever caught up with what was committed when it looked. Busy nodes are always a little behind, so this is
/// asked once.
#[derive(Default)]
pub(crate) struct CaughtUp {
    once: AtomicBool,
}

impl CaughtUp {
    /// Why a node that stands so cannot serve, if it cannot.
    pub(crate) fn missing(&self, status: &Status) -> Option<String> {
        if status.leader.is_none() {
            return Some("no leader is known".to_owned());
        }
        if status.applied_index > 0 && status.applied_index >= status.commit_index {
            self.once.store(true, Ordering::Relaxed);
        }
        let behind = || format!("applied {} of {} entries", status.applied_index, status.commit_index);
        (!self.once.load(Ordering::Relaxed)).then(behind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Role;

    fn standing(leader: Option<&str>, commit: u64, applied: u64) -> Status {
        Status {
            node: "node-1".into(),
            cluster: "test".into(),
            pid: 1,
            role: Role::Follower,
            leader: leader.map(str::to_owned),
            term: 1,
            commit_index: commit,
            applied_index: applied,
            members: vec!["node-1".into()],
            set_aside: Vec::new(),
            uptime_ms: 1,
            links: Vec::new(),
        }
    }

    #[test]
    fn a_node_is_ready_once_it_has_caught_up_and_while_it_knows_a_leader() {
        let caught_up = CaughtUp::default();
        assert!(caught_up.missing(&standing(Some("node-2"), 0, 0)).is_some());
        assert!(caught_up.missing(&standing(Some("node-2"), 9, 8)).is_some());
        assert!(caught_up.missing(&standing(None, 9, 9)).is_some());
        assert_eq!(caught_up.missing(&standing(Some("node-2"), 9, 9)), None);
        assert_eq!(caught_up.missing(&standing(Some("node-2"), 20, 9)), None);
        assert!(caught_up.missing(&standing(None, 20, 20)).is_some());
    }
}
