//! How machines come to their driver and leave it.
//!
//! A machine that leaves keeps its records on the disk.

use std::collections::BTreeSet;
use std::io;

use synod_protocols::prng::Prng;
use synod_protocols::{Input, Protocol, Recovered, Timestamp};
use tokio::sync::oneshot;

use crate::address::MachineId;
use crate::driver::feed::{Creation, Uncreated};
use crate::driver::machines::Hosted;
use crate::driver::seat::Seat;
use crate::driver::state::Driver;
use crate::storage::RecoveredMachine;
use crate::wire::decode;

/// The longest record that is read, in bytes: the log writes none above its segment size.
const RECORD_BYTES: usize = 1 << 30;

impl<P: Protocol> Driver<P> {
    /// Begins to host a machine and tells it what it has missed.
    pub(crate) fn create(&mut self, now: Timestamp, creation: Creation<P>) {
        let Creation { machine, name, config, recovered, body, host, done } = creation;
        let result = self.revive(machine, name, config, recovered, body, host);
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
        self.machines.remove(&machine).is_some()
    }

    /// Whether nothing that was promised waits for the disk.
    pub(crate) fn is_flushed(&self) -> bool {
        self.writes.is_idle() && self.machines.values().all(|hosted| hosted.failed || !hosted.installing)
    }

    /// Lets go of everybody who waits for the driver.
    pub(crate) fn farewell(&mut self, waiting: Vec<oneshot::Sender<()>>) {
        self.machines.clear();
        for done in waiting {
            // Who asked may have lost interest.
            let _ = done.send(());
        }
    }

    fn revive(
        &mut self,
        machine: MachineId,
        name: String,
        config: P::Config,
        recovered: RecoveredMachine,
        body: Option<crate::storage::SnapshotBody>,
        host: Box<dyn FnOnce() -> Box<dyn crate::driver::host::Host<P>> + Send>,
    ) -> Result<(), Uncreated> {
        if self.machines.contains_key(&machine) {
            return Err(Uncreated::Exists);
        }
        if !self.stopping.is_empty() {
            return Err(Uncreated::Stopped);
        }
        let mut host = host();
        if let Some(meta) = &recovered.snapshot {
            let mut body = body.ok_or_else(|| Uncreated::Snapshot(io::ErrorKind::NotFound.into()))?;
            host.restore(meta, &mut body).map_err(Uncreated::Snapshot)?;
        }
        let recovered = decode_records::<P>(recovered)?;
        let seed = Prng::fork(self.seed, machine.0).next_u64();
        self.last_stay += 1;
        let seat = Seat { machine, stay: self.last_stay };
        let value = P::restore(config, seed, recovered);
        self.deadlines.set(machine, value.next_deadline());
        self.machines.insert(machine, Hosted::new(seat, name, value, host));
        Ok(())
    }
}

fn decode_records<P: Protocol>(recovered: RecoveredMachine) -> Result<Recovered<P::Record>, Uncreated> {
    let record = |body: &[u8]| {
        decode::<P::Record>(body, RECORD_BYTES).map_err(|error| Uncreated::Record(error.to_string()))
    };
    Ok(Recovered {
        cells: recovered.cells.iter().map(|(_, body)| record(body)).collect::<Result<_, _>>()?,
        snapshot: recovered.snapshot,
        entries: recovered.entries.iter().map(|(_, body)| record(body)).collect::<Result<_, _>>()?,
    })
}
