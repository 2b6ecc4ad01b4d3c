//! Opening log and snapshots together, and putting another log in the place of one that is damaged. Blocking.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use synod_protocols::LogIndex;

use crate::address::MachineId;
use crate::storage::disk::Disk;
use crate::storage::log::{DamagedLog, Log, LogOptions, OpenError, OpenReport, Opening, Write};
use crate::storage::snapshot::{
    SnapshotFault, Snapshots, Survey, directory, set_aside, snapshot_path, survey,
};
use crate::storage::store::Store;
use crate::storage::worker::Worker;
use crate::telemetry::Metrics;

/// What it takes to open a [`Store`].
pub struct OpenStore {
    /// Where everything is kept.
    pub disk: Arc<dyn Disk>,
    /// Runs the log's jobs.
    pub log_worker: Arc<dyn Worker>,
    /// Runs the snapshots' jobs, so that a commit never waits for a snapshot.
    pub snapshot_worker: Arc<dyn Worker>,
    /// How the log is laid out.
    pub options: LogOptions,
    /// What is done when the log or a snapshot that it relies on is damaged.
    pub damaged: DamagedLog,
    /// Names a log that is made.
    pub seed: u64,
    /// Where the store counts.
    pub metrics: Metrics,
}

impl Store {
    /// Claims the disk and opens log and snapshots in a job of the log's worker; `done` runs there.
    ///
    /// # Errors
    /// [`OpenError`] is given to `done`.
    pub fn open(
        request: OpenStore,
        done: impl FnOnce(Result<(Self, OpenReport), OpenError>) + Send + 'static,
    ) {
        let worker = Arc::clone(&request.log_worker);
        worker.submit(Box::new(move || match open(request) {
            Ok((store, report)) => store.catch_up(report, done),
            Err(error) => done(Err(error)),
        }));
    }

    /// As [`Store::open`], as a future of any runtime.
    ///
    /// # Errors
    /// As [`Store::open`], and [`OpenError::Stopped`] when a worker went away.
    pub async fn opened(request: OpenStore) -> Result<(Self, OpenReport), OpenError> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        // Nobody is left to be told when the receiver is gone.
        Self::open(request, move |result| drop(sender.send(result)));
        receiver.await.unwrap_or(Err(OpenError::Stopped))
    }

    /// Ends what a crash has interrupted. The log of a machine that ends before its snapshot begins behind it: the node went down
    /// while one was installed. What is left of removed machines goes.
    fn catch_up(
        self,
        report: OpenReport,
        done: impl FnOnce(Result<(Self, OpenReport), OpenError>) + Send + 'static,
    ) {
        self.snapshots().forget_left(|machine| self.has_removed(machine));
        let behind = self
            .snapshots()
            .all()
            .into_iter()
            .filter(|(machine, _)| !self.has_removed(*machine))
            .filter(|(machine, meta)| self.log().recovered_last(*machine) < meta.index);
        let batch = behind.map(|(machine, meta)| (machine, vec![Write::Compact { upto: meta.index }]));
        let batch: Vec<_> = batch.chain(self.removed().leftovers(self.log())).collect();
        let ready = move |store: Self| {
            let swept = store.removed().sweep(store.snapshots()).map_err(open_error);
            swept.map(|()| (store, report))
        };
        if batch.is_empty() {
            return done(ready(self));
        }
        self.log().clone().write(batch, move |outcome| {
            done(match outcome {
                Ok(()) => ready(self),
                Err(fault) => Err(OpenError::Refused(fault)),
            });
        });
    }
}

/// Opens everything a node keeps.
fn open(request: OpenStore) -> Result<(Store, OpenReport), OpenError> {
    let OpenStore { disk, log_worker, snapshot_worker, options, damaged, seed, metrics } = request;
    let opening = Opening::new(Arc::clone(&disk), log_worker, options, seed, &metrics);
    opening.claim()?;
    let mut found = survey(&*disk).map_err(open_error)?;
    let (log, mut report) = match damaged {
        DamagedLog::Repair => open_or_replace(&opening, &found)?,
        DamagedLog::Refuse => {
            if let Some((_, fault)) = found.damaged.pop_first() {
                return Err(open_error(fault));
            }
            opening.open()?
        }
    };
    // Only what the log can do without is left of them.
    for machine in found.damaged.into_keys() {
        report.snapshots_set_aside.push(set_aside(&*disk, machine).map_err(open_error)?);
    }
    let snapshots = Snapshots::new(disk, snapshot_worker, log.clone(), found.whole, found.partial, &metrics);
    Ok((Store::new(log, snapshots), report))
}

fn open_or_replace(opening: &Opening, found: &Survey) -> Result<(Log, OpenReport), OpenError> {
    let reason = match opening.open() {
        Ok((log, report)) => match unreached(&log, found) {
            None => return Ok((log, report)),
            Some(reason) => reason,
        },
        Err(error @ OpenError::Corrupt { .. }) => error.to_string(),
        Err(error) => return Err(error),
    };
    let covered = found.whole.iter().map(|(&machine, meta)| (machine, meta.index)).collect();
    let replaced = opening.replace(&covered, reason)?;
    let (log, report) = opening.open()?;
    Ok((log, OpenReport { replaced: Some(replaced), ..report }))
}

/// Which snapshot the log relies on and does not find whole, in words.
fn unreached(log: &Log, found: &Survey) -> Option<String> {
    let compacted: BTreeMap<MachineId, LogIndex> = log.compacted();
    compacted.into_iter().find_map(|(machine, compacted)| {
        let covered = found.whole.get(&machine).map_or(LogIndex::ZERO, |meta| meta.index);
        if compacted <= covered {
            return None;
        }
        Some(match found.damaged.get(&machine) {
            Some(fault) => format!("{fault}, and the log holds nothing up to entry {compacted}"),
            None => format!(
                "{}: the snapshot up to entry {compacted} is missing, which the log relies on",
                snapshot_path(machine).display()
            ),
        })
    })
}

/// A snapshot that cannot be read when the node starts is a disk that cannot be opened.
fn open_error(fault: SnapshotFault) -> OpenError {
    match fault {
        SnapshotFault::Io { operation, path, source } => {
            OpenError::Io { operation, path, source: io::Error::new(source.kind(), source) }
        }
        SnapshotFault::Version { path, found, known } => OpenError::Version { path, found, known },
        SnapshotFault::Damaged { path, reason } => OpenError::Corrupt { path, offset: 0, reason },
        SnapshotFault::DamagedChunk { path, chunk } => {
            OpenError::Corrupt { path, offset: 0, reason: format!("chunk {chunk} is damaged") }
        }
        fault @ (SnapshotFault::Missing
        | SnapshotFault::Outdated { .. }
        | SnapshotFault::Different
        | SnapshotFault::LogFailed
        | SnapshotFault::Stopped) => {
            OpenError::Corrupt { path: directory().into(), offset: 0, reason: fault.to_string() }
        }
    }
}
