//! The way from one configuration to another: which one comes next (Raft §6; dissertation §4.2 and §4.3).
//!
//! A pure function of the configuration in force, its goal, and what the leader knows of its peers. It appends nothing: the leader
//! does, one step at a time, each once the one before is committed (RT-16, RT-17).
//!
//! The steps: whoever lost its disk leaves first; whoever is missing is added without a voice; when the future voters, witnesses
//! among them, were heard and have caught up, both sets decide together; when that is committed, the new set alone.

use crate::raft::membership::{Duty, Member, Membership, check, voting};
use crate::roll::Roll;
use crate::types::{NodeId, StoreId};

/// What the leader knows that decides about the next step.
pub(super) trait Knowledge {
    /// The disk from which a member without a known disk was heard.
    fn store(&self, node: NodeId) -> Option<StoreId>;
    /// Whether a member without a voice keeps up with the log.
    fn caught_up(&self, node: NodeId) -> bool;
}

impl Membership {
    /// The configuration that follows this one, which is committed; `None` while there is nothing to do or to wait for.
    pub(super) fn next_step(&self, knowledge: &impl Knowledge) -> Option<Self> {
        if self.is_joint() {
            // Both sets have agreed to the change: the new one may decide alone.
            return Some(self.with(self.members.clone(), None));
        }
        if let Some(bound) = self.bind(knowledge) {
            return Some(bound);
        }
        let goal = self.goal.as_ref()?;
        let next = self.leave_lost(goal).or_else(|| self.add_missing(goal));
        next.or_else(|| self.cross(goal, knowledge)).filter(|next| next != self)
    }

    /// This configuration on its way to `goal`.
    pub(super) fn heading_for(&self, goal: Roll<NodeId, Member>) -> Self {
        Self::of(self.members.clone(), self.outgoing.clone(), Some(goal))
    }

    /// Whether a set of members is what this configuration amounts to already.
    pub(super) fn is(&self, goal: &Roll<NodeId, Member>) -> bool {
        let meets = |(node, wanted): (&NodeId, &Member)| {
            self.members.get(node).is_some_and(|member| {
                member.duty == wanted.duty && (wanted.store.is_none() || wanted.store == member.store)
            })
        };
        !self.is_joint() && self.members.len() == goal.len() && goal.iter().all(meets)
    }

    /// Names the disks from which members were heard.
    fn bind(&self, knowledge: &impl Knowledge) -> Option<Self> {
        // Asked with every commit: nothing is copied while there is nothing to learn.
        let heard =
            |(&node, member): (&NodeId, &Member)| member.store.is_none() && knowledge.store(node).is_some();
        if !self.members.iter().any(heard) {
            return None;
        }
        let mut members = self.members.clone();
        for (&node, member) in members.iter_mut().filter(|(_, member)| member.store.is_none()) {
            member.store = knowledge.store(node);
        }
        (members != self.members).then(|| self.with(members, None))
    }

    /// Takes one out whose disk is to be replaced by another: one name cannot stand for two disks. The others stay until it is
    /// back, so that witnesses never come to decide alone.
    fn leave_lost(&self, goal: &Roll<NodeId, Member>) -> Option<Self> {
        let lost = |(node, member): (&NodeId, &Member)| {
            goal.get(node).is_some_and(|wanted| wanted.store.is_some() && wanted.store != member.store)
        };
        let mut members = self.members.clone();
        let leaving = *members.iter().find(|&it| lost(it))?.0;
        members.remove(&leaving);
        check(&members).is_ok().then(|| self.moved(members))
    }

    /// Adds who is missing, without a voice.
    fn add_missing(&self, goal: &Roll<NodeId, Member>) -> Option<Self> {
        let mut members = self.members.clone();
        for (&node, wanted) in goal {
            let duty = if wanted.duty.holds_data() { Duty::Learner } else { Duty::JoiningWitness };
            if !members.contains_key(&node) {
                members.insert(node, Member { duty, store: wanted.store });
            }
        }
        (members.len() > self.members.len()).then(|| self.with(members, None))
    }

    /// Goes over to the goal, once those who are to vote have what the group has.
    fn cross(&self, goal: &Roll<NodeId, Member>, knowledge: &impl Knowledge) -> Option<Self> {
        let ready = |(node, wanted): (&NodeId, &Member)| {
            let member = self.members.get(node);
            !wanted.votes() || member.is_some_and(Member::votes) || knowledge.caught_up(*node)
        };
        let goes = goal.iter().all(ready);
        let known = |node: &NodeId, wanted: &Member| {
            let store = self.members.get(node).and_then(|member| member.store);
            Member { duty: wanted.duty, store: store.or(wanted.store) }
        };
        goes.then(|| self.moved(goal.iter().map(|(node, wanted)| (*node, known(node, wanted))).collect()))
    }

    /// The step to other members: joint where the voters change.
    fn moved(&self, members: Roll<NodeId, Member>) -> Self {
        let voters: Roll<_, _> =
            self.members.iter().filter(|(_, member)| member.votes()).map(|(&node, &it)| (node, it)).collect();
        let joint = voting(&members) != voting(&self.members);
        self.with(members, joint.then_some(voters))
    }

    /// This configuration with other members, its goal given up where it is reached.
    fn with(&self, members: Roll<NodeId, Member>, outgoing: Option<Roll<NodeId, Member>>) -> Self {
        let next = Self::of(members, outgoing, self.goal.clone());
        let reached = next.goal.as_ref().is_some_and(|goal| next.is(goal));
        if reached { Self::of(next.members, next.outgoing, None) } else { next }
    }
}
