//! Leases: a leader that a quorum has promised not to be replaced for a while may answer reads without asking (dissertation §6.4.1).
//!
//! Not the reads themselves, which are in `read.rs`. Off unless [`crate::raft::Config::lease_reads`].
//!
//! **The promise.** Whoever heeds a leader helps nobody else to be elected for an election timeout of its own clock, whatever term it
//! comes to be in, and tells the leader in its answer to a heartbeat for how long. A process that starts does not know what it
//! promised before and keeps the longest it can have been: the same time, from its start on.
//!
//! **The lease.** A promise begins after the heartbeat was sent that it answers, so it lasts from there on, on the leader's clock, for
//! what was promised, shortened by what the two clocks may differ: with rates within d of the true one, a span s of the slowest clock
//! is at most s (1 + d) / (1 - d) of the fastest. While a quorum's promises last, in both sets of a joint configuration, no later term
//! has a leader: any quorum that could elect one has a member that has promised. So the leader's commit index is the group's.
//!
//! **The exceptions.** A transfer of leadership asks voters to break their promise, so the leader gives its lease up before, for the rest of its
//! term: the request to campaign may arrive much later. A sleeping group has no lease. As with any read, an entry of the leader's own term is
//! committed first.

use std::time::Duration;

use crate::raft::state::{Raft, Standing};
use crate::types::Timestamp;

impl Raft {
    /// Whether this leader may answer reads without asking, at this moment.
    pub(super) fn has_lease(&self, now: Timestamp) -> bool {
        let Self { standing: Standing::Leader(lead), config, .. } = self else { return false };
        if !config.lease_reads || lead.lease.revoked || self.commit < lead.first {
            return false;
        }
        let until = self.membership().quorum().reached(|voter| {
            if voter == config.id {
                // It promises nothing to itself: it would cease to lead first.
                return Some(Timestamp::NEVER);
            }
            lead.progress.get(&voter).and_then(|peer| lead.lease.promise(voter, peer.epoch))
        });
        until.is_some_and(|until| now < until)
    }

    /// Begins a round of heartbeats by which the lease is prolonged.
    pub(super) fn prolong_lease(&mut self, now: Timestamp) {
        let Self { standing: Standing::Leader(lead), config, .. } = self else { return };
        if config.lease_reads && !lead.lease.revoked {
            lead.reads.last_round += 1;
            lead.lease.note_sent(lead.reads.last_round, now, config);
        }
    }

    /// For how long this node helps nobody but its leader, from a heartbeat on.
    pub(super) fn promise(&self) -> Duration {
        if self.config.lease_reads { self.config.election_timeout } else { Duration::ZERO }
    }

    /// Whether a promise to a leader binds this node, of whatever term.
    pub(super) fn is_pledged(&self, now: Timestamp) -> bool {
        self.pledged.is_some_and(|since| now.since(since) < self.promise())
    }
}
