//! Snapshots lent: a follower sends its own to whoever needs one, in the leader's stead, which has enough to do.
//!
//! Any snapshot of a member that follows the leader will do: what is in it is committed, hence in the leader's log too. Whoever
//! receives it answers the leader. Where the lender does not help, the leader sends its own; not how snapshots are taken or taken
//! over, which is in `snapshot.rs`.

use crate::protocol::Outbox;
use crate::quorum::Tally;
use crate::raft::follower::Heading;
use crate::raft::leadership::Leadership;
use crate::raft::message::{Epoch, Message};
use crate::raft::progress::{Pace, Progress};
use crate::raft::state::{Loan, Raft, Standing};
use crate::types::{LogIndex, NodeId, Timestamp};

/// For whom a snapshot is asked, and which attempt that is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plea {
    pub(super) to: NodeId,
    pub(super) attempt: u64,
}

impl Raft {
    /// The leader asks for a snapshot to be sent to another.
    pub(super) fn on_lend(
        &mut self,
        now: Timestamp,
        heading: Heading,
        plea: Plea,
        least: LogIndex,
        out: &mut Outbox<Self>,
    ) {
        if !self.heed(now, heading, out) {
            return;
        }
        let Heading { from: leader, term, epoch } = heading;
        let Plea { to, attempt } = plea;
        let known = self.snapshots.loans.get(&to).copied();
        let under_way = known.is_some_and(|loan| loan.ended.is_none());
        if let Some(loan) = known
            && (loan.leader, loan.epoch, loan.attempt) == (leader, epoch, attempt)
        {
            // Asked again, because a message got lost or is late.
            let Some(delivered) = loan.ended else { return };
            return self.answer_loan(heading, plea, delivered, out);
        }
        let of_use = self.snapshots.index >= least && self.snapshots.index > LogIndex::ZERO;
        if to == self.config.id || self.config.witness || under_way || !of_use {
            out.reached("snapshot not lent");
            return self.answer_loan(heading, plea, None, out);
        }
        out.reached("snapshot lent");
        self.snapshots.loans.insert(to, Loan { leader, epoch, attempt, ended: None });
        out.send_snapshot(to, Message::Snapshot { leader, term, epoch });
    }

    /// The transfer of a snapshot that this node lent has ended.
    pub(super) fn loan_ended(&mut self, to: NodeId, delivered: Option<LogIndex>, out: &mut Outbox<Self>) {
        let Some(loan) = self.snapshots.loans.get_mut(&to).filter(|loan| loan.ended.is_none()) else {
            return;
        };
        loan.ended = Some(delivered);
        let heading = Heading { from: loan.leader, term: self.term, epoch: loan.epoch };
        let plea = Plea { to, attempt: loan.attempt };
        self.answer_loan(heading, plea, delivered, out);
    }

    /// The lender says how it ended.
    pub(super) fn on_lent(
        &mut self,
        now: Timestamp,
        from: NodeId,
        epoch: Epoch,
        Plea { to, attempt }: Plea,
        delivered: Option<LogIndex>,
    ) {
        let Standing::Leader(lead) = &mut self.standing else { return };
        let Some(progress) = lead.progress.get_mut(&to).filter(|peer| peer.epoch == epoch) else { return };
        if progress.awaited_lender() == Some(from) && progress.attempt == attempt {
            progress.snapshot_ended(now, delivered);
        }
    }

    /// Chooses who lends from now on; asks again those who were asked, and waits no longer for whoever is not heard, nor at all where
    /// the group needs the borrower to decide.
    pub(super) fn attend_lenders(&mut self, now: Timestamp, out: &mut Outbox<Self>) {
        if !self.config.lend_snapshots {
            return;
        }
        let patience = self.config.election_timeout;
        let spared = self.decides_without_borrowers(now);
        let Some((lead, feeder)) = self.feeder(now) else { return };
        let lost: Vec<NodeId> = lead.awaited_lenders().filter(|it| !lead.hears(*it, now, patience)).collect();
        for (&peer, progress) in &mut lead.progress {
            let Some(lender) = progress.awaited_lender() else { continue };
            if spared && !lost.contains(&lender) {
                feeder.ask_to_lend(lender, peer, progress, out);
            } else {
                out.reached("lender of a snapshot waited for no longer");
                progress.probe(LogIndex::ZERO, true);
            }
        }
        let able = lead.progress.iter().filter(|(_, peer)| {
            let heard = now.since(peer.contact) < patience;
            spared && peer.member.duty.holds_data() && peer.pace == Pace::Replicate && heard
        });
        lead.lender = able.max_by_key(|(_, peer)| peer.matched).map(|(&peer, _)| peer);
    }

    /// Whether this leader and those that are heard and follow its log are a quorum: whoever needs a snapshot can wait for it.
    fn decides_without_borrowers(&self, now: Timestamp) -> bool {
        let Standing::Leader(lead) = &self.standing else { return false };
        let follows = |peer: &Progress| {
            peer.pace == Pace::Replicate && now.since(peer.contact) < self.config.election_timeout
        };
        let there = |voter| voter == self.config.id || lead.progress.get(&voter).is_some_and(follows);
        self.membership().quorum().tally(|voter| Some(there(voter))) == Tally::Won
    }

    fn answer_loan(
        &self,
        heading: Heading,
        Plea { to, attempt }: Plea,
        delivered: Option<LogIndex>,
        out: &mut Outbox<Self>,
    ) {
        let (term, epoch) = (self.term, heading.epoch);
        // Early: it says nothing of this node's disk.
        out.send_early(heading.from, Message::Lent { term, epoch, to, attempt, delivered });
    }
}

impl Leadership {
    fn awaited_lenders(&self) -> impl Iterator<Item = NodeId> {
        self.progress.values().filter_map(Progress::awaited_lender)
    }

    fn hears(&self, peer: NodeId, now: Timestamp, patience: std::time::Duration) -> bool {
        self.progress.get(&peer).is_some_and(|peer| now.since(peer.contact) < patience)
    }
}
