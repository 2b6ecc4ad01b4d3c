//! How machines come to their driver and leave it.
//!
//! A machine that leaves keeps its records on the disk.

use std::collections::BTreeSet;
use std::sync::Arc;

use synod_protocols::log::SnapshotMeta;
use synod_protocols::prng::Prng;
use synod_protocols::{Input, Protocol, Recovered, Timestamp};
use tokio::sync::oneshot;

use crate::address::MachineId;
use crate::driver::feed::{Arrival, Creation, Uncreated};
use crate::driver::host::Host;
use crate::driver::machines::{Coming, Hosted};
use crate::driver::seat::Seat;
use crate::driver::state::Driver;
use crate::driver::thaw::{ThawFault, Thawed};

impl<P: Protocol> Driver<P> {
    /// Begins to host a machine: at once, or when its snapshot has been read beside this thread.
    pub(crate) fn create(&mut self, now: Timestamp, creation: Creation<P>) {
        let Creation { machine, name, config, recovered, host, done } = creation;
        if self.machines.contains_key(&machine) || self.coming.contains_key(&machine) {
            // Who asked may have lost interest.
            let _ = done.send(Err(Uncreated::Exists));
            return;
        }
        let coming = Coming { name, config, recovered, host: host(), done };
        if coming.recovered.snapshot.is_none() {
            return self.admit(now, machine, coming);
        }
        let (thaw, feed) = (coming.host.thaw(), Arc::clone(&self.feed));
        self.coming.insert(machine, coming);
        self.store.snapshots().load(machine, move |loaded| {
            feed.push(Arrival::Thawed { machine, result: thaw.read_loaded(loaded) });
        });
    }

    /// The snapshot of a machine that is about to be hosted was read.
    pub(crate) fn thawed(
        &mut self,
        now: Timestamp,
        machine: MachineId,
        result: Result<(SnapshotMeta, Thawed), ThawFault>,
    ) {
        // It may have been removed meanwhile.
        let Some(coming) = self.coming.remove(&machine) else { return };
        match result {
            Ok((_, thawed)) => {
                thawed.put();
                self.admit(now, machine, coming);
            }
            Err(fault) => {
                // Who asked may have lost interest.
                let _ = coming.done.send(Err(Uncreated::Snapshot(fault)));
            }
        }
    }

    /// Hosts a machine whose application is ready, and tells it what it has missed.
    fn admit(&mut self, now: Timestamp, machine: MachineId, coming: Coming<P>) {
        let Coming { name, config, recovered, host, done } = coming;
        let result = self.revive(machine, name, config, recovered, host);
        let created = result.is_ok();
        // Who asked may have lost interest; the machine lives all the same.
        let _ = done.send(result);
        if !created {
            return;
        }
        if !self.room.is_available() {
            self.step(now, machine, Input::Space { available: false });
        }
        let links: Vec<_> = self.links.up().collect();
        for (peer, session) in links {
            self.step(now, machine, Input::Reachable { peer, session });
        }
    }

    /// Ends the hosting of a machine; says whether it was hosted. Its unanswered callers learn that the outcome is unknown.
    pub(crate) fn remove(&mut self, machine: MachineId) -> bool {
        self.deadlines.set(machine, None);
        self.watches.set(machine, BTreeSet::new());
        let coming = self.coming.remove(&machine).is_some();
        let Some(hosted) = self.machines.remove(&machine) else { return coming };
        self.writes.forget(hosted.seat);
        true
    }

    /// Whether nothing that was promised waits for the disk.
    pub(crate) fn is_flushed(&self) -> bool {
        self.writes.is_idle() && self.machines.values().all(|hosted| hosted.failed || !hosted.installing)
    }

    /// Lets go of everybody who waits for the driver.
    pub(crate) fn farewell(&mut self, waiting: Vec<oneshot::Sender<()>>) {
        self.store.snapshots().leave();
        self.machines.clear();
        self.coming.clear();
        for done in waiting {
            // Who asked may have lost interest.
            let _ = done.send(());
        }
    }

    fn revive(
        &mut self,
        machine: MachineId,
        name: Arc<str>,
        config: P::Config,
        recovered: Recovered<P::Record>,
        host: Box<dyn Host<P>>,
    ) -> Result<(), Uncreated> {
        if !self.stopping.is_empty() {
            return Err(Uncreated::Stopped);
        }
        let seed = Prng::fork(self.seed, machine.0).next_u64();
        self.last_stay += 1;
        let seat = Seat { machine, stay: self.last_stay };
        let value = P::restore(config, seed, recovered);
        self.deadlines.set(machine, value.next_deadline());
        let mut hosted = Hosted::new(seat, name, value, host);
        if let Some(left) = self.store.snapshots().left(machine) {
            hosted.transfers().resume(left);
        }
        self.machines.insert(machine, Box::new(hosted));
        Ok(())
    }
}
