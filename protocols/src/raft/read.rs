//! Linearizable reads without a log entry: ReadIndex, and under a lease not even that (dissertation §6.4).
//!
//! Not reads from followers, nor what a lease rests on, which is in `lease.rs`. Every read that waits at a flush shares one round
//! of heartbeats.

use crate::protocol::Outbox;
use crate::raft::command::{Refusal, Reply};
use crate::raft::leadership::Round;
use crate::raft::state::{Raft, Standing, Timer};
use crate::types::{Timestamp, Token};

/// Reads that may wait at a time.
const READS_MAX: usize = 1 << 16;

/// What shows that a leader leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// A round of heartbeats, or a lease where there is one.
    Either,
    /// A round of heartbeats.
    Round,
}

impl Raft {
    /// Takes a read; what shows that this node leads is looked for with the next flush.
    pub(super) fn read(&mut self, now: Timestamp, token: Token, proof: Proof, out: &mut Outbox<Self>) {
        let Standing::Leader(lead) = &mut self.standing else {
            return Self::refuse(token, Refusal::NotLeader { leader: self.leader }, out);
        };
        if lead.reads.count >= READS_MAX {
            return Self::refuse(token, Refusal::Busy, out);
        }
        lead.reads.count += 1;
        match proof {
            Proof::Either => lead.reads.fresh.push(token),
            Proof::Round => lead.reads.insistent.push(token),
        }
        self.flush_soon(now);
    }

    /// Starts a round for the reads that wait and that no lease serves, once an entry of this term is committed (RT-11): before, the
    /// commit index may be behind what an earlier leader acknowledged.
    pub(super) fn start_round(&mut self, now: Timestamp, out: &mut Outbox<Self>) {
        // Asked with every flush: nearly always none waits.
        if !matches!(&self.standing, Standing::Leader(lead) if lead.reads.wait()) {
            return;
        }
        let (commit, leased) = (self.commit, self.has_lease(now));
        let Some((lead, feeder)) = self.feeder(now) else { return };
        if commit < lead.first {
            out.reached("reads wait for the first commit of the term");
            return;
        }
        let mut tokens = std::mem::take(&mut lead.reads.fresh);
        if leased && !tokens.is_empty() {
            lead.reads.leased.push_back((commit, std::mem::take(&mut tokens)));
        }
        tokens.append(&mut lead.reads.insistent);
        if !tokens.is_empty() {
            lead.reads.last_round += 1;
            let number = lead.reads.last_round;
            lead.lease.note_sent(number, now, feeder.config);
            lead.reads.rounds.push_back(Round { number, index: commit, tokens });
            for (&peer, progress) in &mut lead.progress {
                feeder.heartbeat(peer, progress, number, out);
            }
        }
        self.confirm_reads(now, out);
        self.answer_reads(now, out);
    }

    /// Confirms the rounds that a quorum has answered; a later answer confirms all earlier rounds.
    pub(super) fn confirm_reads(&mut self, now: Timestamp, out: &mut Outbox<Self>) {
        let Self { standing: Standing::Leader(lead), configurations, config, .. } = self else { return };
        if lead.reads.rounds.is_empty() {
            return;
        }
        let last_round = lead.reads.last_round;
        let confirmed = configurations.current().quorum().reached(|voter| {
            if voter == config.id {
                Some(last_round)
            } else {
                lead.progress.get(&voter).map(|peer| peer.round)
            }
        });
        let Some(confirmed) = confirmed else { return };
        while let Some(round) = lead.reads.rounds.pop_front_if(|round| round.number <= confirmed) {
            lead.reads.confirmed.push_back((round.index, round.tokens));
        }
        self.answer_reads(now, out);
    }

    /// Answers confirmed reads for which the application is far enough, and those under the lease if it still lasts: a process may have
    /// stood still since they came (RT-14).
    pub(super) fn answer_reads(&mut self, now: Timestamp, out: &mut Outbox<Self>) {
        // Asked with everything that is applied: nearly always none waits.
        if !matches!(&self.standing, Standing::Leader(lead) if lead.reads.count > 0) {
            return;
        }
        let applied = self.applying.applied;
        let leased = self.has_lease(now);
        let Standing::Leader(lead) = &mut self.standing else { return };
        let reads = &mut lead.reads;
        while let Some((index, tokens)) = reads.confirmed.pop_front_if(|(index, _)| *index <= applied) {
            reads.count -= tokens.len();
            for token in tokens {
                // Early: what is read is durable on a quorum.
                out.reply_early(token, Reply::ReadReady { index });
            }
        }
        while let Some((index, mut tokens)) = reads.leased.pop_front_if(|(index, _)| *index <= applied) {
            if !leased {
                out.reached("lease ran out before the answer");
                reads.fresh.append(&mut tokens);
                self.timers.set(Timer::Flush, now);
                continue;
            }
            reads.count -= tokens.len();
            out.reached("read under a lease");
            for token in tokens {
                // Early, likewise.
                out.reply_early(token, Reply::ReadReady { index });
            }
        }
    }
}
