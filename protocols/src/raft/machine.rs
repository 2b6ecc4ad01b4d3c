//! The one `match` over what a Raft machine hears.
//!
//! No rule stands here: each input goes to the file of its role.

use std::sync::Arc;

use crate::protocol::{Input, Outbox, Protocol, Recovered};
use crate::raft::catch_up::Piece;
use crate::raft::command::{Command, Refusal, Reply};
use crate::raft::config::Config;
use crate::raft::election::{Campaign, Candidate};
use crate::raft::follower::Heading;
use crate::raft::hibernation::Nap;
use crate::raft::lending::Plea;
use crate::raft::message::Message;
use crate::raft::promises::Beat;
use crate::raft::read::Proof;
use crate::raft::record::Record;
use crate::raft::replication::Answer;
use crate::raft::state::{Raft, Standing, Timer};
use crate::raft::status::{Event, Rejection};
use crate::types::{LogIndex, NodeId, Timestamp, Token, WriteId};

impl Protocol for Raft {
    const NAME: &'static str = "raft";

    /// Shared: the groups of a node whose members are the same have the same settings, and there may be thousands of them.
    type Config = Arc<Config>;
    type Message = Message;
    type Command = Command;
    type Reply = Reply;
    type Event = Event;
    type Record = Record;

    /// # Panics
    /// When the disk contradicts itself: an entry of a later term than the ballot's, a gap between snapshot and log, or an
    /// unreadable configuration.
    fn restore(config: Arc<Config>, seed: u64, recovered: Recovered<Record>) -> Self {
        Self::recover(config, seed, recovered)
    }

    fn handle(&mut self, now: Timestamp, input: Input<Self>, out: &mut Outbox<Self>) {
        if self.dead {
            if let Input::Command { token, .. } = input {
                Self::refuse(token, Refusal::Stopped, out);
            }
            return;
        }
        if !self.started {
            self.start(now, out);
        }
        self.rouse(now, &input, out);
        self.dispatch(now, input, out);
        self.settle_rest(out);
        self.aspire(now);
        self.announce(out);
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        match (self.dead, self.started) {
            (true, _) => None,
            (false, false) => Some(Timestamp::ZERO),
            (false, true) => self.timers.next_deadline(),
        }
    }

    fn covers(one: &Message, other: &Message) -> bool {
        one.covers(other)
    }
}

impl Raft {
    #[inline(always)]
    fn dispatch(&mut self, now: Timestamp, input: Input<Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Message { from, session: _, message } => self.on_message(now, from, message, out),
            Input::Command { token, command } => self.on_command(now, token, command, out),
            Input::Timeout => self.on_timeout(now, out),
            Input::Persisted(id) => self.on_persisted(now, id, out),
            Input::WriteFailed => self.on_write_failed(out),
            Input::Space { available } => {
                self.space = available;
                self.arm_tick(now);
            }
            Input::Reachable { peer, session } => self.on_reachable(now, peer, session, out),
            Input::Unreachable { peer } => self.on_unreachable(peer),
            Input::Suspected { peer } => self.on_suspected(now, peer, out),
            Input::Loaded { request, records } => self.on_loaded(now, request, records, out),
            Input::Applied { upto, results, wake } => self.on_applied(now, upto, results, wake, out),
            Input::SnapshotTaken { meta, bytes } => self.on_snapshot_taken(&meta, bytes, out),
            Input::SnapshotFailed => self.on_snapshot_failed(out),
            Input::SnapshotSent { to, index, delivered } => {
                self.on_snapshot_sent(now, to, index, delivered, out)
            }
            Input::SnapshotReceived { from, message, meta } => {
                self.on_snapshot_received(now, from, *message, meta, out);
            }
            Input::SnapshotInstalled(meta) => self.on_snapshot_installed(&meta, out),
        }
    }

    #[inline]
    fn on_message(&mut self, now: Timestamp, from: NodeId, message: Message, out: &mut Outbox<Self>) {
        if from == self.config.id {
            return self.reject(from, Rejection::SecondLeader, out);
        }
        if self.is_beyond_reach(&message) {
            return self.reject(from, Rejection::TermBeyondReach, out);
        }
        match message {
            Message::PreVote { proposed, last, voice } => {
                self.on_pre_vote(now, from, proposed, Candidate { last, voice }, out);
            }
            Message::Vote { term, last, transfer, voice } => {
                let campaign = if transfer { Campaign::ByTransfer } else { Campaign::OnTimeout };
                self.on_vote(now, from, term, Candidate { last, voice }, campaign, out);
            }
            Message::Append { term, epoch, previous, commit, entries } => {
                let heading = Heading { from, term, epoch };
                self.on_append(now, heading, previous, commit, entries, out);
            }
            Message::Heartbeat { term, epoch, round, commit, probe } => {
                let heading = Heading { from, term, epoch };
                self.on_heartbeat(now, heading, round, commit, probe, out);
            }
            Message::Sleep { term, epoch, lull, last } => {
                self.on_sleep(now, Heading { from, term, epoch }, lull, last, out);
            }
            Message::TimeoutNow { term, last } => self.on_timeout_now(now, from, term, last, out),
            Message::Anchor { term, epoch, meta } => {
                self.on_anchor(now, Heading { from, term, epoch }, meta, out);
            }
            Message::Snapshot { .. } => self.reject(from, Rejection::BadSnapshot, out),
            Message::Lend { term, epoch, to, attempt, least } => {
                self.on_lend(now, Heading { from, term, epoch }, Plea { to, attempt }, least, out);
            }
            Message::Pull { term: _, after } => self.on_pull(now, from, after, out),
            Message::Dismissed { index } => self.on_dismissed(from, index, out),
            Message::Canvass { term, voice } => self.on_canvass(from, term, voice, out),
            Message::Claim { term, priority } => self.on_claim(now, from, term, priority, out),
            Message::PreVoteReply { .. }
            | Message::Ahead { .. }
            | Message::PullReply { .. }
            | Message::Lent { .. }
            | Message::CanvassReply { .. }
            | Message::VoteReply { .. }
            | Message::AppendReply { .. }
            | Message::HeartbeatReply { .. }
            | Message::SleepReply { .. } => self.on_reply(now, from, message, out),
        }
    }

    /// Answers: one of a higher term ends whatever was asked, one of a lower term is late.
    fn on_reply(&mut self, now: Timestamp, from: NodeId, message: Message, out: &mut Outbox<Self>) {
        let Some(term) = message.term() else { return };
        if self.membership().member(from).is_none() {
            out.reached("answer of a node that is no member ignored");
            return;
        }
        if term > self.term {
            return self.adopt_term(now, term, None, out);
        }
        match message {
            // A voter of a lower term may answer a pre-vote: its term is not what was asked.
            Message::PreVoteReply { voice, .. }
            | Message::VoteReply { voice, .. }
            | Message::CanvassReply { voice, .. }
                if !self.membership().recognises(from, voice) =>
            {
                out.reached("vote of another disk ignored");
            }
            Message::PreVoteReply { proposed, granted, .. } => {
                self.on_pre_vote_reply(now, from, proposed, granted, out);
            }
            Message::Ahead { proposed, last, .. } => self.on_ahead(now, from, proposed, last, out),
            Message::PullReply { previous, last, entries, .. } => {
                self.on_pull_reply(now, from, Piece { previous, last, entries }, out);
            }
            Message::VoteReply { granted, .. } => self.on_vote_reply(now, from, term, granted, out),
            Message::AppendReply { epoch, result, voice, .. } if term == self.term => {
                self.on_append_reply(now, from, Answer { epoch, voice, rejoin: false }, result, out);
            }
            Message::HeartbeatReply { epoch, round, voice, rejoin, promise, .. } if term == self.term => {
                let beat = Beat { round, promise };
                self.on_heartbeat_reply(now, from, Answer { epoch, voice, rejoin }, beat, out);
            }
            Message::SleepReply { epoch, lull, asleep, voice, rejoin, .. } if term == self.term => {
                self.on_sleep_reply(now, from, Answer { epoch, voice, rejoin }, Nap { lull, asleep }, out);
            }
            Message::Lent { epoch, to, attempt, delivered, .. } if term == self.term => {
                self.on_lent(now, from, epoch, Plea { to, attempt }, delivered);
            }
            Message::CanvassReply { priority, .. } if term == self.term => {
                self.on_canvass_reply(from, priority, out);
            }
            Message::AppendReply { .. }
            | Message::HeartbeatReply { .. }
            | Message::CanvassReply { .. }
            | Message::Lent { .. }
            | Message::SleepReply { .. } => {
                out.reached("answer of an earlier term ignored");
            }
            Message::PreVote { .. }
            | Message::Vote { .. }
            | Message::Append { .. }
            | Message::Heartbeat { .. }
            | Message::Snapshot { .. }
            | Message::Anchor { .. }
            | Message::Lend { .. }
            | Message::Pull { .. }
            | Message::Sleep { .. }
            | Message::Canvass { .. }
            | Message::Claim { .. }
            | Message::Dismissed { .. }
            | Message::TimeoutNow { .. } => {}
        }
    }

    fn on_command(&mut self, now: Timestamp, token: Token, command: Command, out: &mut Outbox<Self>) {
        match command {
            Command::Propose { session, payload } => self.propose(now, token, session, payload, out),
            Command::Read => self.read(now, token, Proof::Either, out),
            Command::ReadConfirmed => self.read(now, token, Proof::Round, out),
            Command::Transfer { to } => self.transfer(now, token, to, out),
            Command::ChangeMembers { members, replace } => {
                self.change_members(now, token, &members, &replace, out);
            }
            Command::Snapshot => self.ask_snapshot(token, out),
            Command::Status | Command::Wake => {
                out.reply_early(token, Reply::Status(Box::new(self.status())));
            }
            Command::Campaign => {
                self.on_election_timeout(now, out);
                out.reply_early(token, Reply::Status(Box::new(self.status())));
            }
        }
    }

    fn on_timeout(&mut self, now: Timestamp, out: &mut Outbox<Self>) {
        while let Some(timer) = self.timers.expire(now) {
            match timer {
                Timer::Election => self.on_election_timeout(now, out),
                Timer::Heartbeat => self.on_heartbeat_timeout(now, out),
                Timer::Handover => self.fail_handover(out),
                Timer::Orphans => self.orphan_waiting(LogIndex::ZERO, Refusal::LeadershipLost, out),
                Timer::Tick => self.on_tick(now),
                Timer::Claim => self.on_claim_timeout(out),
                Timer::Reload => self.apply_committed(out),
                Timer::Flush => self.flush(now, out),
            }
        }
    }

    fn on_persisted(&mut self, now: Timestamp, id: WriteId, out: &mut Outbox<Self>) {
        self.note_durable(id);
        self.count_own_vote(now, out);
        self.advance_commit(now, out);
        self.feed_witnesses(now);
    }

    /// A write failed: nothing is promised any more, and everyone who waits is told once that the outcome is open.
    fn on_write_failed(&mut self, out: &mut Outbox<Self>) {
        self.orphan_waiting(LogIndex::ZERO, Refusal::StorageFailed, out);
        let reads = match &mut self.standing {
            Standing::Leader(lead) => lead.drain(),
            Standing::Follower | Standing::PreCandidate(_) | Standing::Candidate(_) => Vec::new(),
        };
        let askers = std::mem::take(&mut self.snapshots.askers);
        for token in
            reads.into_iter().chain(askers).chain(self.handover.take().and_then(|handover| handover.token))
        {
            Self::refuse(token, Refusal::StorageFailed, out);
        }
        self.standing = Standing::Follower;
        self.leader = None;
        self.loads.clear();
        self.timers.clear_all();
        self.dead = true;
    }
}
