//! Who takes part in a group, and its encoding as it stands in snapshots and on disk.
//!
//! Not how membership changes. The encoding is a version byte and the voters' ids, ascending, eight bytes each, big end first.

use std::collections::BTreeSet;

use bytes::{BufMut, Bytes, BytesMut};

use crate::quorum::Majority;
use crate::types::NodeId;

/// The configuration in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Membership {
    majority: Majority,
}

impl Membership {
    const VERSION: u8 = 1;

    /// A group of voters.
    pub(super) fn new(voters: BTreeSet<NodeId>) -> Self {
        Self { majority: Majority::new(voters) }
    }

    /// Reads what [`Membership::encode`] wrote; `None` when it is something else.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (&Self::VERSION, ids) = bytes.split_first()? else { return None };
        let (ids, rest) = ids.as_chunks::<8>();
        let voters: BTreeSet<NodeId> = ids.iter().map(|id| NodeId(u64::from_be_bytes(*id))).collect();
        (rest.is_empty() && !voters.is_empty() && voters.len() == ids.len()).then(|| Self::new(voters))
    }

    /// The bytes that stand for this configuration.
    pub(super) fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(1 + 8 * self.voters().len());
        bytes.put_u8(Self::VERSION);
        for voter in self.voters() {
            bytes.put_u64(voter.0);
        }
        bytes.freeze()
    }

    /// Those whose votes and acknowledgements count.
    pub(super) fn voters(&self) -> &BTreeSet<NodeId> {
        self.majority.voters()
    }

    /// Whether a node takes part.
    pub(super) fn contains(&self, node: NodeId) -> bool {
        self.voters().contains(&node)
    }

    /// The rule by which it decides.
    pub(super) fn majority(&self) -> &Majority {
        &self.majority
    }
}
