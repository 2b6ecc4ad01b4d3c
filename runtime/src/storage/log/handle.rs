//! The handle to a log: callers on any thread queue their batches, one job at a time commits all that is queued.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use synod_protocols::{LogIndex, StoreId};

use crate::address::MachineId;
use crate::storage::log::fault::{LogFailure, ReadFault, WriteFault};
use crate::storage::log::open::Opened;
use crate::storage::log::options::{OpenReport, RecoveredLog, Write};
use crate::storage::log::shared::{Batch, Shared};
use crate::storage::worker::Worker;

/// A log that is open; clones share it. Nothing here blocks.
#[derive(Clone)]
pub struct Log {
    shared: Arc<Shared>,
}

impl Log {
    /// The handle of a log that was opened, and what was found.
    pub(super) fn new(worker: Arc<dyn Worker>, mut opened: Opened) -> (Self, OpenReport) {
        let report = std::mem::take(&mut opened.report);
        (Self { shared: Arc::new(Shared::new(worker, opened)) }, report)
    }

    /// How far the log says that snapshots reach, of the machines found and not handed over.
    pub(in crate::storage) fn compacted(&self) -> BTreeMap<MachineId, LogIndex> {
        let recovered = self.shared.recovered.lock().unwrap_or_else(PoisonError::into_inner);
        let relying = recovered.iter().filter(|(_, log)| log.relies_on_snapshot());
        relying.map(|(&machine, log)| (machine, log.compacted)).collect()
    }

    /// Appends the batch in order after all earlier ones and makes it durable; `done` runs on the worker then. After the log
    /// has failed, `done` runs before this returns.
    ///
    /// # Errors
    /// [`WriteFault`] is given to `done`.
    pub fn write(
        &self,
        batch: Vec<(MachineId, Vec<Write>)>,
        done: impl FnOnce(Result<(), WriteFault>) + Send + 'static,
    ) {
        self.shared.queue(Batch { writes: batch, patient: false, done: Box::new(done) });
    }

    /// As [`Log::write`], but where there is no room the batch waits for it. For what only forgets, and so makes room itself.
    ///
    /// # Errors
    /// [`WriteFault`] is given to `done`, never for want of space.
    pub fn write_patiently(
        &self,
        batch: Vec<(MachineId, Vec<Write>)>,
        done: impl FnOnce(Result<(), WriteFault>) + Send + 'static,
    ) {
        self.shared.queue(Batch { writes: batch, patient: true, done: Box::new(done) });
    }

    /// Reads the entries `from..=to` back, at least one and no more once `max_bytes` are reached; none when the log no longer
    /// holds `from`. Sees what was durable when it ran; `done` runs on the worker.
    ///
    /// # Errors
    /// [`ReadFault`] is given to `done`; it is the end of the log, as a failed write is.
    pub fn read(
        &self,
        machine: MachineId,
        from: LogIndex,
        to: LogIndex,
        max_bytes: usize,
        done: impl FnOnce(Result<Vec<(LogIndex, Bytes)>, ReadFault>) + Send + 'static,
    ) {
        let shared = Arc::clone(&self.shared);
        self.shared.worker.submit(Box::new(move || {
            done(shared.read(machine, from, to, max_bytes));
        }));
    }

    /// Hands over what the log held of a machine when it was opened. A second call finds nothing.
    #[must_use]
    pub fn recover(&self, machine: MachineId) -> RecoveredLog {
        let mut recovered = self.shared.recovered.lock().unwrap_or_else(PoisonError::into_inner);
        recovered.remove(&machine).unwrap_or_default()
    }

    /// The last entry found of a machine that was not handed over, or the last one compacted away.
    pub(in crate::storage) fn recovered_last(&self, machine: MachineId) -> LogIndex {
        let recovered = self.shared.recovered.lock().unwrap_or_else(PoisonError::into_inner);
        recovered.get(&machine).map_or(LogIndex::ZERO, |log| log.last)
    }

    /// The machines of which something was found and not handed over, in order.
    #[must_use]
    pub fn recoverable(&self) -> Vec<MachineId> {
        let recovered = self.shared.recovered.lock().unwrap_or_else(PoisonError::into_inner);
        recovered.keys().copied().collect()
    }

    /// The log's own name.
    #[must_use]
    pub fn store_id(&self) -> StoreId {
        self.shared.store
    }

    /// The log in whose place this one is, because that one was damaged; zero when its name could not be read, `None` when this
    /// log is in the place of none. What the other one had promised this one does not know: its machines may not vote nor lead
    /// until the configuration names this one.
    #[must_use]
    pub fn replaces(&self) -> Option<StoreId> {
        self.shared.replaces
    }

    /// Lets `subscriber` hear whether there is room for entries: the present state before this returns, then every change, on the worker.
    pub fn on_space(&self, subscriber: impl FnMut(bool) + Send + 'static) {
        self.shared.subscribe(Box::new(subscriber));
    }

    /// Completes when the log has failed for good; never, when it is closed before.
    pub fn failed(&self) -> impl Future<Output = LogFailure> + Send + use<> {
        let mut failure = self.shared.failure();
        async move {
            loop {
                if let Some(failure) = &*failure.borrow_and_update() {
                    return failure.clone();
                }
                if failure.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        }
    }

    /// Tries again to reserve room if the last attempt failed; a commit does so by itself.
    pub fn probe_space(&self) {
        self.shared.tend_soon();
    }

    /// Makes the position up to which the log is durable itself durable, after all earlier batches, accepts nothing any more and
    /// gives the disk back, whatever handles there still are; `done` runs on the worker then. For an orderly end.
    ///
    /// # Errors
    /// [`WriteFault::Failed`] is given to `done`.
    pub fn close(&self, done: impl FnOnce(Result<(), WriteFault>) + Send + 'static) {
        let shared = Arc::clone(&self.shared);
        self.shared.worker.submit(Box::new(move || done(shared.close())));
    }
}
