//! Sleep of idle groups: a group that has nothing to do says nothing, and its machines want to be called at no time.
//!
//! A leader that has had nothing to do for a while asks its peers to sleep instead of sending heartbeats. A peer that has everything and has
//! let it take effect stops to wait for the leader's next word; when all of them have, the leader stops to speak and to count its
//! quorum. Whoever sleeps lets the nodes it relies on be watched ([`crate::Effect::Watch`]): a follower its leader's, a leader all
//! others'. It wakes when one of those falls silent, when it is asked for something, and by every word of its group except a late
//! one. A follower that wakes is loyal to its leader for the time of an election, unless that leader's node is silent: then it
//! waits for a time of its own, so that thousands of groups do not campaign at one moment (RT-47).
//!
//! Nothing of it bears on safety. A sleeping leader holds nothing that its term does not give it: a command wakes it and is
//! committed by a quorum, a read by a round. A leader that falls asleep gives up its lease.
//!
//! After the quiescence of ranges in CockroachDB and the hibernation of regions in TiKV.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::log::Position;
use crate::protocol::{Input, Outbox};
use crate::raft::command::Command;
use crate::raft::follower::Heading;
use crate::raft::message::Message;
use crate::raft::progress::{Pace, Progress};
use crate::raft::replication::Answer;
use crate::raft::rest::Rest;
use crate::raft::state::{Raft, Standing, Timer};
use crate::types::{NodeId, Timestamp};

impl Raft {
    /// Whether the machine sleeps.
    #[must_use]
    pub fn is_asleep(&self) -> bool {
        matches!(self.hibernation.rest, Rest::Asleep { .. })
    }

    /// Wakes the machine if what it is about to hear is a reason to.
    pub(super) fn rouse(&mut self, now: Timestamp, input: &Input<Self>, out: &mut Outbox<Self>) {
        if self.config.hibernate_after.is_none() || !self.disturbs(now, input) {
            return;
        }
        if self.is_asleep() {
            self.wake(now, out);
        }
        if matches!(input, Input::Message { .. } | Input::Command { .. }) {
            self.stir(now);
        }
    }

    /// A follower that was roused has been reassured, or does not follow any more.
    pub(super) fn settle_rest(&mut self, out: &mut Outbox<Self>) {
        let over = match self.hibernation.rest {
            Rest::Awake => false,
            Rest::Asleep { .. } => self.dead,
            Rest::Roused { reassured, .. } => {
                let follows = matches!(self.standing, Standing::Follower) && self.leader.is_some();
                self.dead || !follows || reassured
            }
        };
        if over {
            self.rise(out);
        }
    }

    /// In place of heartbeats, asks the peers of a group without anything to do to sleep. Says whether it did.
    pub(super) fn lull(&mut self, now: Timestamp, out: &mut Outbox<Self>) -> bool {
        let Some(after) = self.config.hibernate_after else { return false };
        let last = self.log.last();
        if self.hibernation.seen != last.index {
            self.hibernation.seen = last.index;
            self.stir(now);
        }
        if !self.may_sleep(now, after) {
            return false;
        }
        let (term, lull) = (self.term, self.hibernation.lull);
        let Standing::Leader(lead) = &mut self.standing else { return false };
        for (&peer, progress) in &mut lead.progress {
            progress.spoken = Some(now);
            // Early: it promises nothing about this node's disk.
            out.send_early(peer, Message::Sleep { term, epoch: progress.epoch, lull, last });
        }
        self.sleep_if_all_do(out);
        true
    }

    /// The leader has nothing to do: sleeps too, if this node has everything the leader has and is done with it.
    pub(super) fn on_sleep(
        &mut self,
        now: Timestamp,
        heading: Heading,
        lull: u64,
        last: Position,
        out: &mut Outbox<Self>,
    ) {
        let before = (self.is_asleep(), self.leader);
        if !self.heed(now, heading, out) {
            return;
        }
        if self.log.last() == last {
            // The leader asks for no sleep before all of its log is committed.
            self.learn_commit(last.index, out);
        }
        let asleep = self.log.last() == last && self.is_quiet();
        let reply = Message::SleepReply {
            term: self.term,
            epoch: heading.epoch,
            lull,
            asleep,
            voice: self.voice(),
            rejoin: self.config.rejoin && !self.has_voice(),
        };
        if self.durable_write >= self.ballot_write {
            // Early, as the answer to a heartbeat: this node knows no higher term.
            out.send_early(heading.from, reply);
        } else {
            out.send(heading.from, reply);
        }
        if !asleep {
            if before.0 {
                self.rise(out);
            }
            return;
        }
        self.timers.clear(Timer::Election);
        if before == (true, Some(heading.from)) {
            self.hibernation.rest = Rest::Asleep { heard: Some(now) };
        } else {
            self.fall_asleep([heading.from].into(), out);
        }
    }

    /// Takes a peer's word on whether it sleeps.
    pub(super) fn on_sleep_reply(
        &mut self,
        now: Timestamp,
        from: NodeId,
        Answer { epoch, voice, rejoin }: Answer,
        nap: Nap,
        out: &mut Outbox<Self>,
    ) {
        let Standing::Leader(lead) = &mut self.standing else { return };
        let Some(progress) = lead.progress.get_mut(&from).filter(|peer| peer.epoch == epoch) else { return };
        if !progress.accepts(voice) {
            return self.note_stranger(now, from, voice, rejoin, out);
        }
        progress.contact = now;
        if nap.asleep && nap.lull == self.hibernation.lull && !self.is_asleep() {
            self.hibernation.sleepers.insert(from);
            if self.config.hibernate_after.is_some_and(|after| self.may_sleep(now, after)) {
                self.sleep_if_all_do(out);
            }
        }
    }

    /// The node of a peer has fallen silent on which this machine relies.
    pub(super) fn on_suspected(&mut self, now: Timestamp, peer: NodeId, out: &mut Outbox<Self>) {
        let heard = match self.hibernation.rest {
            Rest::Awake => return,
            Rest::Asleep { .. } if self.is_leader() => {
                out.reached("sleeping leader woken by the silence of a peer");
                return self.wake(now, out);
            }
            Rest::Asleep { heard } | Rest::Roused { heard, .. } => heard,
        };
        if self.leader != Some(peer) {
            return;
        }
        out.reached("sleeping follower woken by the silence of its leader");
        self.rise(out);
        // What it said to others about the leader is true again: it was last heard before it slept.
        self.leader_contact = heard;
        let patience = self.config.election_timeout;
        let from = heard.map_or(now, |heard| heard.after(patience)).max(now);
        let wait = self.prng.duration(Duration::ZERO, patience);
        self.timers.set(Timer::Election, from.after(wait));
    }

    /// The group has something to do.
    fn stir(&mut self, now: Timestamp) {
        self.hibernation.busy_at = now;
        self.hibernation.lull += 1;
        self.hibernation.sleepers.clear();
    }

    fn sleep_if_all_do(&mut self, out: &mut Outbox<Self>) {
        let Standing::Leader(lead) = &mut self.standing else { return };
        if lead.progress.keys().all(|peer| self.hibernation.sleepers.contains(peer)) {
            let peers = lead.progress.keys().copied().collect();
            lead.lease.rest();
            self.timers.clear(Timer::Heartbeat);
            self.hibernation.sleepers.clear();
            out.reached("group sleeps");
            self.fall_asleep(peers, out);
        }
    }

    fn fall_asleep(&mut self, relied_on: BTreeSet<NodeId>, out: &mut Outbox<Self>) {
        self.hibernation.rest = Rest::Asleep { heard: self.leader_contact };
        self.give_back_room();
        out.watch(relied_on);
    }

    /// Keeps no more memory than a machine needs that does nothing for long: there may be thousands.
    fn give_back_room(&mut self) {
        self.log.rest(self.durable);
        // All of the log is committed: no earlier configuration comes into force again, and snapshots go by the last one.
        self.configurations.compact(self.commit);
        self.timers.shrink();
        self.writes.shrink_to_fit();
        self.waiting.shrink();
        if let Standing::Leader(lead) = &mut self.standing {
            lead.progress.iter_mut().for_each(|(_, peer)| peer.shrink());
        }
    }

    /// A leader speaks again at once, so that its peers wake; a follower waits for that.
    fn wake(&mut self, now: Timestamp, out: &mut Outbox<Self>) {
        let Rest::Asleep { heard } = self.hibernation.rest else { return };
        out.reached("woken");
        self.stir(now);
        if !self.is_leader() {
            self.hibernation.rest = Rest::Roused { heard, reassured: false };
            self.leader_contact = Some(now);
            return self.arm_election(now);
        }
        self.rise(out);
        self.hibernation.woken = now;
        self.timers.set(Timer::Heartbeat, now.after(self.config.heartbeat_interval));
        let Some((lead, feeder)) = self.feeder(now) else { return };
        for (&peer, progress) in &mut lead.progress {
            feeder.heartbeat(peer, progress, lead.reads.last_round, out);
        }
    }

    fn rise(&mut self, out: &mut Outbox<Self>) {
        self.hibernation.rest = Rest::Awake;
        out.watch(BTreeSet::new());
    }

    /// Whether an input is more than the echo of what was said before the group slept.
    fn disturbs(&self, now: Timestamp, input: &Input<Self>) -> bool {
        match input {
            Input::Message { message, .. } => match message {
                // A question to whoever is awake.
                Message::Sleep { .. } | Message::Canvass { .. } | Message::Dismissed { .. } => false,
                Message::PreVoteReply { .. }
                | Message::VoteReply { .. }
                | Message::AppendReply { .. }
                | Message::HeartbeatReply { .. }
                | Message::Lent { .. }
                | Message::CanvassReply { .. }
                | Message::SleepReply { .. } => message.term().is_some_and(|term| term > self.term),
                Message::PreVote { .. }
                | Message::Vote { .. }
                | Message::Append { .. }
                | Message::Heartbeat { .. }
                | Message::Snapshot { .. }
                | Message::Anchor { .. }
                | Message::Lend { .. }
                | Message::Ahead { .. }
                | Message::Pull { .. }
                | Message::PullReply { .. }
                | Message::Claim { .. }
                | Message::TimeoutNow { .. } => true,
            },
            Input::Command { command, .. } => match command {
                Command::Snapshot | Command::Status => false,
                Command::Propose { .. }
                | Command::Read
                | Command::ReadConfirmed
                | Command::Transfer { .. }
                | Command::ChangeMembers { .. }
                | Command::Wake
                | Command::Campaign => true,
            },
            Input::Timeout => self.timers.next_deadline().is_some_and(|deadline| deadline <= now),
            Input::Reachable { peer, .. } => match &self.standing {
                Standing::Leader(lead) => lead.progress.contains_key(peer),
                Standing::Follower | Standing::PreCandidate(_) | Standing::Candidate(_) => false,
            },
            Input::SnapshotReceived { .. } => true,
            Input::Persisted(_)
            | Input::WriteFailed
            | Input::Space { .. }
            | Input::Unreachable { .. }
            | Input::Suspected { .. }
            | Input::Loaded { .. }
            | Input::Applied { .. }
            | Input::SnapshotTaken { .. }
            | Input::SnapshotFailed
            | Input::SnapshotSent { .. }
            | Input::SnapshotInstalled(_) => false,
        }
    }

    /// Whether a leader's group has had nothing to do for a while, everybody has everything, and everybody is there.
    fn may_sleep(&self, now: Timestamp, after: Duration) -> bool {
        let Standing::Leader(lead) = &self.standing else { return false };
        let last = self.log.last().index;
        let is_level = |peer: &Progress| {
            let has_all = peer.matched == last && peer.pace == Pace::Replicate && !peer.loading;
            has_all && now.since(peer.contact) < self.config.election_timeout
        };
        now.since(self.hibernation.busy_at) >= after
            && self.is_quiet()
            && self.space
            && lead.reads.count == 0
            && lead.changer.is_none()
            && lead.strangers.is_empty()
            && !self.membership().is_joint()
            && self.membership().goal().is_none()
            && lead.progress.values().all(is_level)
    }

    /// Whether this machine is done with all of its log, and owes nobody anything.
    fn is_quiet(&self) -> bool {
        let last = self.log.last().index;
        let pending = [Timer::Handover, Timer::Orphans, Timer::Reload, Timer::Flush];
        self.config.hibernate_after.is_some()
            && (self.commit, self.applying.applied) == (last, last)
            && self.durable >= last
            && self.durable_write >= self.ballot_write
            && self.waiting.is_empty()
            && self.loads.is_empty()
            && self.handover.is_none()
            && self.snapshots.installing.is_none()
            && pending.iter().all(|timer| self.timers.deadline(*timer).is_none())
    }
}

/// A peer's word on whether it sleeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nap {
    /// In which lull it was asked.
    pub(super) lull: u64,
    /// Whether it does.
    pub(super) asleep: bool,
}
