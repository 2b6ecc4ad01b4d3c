//! Machines that were removed from a node for good, and that they must not come back.
//!
//! That a machine was removed is a cell of a machine that never runs, written before the removed one's records are forgotten: a
//! crash in between leaves garbage, which goes when the store opens the next time, and never a machine that has forgotten its
//! promises and starts anew.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::address::MachineId;
use crate::storage::log::{Log, Write, WriteFault};
use crate::storage::snapshot::{SnapshotFault, Snapshots};

/// The machines that were removed; clones share them.
#[derive(Clone, Default)]
pub(super) struct Removed {
    machines: Arc<Mutex<BTreeSet<MachineId>>>,
}

impl Removed {
    /// The machines of which the log says that they were removed.
    pub(super) fn open(log: &Log) -> Self {
        let machines = log.recover(book()).cells.iter().map(|(key, _)| MachineId(*key)).collect();
        Self { machines: Arc::new(Mutex::new(machines)) }
    }

    /// The writes that end what a crash has left in the log of removed machines.
    pub(super) fn leftovers(&self, log: &Log) -> Vec<(MachineId, Vec<Write>)> {
        let left = log.recoverable().into_iter().filter(|machine| self.contains(*machine));
        left.map(|machine| {
            // Nobody will ask for it.
            drop(log.recover(machine));
            (machine, vec![Write::Forget])
        })
        .collect()
    }

    /// Removes the snapshots of removed machines, blocking: once the log relies on none of them.
    pub(super) fn sweep(&self, snapshots: &Snapshots) -> Result<(), SnapshotFault> {
        let all = snapshots.all().into_iter();
        all.filter(|(machine, _)| self.contains(*machine))
            .try_for_each(|(machine, _)| snapshots.remove_at_once(machine))
    }

    /// Whether a machine was removed, or is being removed.
    pub(super) fn contains(&self, machine: MachineId) -> bool {
        self.machines().contains(&machine)
    }

    /// Removes a machine, which writes nothing any more, for good; `done` runs on a worker when all of it is gone.
    pub(super) fn remove(
        &self,
        log: &Log,
        snapshots: &Snapshots,
        machine: MachineId,
        name: &str,
        done: impl FnOnce(Result<(), WriteFault>) + Send + 'static,
    ) {
        self.machines().insert(machine);
        let name = Bytes::copy_from_slice(name.as_bytes());
        let batch =
            vec![(book(), vec![Write::Cell { key: machine.0, body: name }]), (machine, vec![Write::Forget])];
        let (snapshots, removed) = (snapshots.clone(), self.clone());
        log.write(batch, move |written| {
            if let Err(fault) = written {
                // It may be tried again.
                removed.machines().remove(&machine);
                return done(Err(fault));
            }
            snapshots.remove(machine, move |removed| {
                if let Err(fault) = removed {
                    // It goes when the store opens the next time.
                    tracing::warn!(?machine, %fault, "the snapshot of a removed machine is still there");
                }
                done(Ok(()));
            });
        });
    }

    fn machines(&self) -> MutexGuard<'_, BTreeSet<MachineId>> {
        self.machines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whose cells name the removed machines.
fn book() -> MachineId {
    MachineId::of("storage", "removed")
}
