//! How a world carries out faults, and how links follow from what is cut, dead or paused.
//!
//! Chooses no fault: schedules do. A fault without effect is counted as asked for, and not as injected.

use std::time::Duration;

use crate::sim::application::Application;
use crate::sim::event::{Arrival, Event};
use crate::sim::fault::{Fault, FaultKind};
use crate::sim::invariant::Happening;
use crate::sim::links::{LinkPlan, Pair, ends};
use crate::sim::subject::Subject;
use crate::sim::world::{Step, World};
use crate::types::{NodeId, Timestamp};

impl<P: Subject, A: Application> World<P, A> {
    /// Plans a fault.
    pub fn plan(&mut self, at: Timestamp, fault: Fault) {
        self.queue.push(at.max(self.now), Event::Fault(fault));
    }

    /// Carries a planned fault out, unless the world has come to peace.
    pub(super) fn strike(&mut self, fault: &Fault) -> Step {
        if self.at_peace { Step::World } else { self.carry_out_fault(fault) }
    }

    /// Carries a fault out.
    pub(super) fn carry_out_fault(&mut self, fault: &Fault) -> Step {
        let step = match fault {
            Fault::Crash(node) => self.crash(*node),
            Fault::CrashInWrite(node, down) => self.crash_in_write(*node, *down),
            Fault::Restart(node) => self.bring_back(*node),
            Fault::LoseDisk(node, down, noticed) => self.lose_disk(*node, *down, *noticed),
            Fault::PowerCut => self.power_cut(),
            Fault::Pause(node, span) => self.pause(*node, *span),
            Fault::Coups(span, reach) => {
                self.tally.request(FaultKind::Coup);
                self.coups = (self.now.after(*span), *reach);
                Step::World
            }
            Fault::Stall(node, span) => self.on_node(*node, |world, position| {
                let until = world.now.after(*span);
                world.nodes[position].disk.stall(until);
            }),
            Fault::SlowDisk(node, factor) => self.on_node(*node, |world, position| {
                world.nodes[position].disk.slow_down(*factor);
            }),
            Fault::FailWrite(node) => {
                self.on_node(*node, |world, position| world.nodes[position].disk.fail_next_sync())
            }
            Fault::FillDisk(node, span) => self.on_node(*node, |world, position| world.fill(position, *span)),
            Fault::FailSnapshots(node, span) => self.on_node(*node, |world, position| {
                let until = world.now.after(*span);
                world.nodes[position].disk.fail_snapshots(until);
            }),
            Fault::BadReads(node, span) => self.on_node(*node, |world, position| {
                let until = world.now.after(*span);
                world.nodes[position].disk.read_badly(until);
            }),
            Fault::Partition(_)
            | Fault::OneWayPartition(_)
            | Fault::Shape { .. }
            | Fault::OneWayCut(..)
            | Fault::PartialCut(..)
            | Fault::IsolateLeader
            | Fault::Swizzle { .. }
            | Fault::Heal
            | Fault::HealNode(_)
            | Fault::CutOff(_) => self.strike_network(fault),
        };
        self.refresh_links();
        step
    }

    /// Lets links follow the state of paths and processes.
    pub(super) fn refresh_links(&mut self) {
        for pair in self.links.pairs() {
            let [(one, other), _] = ends(pair);
            let cut = self.network.is_cut(one, other) || self.network.is_cut(other, one);
            let deaf = |position: usize| !self.nodes[position].is_up() || self.nodes[position].is_paused();
            let broken = cut || deaf(pair.0) || deaf(pair.1);
            match self.links.observe(pair, broken) {
                LinkPlan::Nothing => {}
                LinkPlan::Expire(generation) => {
                    let at = self.now.after(self.config.links.idle_timeout);
                    self.queue.push(at, Event::LinkExpires(pair, generation));
                }
                LinkPlan::Connect(generation) => {
                    let jitter = self.chance.duration(Duration::ZERO, self.config.links.reconnect);
                    let at = self.now.after(self.config.links.reconnect + jitter);
                    self.queue.push(at, Event::LinkConnects(pair, generation));
                }
            }
        }
    }

    pub(super) fn expire_link(&mut self, pair: Pair, generation: u64) -> Step {
        if self.links.expire(pair, generation) {
            self.tell_ends(pair, None);
        }
        Step::World
    }

    pub(super) fn connect_link(&mut self, pair: Pair, generation: u64) -> Step {
        if let Some(session) = self.links.connect(pair, generation) {
            self.tell_ends(pair, Some(session));
        }
        Step::World
    }

    pub(super) fn resume(&mut self, node: usize, until: Timestamp) -> Step {
        let Some(process) = self.nodes[node].process.as_mut() else { return Step::World };
        if process.paused_until != Some(until) {
            return Step::World;
        }
        process.paused_until = None;
        process.armed = None;
        let backlog = std::mem::take(&mut process.backlog);
        if !backlog.is_empty() {
            self.tally.inject(FaultKind::Pause);
        }
        self.note(node, "resume", backlog.len() as u64, String::new);
        for arrival in backlog {
            self.plan_arrival(self.now, node, arrival);
        }
        self.arm(node);
        self.refresh_links();
        Step::Node(node)
    }

    pub(super) fn give_room(&mut self, node: usize) -> Step {
        self.nodes[node].disk.fill(false);
        if self.nodes[node].is_up() {
            self.plan_arrival(self.now, node, Arrival::Space(true));
        }
        Step::World
    }

    fn strike_network(&mut self, fault: &Fault) -> Step {
        let all: Vec<NodeId> = self.network.nodes().to_vec();
        match fault {
            Fault::Partition(side) => {
                let (inside, outside): (Vec<NodeId>, Vec<NodeId>) =
                    all.iter().partition(|node| side.contains(node));
                let paths = inside.iter().flat_map(|&a| outside.iter().flat_map(move |&b| [(a, b), (b, a)]));
                self.network.cut(FaultKind::Partition, paths);
            }
            Fault::OneWayPartition(side) => {
                let (inside, outside): (Vec<NodeId>, Vec<NodeId>) =
                    all.iter().partition(|node| side.contains(node));
                let paths = inside.iter().flat_map(|&a| outside.iter().map(move |&b| (a, b)));
                self.network.cut(FaultKind::OneWayPartition, paths);
            }
            Fault::Shape { shape, order, leader_first } => {
                let order = if *leader_first { self.leader_first(order) } else { order.clone() };
                self.network.heal_all();
                self.network.cut(FaultKind::Shape, shape.cuts(&order));
            }
            Fault::OneWayCut(from, to) => self.network.cut(FaultKind::OneWayCut, [(*from, *to)]),
            Fault::PartialCut(one, other) => {
                self.network.cut(FaultKind::PartialCut, [(*one, *other), (*other, *one)]);
            }
            Fault::IsolateLeader => match self.leader() {
                Some(leader) => self.network.cut(FaultKind::IsolateLeader, around(leader, &all)),
                None => self.tally.request(FaultKind::IsolateLeader),
            },
            Fault::CutOff(node) => self.network.cut(FaultKind::Swizzle, around(*node, &all)),
            Fault::Swizzle { cut, heal, gap } => {
                for (step, &node) in cut.iter().enumerate() {
                    self.plan(self.now.after(*gap * step as u32), Fault::CutOff(node));
                }
                for (step, &node) in heal.iter().enumerate() {
                    self.plan(self.now.after(*gap * (cut.len() + step) as u32), Fault::HealNode(node));
                }
            }
            Fault::HealNode(node) => {
                for (from, to) in around(*node, &all) {
                    self.network.heal(from, to);
                }
            }
            Fault::Heal => self.network.heal_all(),
            Fault::Crash(_)
            | Fault::CrashInWrite(..)
            | Fault::Restart(_)
            | Fault::PowerCut
            | Fault::Coups(..)
            | Fault::Pause(..)
            | Fault::Stall(..)
            | Fault::SlowDisk(..)
            | Fault::FailWrite(_)
            | Fault::FillDisk(..)
            | Fault::LoseDisk(..)
            | Fault::BadReads(..)
            | Fault::FailSnapshots(..) => {}
        }
        Step::World
    }

    /// A node that believes that it leads, if there is one.
    fn leader(&self) -> Option<NodeId> {
        self.nodes.iter().find(|node| node.machine().is_some_and(P::leads)).map(|node| node.id)
    }

    fn leader_first(&self, order: &[NodeId]) -> Vec<NodeId> {
        let leader = self.leader();
        let mut order = order.to_vec();
        order.sort_by_key(|&node| Some(node) != leader);
        order
    }

    fn on_node(&mut self, node: NodeId, act: impl FnOnce(&mut Self, usize)) -> Step {
        if let Some(position) = self.position(node) {
            act(self, position);
        }
        Step::World
    }

    fn crash(&mut self, node: NodeId) -> Step {
        self.tally.request(FaultKind::Crash);
        let Some(position) = self.position(node).filter(|&position| self.nodes[position].is_up()) else {
            return Step::World;
        };
        self.tally.inject(FaultKind::Crash);
        self.kill(position);
        Step::Node(position)
    }

    fn crash_in_write(&mut self, node: NodeId, down: Duration) -> Step {
        self.on_node(node, |world, position| world.nodes[position].dies_in_write = Some(down))
    }

    /// Lets the process die within the time of the sync that just began, if it was marked for that.
    pub(super) fn die_in_write(&mut self, node: usize, latency: Duration) {
        let Some(down) = self.nodes[node].dies_in_write.take() else { return };
        let id = self.nodes[node].id;
        let at = self.now.after(self.chance.duration(Duration::ZERO, latency));
        self.plan(at, Fault::Crash(id));
        self.plan(at.after(down), Fault::Restart(id));
    }

    /// Strikes a node that came to lead, soon.
    pub(super) fn depose(&mut self, node: usize) {
        self.tally.inject(FaultKind::Coup);
        let id = self.nodes[node].id;
        let at = self.now.after(self.chance.duration(Duration::ZERO, self.coups.1));
        let back = at.after(self.chance.duration(Duration::ZERO, self.coups.1 * 32));
        if self.chance.chance(0.5) {
            self.plan(at, Fault::Crash(id));
            self.plan(back, Fault::Restart(id));
        } else {
            self.plan(at, Fault::CutOff(id));
            self.plan(back, Fault::HealNode(id));
        }
    }

    fn power_cut(&mut self) -> Step {
        self.tally.request(FaultKind::PowerCut);
        if self.nodes.iter().any(super::node::Node::is_up) {
            self.tally.inject(FaultKind::PowerCut);
        }
        for node in 1..=self.nodes.len() as u64 {
            self.plan(self.now, Fault::Crash(NodeId(node)));
        }
        Step::World
    }

    pub(super) fn kill(&mut self, node: usize) {
        if self.nodes[node].process.take().is_some() {
            self.nodes[node].disk.crash();
            self.happenings.push(Happening::Crashed);
            self.note(node, "crash", 0, String::new);
        }
    }

    fn bring_back(&mut self, node: NodeId) -> Step {
        match self.position(node).filter(|&position| !self.nodes[position].is_up()) {
            Some(position) => {
                self.restart(position);
                Step::Node(position)
            }
            None => Step::World,
        }
    }

    fn restart(&mut self, node: usize) {
        for pair in self.links.pairs().filter(|pair| pair.0 == node || pair.1 == node) {
            if self.links.reset(pair) {
                self.tell_ends(pair, None);
            }
        }
        self.start(node);
    }

    fn pause(&mut self, node: NodeId, span: Duration) -> Step {
        self.tally.request(FaultKind::Pause);
        let until = self.now.after(span);
        let Some(position) = self.position(node) else { return Step::World };
        if let Some(process) = self.nodes[position].process.as_mut().filter(|it| it.paused_until.is_none()) {
            process.paused_until = Some(until);
            self.note(position, "pause", until.0, String::new);
            self.queue.push(until, Event::Resume { node: position, until });
        }
        Step::World
    }

    fn fill(&mut self, node: usize, span: Duration) {
        self.tally.request(FaultKind::DiskFull);
        self.nodes[node].disk.fill(true);
        self.queue.push(self.now.after(span), Event::Room { node });
        if self.nodes[node].is_up() {
            self.tally.inject(FaultKind::DiskFull);
            self.plan_arrival(self.now, node, Arrival::Space(false));
        }
    }

    fn tell_ends(&mut self, pair: Pair, session: Option<crate::types::SessionId>) {
        for ((_, peer), node) in ends(pair).into_iter().zip([pair.0, pair.1]) {
            if self.nodes[node].is_up() {
                self.plan_arrival(self.now, node, Arrival::Peer { peer, session });
            }
        }
    }
}

/// Every path between one node and the others, in both directions.
pub(super) fn around(node: NodeId, all: &[NodeId]) -> Vec<(NodeId, NodeId)> {
    all.iter().filter(|&&other| other != node).flat_map(|&other| [(node, other), (other, node)]).collect()
}
