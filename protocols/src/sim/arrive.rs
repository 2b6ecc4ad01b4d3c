//! How what comes to a process reaches its machine: at once, or after a pause; and when a deadline has passed.
//!
//! What a machine answers is carried out in `drive.rs`.

use crate::protocol::Input;
use crate::sim::application::Application;
use crate::sim::disk::Synced;
use crate::sim::event::{Arrival, Job};
use crate::sim::invariant::Happening;
use crate::sim::subject::Subject;
use crate::sim::trace::in_words;
use crate::sim::violation::Violation;
use crate::sim::world::{Step, World};

impl<P: Subject, A: Application> World<P, A> {
    /// Lets something come to the process it is for, if that still lives.
    pub(super) fn arrive(&mut self, node: usize, life: u64, arrival: Arrival<P>) -> Result<Step, Violation> {
        let it = &mut self.nodes[node];
        let Some(process) = it.process.as_mut().filter(|_| it.life == life) else { return Ok(Step::World) };
        let paused = process.paused_until.is_some();
        let words = self.config.trace_words;
        self.note(node, arrival.kind(), arrival.digest(), || {
            if words { in_words(&arrival) } else { String::new() }
        });
        // The disk works on while the process does not.
        let arrival = match arrival {
            Arrival::SyncEnds => {
                self.happenings.push(Happening::Durable);
                Arrival::SyncSeen(self.nodes[node].disk.finish_sync())
            }
            other => other,
        };
        if paused {
            self.process(node).backlog.push(arrival);
        } else {
            self.take(node, arrival)?;
        }
        Ok(Step::Node(node))
    }

    fn take(&mut self, node: usize, arrival: Arrival<P>) -> Result<(), Violation> {
        match arrival {
            Arrival::Message { from, session, message } => {
                self.input(node, Input::Message { from, session, message })
            }
            Arrival::Command { token, command } => {
                self.happenings.push(Happening::Asked(token));
                self.input(node, Input::Command { token, command })
            }
            Arrival::SyncEnds => Ok(()),
            Arrival::SyncSeen(outcome) => self.hear_sync(node, outcome),
            Arrival::JobEnds => self.end_job(node),
            Arrival::SnapshotWritten(snapshot) => {
                let kept = self.nodes[node].disk.save_snapshot(self.now, &snapshot);
                self.input(node, snapshot.written(kept))
            }
            Arrival::SnapshotArrives { from, message, snapshot } => {
                let meta = snapshot.meta.clone();
                self.process(node).received.insert(from, snapshot);
                self.input(node, Input::SnapshotReceived { from, message: Box::new(message), meta })
            }
            Arrival::SnapshotSent { to, index, delivered } => {
                self.input(node, Input::SnapshotSent { to, index, delivered })
            }
            Arrival::Load { request, from, to, max_bytes } => {
                let records = self.nodes[node].disk.load(self.now, from, to, max_bytes);
                self.input(node, Input::Loaded { request, records })
            }
            Arrival::Peer { peer, session: Some(session) } => {
                self.input(node, Input::Reachable { peer, session })
            }
            Arrival::Peer { peer, session: None } => {
                self.input(node, Input::Unreachable { peer })?;
                self.suspect(node, peer)
            }
            Arrival::Doubt { peer } if self.is_linked(node, peer) => Ok(()),
            Arrival::Doubt { peer } => self.suspect(node, peer),
            Arrival::Space(available) => self.input(node, Input::Space { available }),
        }
    }

    fn hear_sync(&mut self, node: usize, outcome: Synced) -> Result<(), Violation> {
        match outcome {
            Synced::Failed => self.input(node, Input::WriteFailed),
            Synced::Durable(id, installed) => {
                for snapshot in installed {
                    self.push_job(node, Job::Install(snapshot));
                }
                self.release(node, id);
                self.sync(node);
                self.input(node, Input::Persisted(id))
            }
        }
    }

    /// Looks whether a machine ran into its deadline.
    pub(super) fn timer(&mut self, node: usize) -> Result<Step, Violation> {
        let now = self.now;
        let Some(process) = self.nodes[node].process.as_mut() else { return Ok(Step::World) };
        if process.armed != Some(now) || process.paused_until.is_some() {
            return Ok(Step::World);
        }
        process.armed = None;
        if process.machine.next_deadline().is_some_and(|deadline| deadline <= process.clock.local(now)) {
            self.note(node, "timeout", 0, String::new);
            self.input(node, Input::Timeout)?;
            return Ok(Step::Node(node));
        }
        self.arm(node);
        Ok(Step::World)
    }

    /// Hands one input to a machine and carries out what it answers.
    pub(super) fn input(&mut self, node: usize, input: Input<P>) -> Result<(), Violation> {
        let now = self.now;
        let process = self.process(node);
        let local = process.clock.local(now);
        process.machine.handle(local, input, &mut process.outbox);
        let elected =
            process.machine.leads() && !std::mem::replace(&mut process.leads, process.machine.leads());
        let effects = process.outbox.take();
        for path in process.outbox.take_reached() {
            *self.reached.entry(path).or_default() += 1;
        }
        for effect in effects {
            self.carry_out(node, effect)?;
        }
        self.arm(node);
        if elected && now < self.coups.0 {
            self.depose(node);
        }
        Ok(())
    }
}
