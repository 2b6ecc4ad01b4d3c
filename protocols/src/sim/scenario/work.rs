//! What follows by itself: syncs of disks that are not held, jobs of applications, timers, and messages that arrive.
//!
//! In one fixed order, so that equal scripts give equal stories.

use std::time::Duration;

use crate::log::{Body, Entry};
use crate::protocol::Input;
use crate::sim::application::Application;
use crate::sim::disk::Synced;
use crate::sim::drive::entry_hash;
use crate::sim::event::Job;
use crate::sim::image::Snapshot;
use crate::sim::invariant::Happening;
use crate::sim::scenario::dialect::Dialect;
use crate::sim::scenario::misread::Misread;
use crate::sim::scenario::stage::Stage;
use crate::sim::scenario::story::Loudness;
use crate::sim::scenario::wire::Parcel;
use crate::types::{LogIndex, NodeId, Timestamp};

/// More steps than this at one instant are taken for something that goes back and forth without end.
const STEPS_PER_INSTANT: usize = 100_000;

impl<P: Dialect> Stage<P> {
    /// Lets a node's disk, driver and application do what they have to do, as far as they are not held.
    pub(super) fn work(&mut self, at: usize) {
        while self.sync_next(at) || self.report(at) || self.do_job(at) || self.keep_snapshot(at) {}
    }

    /// Makes the first `writes` of those that wait durable.
    pub(super) fn sync(&mut self, at: usize, writes: usize) {
        self.happenings.push(Happening::Durable);
        match self.nodes[at].disk.sync(writes) {
            Synced::Failed => self.input(at, Input::WriteFailed),
            Synced::Durable(id, installed) => {
                if let Some(process) = self.nodes[at].process.as_mut() {
                    process.jobs.extend(installed.into_iter().map(Job::Install));
                    process.durable = process.durable.max(id);
                }
                self.speak_released(at);
                self.input(at, Input::Persisted(id));
            }
        }
    }

    /// Lets every machine do what is due at this instant, and nothing travel.
    pub(super) fn drain(&mut self) -> Result<(), Misread> {
        for _ in 0..STEPS_PER_INSTANT {
            (0..self.nodes.len()).for_each(|at| self.work(at));
            if !self.fire_next() {
                return Ok(());
            }
        }
        Err(Misread::Endless)
    }

    /// Delivers everything that has arrived by `until`, and everything that follows from it, without time passing.
    pub(super) fn settle(&mut self, until: Timestamp) -> Result<(), Misread> {
        for _ in 0..STEPS_PER_INSTANT {
            self.drain()?;
            let seats = &self.seats;
            let is_paused = |node: NodeId| usize::try_from(node.0 - 1).is_ok_and(|at| seats[at].is_paused);
            let Some(parcel) = self.wire.arrival(until, is_paused) else { return Ok(()) };
            self.deliver(parcel);
        }
        Err(Misread::Endless)
    }

    /// Lets time pass until something is as it is to be; says whether it came to that.
    pub(super) fn advance(&mut self, time: Duration, aim: Option<&P::Aim>) -> Result<bool, Misread> {
        let end = self.now.after(time);
        loop {
            self.settle(self.now)?;
            if aim.is_some_and(|aim| P::is_reached(aim, &self.nodes)) {
                return Ok(true);
            }
            match self.next_instant().filter(|&next| next <= end) {
                Some(next) => self.now = next.max(self.now),
                None => {
                    self.now = end;
                    return Ok(false);
                }
            }
        }
    }

    /// Takes a parcel to its receiver.
    pub(super) fn deliver(&mut self, parcel: Parcel<P>) {
        let Ok(at) = self.position(parcel.to) else { return };
        let Some(process) = self.nodes[at].process.as_mut() else { return self.lose(parcel, "down") };
        let (from, to) = (parcel.from, parcel.to);
        self.story.tell(Loudness::Arrivals, || format!("{from:?} => {to:?} {}", parcel.words()));
        let Parcel { message, snapshot, .. } = parcel;
        match snapshot {
            None => self.input(at, Input::Message { from, session: self.session, message }),
            Some(snapshot) => {
                let meta = snapshot.meta.clone();
                process.received.insert(from, snapshot);
                self.confirm(from, to, meta.index, true);
                self.input(at, Input::SnapshotReceived { from, message: Box::new(message), meta });
            }
        }
        self.work(at);
    }

    /// Loses a parcel.
    pub(super) fn lose(&mut self, parcel: Parcel<P>, reason: &str) {
        let (from, to) = (parcel.from, parcel.to);
        self.story.tell(Loudness::Arrivals, || format!("{from:?} -x {to:?} {} ({reason})", parcel.words()));
        if let Some(snapshot) = parcel.snapshot {
            self.confirm(from, to, snapshot.meta.index, false);
        }
    }

    /// Tells the sender what became of a snapshot.
    fn confirm(&mut self, from: NodeId, to: NodeId, index: LogIndex, delivered: bool) {
        if let Ok(sender) = self.position(from) {
            self.seats[sender].reports.push_back(Input::SnapshotSent { to, index, delivered });
        }
    }

    /// When something happens next by itself, after this instant.
    fn next_instant(&self) -> Option<Timestamp> {
        let deadlines = self.nodes.iter().zip(&self.seats).filter_map(|(node, seat)| {
            let process = node.process.as_ref().filter(|_| !seat.is_paused)?;
            let deadline = process.machine.next_deadline().filter(|&deadline| deadline < Timestamp::NEVER)?;
            Some(process.clock.world(deadline))
        });
        let arrival = self.wire.next_arrival(|node| self.is_paused(node));
        deadlines.chain(arrival).min()
    }

    /// Lets the first machine that has run into its deadline know it.
    fn fire_next(&mut self) -> bool {
        let now = self.now;
        let is_due = |at: &usize| {
            let Some(process) = &self.nodes[*at].process else { return false };
            let deadline = process.machine.next_deadline();
            !self.seats[*at].is_paused && deadline.is_some_and(|at| at <= process.clock.local(now))
        };
        let Some(at) = (0..self.nodes.len()).find(is_due) else { return false };
        self.input(at, Input::Timeout);
        true
    }

    fn sync_next(&mut self, at: usize) -> bool {
        let (seat, node) = (&self.seats[at], &self.nodes[at]);
        let is_free = !seat.disk_is_held && !seat.is_paused && node.is_up();
        if is_free && node.disk.waiting().len() > 0 {
            self.sync(at, usize::MAX);
            return true;
        }
        false
    }

    fn report(&mut self, at: usize) -> bool {
        if self.seats[at].is_paused {
            return false;
        }
        let Some(report) = self.seats[at].reports.pop_front() else { return false };
        self.input(at, report);
        true
    }

    fn do_job(&mut self, at: usize) -> bool {
        if self.seats[at].is_paused || self.seats[at].application_is_held {
            return false;
        }
        let Some(process) = self.nodes[at].process.as_mut() else { return false };
        match process.jobs.pop_front() {
            None => return false,
            Some(Job::Apply(entries)) => self.apply(at, &entries),
            Some(Job::Snapshot(meta)) => {
                let state = process.application.snapshot();
                self.seats[at].snapshots.push_back(Snapshot { meta, state });
            }
            Some(Job::Install(snapshot)) => self.install(at, snapshot),
        }
        true
    }

    fn apply(&mut self, at: usize, entries: &[Entry]) {
        let Some(process) = self.nodes[at].process.as_mut() else { return };
        let Some(upto) = entries.last().map(|entry| entry.index) else { return };
        let mut results = Vec::new();
        for entry in entries {
            let result = process.application.apply(entry);
            process.applied = entry.index;
            if matches!(entry.body, Body::Command { .. }) {
                results.push((entry.index, result));
            }
            let (entry, index, state) = (entry_hash(entry), entry.index, process.application.digest());
            self.happenings.push(Happening::Applied { index, entry, state });
        }
        let wake = process.application.wake();
        self.input(at, Input::Applied { upto, results, wake });
    }

    fn install(&mut self, at: usize, snapshot: Snapshot) {
        let Some(process) = self.nodes[at].process.as_mut() else { return };
        if snapshot.meta.index > process.applied {
            process.application.restore(&snapshot.meta, &snapshot.state);
            process.applied = snapshot.meta.index;
            let state = process.application.digest();
            self.happenings.push(Happening::Restored { index: snapshot.meta.index, state });
        }
        self.input(at, Input::SnapshotInstalled(snapshot.meta));
    }

    fn keep_snapshot(&mut self, at: usize) -> bool {
        let seat = &mut self.seats[at];
        if seat.is_paused || seat.snapshots_are_held {
            return false;
        }
        let Some(snapshot) = seat.snapshots.pop_front() else { return false };
        let kept = !seat.snapshots_fail && self.nodes[at].disk.save_snapshot(self.now, &snapshot);
        self.input(at, snapshot.written(kept));
        true
    }
}
