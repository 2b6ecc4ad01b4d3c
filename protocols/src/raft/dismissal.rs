//! What becomes of a voter that was removed and does not know it: it was cut off when its group left the old members behind.
//!
//! Such a node knows a joint configuration with itself in it, hears nobody, and asks for pre-votes. Nobody who follows a leader grants them, so
//! that it does no harm, but it would ask for ever and wake a group that sleeps. Whoever knows a committed configuration without it, and
//! none with it, says so (`Dismissed`). The node then lets ever more election timeouts pass before it asks again. It does not fall silent
//! for good: who told it may lag behind a change that takes it in again, and a partition may have left it as the only one whom
//! enough others hear. A leader's word ends all that.

use crate::protocol::Outbox;
use crate::raft::message::Message;
use crate::raft::state::Raft;
use crate::types::{LogIndex, NodeId};

/// How often the wait doubles at most.
const DOUBLINGS: u8 = 4;

/// How a node that is no member any more holds back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Reserve {
    /// How often in a row it was told.
    told: u8,
    /// How many election timeouts pass until it asks again.
    left: u8,
}

impl Reserve {
    /// Whether to let this election timeout pass.
    pub(super) fn holds_back(&mut self) -> bool {
        let holds = self.left > 0;
        self.left = self.left.saturating_sub(1);
        holds
    }

    /// Somebody said that this node is no member; others say so in answer to the same question.
    fn deepen(&mut self) {
        if self.left == 0 {
            self.told = (self.told + 1).min(DOUBLINGS);
            self.left = (1 << self.told) - 1;
        }
    }
}

impl Raft {
    /// Tells a node that asks for pre-votes that it is no member, if that is certain.
    pub(super) fn dismiss(&self, asker: NodeId, out: &mut Outbox<Self>) {
        let (index, membership) = (self.configurations.index(), self.membership());
        let own = membership.member(self.config.id).is_some();
        if own && index <= self.commit && !membership.is_joint() && membership.member(asker).is_none() {
            // Early: what is committed stays so, whatever this disk does.
            out.send_early(asker, Message::Dismissed { index });
        }
    }

    /// A member knows a later configuration, without this node.
    pub(super) fn on_dismissed(&mut self, from: NodeId, index: LogIndex, out: &mut Outbox<Self>) {
        let known = self.membership().member(from).is_some();
        if !known || index <= self.configurations.index() || self.leader.is_some() {
            return out.reached("dismissal by who knows no better ignored");
        }
        self.reserve.deepen();
    }
}
