//! Linearizable reads without a log entry: ReadIndex (dissertation §6.4).
//!
//! Not reads from followers or under a lease. Every read that waits at a flush shares one round of heartbeats.

use crate::protocol::Outbox;
use crate::raft::command::{Refusal, Reply};
use crate::raft::leadership::Round;
use crate::raft::state::{Raft, Standing};
use crate::types::{Timestamp, Token};

/// Reads that may wait at a time.
const READS_MAX: usize = 1 << 16;

impl Raft {
    /// Takes a read; its round starts with the next flush.
    pub(super) fn read(&mut self, now: Timestamp, token: Token, out: &mut Outbox<Self>) {
        let Standing::Leader(lead) = &mut self.standing else {
            return Self::refuse(token, Refusal::NotLeader { leader: self.leader }, out);
        };
        if lead.reads.count >= READS_MAX {
            return Self::refuse(token, Refusal::Busy, out);
        }
        lead.reads.count += 1;
        lead.reads.fresh.push(token);
        self.flush_soon(now);
    }

    /// Starts a round for the reads that wait, once an entry of this term is committed (RT-11): before, the commit index may be
    /// behind what an earlier leader acknowledged.
    pub(super) fn start_round(&mut self, now: Timestamp, out: &mut Outbox<Self>) {
        let commit = self.commit;
        let Some((lead, feeder)) = self.feeder(now) else { return };
        if lead.reads.fresh.is_empty() {
            return;
        }
        if commit < lead.first {
            out.reached("reads wait for the first commit of the term");
            return;
        }
        lead.reads.last_round += 1;
        let number = lead.reads.last_round;
        let tokens = std::mem::take(&mut lead.reads.fresh);
        lead.reads.rounds.push_back(Round { number, index: commit, tokens });
        for (&peer, progress) in &mut lead.progress {
            feeder.heartbeat(peer, progress, number, out);
        }
        self.confirm_reads(out);
    }

    /// Confirms the rounds that a quorum has answered; a later answer confirms all earlier rounds.
    pub(super) fn confirm_reads(&mut self, out: &mut Outbox<Self>) {
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
        self.answer_reads(out);
    }

    /// Answers confirmed reads for which the application is far enough.
    pub(super) fn answer_reads(&mut self, out: &mut Outbox<Self>) {
        let applied = self.applying.applied;
        let Standing::Leader(lead) = &mut self.standing else { return };
        while let Some((index, tokens)) = lead.reads.confirmed.pop_front_if(|(index, _)| *index <= applied) {
            lead.reads.count -= tokens.len();
            for token in tokens {
                // Early: what is read is durable on a quorum.
                out.reply_early(token, Reply::ReadReady { index });
            }
        }
    }
}
