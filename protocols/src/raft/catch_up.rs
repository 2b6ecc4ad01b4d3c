//! Catch-up candidacy: a node that a quorum would elect, were its log not behind, fetches what it lacks from who has it.
//!
//! Raft elects only who holds the newest log *and* reaches a quorum. Under a partition in which these are different nodes (all links
//! but those of one hub are down, and the hub's log is behind) it has no leader for as long as the partition lasts. Here the hub P,
//! whose pre-votes are refused by voters that hear no leader either but whose logs are ahead, takes over the log of one of them, V,
//! as Paxos and Viewstamped Replication select a log, and then stands for election like anybody else. Off unless
//! [`crate::raft::Config::catch_up`]; the model check of it is in `runtime/docs/testing.md`.
//!
//! **The protocol.** V, when it refuses a pre-vote for its log alone and hears no leader, says where its log ends (`Ahead`). When P's
//! rounds have been refused repeatedly, and a quorum of voters, P among them, hears no leader, then P (a) enters a term above every one
//! it has seen and writes that down, unless it is in one that it entered for this and has heeded no leader in, (b) asks the voter furthest ahead for what follows its own log (`Pull`), (c) takes from
//! each `PullReply` what follows a position it holds, as from an append, provided that V's whole log was ahead of P's, that P is in
//! the term of (a), and that P has heeded no leader in it, (d) asks again until it has all, and then campaigns.
//!
//! **Why that is safe.** Let e be an entry of term T that a quorum has acknowledged, or ever will, to the leader of T. Leader completeness
//! (§5.4.3) says that every leader of a term above T holds e; suppose that the leader of U is the first that does not. Some W
//! acknowledged e and later voted in U. Without catch-up W still holds e when it votes, since the leaders between hold it. With
//! it, let V be from whom W takes, and v the last term of V's log, which is not below W's last term, hence not below T.
//! - If v is W's last term, both logs are beginnings of the log of v's leader, and W's is the shorter: nothing is replaced.
//! - Otherwise v > T. Entries of term v exist, so that v's leader was elected before. If v were U or more, W, whose own term is never below
//!   that of an entry it takes, could not vote in U's election afterwards. So v lies between T and U, v's leader holds e, and V's log,
//!   which is that leader's up to its last entry, holds e below its entries of v. What W replaces begins where the two logs
//!   differ, which is above e.
//!
//! Either way W holds e afterwards, also when it has taken only a part of V's log, and its last term is still not below T, which is all
//! that its vote in U is asked for. Each reply is a piece of one log as it was at one moment, together with where that log ended, so
//! that it does not matter when the reply arrives nor whether others came before.
//!
//! **Old acknowledgements.** P may have acknowledged to a leader what it replaces. It never counts towards a commit: had a quorum with P
//! acknowledged it, V would hold it. But a leader tells its peers that entries are committed as far as they have acknowledged them,
//! and P would believe that of its replacement. Hence (a), and no taking in a term in which a leader was heeded: P heeds no leader of a
//! term before (a), and to none of its own term has it acknowledged anything. The term is raised only when a quorum hears
//! no leader, so that no leader that works is unseated.
//!
//! **Uncommitted entries** of V's log become P's; committed they are once P, elected, has committed an entry of its own, as with any other log.
//! **The commit index** is not told and not touched; an entry at or below P's own is never replaced, and an attempt is reported. **A
//! configuration** among what is taken or replaced comes into force or goes, as with an append. **A witness** has no data to
//! give and does not campaign; a learner does not campaign and is not asked; a disk without a voice gives nothing. Where V has compacted
//! what P would need, V gives nothing, and P waits for somebody else.

use std::collections::{BTreeMap, BTreeSet};

use crate::log::{Entries, Position};
use crate::protocol::Outbox;
use crate::quorum::Tally;
use crate::raft::config::Config;
use crate::raft::follower::is_ordered;
use crate::raft::message::{AppendResult, Message};
use crate::raft::rounds::{PATIENCE, Rounds};
use crate::raft::state::{Load, Raft, Standing};
use crate::raft::status::Rejection;
use crate::types::{LogIndex, NodeId, Term, Timestamp};

impl Raft {
    /// A round of pre-votes begins.
    pub(super) fn open_round(&mut self) {
        let rounds = self.rounds.get_or_insert_default();
        rounds.count = rounds.count.saturating_add(1).min(PATIENCE);
        rounds.proposed = self.term.next();
        rounds.free = BTreeSet::from([self.config.id]);
        rounds.ahead = BTreeMap::new();
    }

    /// A pre-vote was granted, which nobody does who hears a leader.
    pub(super) fn note_free(&mut self, now: Timestamp, from: NodeId, proposed: Term, out: &mut Outbox<Self>) {
        if let Some(rounds) = self.round(proposed) {
            rounds.free.insert(from);
            self.consider_catch_up(now, out);
        }
    }

    /// Says where this log ends, when that is all there is against a pre-vote.
    pub(super) fn tell_ahead(
        &self,
        now: Timestamp,
        from: NodeId,
        proposed: Term,
        last: Position,
        out: &mut Outbox<Self>,
    ) {
        let own = self.log.last();
        if self.may_give(now) && proposed > self.term && own > last {
            // Early: it promises nothing.
            out.send_early(from, Message::Ahead { term: self.term, proposed, last: own });
        }
    }

    /// A voter that hears no leader has a log that is ahead of what this one's was.
    pub(super) fn on_ahead(
        &mut self,
        now: Timestamp,
        from: NodeId,
        proposed: Term,
        last: Position,
        out: &mut Outbox<Self>,
    ) {
        let Some(rounds) = self.round(proposed) else {
            out.reached("late news of a log that is ahead ignored");
            return;
        };
        rounds.free.insert(from);
        rounds.ahead.insert(from, last);
        self.consider_catch_up(now, out);
    }

    /// Gives what follows a position in this log, or the position before it at which the logs may agree, to who catches up.
    pub(super) fn on_pull(&mut self, now: Timestamp, from: NodeId, after: Position, out: &mut Outbox<Self>) {
        let last = self.log.last();
        if !self.may_give(now) || last <= after {
            return;
        }
        let Some(previous) = self.log.last_within(after) else {
            out.reached("nothing to give to who catches up: the log begins later");
            return;
        };
        let next = previous.index.next();
        let (count, bytes) = (self.config.max_append_entries, self.config.max_append_bytes);
        match self.log.range(next, last.index, count, bytes) {
            Some(entries) => self.give(from, next, entries, out),
            None => {
                let request = self.new_request();
                self.loads.insert(request, Load::Puller(from, next));
                out.load(request, next, self.config.append_end(next).min(last.index), bytes);
            }
        }
    }

    /// Sends a piece of this log that begins at `next`.
    pub(super) fn give(&self, to: NodeId, next: LogIndex, entries: Entries, out: &mut Outbox<Self>) {
        let index = next.previous();
        let Some(term) = self.log.term_at(index).filter(|_| !entries.is_empty()) else { return };
        let (previous, last) = (Position { term, index }, self.log.last());
        out.send(to, Message::PullReply { term: self.term, previous, last, entries });
    }

    /// Takes a piece of a log that is ahead.
    pub(super) fn on_pull_reply(
        &mut self,
        now: Timestamp,
        from: NodeId,
        piece: Piece,
        out: &mut Outbox<Self>,
    ) {
        let Piece { previous, last, entries } = piece;
        let heeds_nobody = self.has_entered_to_catch_up() && self.stands_aside() && last.term <= self.term;
        if !heeds_nobody || last <= self.log.last() || !self.space {
            out.reached("late piece of another log ignored");
            return;
        }
        let within = entries.last().is_some_and(|entry| entry.position() <= last);
        if !within || !is_ordered(self.term, previous, &entries) {
            return self.reject(from, Rejection::Disordered, out);
        }
        let carried = match self.readable(&entries) {
            Ok(carried) => carried,
            Err(reason) => return self.reject(from, reason, out),
        };
        let after = match self.conflict(previous) {
            Some(AppendResult::Conflict { hint, .. }) => hint,
            _ => match self.merge(now, entries, carried, out) {
                Err(_) => return self.reject(from, Rejection::ContradictsCommit, out),
                Ok(Some(_)) => return,
                Ok(None) => self.log.last(),
            },
        };
        if self.rounds.as_ref().is_some_and(|rounds| rounds.asked == Some(after)) {
            // One question for each answer that is news: where messages come twice, others would beget ever more of them.
            out.reached("piece of another log that came before ignored");
            return;
        }
        self.arm_election(now);
        if after >= last {
            out.reached("caught up before a campaign");
            self.seek_office(now, out);
        } else {
            self.pull(from, after, out);
        }
    }

    /// Enters a term of its own and asks for what is missing, once who is ahead has had its chance and nobody hears a leader.
    fn consider_catch_up(&mut self, now: Timestamp, out: &mut Outbox<Self>) {
        let Some(Rounds { count, free, ahead, .. }) = self.rounds.as_deref() else { return };
        let leaderless =
            self.membership().quorum().tally(|voter| free.contains(&voter).then_some(true)) == Tally::Won;
        let furthest = ahead.iter().max_by_key(|&(_, last)| last);
        let Some((&source, &last)) = furthest.filter(|_| *count >= PATIENCE && leaderless) else { return };
        if last <= self.log.last() {
            return;
        }
        if self.has_entered_to_catch_up() {
            // Nothing came of the last attempt. Another term would only be in the way of who is ahead, whose pre-votes are for the next one.
            out.reached("caught up with nobody, asked again in the same term");
            self.step_down(now, None, out);
        } else if self.term.next() == self.term {
            return;
        } else {
            self.adopt_term(now, self.term.next(), None, out);
        }
        let rounds = Rounds { count: PATIENCE, entered: Some(self.term), ..Rounds::default() };
        self.rounds = Some(Box::new(rounds));
        self.arm_election(now);
        self.pull(source, self.log.last(), out);
    }

    fn pull(&mut self, from: NodeId, after: Position, out: &mut Outbox<Self>) {
        self.rounds.get_or_insert_default().asked = Some(after);
        // After the ballot: the term is on disk before anything is replaced.
        out.send(from, Message::Pull { term: self.term, after });
    }

    /// The round of pre-votes that is about this term, if it is the newest and news about it matter.
    fn round(&mut self, proposed: Term) -> Option<&mut Rounds> {
        let Config { catch_up, check_quorum, .. } = *self.config;
        let matters = catch_up && check_quorum && proposed == self.term.next() && self.stands_aside();
        self.rounds.as_deref_mut().filter(|rounds| matters && rounds.proposed == proposed)
    }

    /// Whether this node is in a term that it entered in order to catch up, and has heeded no leader in.
    fn has_entered_to_catch_up(&self) -> bool {
        self.rounds.as_ref().is_some_and(|rounds| rounds.entered == Some(self.term))
    }

    /// Whether this node neither follows, nor leads, nor has asked for votes.
    fn stands_aside(&self) -> bool {
        self.leader.is_none() && matches!(self.standing, Standing::Follower | Standing::PreCandidate(_))
    }

    /// Whether this node may let others catch up with it: it has data, and hears no leader who would do it better.
    fn may_give(&self, now: Timestamp) -> bool {
        let Self { config, .. } = self;
        config.catch_up
            && config.check_quorum
            && !config.witness
            && self.has_voice()
            && !self.is_leader()
            && !self.is_loyal(now)
    }
}

/// A piece of a log, and where that log ended.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) previous: Position,
    pub(super) last: Position,
    pub(super) entries: Entries,
}
