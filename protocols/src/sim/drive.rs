//! How a world carries out the effects of a machine: what a driver does, in virtual time.
//!
//! No decision of a protocol stands here. What no driver could carry out is a violation of the contract.

use std::time::Duration;

use crate::log::{Body, Entry};
use crate::protocol::{Effect, Input, Place, Placed};
use crate::sim::application::Application;
use crate::sim::event::{Arrival, Job};
use crate::sim::gate;
use crate::sim::image::{Misuse, Snapshot, Write};
use crate::sim::invariant::{Answer, Happening};
use crate::sim::subject::Subject;
use crate::sim::trace::{mix, mix_bytes};
use crate::sim::violation::Violation;
use crate::sim::world::World;
use crate::types::{LogIndex, NodeId, WriteId};

const CONTRACT: &str = "driver contract";

impl<P: Subject, A: Application> World<P, A> {
    /// Carries one effect out.
    pub(super) fn carry_out(&mut self, node: usize, effect: Effect<P>) -> Result<(), Violation> {
        match effect {
            Effect::Send { after, .. } | Effect::Reply { after, .. } | Effect::Emit { after, .. } => {
                let process = self.process(node);
                if after > process.durable {
                    gate::hold(&mut process.gated, effect);
                } else {
                    self.speak(node, effect);
                }
            }
            Effect::Persist { id, records } => {
                let records = records.into_vec();
                if let Some(from) = records.iter().find_map(entry_index) {
                    self.happenings.push(Happening::LogWritten(from));
                }
                self.write(node, Write::Persist { id, records })?;
            }
            Effect::Truncate { id, from } => {
                self.happenings.push(Happening::LogWritten(from));
                self.write(node, Write::Truncate { id, from })?;
            }
            Effect::Compact { id, upto } => self.write(node, Write::Compact { id, upto })?,
            Effect::Load { request, from, to, max_bytes } => {
                let at = self.now.after(self.nodes[node].disk.read_time());
                self.plan_arrival(at, node, Arrival::Load { request, from, to, max_bytes });
            }
            Effect::Apply { entries } => self.push_job(node, Job::Apply(entries)),
            Effect::TakeSnapshot { meta } => self.push_job(node, Job::Snapshot(meta)),
            Effect::SendSnapshot { to, message } => self.send_snapshot(node, to, message),
            Effect::InstallSnapshot { id, from, meta } => {
                let received = self.process(node).received.remove(&from).filter(|got| got.meta == meta);
                let Some(snapshot) = received else {
                    return Err(
                        self.broken(node, format!("installs a snapshot {meta:?} that {from} did not send"))
                    );
                };
                self.happenings.push(Happening::LogReplaced(meta.index));
                self.write(node, Write::Install { id, snapshot })?;
            }
            Effect::DropSnapshot { from } => {
                self.process(node).received.remove(&from);
            }
            Effect::Watch { peers } => self.watch(node, peers),
        }
        Ok(())
    }

    /// Lets everything be heard that waited for writes up to `id`.
    pub(super) fn release(&mut self, node: usize, id: WriteId) {
        let process = self.process(node);
        process.durable = process.durable.max(id);
        while let Some(effect) = self.next_released(node) {
            self.speak(node, effect);
        }
    }

    /// Starts a sync if writes wait and none is in flight.
    pub(super) fn sync(&mut self, node: usize) {
        if let Some(latency) = self.nodes[node].disk.start_sync(self.now) {
            self.plan_arrival(self.now.after(latency), node, Arrival::SyncEnds);
        }
    }

    /// Gives the application a job, behind those it has.
    pub(super) fn push_job(&mut self, node: usize, job: Job) {
        let process = self.process(node);
        process.jobs.push_back(job);
        if process.jobs.len() == 1 {
            self.plan_job(node);
        }
    }

    /// Does the application's first job, which its time has come for.
    pub(super) fn end_job(&mut self, node: usize) -> Result<(), Violation> {
        let Some(job) = self.process(node).jobs.pop_front() else { return Ok(()) };
        if !self.process(node).jobs.is_empty() {
            self.plan_job(node);
        }
        match job {
            Job::Apply(entries) => self.apply(node, &entries),
            Job::Snapshot(meta) => {
                let applied = self.nodes[node].applied();
                if meta.index != applied {
                    let details = format!("takes a snapshot at {} of state at {applied}", meta.index);
                    return Err(self.broken(node, details));
                }
                let state = self.process(node).application.snapshot();
                let at = self.now.after(self.nodes[node].disk.snapshot_time());
                self.plan_arrival(at, node, Arrival::SnapshotWritten(Snapshot { meta, state }));
                Ok(())
            }
            Job::Install(snapshot) => {
                let process = self.process(node);
                if snapshot.meta.index > process.applied {
                    process.application.restore(&snapshot.meta, &snapshot.state);
                    process.applied = snapshot.meta.index;
                    let state = process.application.digest();
                    self.happenings.push(Happening::Restored { index: snapshot.meta.index, state });
                }
                self.input(node, Input::SnapshotInstalled(snapshot.meta))
            }
        }
    }

    fn apply(&mut self, node: usize, entries: &[Entry]) -> Result<(), Violation> {
        let Some(upto) = entries.last().map(|entry| entry.index) else {
            return Err(self.broken(node, "applies nothing".to_owned()));
        };
        let mut results = Vec::with_capacity(entries.len());
        for entry in entries {
            let process = self.nodes[node].process.as_mut().expect("jobs end in living processes");
            if entry.index != process.applied.next() {
                let details = format!("applies {} after {}", entry.index, process.applied);
                return Err(self.broken(node, details));
            }
            let result = process.application.apply(entry);
            process.applied = entry.index;
            let state = process.application.digest();
            if matches!(entry.body, Body::Command { .. }) {
                results.push((entry.index, result));
            }
            let hash = entry_hash(entry);
            self.happenings.push(Happening::Applied { index: entry.index, entry: hash, state });
        }
        let wake = self.process(node).application.wake();
        self.input(node, Input::Applied { upto, results, wake })
    }

    fn speak(&mut self, node: usize, effect: Effect<P>) {
        match effect {
            Effect::Send { to, message, .. } => self.send(node, to, message),
            Effect::Reply { token, reply, .. } => {
                self.answers.push(Answer { node: self.nodes[node].id, token, reply });
            }
            Effect::Emit { event, .. } => self.events.push((self.nodes[node].id, event)),
            // Only what can be held back is spoken.
            Effect::Persist { .. }
            | Effect::Truncate { .. }
            | Effect::Compact { .. }
            | Effect::Load { .. }
            | Effect::Apply { .. }
            | Effect::TakeSnapshot { .. }
            | Effect::SendSnapshot { .. }
            | Effect::InstallSnapshot { .. }
            | Effect::DropSnapshot { .. }
            | Effect::Watch { .. } => {}
        }
    }

    fn send(&mut self, node: usize, to: NodeId, message: P::Message) {
        let Some(target) = self.position(to).filter(|&target| target != node) else { return };
        let Some(session) = self.links.session(node, target) else { return };
        let from = self.nodes[node].id;
        let routes = self.network.route(self.now, from, to, P::message_size(&message));
        let mut message = Some(message);
        for (copy, &delay) in routes.delays().iter().enumerate() {
            let last = copy + 1 == routes.delays().len();
            let Some(message) = (if last { message.take() } else { message.clone() }) else { return };
            self.plan_arrival(self.now.after(delay), target, Arrival::Message { from, session, message });
        }
    }

    /// A snapshot goes as one bulk stream, which sends again what gets lost: it arrives whole if path and session hold at both ends of its
    /// journey.
    fn send_snapshot(&mut self, node: usize, to: NodeId, message: P::Message) {
        let snapshot = self.nodes[node].disk.durable().snapshot().cloned();
        let index = snapshot.as_ref().map_or(LogIndex::ZERO, |snapshot| snapshot.meta.index);
        let from = self.nodes[node].id;
        let target = self.position(to).filter(|&target| self.links.session(node, target).is_some());
        let there = match (&snapshot, target) {
            (Some(snapshot), Some(_)) => self.network.stream(self.now, from, to, snapshot.state.len()),
            _ => None,
        };
        let (Some(there), Some(snapshot), Some(target)) = (there, snapshot, target) else {
            let at = self.now.after(self.config.links.idle_timeout);
            self.plan_arrival(at, node, Arrival::SnapshotSent { to, index, delivered: false });
            return;
        };
        let arrives = self.now.after(there);
        self.plan_arrival(arrives, target, Arrival::SnapshotArrives { from, message, snapshot });
        let (at, delivered) = match self.network.stream(arrives, to, from, 64) {
            Some(back) => (arrives.after(back), self.nodes[target].is_up()),
            None => (arrives.after(self.config.links.idle_timeout), false),
        };
        self.plan_arrival(at, node, Arrival::SnapshotSent { to, index, delivered });
    }

    fn write(&mut self, node: usize, write: Write<P>) -> Result<(), Violation> {
        match self.nodes[node].disk.write(self.now, write) {
            Ok(Some(latency)) => {
                self.plan_arrival(self.now.after(latency), node, Arrival::SyncEnds);
                self.die_in_write(node, latency);
            }
            Ok(None) => {}
            Err(misuse) => {
                let last = self.nodes[node].disk.written().last_index();
                let details = match misuse {
                    Misuse::Hole(index) => format!("writes entry {index} after {last}"),
                    Misuse::Compacted(index) => {
                        format!("writes entry {index}, which a compaction has forgotten")
                    }
                    Misuse::NoSnapshot(upto) => {
                        format!("compacts up to {upto}, which no durable snapshot contains")
                    }
                };
                return Err(self.broken(node, details));
            }
        }
        Ok(())
    }

    fn plan_job(&mut self, node: usize) {
        let at = self.now.after(self.chance.duration(Duration::ZERO, self.config.job_max));
        self.plan_arrival(at, node, Arrival::JobEnds);
    }

    fn next_released(&mut self, node: usize) -> Option<Effect<P>> {
        let process = self.process(node);
        gate::released(&mut process.gated, process.durable)
    }

    fn broken(&self, node: usize, details: String) -> Violation {
        Violation { invariant: CONTRACT, at: self.now, node: Some(self.nodes[node].id), details }
    }
}

/// A hash of everything an entry carries.
#[must_use]
pub fn entry_hash(entry: &Entry) -> u64 {
    let hash = mix(mix(entry.term.0, entry.index.0), entry.time.0);
    match &entry.body {
        Body::Noop => mix(hash, 1),
        Body::Command { session, payload } => {
            let tag = session.map_or(0, |tag| mix(tag.client.0, tag.sequence));
            mix_bytes(mix(mix(hash, 2), tag), payload)
        }
        Body::Configuration(bytes) => mix_bytes(mix(hash, 3), bytes),
        Body::Withheld => mix(hash, 4),
    }
}

/// The index of a record that is an entry.
pub(super) fn entry_index<R: Placed>(record: &R) -> Option<LogIndex> {
    match record.place() {
        Place::Entry(index) => Some(index),
        Place::Cell(_) => None,
    }
}
