//! What it takes to open a log, and to replace one that cannot be opened. Blocking.

use std::collections::BTreeMap;
use std::sync::Arc;

use synod_protocols::LogIndex;

use crate::address::MachineId;
use crate::storage::disk::Disk;
use crate::storage::log::counters::Counters;
use crate::storage::log::fault::OpenError;
use crate::storage::log::handle::Log;
use crate::storage::log::open::{claim, open};
use crate::storage::log::options::{LogOptions, OpenReport, SetAside};
use crate::storage::log::repair::replace;
use crate::storage::worker::Worker;
use crate::telemetry::Metrics;

/// Where a log is, and how it is to be opened.
pub(in crate::storage) struct Opening {
    disk: Arc<dyn Disk>,
    worker: Arc<dyn Worker>,
    options: LogOptions,
    seed: u64,
    counters: Counters,
}

impl Opening {
    /// A log below `log/` of the disk, whose jobs `worker` runs. `seed` names a log that is made.
    pub(in crate::storage) fn new(
        disk: Arc<dyn Disk>,
        worker: Arc<dyn Worker>,
        options: LogOptions,
        seed: u64,
        metrics: &Metrics,
    ) -> Self {
        Self { disk, worker, options, seed, counters: Counters::new(metrics) }
    }

    /// Claims the disk for this process.
    pub(in crate::storage) fn claim(&self) -> Result<(), OpenError> {
        claim(&*self.disk)
    }

    /// Opens the log, or makes it.
    pub(in crate::storage) fn open(&self) -> Result<(Log, OpenReport), OpenError> {
        let opened = open(&self.disk, self.options.clone(), self.seed, &self.counters)?;
        Ok(Log::new(Arc::clone(&self.worker), opened))
    }

    /// Puts a new log in the place of the one of the claimed disk, which is not open. `covered` says how far whole snapshots reach,
    /// `reason` why.
    pub(in crate::storage) fn replace(
        &self,
        covered: &BTreeMap<MachineId, LogIndex>,
        reason: String,
    ) -> Result<SetAside, OpenError> {
        let damage = reason.clone();
        replace(&self.disk, &self.options, self.seed, &self.counters, covered, reason)
            .map_err(|error| OpenError::NotRepaired { damage, reason: error.to_string() })
    }
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
        let opening = Opening::new(disk, Arc::clone(&worker), options, seed, metrics);
        worker.submit(Box::new(move || done(opening.open())));
    }
}
