//! What the members of a new group find on their disks so that the group begins with a state from elsewhere.
//!
//! Not how that state came there: to a machine it is a snapshot like any other, of an index and a term that no log leads up to. The
//! index goes on where it was, because the state may hold indexes; so does log time, because leases end by it.

use std::collections::BTreeSet;

use crate::log::{Position, SnapshotMeta};
use crate::raft::membership::Membership;
use crate::raft::record::Record;
use crate::types::{LogTime, NodeId};

/// What one member finds; all members find the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restoration {
    /// What the snapshot on its disk says of itself.
    pub meta: SnapshotMeta,
    /// The records of its log, which says besides that everything up to the snapshot is forgotten.
    pub cells: Vec<Record>,
}

impl Restoration {
    /// For a group of these voters, of which at least one, from the state at a position and its log time.
    #[must_use]
    pub fn new(voters: BTreeSet<NodeId>, position: Position, time: LogTime) -> Self {
        let configuration = Membership::founding(&voters, &BTreeSet::new()).encode();
        let Position { term, index } = position;
        let ballot = Record::Ballot { term, vote: None };
        Self {
            meta: SnapshotMeta { index, term, time, configuration: configuration.clone() },
            cells: vec![ballot, Record::Founding(configuration)],
        }
    }
}
