//! How a leader takes its group from one set of members to another, and how every member follows (Raft §6; dissertation §4).
//!
//! A configuration is in force from the moment its entry is appended, committed or not. There is at most one that is not committed,
//! and none is appended before the leader has committed an entry of its own term (RT-16). Which step comes next is in
//! `reconfiguration.rs`; any leader goes on where the one before stopped, for the goal stands in the configuration.

use std::collections::{BTreeMap, BTreeSet};

use crate::log::{Body, Entry};
use crate::protocol::Outbox;
use crate::raft::command::{Refusal, Reply};
use crate::raft::configurations::Configurations;
use crate::raft::leadership::{Leadership, Stranger};
use crate::raft::membership::{Duty, Member, MembersError, Membership, Voice, check};
use crate::raft::message::Message;
use crate::raft::reconfiguration::Knowledge;
use crate::raft::state::{Raft, Standing};
use crate::raft::status::Event;
use crate::roll::Roll;
use crate::types::{LogIndex, NodeId, StoreId, Timestamp, Token};

impl Knowledge for Leadership {
    fn store(&self, node: NodeId) -> Option<StoreId> {
        let (own, store) = self.own;
        if node == own {
            return Some(store).filter(|&store| store != StoreId::ZERO);
        }
        self.progress.get(&node)?.heard
    }

    fn caught_up(&self, node: NodeId) -> bool {
        // A leader on its way out may be told to stay: nobody has more of the log than it.
        node == self.own.0 || self.progress.get(&node).is_some_and(|peer| peer.has_caught_up())
    }
}

impl Raft {
    /// A user wants other members.
    pub(super) fn change_members(
        &mut self,
        now: Timestamp,
        token: Token,
        members: &BTreeMap<NodeId, Duty>,
        replace: &BTreeSet<NodeId>,
        out: &mut Outbox<Self>,
    ) {
        let goal = match self.admit_change(members, replace) {
            Ok(goal) => goal,
            Err(refusal) => return Self::refuse(token, refusal, out),
        };
        if self.membership().is(&goal) && self.membership().goal().is_none() {
            let index = self.configurations.index();
            return out.reply_early(token, Reply::MembersChanged { index });
        }
        let heading = self.membership().heading_for(goal);
        let Standing::Leader(lead) = &mut self.standing else { return };
        if let Some(earlier) = lead.changer.replace(token) {
            Self::refuse(earlier, Refusal::Superseded, out);
        }
        // Where no learner has to catch up first, the goal needs no entry of its own.
        let next = heading.next_step(&**lead).unwrap_or(heading);
        // Asked for again while it is under way: there is nothing to write.
        if next != *self.membership() {
            self.append_configuration(now, next, out);
        }
    }

    /// Takes the next step of a change, if the one before is committed and there is one to take.
    pub(super) fn drive_members(&mut self, now: Timestamp, out: &mut Outbox<Self>) {
        let Standing::Leader(lead) = &self.standing else { return };
        if !self.may_reconfigure(lead) || self.is_settled(lead) {
            return;
        }
        if let Some(goal) = self.goal_with_rejoining(lead) {
            out.reached("lost disk replaced at its node's wish");
            return self.append_configuration(now, self.membership().heading_for(goal), out);
        }
        if let Some(next) = self.membership().next_step(&**lead) {
            return self.append_configuration(now, next, out);
        }
        self.conclude_change(now, out);
    }

    /// Whether the configuration in force leads nowhere, names every disk that was heard of, and is not waited for. Asked with every
    /// commit, of which nearly none changes that.
    fn is_settled(&self, lead: &Leadership) -> bool {
        let (own, store) = lead.own;
        let membership = self.membership();
        let is_named = |member: Option<Member>| member.is_some_and(|member| member.store.is_some());
        !membership.is_joint()
            && membership.goal().is_none()
            && lead.changer.is_none()
            && lead.strangers.is_empty()
            && lead.progress.values().all(|peer| peer.member.store.is_some() || peer.heard.is_none())
            && (store == StoreId::ZERO || is_named(membership.member(own)))
            && membership.is_voter(own)
    }

    /// Takes over the configurations that `entries` carry, which were appended.
    pub(super) fn adopt_configurations(
        &mut self,
        entries: &[(LogIndex, Membership)],
        out: &mut Outbox<Self>,
    ) {
        for (index, membership) in entries {
            self.configurations.push(*index, membership.clone());
        }
        if !entries.is_empty() {
            self.tell_membership(out);
        }
    }

    /// Begins anew with the configuration in force at `index`, where the log begins (RT-18).
    pub(super) fn replace_configurations(
        &mut self,
        index: LogIndex,
        membership: Membership,
        out: &mut Outbox<Self>,
    ) {
        let changed = *self.membership() != membership;
        self.configurations = Configurations::new(index, membership);
        if changed {
            self.tell_membership(out);
        }
    }

    /// Tells observers which configuration is in force.
    pub(super) fn tell_membership(&self, out: &mut Outbox<Self>) {
        let (index, membership) = (self.configurations.index(), self.membership().clone());
        out.emit(Event::MembershipChanged { index, membership: Box::new(membership) });
    }

    /// Notes that a member spoke from a disk that is not the configuration's.
    pub(super) fn note_stranger(
        &mut self,
        now: Timestamp,
        node: NodeId,
        voice: Voice,
        rejoin: bool,
        out: &mut Outbox<Self>,
    ) {
        let Standing::Leader(lead) = &mut self.standing else { return };
        let stranger = Stranger { store: voice.store, rejoin };
        let known = lead.strangers.insert(node, stranger);
        if known != Some(stranger) {
            out.emit(Event::Stranger { node, store: voice.store, rejoin });
            self.drive_members(now, out);
        }
    }

    fn admit_change(
        &self,
        members: &BTreeMap<NodeId, Duty>,
        replace: &BTreeSet<NodeId>,
    ) -> Result<Roll<NodeId, Member>, Refusal> {
        let Standing::Leader(lead) = &self.standing else {
            return Err(Refusal::NotLeader { leader: self.leader });
        };
        if self.handover.is_some() {
            return Err(Refusal::Transferring);
        }
        if !self.space {
            return Err(Refusal::NoSpace);
        }
        if !self.may_reconfigure(lead) || self.membership().is_joint() {
            return Err(Refusal::ChangeInProgress);
        }
        let mut goal: Roll<_, _> = members.iter().map(|(&node, &duty)| (node, Member::new(duty))).collect();
        for &node in replace {
            let stranger = lead.strangers.get(&node).map(|stranger| stranger.store);
            let Some((member, store)) = goal.get_mut(&node).zip(stranger) else {
                return Err(Refusal::Members(MembersError::NothingToReplace(node)));
            };
            member.store = Some(store);
        }
        check(&goal).map_err(Refusal::Members)?;
        for (&node, wanted) in &goal {
            if wanted.duty == Duty::JoiningWitness {
                return Err(Refusal::Members(MembersError::OnlyOnTheWay(node)));
            }
            let present = self.membership().members().get(&node).map(|member| member.duty);
            if wanted.store.is_none()
                && present.is_some_and(|duty| duty.holds_data() != wanted.duty.holds_data())
            {
                return Err(Refusal::Members(MembersError::FixedByDisk(node)));
            }
        }
        Ok(goal)
    }

    /// Whether another configuration may be appended: everything before is settled.
    fn may_reconfigure(&self, lead: &Leadership) -> bool {
        self.commit >= lead.first
            && self.commit >= self.configurations.index()
            && self.handover.is_none()
            && self.space
    }

    /// The goal that takes in those who know that they have lost their disk; `None` when nobody asks for it.
    fn goal_with_rejoining(&self, lead: &Leadership) -> Option<Roll<NodeId, Member>> {
        // Asked with every commit: nothing is copied while nobody wishes it.
        if self.membership().is_joint() || !lead.strangers.values().any(|stranger| stranger.rejoin) {
            return None;
        }
        let mut goal = self.membership().goal().unwrap_or(self.membership().members()).clone();
        let before = goal.clone();
        for (node, stranger) in lead.strangers.iter().filter(|(_, stranger)| stranger.rejoin) {
            if let Some(member) = goal.get_mut(node) {
                member.store = Some(stranger.store);
            }
        }
        (goal != before).then_some(goal)
    }

    fn append_configuration(&mut self, now: Timestamp, membership: Membership, out: &mut Outbox<Self>) {
        self.append(now, Body::Configuration(membership.encode()));
        self.configurations.push(self.log.last().index, membership);
        let (own, next) = (self.config.id, self.log.last().index);
        let Self { standing: Standing::Leader(lead), configurations, .. } = self else { return };
        lead.attend(own, configurations.current(), next, now);
        self.tell_membership(out);
    }

    /// The configuration in force is committed and leads nowhere else: answer whoever asked for it; a leader that is no longer a
    /// voter hands over.
    fn conclude_change(&mut self, now: Timestamp, out: &mut Outbox<Self>) {
        if self.membership().goal().is_some() {
            return;
        }
        let index = self.configurations.index();
        let Standing::Leader(lead) = &mut self.standing else { return };
        if let Some(token) = lead.changer.take() {
            // Early: what is answered is durable on a quorum.
            out.reply_early(token, Reply::MembersChanged { index });
        }
        if !self.membership().is_voter(self.config.id) {
            out.reached("leader that is no voter stepped down");
            self.retire(now, out);
        }
    }

    /// Leaves office for good: asks whoever is furthest to campaign, after telling everyone that the change is committed.
    fn retire(&mut self, now: Timestamp, out: &mut Outbox<Self>) {
        let last = self.log.last();
        let Some((lead, feeder)) = self.feeder(now) else { return };
        let round = lead.reads.last_round;
        for (&peer, progress) in &mut lead.progress {
            feeder.heartbeat(peer, progress, round, out);
        }
        let voters = lead.progress.iter().filter(|(_, peer)| peer.member.duty == Duty::Voter);
        let successor = voters.max_by_key(|(_, peer)| peer.matched).map(|(&peer, _)| peer);
        if let Some(successor) = successor {
            out.send(successor, Message::TimeoutNow { term: self.term, last });
        }
        self.step_down(now, None, out);
    }
}

/// The configurations among `entries`, by index.
///
/// # Errors
/// One of them cannot be read.
#[inline]
pub(super) fn configurations_of(entries: &[Entry]) -> Result<Vec<(LogIndex, Membership)>, Unreadable> {
    let carries = |entry: &Entry| matches!(entry.body, Body::Configuration(_));
    // Asked with every append: nearly always none does.
    if entries.iter().any(carries) { read_configurations(entries) } else { Ok(Vec::new()) }
}

fn read_configurations(entries: &[Entry]) -> Result<Vec<(LogIndex, Membership)>, Unreadable> {
    let carried = entries.iter().filter_map(|entry| match &entry.body {
        Body::Configuration(bytes) => Some((entry.index, bytes)),
        Body::Noop | Body::Command { .. } | Body::Withheld => None,
    });
    carried.map(|(index, bytes)| Ok((index, Membership::decode(bytes).ok_or(Unreadable)?))).collect()
}

/// A configuration cannot be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unreadable;
