//! Who operates a simulated Raft group: transfers, snapshots and campaigns at odd moments, and in some runs other members.
//!
//! Whether a node is dead, and what it answers, is all the same to the operator.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::prng::Prng;
use crate::raft::{Command, Duty, Raft};
use crate::sim::{Lists, World};
use crate::types::NodeId;

/// The alarm by which the operator acts.
pub(super) const OPERATOR: u64 = u64::MAX - 1;

/// How often an operator who brings the group to all nodes asks again.
const INSIST: Duration = Duration::from_millis(500);

/// One operator; what it likes to do is drawn from the seed.
#[derive(Debug)]
pub(super) struct Operator {
    chance: Prng,
    nodes: u64,
    witnesses: BTreeSet<NodeId>,
    /// The mean time between two deeds.
    pause: Duration,
    /// How many deeds of all are changes of members.
    changes: f64,
    /// Whether all that is left to do is to make every node a member.
    gathering: bool,
    stopped: bool,
}

impl Operator {
    pub(super) fn new(
        mut chance: Prng,
        pause: Option<Duration>,
        nodes: u64,
        witnesses: BTreeSet<NodeId>,
        world: &mut World<Raft, Lists>,
    ) -> Self {
        let changes = if pause.is_some() && chance.chance(0.5) { 0.9 * chance.unit() } else { 0.0 };
        let hasty = changes > 0.0 && chance.chance(0.5);
        let pause = pause.map(|pause| if hasty { pause / 5 } else { pause });
        if let Some(pause) = pause {
            world.alarm(world.now().after(pause), OPERATOR);
        }
        let pause = pause.unwrap_or_default();
        Self { chance, nodes, witnesses, pause, changes, gathering: false, stopped: false }
    }

    /// Whether members come and go.
    pub(super) fn changes_members(&self) -> bool {
        self.changes > 0.0
    }

    /// Makes every node a member from here on, and does nothing else.
    pub(super) fn gather(&mut self, world: &mut World<Raft, Lists>) {
        self.gathering = self.changes_members();
        if self.gathering {
            world.alarm(world.now(), OPERATOR);
        }
    }

    /// Does nothing any more, once every node is a member.
    pub(super) fn stop(&mut self) {
        self.stopped = true;
    }

    /// Whether the group is what it was told to be, as far as its leader knows.
    pub(super) fn is_done(&self, world: &World<Raft, Lists>) -> bool {
        !self.gathering || leader(world).is_some_and(|it| self.is_whole(world, it))
    }

    /// Takes its alarm.
    pub(super) fn act(&mut self, world: &mut World<Raft, Lists>) {
        if self.gathering {
            self.insist(world);
        } else if !self.stopped {
            self.meddle(world);
        }
    }

    fn meddle(&mut self, world: &mut World<Raft, Lists>) {
        let node = self.node();
        if self.chance.chance(self.changes) {
            let command = self.change();
            let _ = world.submit(leader(world).unwrap_or(node), command);
        } else {
            let other = self.node();
            let command = match self.chance.below(8) {
                0..3 => Command::Transfer { to: None },
                3 => Command::Transfer { to: Some(other) },
                4 | 5 => Command::Snapshot,
                6 => Command::Campaign,
                _ => Command::Status,
            };
            let _ = world.submit(node, command);
        }
        let pause = self.chance.duration(Duration::ZERO, self.pause * 2);
        world.alarm(world.now().after(pause), OPERATOR);
    }

    fn insist(&mut self, world: &mut World<Raft, Lists>) {
        let leader = leader(world);
        if let Some(leader) = leader.filter(|&leader| !self.is_whole(world, leader)) {
            let members = (1..=self.nodes).map(NodeId).map(|node| (node, self.full_duty(node)));
            let command = Command::ChangeMembers { members: members.collect(), replace: BTreeSet::new() };
            let _ = world.submit(leader, command);
        }
        if leader.is_none() || !self.stopped || !self.is_done(world) {
            world.alarm(world.now().after(INSIST), OPERATOR);
        }
    }

    /// Any set of members: most of them voters, some learners, whoever is a witness a witness.
    fn change(&mut self) -> Command {
        let share = self.chance.unit();
        let mut members = BTreeMap::new();
        for node in (1..=self.nodes).map(NodeId) {
            if self.chance.chance(share) {
                let learns = self.full_duty(node) == Duty::Voter && self.chance.chance(0.15);
                members.insert(node, if learns { Duty::Learner } else { self.full_duty(node) });
            }
        }
        Command::ChangeMembers { members, replace: BTreeSet::new() }
    }

    fn full_duty(&self, node: NodeId) -> Duty {
        if self.witnesses.contains(&node) { Duty::Witness } else { Duty::Voter }
    }

    fn is_whole(&self, world: &World<Raft, Lists>, leader: NodeId) -> bool {
        let membership = world.node(leader).and_then(|node| node.machine()).map(Raft::membership);
        membership.is_some_and(|membership| {
            let all = membership.members().len() as u64 == self.nodes;
            let full = |(&node, member): (&NodeId, &crate::raft::Member)| member.duty == self.full_duty(node);
            all && !membership.is_joint()
                && membership.goal().is_none()
                && membership.members().iter().all(full)
        })
    }

    fn node(&mut self) -> NodeId {
        NodeId(self.chance.between(1, self.nodes))
    }
}

/// Whoever leads in the highest term.
fn leader(world: &World<Raft, Lists>) -> Option<NodeId> {
    let leaders = world.nodes().iter().filter_map(|node| {
        let machine = node.machine().filter(|machine| machine.role() == crate::raft::Role::Leader)?;
        Some((machine.term, node.id()))
    });
    leaders.max().map(|(_, node)| node)
}
