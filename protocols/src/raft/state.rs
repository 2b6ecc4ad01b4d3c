//! What a Raft machine holds, and the few deeds every role needs: writing, keeping time, changing role.
//!
//! No rule of election or replication stands here; each role's file adds its own to this type.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::log::{Entry, MemoryLog};
use crate::prng::Prng;
use crate::protocol::{Outbox, Records};
use crate::raft::ambition::Ambition;
use crate::raft::command::{Refusal, Reply};
use crate::raft::config::Config;
use crate::raft::configurations::Configurations;
use crate::raft::leadership::Leadership;
use crate::raft::membership::{Membership, Voice};
use crate::raft::message::Epoch;
use crate::raft::record::Record;
use crate::raft::reserve::Reserve;
use crate::raft::rest::Hibernation;
use crate::raft::rounds::Rounds;
use crate::raft::status::{Event, Rejection, Role, Status};
use crate::raft::votes::Votes;
use crate::raft::waiting::Waiters;
use crate::timer::Timers;
use crate::types::{LogIndex, LogTime, NodeId, RequestId, Term, Timestamp, Token, WriteId};

/// One member of a Raft group.
#[derive(Clone, Debug)]
pub struct Raft {
    pub(super) config: Arc<Config>,
    pub(super) configurations: Configurations,
    /// Whether the founding configuration still has to be written.
    pub(super) founding: bool,
    pub(super) prng: Prng,
    pub(super) timers: Timers<Timer>,
    /// Where the disk has to be told to forget, because the snapshot found there is ahead of the log or contradicts it.
    pub(super) repair: Option<LogIndex>,
    pub(super) started: bool,
    pub(super) dead: bool,
    pub(super) space: bool,
    /// Whether observers were told that this disk has lost what it had acknowledged.
    pub(super) reverted: bool,

    pub(super) term: Term,
    pub(super) vote: Option<NodeId>,
    pub(super) ballot_write: WriteId,
    pub(super) standing: Standing,
    pub(super) leader: Option<NodeId>,
    pub(super) leader_contact: Option<Timestamp>,
    /// When this node last promised a leader to help nobody else, or may have done so before it started.
    pub(super) pledged: Option<Timestamp>,
    /// While no leader is heard.
    pub(super) rounds: Option<Box<Rounds>>,
    pub(super) reserve: Reserve,
    pub(super) announced: (Role, Term, Option<NodeId>),

    pub(super) log: MemoryLog,
    /// The first index that was not handed to the disk.
    pub(super) unwritten: LogIndex,
    /// The last index each write not known to be durable leaves on the disk.
    pub(super) writes: VecDeque<(WriteId, LogIndex)>,
    pub(super) durable_write: WriteId,
    pub(super) durable: LogIndex,
    /// The last log time known, and when it was learned.
    pub(super) clock: (LogTime, Timestamp),

    pub(super) commit: LogIndex,
    pub(super) applying: Applying,
    pub(super) snapshots: Snapshots,
    /// Proposals by index, each for the entry that stands there in this log.
    pub(super) waiting: Waiters,
    pub(super) waiting_bytes: usize,
    pub(super) handover: Option<Handover>,
    /// Of a node with a priority.
    pub(super) ambition: Option<Box<Ambition>>,
    /// The log time at which the application wants to be called again.
    pub(super) wake: Option<LogTime>,
    pub(super) loads: BTreeMap<RequestId, Load>,
    pub(super) last_request: RequestId,
    pub(super) hibernation: Hibernation,
}

/// The machine's named timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// No leader was heard: campaign.
    Election,
    /// Time to speak, and to see whether a quorum is still there.
    Heartbeat,
    /// A transfer of leadership has taken too long.
    Handover,
    /// The fate of a former leader's proposals stays unknown.
    Orphans,
    /// Log time reaches what the application waits for.
    Tick,
    /// Entries could not be read back; try again.
    Reload,
    /// Another leader, or this one, has been left in peace for long: see to priorities.
    Claim,
    /// Write and send what has gathered. Last by name: it takes along what the others did.
    Flush,
}

/// The part played, with what only that part needs.
#[derive(Clone, Debug)]
pub(super) enum Standing {
    Follower,
    PreCandidate(Votes),
    Candidate(Votes),
    Leader(Box<Leadership>),
}

/// How far the application is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Applying {
    /// The last index whose effect was reported.
    pub(super) applied: LogIndex,
    /// The last index given to the application, and its time.
    pub(super) issued: LogIndex,
    pub(super) issued_time: LogTime,
    /// Bytes of entries given to the application since the last snapshot.
    pub(super) bytes: u64,
}

/// What is known of snapshots.
#[derive(Clone, Debug)]
pub(super) struct Snapshots {
    /// The last index of the newest snapshot.
    pub(super) index: LogIndex,
    /// How many bytes the last one had that was taken here; 0 before the first.
    pub(super) bytes: u64,
    /// From where the policy counts entries.
    pub(super) counted_from: LogIndex,
    /// From which log time on it counts.
    pub(super) counted_since: LogTime,
    /// Whether one is being written.
    pub(super) taking: bool,
    /// Whether one was asked for, and by whom.
    pub(super) wanted: bool,
    pub(super) askers: Vec<Token>,
    /// The last index of the one being installed.
    pub(super) installing: Option<LogIndex>,
    /// Those that this node sends in its leader's stead, by whom they are for.
    pub(super) loans: BTreeMap<NodeId, Loan>,
}

/// A snapshot that this node sends in its leader's stead; of the term in which it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Loan {
    /// Who asked.
    pub(super) leader: NodeId,
    /// The borrower's replication.
    pub(super) epoch: Epoch,
    /// The leader's attempt.
    pub(super) attempt: u64,
    /// How it ended; `None` while it is under way.
    pub(super) ended: Option<Option<LogIndex>>,
}

/// A transfer of leadership that was not answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handover {
    /// Who waits for it; nobody when a node with a higher priority asked.
    pub(super) token: Option<Token>,
    pub(super) to: NodeId,
}

/// For whom entries are read back.
#[derive(Clone, Copy, Debug)]
pub(super) enum Load {
    Peer(NodeId, LogIndex),
    Apply(LogIndex),
    Puller(NodeId, LogIndex),
}

impl Raft {
    /// How the machine stands.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            id: self.config.id,
            role: self.role(),
            term: self.term,
            leader: self.leader,
            vote: self.vote,
            commit: self.commit,
            applied: self.applying.applied,
            last_index: self.log.last().index,
            first_index: self.log.base().index.next(),
            snapshot_index: self.snapshots.index,
            durable_index: self.durable,
            membership: self.membership().clone(),
            membership_index: self.configurations.index(),
            voters: self.voters(),
            match_index: match &self.standing {
                Standing::Leader(lead) => lead.matched(),
                Standing::Follower | Standing::PreCandidate(_) | Standing::Candidate(_) => BTreeMap::new(),
            },
        }
    }

    /// The part played.
    #[must_use]
    pub fn role(&self) -> Role {
        match self.standing {
            Standing::Follower => Role::Follower,
            Standing::PreCandidate(_) => Role::PreCandidate,
            Standing::Candidate(_) => Role::Candidate,
            Standing::Leader(_) => Role::Leader,
        }
    }

    /// An entry of the log, if it is in memory.
    #[must_use]
    pub fn entry(&self, index: LogIndex) -> Option<&Entry> {
        self.log.entry(index)
    }

    /// The term of an entry of the log or of the last compacted position, in memory or not; `None` outside.
    #[must_use]
    pub fn term_at(&self, index: LogIndex) -> Option<Term> {
        self.log.term_at(index)
    }

    /// The voters of the configuration in force, of both sets while it is joint.
    #[must_use]
    pub fn voters(&self) -> BTreeSet<NodeId> {
        self.membership().voters()
    }

    /// The configuration in force: the newest of the log, committed or not.
    #[must_use]
    pub fn membership(&self) -> &Membership {
        self.configurations.current()
    }

    /// Whether this node keeps positions and no data.
    #[must_use]
    pub fn is_witness(&self) -> bool {
        self.config.witness
    }

    /// Whether a failed write has ended the machine.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.dead
    }

    pub(super) fn is_leader(&self) -> bool {
        matches!(self.standing, Standing::Leader(_))
    }

    /// The disk this node speaks from.
    pub(super) fn voice(&self) -> Voice {
        Voice { store: self.config.store, witness: self.config.witness, renewed: self.config.rejoin }
    }

    /// Whether this node's word may count, as far as it knows: a disk that is not the one it was is nobody's until the group has
    /// taken it in. Others may know that it has, and then its vote counts with them; it may be the one that is missing.
    pub(super) fn has_voice(&self) -> bool {
        let member = self.membership().member(self.config.id);
        !self.config.rejoin || member.is_some_and(|member| member.store == Some(self.config.store))
    }

    /// Whether this node may campaign: a voter on the disk that the configuration names, who holds the data. While the
    /// configuration in force is not known to be committed, that of the one before will do: this log may be the only one that
    /// can win (dissertation §4.2.2).
    pub(super) fn may_lead(&self) -> bool {
        let (own, voice) = (self.config.id, self.voice());
        let named = |it: &Membership| it.is_voter(own) && it.recognises(own, voice);
        let before = || self.configurations.index() > self.commit && named(self.configurations.before());
        !self.config.witness && self.has_voice() && (named(self.membership()) || before())
    }

    /// The other voters.
    pub(super) fn peers(&self) -> impl Iterator<Item = NodeId> {
        let own = self.config.id;
        self.voters().into_iter().filter(move |&peer| peer != own)
    }

    /// Makes the machine write and send what has gathered once its driver has nothing more for it.
    pub(super) fn flush_soon(&mut self, now: Timestamp) {
        self.timers.set(Timer::Flush, now);
    }

    /// Starts to wait for a leader anew, for a time drawn from `[t, 2t)`, or as the spread says.
    pub(super) fn arm_election(&mut self, now: Timestamp) {
        let least = self.config.election_timeout;
        let most = least + self.config.election_spread.unwrap_or(least);
        let wait = self.prng.duration(least, most.saturating_sub(std::time::Duration::from_nanos(1)));
        self.timers.set(Timer::Election, now.after(wait));
    }

    /// Writes term and vote as one record, which is durable before anything sent after it (RT-02). Before the first one stands what the
    /// group was founded as: whoever has promised anything knows that after a restart too, also when the write tore (RT-46).
    pub(super) fn persist_ballot(&mut self, out: &mut Outbox<Self>) {
        let mut records = Vec::with_capacity(2);
        if std::mem::take(&mut self.founding) {
            let founding = Membership::founding(&self.config.voters, &self.config.witnesses);
            records.push(Record::Founding(founding.encode()));
        }
        records.push(Record::Ballot { term: self.term, vote: self.vote });
        self.ballot_write = out.persist(records);
    }

    /// Hands every entry that the disk has not seen to it, in one write.
    pub(super) fn persist_entries(&mut self, out: &mut Outbox<Self>) {
        let last = self.log.last().index;
        if self.unwritten > last {
            return;
        }
        let entries = self.log.range(self.unwritten, last, usize::MAX, usize::MAX);
        let entries = entries.expect("entries stay in memory until they are durable");
        debug_assert_eq!(entries.last().map(|entry| entry.index), Some(last), "all of them do");
        self.unwritten = last.next();
        let id = out.persist(Records::shared(entries, Record::Entry));
        self.writes.push_back((id, last));
    }

    /// Notes that the log up to `before` is all that writes under way leave of what they wrote (RT-06): whatever they
    /// report later, nothing at or above was theirs to confirm.
    pub(super) fn clamp_writes(&mut self, before: LogIndex) {
        self.durable = self.durable.min(before);
        for (_, last) in &mut self.writes {
            *last = (*last).min(before);
        }
    }

    /// Notes that writes up to `id` are durable; reports that come late or twice change nothing (RT-07).
    pub(super) fn note_durable(&mut self, id: WriteId) {
        self.durable_write = self.durable_write.max(id);
        while let Some(&(write, last)) = self.writes.front().filter(|(write, _)| *write <= id) {
            debug_assert!(write <= self.durable_write);
            self.durable = last;
            self.writes.pop_front();
        }
        self.trim_cache();
    }

    /// Drops entries from memory that can be read back, while too many bytes are held.
    pub(super) fn trim_cache(&mut self) {
        self.log.evict(self.durable, self.config.cache_bytes);
    }

    /// The log time at this moment: that of the last entry, plus the local time since it was learned.
    pub(super) fn log_time(&self, now: Timestamp) -> LogTime {
        let (time, learned) = self.clock;
        time.after(now.since(learned)).max(self.log.last_time())
    }

    /// A request id that was never used.
    pub(super) fn new_request(&mut self) -> RequestId {
        self.last_request = self.last_request.next();
        self.last_request
    }

    /// Answers proposals at and above `from`, whose entries are gone or whose result will not be known.
    pub(super) fn orphan_waiting(&mut self, from: LogIndex, refusal: Refusal, out: &mut Outbox<Self>) {
        for waiting in self.waiting.split_off(from) {
            self.waiting_bytes -= waiting.bytes;
            Self::refuse(waiting.token, refusal, out);
        }
        if self.waiting.is_empty() {
            self.timers.clear(Timer::Orphans);
        }
    }

    /// Refuses at once: a refusal promises nothing about this node's disk.
    pub(super) fn refuse(token: Token, refusal: Refusal, out: &mut Outbox<Self>) {
        out.reply_early(token, Reply::Refused(refusal));
    }

    /// Reports a peer that broke the rules.
    pub(super) fn reject(&self, from: NodeId, reason: Rejection, out: &mut Outbox<Self>) {
        out.emit(Event::Rejected { from, reason });
    }

    /// Tells observers when role, term or leader differ from what they were told last.
    pub(super) fn announce(&mut self, out: &mut Outbox<Self>) {
        let current = (self.role(), self.term, self.leader);
        if current != self.announced {
            self.announced = current;
            let (role, term, leader) = current;
            out.emit(Event::RoleChanged { role, term, leader });
        }
    }
}
