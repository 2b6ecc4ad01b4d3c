//! The handle to a log: callers on any thread queue their batches, one job at a time commits all that is queued.

use std::sync::Arc;

use bytes::Bytes;
use synod_protocols::LogIndex;

use crate::address::MachineId;
use crate::storage::disk::Disk;
use crate::storage::log::fault::{OpenError, ReadFault, WriteFault};
use crate::storage::log::options::{LogOptions, OpenReport, RecoveredLog, StoreId, Write};
use crate::storage::worker::Worker;
use crate::telemetry::Metrics;

/// A log that is open; clones share it. Nothing here blocks.
#[derive(Clone)]
pub struct Log {
    store: StoreId,
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
        todo!()
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
        todo!()
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
        todo!()
    }

    /// Hands over what the log held of a machine when it was opened. A second call finds nothing.
    #[must_use]
    pub fn recover(&self, machine: MachineId) -> RecoveredLog {
        todo!()
    }

    /// The machines of which something was found and not handed over, in order.
    #[must_use]
    pub fn recoverable(&self) -> Vec<MachineId> {
        todo!()
    }

    /// The log's own name.
    #[must_use]
    pub fn store_id(&self) -> StoreId {
        self.store
    }

    /// Lets `subscriber` hear whether there is room for entries: the present state before this returns, then every change, on the worker.
    pub fn on_space(&self, subscriber: impl FnMut(bool) + Send + 'static) {
        todo!()
    }

    /// Tries again to reserve room if the last attempt failed; a commit does so by itself.
    pub fn probe_space(&self) {
        todo!()
    }

    /// Makes the position up to which the log is durable itself durable, after all earlier batches; `done` runs on the worker.
    /// For an orderly end.
    ///
    /// # Errors
    /// [`WriteFault::Failed`] is given to `done`.
    pub fn close(&self, done: impl FnOnce(Result<(), WriteFault>) + Send + 'static) {
        todo!()
    }
}
