//! The handle to a log: callers on any thread queue their batches, one job at a time commits all that is queued.

use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use synod_protocols::{LogIndex, StoreId};

use crate::address::MachineId;
use crate::storage::disk::Disk;
use crate::storage::log::counters::Counters;
use crate::storage::log::fault::{LogFailure, OpenError, ReadFault, WriteFault};
use crate::storage::log::open::{Opened, open};
use crate::storage::log::options::{LogOptions, OpenReport, RecoveredLog, Write};
use crate::storage::log::shared::{Batch, Shared};
use crate::storage::worker::Worker;
use crate::telemetry::Metrics;

/// A log that is open; clones share it. Nothing here blocks.
#[derive(Clone)]
pub struct Log {
    shared: Arc<Shared>,
}

impl Log {
    /// Opens the log below `log/` of the disk, or makes it, in a job of `worker`; `done` runs there. `seed` names a log that
    /// is made.
    ///
    /// # Errors
    /// [`OpenError`] is given to `done`; the disk is as it was then.
    pub fn open(
        disk: Arc<dyn Disk>,
        worker: Arc<dyn Worker>,
        options: LogOptions,
        seed: u64,
        metrics: &Metrics,
        done: impl FnOnce(Result<(Self, OpenReport), OpenError>) + Send + 'static,
    ) {
        let counters = Counters::new(metrics);
        let jobs = Arc::clone(&worker);
        worker.submit(Box::new(move || {
            done(open(&disk, options, seed, &counters).map(|Opened { engine, recovered, report }| {
                (Self { shared: Arc::new(Shared::new(jobs, engine, recovered)) }, report)
            }));
        }));
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
        self.shared.queue(Batch { writes: batch, done: Box::new(done) });
    }

    /// Reads the entries `from..=to` back, at least one and no more once `max_bytes` are reached; none when the log no longer
    /// holds `from`. Sees what was durable when it ran; `done` runs on the worker.
    ///
    /// # Errors
    /// [`ReadFault`] is given to `done`; nothing changed.
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
            let read = shared.engine().read(machine, from, to, max_bytes);
            done(read);
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
        let found = recovered.get(&machine);
        found.map_or(LogIndex::ZERO, |log| log.entries.last().map_or(log.compacted, |(index, _)| *index))
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
