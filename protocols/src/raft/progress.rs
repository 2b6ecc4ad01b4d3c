//! What a leader knows of one peer: how far their logs agree, what is under way, and how fast to go.
//!
//! Decides nothing about the log and sends nothing.

use std::collections::VecDeque;
use std::time::Duration;

use crate::raft::config::Config;
use crate::raft::membership::{Member, Voice};
use crate::raft::message::Epoch;
use crate::types::{LogIndex, NodeId, StoreId, Timestamp};

/// How a leader feeds a peer (dissertation §10.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// It is not known where the logs part: one append at a time, and while `waiting`, heartbeats that ask.
    Probe {
        /// Whether an answer is awaited.
        waiting: bool,
    },
    /// The logs are known to agree up to what was sent: appends follow each other without waiting.
    Replicate,
    /// The peer needs a snapshot.
    Snapshot {
        /// The last index of the snapshot under way, as far as known; the least it may be while another lends his.
        index: LogIndex,
        /// Who sends it in the leader's stead.
        lender: Option<NodeId>,
        /// When the peer's node had it whole.
        delivered: Option<Timestamp>,
    },
}

/// One peer as its leader sees it.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    /// This replication's name.
    pub(super) epoch: Epoch,
    /// The peer as the configuration has it.
    pub(super) member: Member,
    /// The disk from which a peer was heard of which the configuration names none: no other one counts either.
    pub(super) heard: Option<StoreId>,
    /// How a peer without a voice gains on the log.
    learning: Learning,
    /// What the peer holds durably, for certain.
    pub(super) matched: LogIndex,
    /// What to send next.
    pub(super) next: LogIndex,
    /// How to feed it.
    pub(super) pace: Pace,
    /// The newest read round the peer confirmed.
    pub(super) round: u64,
    /// When the peer was heard last.
    pub(super) contact: Timestamp,
    /// When something was said to the peer last.
    pub(super) spoken: Option<Timestamp>,
    /// Whether entries for it are being read back from the log.
    pub(super) loading: bool,
    /// How many snapshots were begun.
    pub(super) attempt: u64,
    /// Whether a snapshot that another was to lend did not help, so that the leader's own is next.
    pub(super) forsaken: bool,
    inflight: VecDeque<Sent>,
    inflight_bytes: usize,
}

/// A round of catching up: what is appended while one lasts is the goal of the next (dissertation §4.2.1).
#[derive(Clone, Copy, Debug)]
struct Learning {
    goal: LogIndex,
    since: Timestamp,
    done: bool,
}

/// An append that is not acknowledged.
#[derive(Clone, Copy, Debug)]
struct Sent {
    last: LogIndex,
    bytes: usize,
}

impl Progress {
    /// A peer of which nothing is known; its leader's log ends before `next`.
    pub(super) fn new(epoch: Epoch, member: Member, next: LogIndex, now: Timestamp) -> Self {
        Self {
            epoch,
            member,
            heard: None,
            learning: Learning { goal: next.previous(), since: now, done: false },
            matched: LogIndex::ZERO,
            next,
            pace: Pace::Probe { waiting: false },
            round: 0,
            contact: now,
            spoken: None,
            loading: false,
            attempt: 0,
            forsaken: false,
            inflight: VecDeque::new(),
            inflight_bytes: 0,
        }
    }

    /// Takes every instant out: what happened happened at [`Timestamp::ZERO`].
    pub(super) fn forget_time(&mut self) {
        self.contact = Timestamp::ZERO;
        self.spoken = self.spoken.map(|_| Timestamp::ZERO);
        self.learning.since = Timestamp::ZERO;
        if let Pace::Snapshot { delivered: Some(when), .. } = &mut self.pace {
            *when = Timestamp::ZERO;
        }
    }

    /// Takes out who lends the snapshot under way.
    pub(super) fn take_lender(&mut self) -> Option<NodeId> {
        let Pace::Snapshot { lender, .. } = &mut self.pace else { return None };
        lender.take()
    }

    /// Whether this is the peer's word; the first disk it comes from is the only one.
    pub(super) fn accepts(&mut self, voice: Voice) -> bool {
        let known = self.member.store.or(self.heard);
        let accepted = self.member.recognises(voice) && known.is_none_or(|store| store == voice.store);
        if accepted && voice.store != StoreId::ZERO {
            self.heard = Some(voice.store);
        }
        accepted
    }

    /// Whether a configuration's member is the peer as it is known: nothing contradicts that its disk and what it keeps are the same.
    pub(super) fn is_same_disk(&self, member: Member) -> bool {
        let known = self.member.store.or(self.heard);
        self.member.duty.holds_data() == member.duty.holds_data()
            && (known.is_none() || member.store.is_none() || known == member.store)
    }

    /// Notes how long the peer took to come to where the log ended when a round began. A round shorter than `patience` shows
    /// that it keeps up; it is caught up from then on.
    pub(super) fn learn(&mut self, last: LogIndex, now: Timestamp, patience: Duration) {
        let Learning { goal, since, done } = self.learning;
        if self.matched >= goal && !done {
            let done = now.since(since) <= patience && self.pace == Pace::Replicate;
            self.learning = Learning { goal: last, since: now, done };
        }
    }

    /// Whether the peer keeps up with the log.
    pub(super) fn has_caught_up(&self) -> bool {
        self.learning.done
    }

    /// Starts over from what is certain, or from `next` if that is further on.
    pub(super) fn probe(&mut self, next: LogIndex, waiting: bool) {
        self.forsaken |= matches!(self.pace, Pace::Snapshot { lender: Some(_), .. });
        self.pace = Pace::Probe { waiting };
        self.next = next.max(self.matched.next());
        self.loading = false;
        self.inflight.clear();
        self.inflight_bytes = 0;
    }

    /// Notes that a snapshot is under way.
    pub(super) fn send_snapshot(&mut self, index: LogIndex, lender: Option<NodeId>) {
        self.probe(self.next, true);
        self.attempt += 1;
        self.pace = Pace::Snapshot { index, lender, delivered: None };
    }

    /// Notes that the peer's node has the snapshot up to `index` whole, or that it will not have it.
    pub(super) fn snapshot_ended(&mut self, now: Timestamp, delivered: Option<LogIndex>) {
        let Pace::Snapshot { lender, delivered: None, .. } = self.pace else { return };
        match delivered {
            Some(index) => self.pace = Pace::Snapshot { index, lender, delivered: Some(now) },
            None => self.probe(LogIndex::ZERO, true),
        }
    }

    /// Who was asked to send it a snapshot, and has not said how that ended.
    pub(super) fn awaited_lender(&self) -> Option<NodeId> {
        let Pace::Snapshot { lender, delivered: None, .. } = self.pace else { return None };
        lender
    }

    /// Notes an append of entries up to `last`. While probing, what comes next is decided by the answer.
    pub(super) fn sent(&mut self, last: LogIndex, bytes: usize) {
        if let Pace::Probe { waiting } = &mut self.pace {
            *waiting = true;
            return;
        }
        self.inflight.push_back(Sent { last, bytes });
        self.inflight_bytes += bytes;
        self.next = last.next();
    }

    /// Probes no further back than where the log begins: what the peer lacks below that only a snapshot brings.
    pub(super) fn probe_within(&mut self, base: LogIndex) {
        if let Pace::Probe { waiting } = &mut self.pace
            && self.next <= base
        {
            *waiting = true;
            self.next = base.next();
        }
    }

    /// Notes that the peer holds everything up to `index`; a late answer moves nothing back.
    pub(super) fn acknowledge(&mut self, index: LogIndex) {
        if index < self.matched {
            return;
        }
        self.matched = index;
        while self.inflight.front().is_some_and(|sent| sent.last <= index) {
            if let Some(sent) = self.inflight.pop_front() {
                self.inflight_bytes -= sent.bytes;
            }
        }
        match self.pace {
            Pace::Replicate => self.next = self.next.max(index.next()),
            Pace::Probe { .. } => self.replicate(),
            Pace::Snapshot { index: awaited, .. } if index >= awaited => self.replicate(),
            Pace::Snapshot { .. } => {}
        }
    }

    /// Whether a conflict speaks of what was sent last, and not of something long settled.
    pub(super) fn is_current_conflict(&self, rejected: LogIndex, now: Timestamp, patience: Duration) -> bool {
        match self.pace {
            _ if rejected <= self.matched => false,
            Pace::Replicate => true,
            Pace::Probe { .. } => rejected == self.next.previous(),
            Pace::Snapshot { delivered: None, .. } => false,
            // The peer's node has the snapshot; give its machine time to install it before sending it again.
            Pace::Snapshot { delivered: Some(when), .. } => now.since(when) >= patience,
        }
    }

    /// Gives back room that is not used.
    pub(super) fn shrink(&mut self) {
        self.inflight.shrink_to_fit();
    }

    /// Whether another append may be sent.
    pub(super) fn open(&self, config: &Config) -> bool {
        match self.pace {
            Pace::Probe { waiting } => !waiting && !self.loading,
            Pace::Replicate => {
                !self.loading
                    && self.inflight.len() < config.max_inflight_appends
                    && self.inflight_bytes < config.max_inflight_bytes
            }
            Pace::Snapshot { .. } => false,
        }
    }

    /// The index up to which the peer's log is presumed to agree but not known to; `None` when there is nothing to ask.
    pub(super) fn doubt(&self) -> Option<LogIndex> {
        match self.pace {
            Pace::Snapshot { delivered: None, .. } => None,
            Pace::Snapshot { index, .. } => Some(index),
            Pace::Probe { .. } => Some(self.next.previous()),
            Pace::Replicate => Some(self.next.previous()).filter(|&sent| sent > self.matched),
        }
    }

    fn replicate(&mut self) {
        self.pace = Pace::Replicate;
        self.next = self.matched.next();
        self.loading = false;
        self.forsaken = false;
        self.inflight.clear();
        self.inflight_bytes = 0;
    }
}
