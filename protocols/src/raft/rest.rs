//! What a machine knows of its own sleep, and a leader of its group's.
//!
//! Not when to sleep or to wake; that stands in `hibernation`.

use std::collections::BTreeSet;

use crate::types::{LogIndex, NodeId, Timestamp};

/// Whether a machine sleeps, and how near a leader's group is to it.
#[derive(Clone, Debug, Default)]
pub(super) struct Hibernation {
    pub(super) rest: Rest,
    /// When a leader woke last: before, nobody had to be heard.
    pub(super) woken: Timestamp,
    /// When the group was last given something to do, and where the log ended then.
    pub(super) busy_at: Timestamp,
    pub(super) seen: LogIndex,
    /// Which time without anything to do this is.
    pub(super) lull: u64,
    /// The peers that sleep in this one.
    pub(super) sleepers: BTreeSet<NodeId>,
}

/// How a machine rests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Rest {
    /// Not at all.
    #[default]
    Awake,
    /// It waits for nothing but what would wake it.
    Asleep {
        /// When a follower had last heard its leader.
        heard: Option<Timestamp>,
    },
    /// A follower that was woken. Its leader's node is still watched.
    Roused {
        /// When it had last heard its leader.
        heard: Option<Timestamp>,
        /// Whether it has heard its leader since.
        reassured: bool,
    },
}

impl Hibernation {
    /// Puts every instant at [`Timestamp::ZERO`], for whoever compares machines.
    pub(super) fn forget_time(&mut self) {
        (self.woken, self.busy_at) = (Timestamp::ZERO, Timestamp::ZERO);
        self.rest = self.rest_without_time();
    }

    /// The leader was heard.
    pub(super) fn reassure(&mut self) {
        if let Rest::Roused { reassured, .. } = &mut self.rest {
            *reassured = true;
        }
    }

    /// How the machine rests, whenever that began.
    pub(super) fn rest_without_time(&self) -> Rest {
        let zero = |heard: Option<Timestamp>| heard.map(|_| Timestamp::ZERO);
        match self.rest {
            Rest::Awake => Rest::Awake,
            Rest::Asleep { heard } => Rest::Asleep { heard: zero(heard) },
            Rest::Roused { heard, reassured } => Rest::Roused { heard: zero(heard), reassured },
        }
    }

    /// Which time without anything to do this is.
    #[cfg(test)]
    pub(super) fn lull(&self) -> u64 {
        self.lull
    }

    /// The peers that sleep while their leader does not yet.
    pub(super) fn sleepers(&self) -> impl Iterator<Item = NodeId> {
        self.sleepers.iter().copied()
    }
}
