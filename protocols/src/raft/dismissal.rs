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
