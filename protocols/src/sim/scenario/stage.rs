//! The stage: nodes, disks and the wire, on which nothing moves unless it is moved.
//!
//! Takes inputs to machines, carries their effects out by the rules of [`crate::protocol`], and checks the law after each. What
//! then follows by itself stands in `work.rs`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::protocol::{Effect, Input};
use crate::sim::application::Application;
use crate::sim::clock::Clock;
use crate::sim::disk::{Disk, DiskConfig};
use crate::sim::event::Job;
use crate::sim::image::{Snapshot, Write};
use crate::sim::invariant::{Answer, Happening, Invariant, Scene};
use crate::sim::node::{Node, Process};
use crate::sim::scenario::deed::{Loss, Stores};
use crate::sim::scenario::dialect::Dialect;
use crate::sim::scenario::misread::Misread;
use crate::sim::scenario::page::Page;
use crate::sim::scenario::story::{Loudness, Story};
use crate::sim::scenario::wire::{Parcel, Wire};
use crate::sim::violation::Violation;
use crate::types::{LogIndex, NodeId, SessionId, StoreId, Timestamp, Token};

/// Local clocks do not begin at zero.
const ORIGIN: u64 = 1_000_000_000;

/// The first disk of node 1 has the identity after this, its second one the identity this much further on.
const STORES: u64 = 100;

/// The seed of every machine; scripts that depend on what it draws say so by their timeouts.
const SEED: u64 = 1;

/// What a script has done to one node, and what comes to its machine by itself.
#[derive(Debug)]
pub(super) struct Seat<P: Dialect> {
    pub(super) disk_is_held: bool,
    pub(super) application_is_held: bool,
    pub(super) snapshots_are_held: bool,
    pub(super) snapshots_fail: bool,
    pub(super) is_paused: bool,
    /// What the driver has for the machine, in order.
    pub(super) reports: VecDeque<Input<P>>,
    /// Snapshots that are being written.
    pub(super) snapshots: VecDeque<Snapshot>,
    glance: Option<P::Glance>,
}

/// Everything there is.
#[derive(Debug)]
pub(super) struct Stage<P: Dialect> {
    pub(super) now: Timestamp,
    pub(super) nodes: Vec<Node<P, Page>>,
    pub(super) seats: Vec<Seat<P>>,
    pub(super) wire: Wire<P>,
    pub(super) story: Story,
    /// Rare paths that machines said they took.
    pub(super) paths: BTreeSet<&'static str>,
    pub(super) happenings: Vec<Happening>,
    pub(super) broken: Option<Violation>,
    pub(super) session: SessionId,
    law: P::Law,
    answers: Vec<Answer<P>>,
    labels: BTreeMap<Token, String>,
    last_token: Token,
}

impl<P: Dialect> Seat<P> {
    fn new() -> Self {
        Self {
            disk_is_held: false,
            application_is_held: false,
            snapshots_are_held: false,
            snapshots_fail: false,
            is_paused: false,
            reports: VecDeque::new(),
            snapshots: VecDeque::new(),
            glance: None,
        }
    }
}

impl<P: Dialect> Default for Stage<P> {
    fn default() -> Self {
        Self {
            now: Timestamp(ORIGIN),
            nodes: Vec::new(),
            seats: Vec::new(),
            wire: Wire::default(),
            story: Story::default(),
            paths: BTreeSet::new(),
            happenings: Vec::new(),
            broken: None,
            session: SessionId(1),
            law: P::Law::default(),
            answers: Vec::new(),
            labels: BTreeMap::new(),
            last_token: Token::ZERO,
        }
    }
}

impl<P: Dialect> Stage<P> {
    /// Puts nodes on the stage, without processes. Number i has the id i + 1.
    pub(super) fn populate(&mut self, configs: Vec<P::Config>, stores: Stores) {
        for (id, config) in (1..).map(NodeId).zip(configs) {
            let store = match stores {
                Stores::Nameless => StoreId::ZERO,
                Stores::Named => StoreId(STORES + id.0),
            };
            self.nodes.push(Node::new(id, config, Disk::new(id.0, DiskConfig::calm()), store));
            self.seats.push(Seat::new());
        }
    }

    /// Puts an empty disk in the place of a node's, with an identity of its own if the one before had one.
    pub(super) fn replace_disk(&mut self, at: usize, loss: Loss) {
        let node = &mut self.nodes[at];
        node.disk = Disk::new(node.id.0, DiskConfig::calm());
        node.rejoin = loss == Loss::Noticed;
        if node.store != StoreId::ZERO {
            node.store = StoreId(node.store.0 + STORES);
        }
    }

    /// Starts a process on what the disk holds.
    pub(super) fn boot(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        node.life += 1;
        let seed = SEED << 48 | node.id.0 << 32 | node.life;
        let mut config = node.config.clone();
        P::situate(&mut config, node.store, node.rejoin);
        let machine = P::restore(config, seed, node.disk.recover());
        let mut application = Page::default();
        let mut applied = LogIndex::ZERO;
        self.happenings.push(Happening::Started);
        if let Some(snapshot) = node.disk.durable().snapshot() {
            application.restore(&snapshot.meta, &snapshot.state);
            applied = snapshot.meta.index;
            self.happenings.push(Happening::Restored { index: applied, state: application.digest() });
        }
        let clock = Clock::new(Timestamp::ZERO, 0, 0);
        node.process = Some(Process::new(machine, clock, application, applied));
        self.seats[at] = Seat { disk_is_held: self.seats[at].disk_is_held, ..Seat::new() };
        if self.nodes[at].life > 1 {
            self.tell_changes(at);
        }
        self.seats[at].glance = self.nodes[at].machine().map(P::glance);
        self.check(at);
    }

    /// Ends a process; of the writes that its disk has not synced the first `writes` survive, and `records` of the next.
    pub(super) fn kill(&mut self, at: usize, writes: usize, records: usize) {
        self.nodes[at].disk.crash_keeping(writes, records);
        self.nodes[at].process = None;
        self.happenings.push(Happening::Crashed);
        self.check(at);
    }

    /// Takes a question to a machine.
    pub(super) fn ask(&mut self, at: usize, label: String, command: P::Command) {
        self.last_token = self.last_token.next();
        let token = self.last_token;
        self.labels.insert(token, label);
        self.happenings.push(Happening::Asked(token));
        self.input(at, Input::Command { token, command });
    }

    /// Takes one input to a machine and carries out what it answers.
    pub(super) fn input(&mut self, at: usize, input: Input<P>) {
        let now = self.now;
        let Some(process) = self.nodes[at].process.as_mut() else { return };
        let local = process.clock.local(now);
        process.machine.handle(local, input, &mut process.outbox);
        let effects = process.outbox.take();
        self.paths.extend(process.outbox.take_reached());
        self.tell_changes(at);
        for effect in effects {
            self.carry_out(at, effect);
        }
        self.check(at);
    }

    /// Where a node stands among the nodes.
    pub(super) fn position(&self, node: NodeId) -> Result<usize, Misread> {
        if self.nodes.is_empty() {
            return Err(Misread::NotStarted);
        }
        let known = self.nodes.iter().position(|it| it.id == node);
        known.ok_or(Misread::NoNode(node))
    }

    /// Whether what arrives at a node has to wait.
    pub(super) fn is_paused(&self, node: NodeId) -> bool {
        self.position(node).is_ok_and(|at| self.seats[at].is_paused)
    }

    /// Judges the end, when everything that is owed has to have come.
    pub(super) fn finish(&mut self) {
        let answers = std::mem::take(&mut self.answers);
        let scene = Scene { now: self.now, actor: 0, happenings: &[], answers: &answers, nodes: &self.nodes };
        let judged = self.law.finish(&scene);
        self.judge(judged);
    }

    /// Lets everything be heard that waited for writes up to those that are durable.
    pub(super) fn speak_released(&mut self, at: usize) {
        loop {
            let Some(process) = self.nodes[at].process.as_mut() else { return };
            let durable = process.durable;
            let is_free = |effect: &mut Effect<P>| match effect {
                Effect::Send { after, .. } | Effect::Reply { after, .. } | Effect::Emit { after, .. } => {
                    *after <= durable
                }
                _ => true,
            };
            let Some(effect) = process.gated.pop_front_if(is_free) else { return };
            self.speak(at, effect);
        }
    }

    fn carry_out(&mut self, at: usize, effect: Effect<P>) {
        let Some(process) = self.nodes[at].process.as_mut() else { return };
        match effect {
            Effect::Send { after, .. } | Effect::Reply { after, .. } | Effect::Emit { after, .. } => {
                if after > process.durable {
                    process.gated.push_back(effect);
                } else {
                    self.speak(at, effect);
                }
            }
            Effect::Persist { id, records } => {
                self.write(at, Write::Persist { id, records: records.into_vec() });
            }
            Effect::Truncate { id, from } => self.write(at, Write::Truncate { id, from }),
            Effect::Compact { id, upto } => self.write(at, Write::Compact { id, upto }),
            Effect::Load { request, from, to, max_bytes } => {
                let records = self.nodes[at].disk.load(self.now, from, to, max_bytes);
                self.seats[at].reports.push_back(Input::Loaded { request, records });
            }
            Effect::Apply { entries } => process.jobs.push_back(Job::Apply(entries)),
            Effect::TakeSnapshot { meta } => process.jobs.push_back(Job::Snapshot(meta)),
            Effect::SendSnapshot { to, message } => {
                let snapshot = self.nodes[at].disk.durable().snapshot().cloned();
                self.send(at, to, message, snapshot);
            }
            Effect::InstallSnapshot { id, from, meta } => match process.received.remove(&from) {
                Some(snapshot) if snapshot.meta == meta => {
                    self.happenings.push(Happening::LogReplaced(meta.index));
                    self.write(at, Write::Install { id, snapshot });
                }
                _ => self
                    .break_contract(at, format!("installs snapshot {} that {from} did not send", meta.index)),
            },
            Effect::DropSnapshot { from } => {
                process.received.remove(&from);
            }
            Effect::Watch { peers } => process.watched = peers,
        }
    }

    fn speak(&mut self, at: usize, effect: Effect<P>) {
        let id = self.nodes[at].id;
        match effect {
            Effect::Send { to, message, .. } => self.send(at, to, message, None),
            Effect::Reply { token, reply, .. } => {
                let label = self.labels.get(&token).map_or("a question nobody asked", String::as_str);
                if let Some(words) = P::answer(&reply) {
                    self.story.tell(Loudness::Quiet, || format!("{id:?} answers {label}: {words}"));
                }
                self.answers.push(Answer { node: id, token, reply });
            }
            Effect::Emit { event, .. } => {
                if let Some(words) = P::event(&event) {
                    self.story.tell(Loudness::Quiet, || format!("{id:?} reports {words}"));
                }
            }
            // Only what can be held back is spoken.
            _ => {}
        }
    }

    fn send(&mut self, at: usize, to: NodeId, message: P::Message, snapshot: Option<Snapshot>) {
        let from = self.nodes[at].id;
        if self.position(to).is_err() || to == from {
            return;
        }
        let parcel = Parcel { from, to, message, snapshot, due: self.now.after(self.wire.delay) };
        if self.wire.is_cut(from, to) {
            return self.lose(parcel, "cut");
        }
        let (is_held, is_paused) = (self.wire.is_held(&parcel), self.is_paused(to));
        let loudness = if is_held || is_paused { Loudness::Arrivals } else { Loudness::All };
        self.story.tell(loudness, || {
            let remark = if is_held {
                " (held)"
            } else if is_paused {
                " (paused)"
            } else {
                ""
            };
            format!("{from:?} -> {to:?} {}{remark}", parcel.words())
        });
        self.wire.send(parcel);
    }

    fn write(&mut self, at: usize, write: Write<P>) {
        match &write {
            Write::Persist { records, .. } => {
                let first = records.iter().find_map(crate::sim::drive::entry_index);
                self.happenings.extend(first.map(Happening::LogWritten));
            }
            Write::Truncate { from, .. } => self.happenings.push(Happening::LogWritten(*from)),
            Write::Compact { .. } | Write::Install { .. } => {}
        }
        if self.seats[at].disk_is_held {
            let id = self.nodes[at].id;
            self.story.tell(Loudness::All, || format!("{id:?} writes {}", write_in_words(&write)));
        }
        if let Err(misuse) = self.nodes[at].disk.write(self.now, write) {
            self.break_contract(at, format!("asks for a write that makes no sense: {misuse:?}"));
        }
    }

    /// Says what is different about a machine.
    fn tell_changes(&mut self, at: usize) {
        let Some(machine) = self.nodes[at].machine() else { return };
        let after = machine.glance();
        let before = self.seats[at].glance.as_ref();
        if before != Some(&after) {
            let id = self.nodes[at].id;
            for change in P::changes(before, &after) {
                self.story.tell(Loudness::Quiet, || format!("{id:?} {change}"));
            }
            self.seats[at].glance = Some(after);
        }
    }

    fn check(&mut self, at: usize) {
        let (happenings, answers) = (std::mem::take(&mut self.happenings), std::mem::take(&mut self.answers));
        if self.broken.is_some() {
            return;
        }
        let scene = Scene {
            now: self.now,
            actor: at,
            happenings: &happenings,
            answers: &answers,
            nodes: &self.nodes,
        };
        let judged = self.law.check(&scene);
        self.judge(judged);
    }

    fn break_contract(&mut self, at: usize, details: String) {
        let node = Some(self.nodes[at].id);
        self.judge(Err(Violation { invariant: "driver contract", at: self.now, node, details }));
    }

    fn judge(&mut self, judged: Result<(), Violation>) {
        let Err(violation) = judged else { return };
        let by = violation.node.map_or(String::new(), |node| format!(" by {node:?}"));
        self.story.say(format!("BROKEN {}{by}: {}", violation.invariant, violation.details));
        self.broken.get_or_insert(violation);
    }
}

/// A write in words.
pub(super) fn write_in_words<P: Dialect>(write: &Write<P>) -> String {
    match write {
        Write::Persist { records, .. } => {
            let records: Vec<String> = records.iter().map(P::record).collect();
            records.join(", ")
        }
        Write::Truncate { from, .. } => format!("that entries from {from} on are void"),
        Write::Compact { upto, .. } => format!("that entries up to {upto} are void"),
        Write::Install { snapshot, .. } => format!("snapshot {}@{}", snapshot.meta.index, snapshot.meta.term),
    }
}
