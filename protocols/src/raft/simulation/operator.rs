//! Who operates a simulated Raft group: transfers, snapshots and campaigns at odd moments, and in some runs other members.
//!
//! Whether a node is dead, and what it answers, is all the same to the operator.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::prng::Prng;
use crate::raft::{Command, Duty, Member, Raft};
use crate::sim::{Lists, Node, World};
use crate::types::NodeId;

/// The alarm by which the operator acts.
pub(super) const OPERATOR: u64 = u64::MAX - 1;

/// How often an operator who brings the group to certain members asks again.
const INSIST: Duration = Duration::from_millis(500);

/// One operator; what it likes to do is drawn from the seed.
#[derive(Debug)]
pub(super) struct Operator {
    chance: Prng,
    founders: u64,
    nodes: u64,
    witnesses: BTreeSet<NodeId>,
    /// The mean time between two deeds.
    pause: Duration,
    /// How many deeds of all are changes of members.
    changes: f64,
    /// The members that the group shall have in the end, once nothing else is left to do.
    gathering: Option<BTreeSet<NodeId>>,
    stopped: bool,
}

impl Operator {
    pub(super) fn new(
        mut chance: Prng,
        pause: Option<Duration>,
        [founders, nodes]: [u64; 2],
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
        Self { chance, founders, nodes, witnesses, pause, changes, gathering: None, stopped: false }
    }

    /// Whether members come and go.
    pub(super) fn changes_members(&self) -> bool {
        self.changes > 0.0
    }

    /// Makes these nodes the members from here on, and does nothing else; where members never came and went, they are.
    pub(super) fn gather(&mut self, core: &BTreeSet<NodeId>, world: &mut World<Raft, Lists>) {
        let lost = world.nodes().iter().any(Node::has_lost_a_disk);
        if self.changes_members() || lost || self.founders < self.nodes {
            self.gathering = Some(core.clone());
            world.alarm(world.now(), OPERATOR);
        }
    }

    /// Does nothing any more, once every node is a member.
    pub(super) fn stop(&mut self) {
        self.stopped = true;
    }

    /// Whether the group is what it was told to be, as far as its leader knows.
    pub(super) fn is_done(&self, world: &World<Raft, Lists>) -> bool {
        self.gathering.is_none() || leader(world).is_some_and(|it| self.is_whole(world, it))
    }

    /// Takes its alarm.
    pub(super) fn act(&mut self, world: &mut World<Raft, Lists>) {
        if self.gathering.is_some() {
            self.insist(world);
        } else if !self.stopped {
            self.meddle(world);
        }
    }

    fn meddle(&mut self, world: &mut World<Raft, Lists>) {
        let node = self.node();
        let leading = leader(world).unwrap_or(node);
        let replacement = self.chance.chance(0.25).then(|| replacement(world, leading)).flatten();
        if let Some(command) = replacement {
            let _ = world.submit(leading, command);
        } else if self.chance.chance(self.changes) {
            let command = self.change();
            // A process that does nothing would take the wish up when it is an old one.
            if is_awake(world, leading) && is_alive(world, leading, &command) {
                let _ = world.submit(leading, command);
            }
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
            let core = self.gathering.iter().flatten();
            let members = core.map(|&node| (node, self.full_duty(node))).collect();
            let replace =
                strangers(world, leader).into_iter().filter(|node| self.is_gathered(*node)).collect();
            let _ = world.submit(leader, Command::ChangeMembers { members, replace });
        }
        if leader.is_none() || !self.stopped || !self.is_done(world) {
            world.alarm(world.now().after(INSIST), OPERATOR);
        }
    }

    fn is_gathered(&self, node: NodeId) -> bool {
        self.gathering.as_ref().is_some_and(|core| core.contains(&node))
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
            let full = |(&node, member): (&NodeId, &Member)| {
                self.is_gathered(node) && member.duty == self.full_duty(node)
            };
            membership.members().len() == self.gathering.iter().flatten().count()
                && !membership.is_joint()
                && membership.goal().is_none()
                && membership.members().iter().all(full)
                && strangers(world, leader).is_empty()
        })
    }

    fn node(&mut self) -> NodeId {
        NodeId(self.chance.between(1, self.nodes))
    }
}

fn is_awake(world: &World<Raft, Lists>, node: NodeId) -> bool {
    world.node(node).is_some_and(|node| node.is_up() && !node.is_paused())
}

/// Whether most of the voters that are asked for can take part: nobody in his senses hands a group over to those whose disk is lost.
fn is_alive(world: &World<Raft, Lists>, leader: NodeId, command: &Command) -> bool {
    let Command::ChangeMembers { members, .. } = command else { return true };
    let strangers = strangers(world, leader);
    let voters = members.iter().filter(|(_, duty)| **duty != Duty::Learner).map(|(node, _)| *node);
    let (lost, sound): (Vec<NodeId>, Vec<NodeId>) = voters.partition(|node| strangers.contains(node));
    sound.len() > lost.len()
}

/// The members whose disk is not the one that the leader's configuration names.
fn strangers(world: &World<Raft, Lists>, leader: NodeId) -> BTreeSet<NodeId> {
    let Some(machine) = world.node(leader).and_then(|node| node.machine()) else { return BTreeSet::new() };
    let members = machine.membership().members().iter();
    let changed = |(&node, member): (&NodeId, &Member)| {
        let store = world.node(node)?.store();
        member.store.is_some_and(|known| known != store).then_some(node)
    };
    members.filter_map(changed).collect()
}

/// Takes in anew whoever lost its disk, and changes nothing else.
fn replacement(world: &World<Raft, Lists>, leader: NodeId) -> Option<Command> {
    let replace = strangers(world, leader);
    let machine = world.node(leader)?.machine()?;
    let members =
        machine.membership().members().iter().map(|(&node, member)| (node, destined(member.duty))).collect();
    (!replace.is_empty()).then_some(Command::ChangeMembers { members, replace })
}

/// The duty that a member has or is about to have.
fn destined(duty: Duty) -> Duty {
    if duty == Duty::JoiningWitness { Duty::Witness } else { duty }
}

/// Whoever leads in the highest term.
fn leader(world: &World<Raft, Lists>) -> Option<NodeId> {
    let leaders = world.nodes().iter().filter_map(|node| {
        let machine = node.machine().filter(|machine| machine.role() == crate::raft::Role::Leader)?;
        Some((machine.term, node.id()))
    });
    leaders.max().map(|(_, node)| node)
}
