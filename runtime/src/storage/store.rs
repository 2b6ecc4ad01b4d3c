//! Log and snapshots of a node together: opened as one, and a machine recovered from both.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use synod_protocols::LogIndex;
use synod_protocols::log::SnapshotMeta;

use crate::address::MachineId;
use crate::storage::disk::Disk;
use crate::storage::log::{Log, LogOptions, OpenError, OpenReport, RecoveredLog, Write, WriteFault};
use crate::storage::snapshot::{SnapshotFault, Snapshots, directory, snapshot_path};
use crate::storage::worker::Worker;
use crate::telemetry::Metrics;

/// Everything a node keeps; clones share it.
#[derive(Clone)]
pub struct Store {
    log: Log,
    snapshots: Snapshots,
}

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
    /// Names a log that is made.
    pub seed: u64,
    /// Where the store counts.
    pub metrics: Metrics,
}

/// What a machine finds on its disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveredMachine {
    /// The last record of each cell, ordered by key.
    pub cells: Vec<(u64, Bytes)>,
    /// The newest whole snapshot.
    pub snapshot: Option<SnapshotMeta>,
    /// The entries above the last compaction and above the snapshot, consecutive.
    pub entries: Vec<(LogIndex, Bytes)>,
}

/// Why a machine could not be recovered. Nothing changed on the disk.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The log says that a snapshot holds the entries up to `compacted`, and there is no such snapshot.
    #[error("{path}: {machine:?} has no snapshot up to {compacted}, which its log relies on", path = path.display())]
    SnapshotMissing {
        /// Whose.
        machine: MachineId,
        /// The last entry that is in no log any more.
        compacted: LogIndex,
        /// Where the snapshot should be.
        path: PathBuf,
    },
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
        let OpenStore { disk, log_worker, snapshot_worker, options, seed, metrics } = request;
        let log_disk = Arc::clone(&disk);
        let log_metrics = metrics.clone();
        Log::open(log_disk, log_worker, options, seed, &log_metrics, move |opened| {
            let joined = opened.and_then(|(log, report)| {
                let snapshots =
                    Snapshots::open(disk, snapshot_worker, log.clone(), &metrics).map_err(open_error)?;
                Ok((Self { log, snapshots }, report))
            });
            match joined {
                Ok((store, report)) => store.catch_up(report, done),
                Err(error) => done(Err(error)),
            }
        });
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

    /// The log.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The snapshots.
    #[must_use]
    pub fn snapshots(&self) -> &Snapshots {
        &self.snapshots
    }

    /// Hands over what was found of a machine, once: entries that a snapshot contains are left out.
    ///
    /// # Errors
    /// [`RecoverError`]; the machine must not start.
    pub fn recover(&self, machine: MachineId) -> Result<RecoveredMachine, RecoverError> {
        let snapshot = self.snapshots.newest(machine);
        let covered = snapshot.as_ref().map_or(LogIndex::ZERO, |meta| meta.index);
        let RecoveredLog { cells, compacted, mut entries } = self.log.recover(machine);
        if compacted > covered {
            let path = snapshot_path(machine);
            return Err(RecoverError::SnapshotMissing { machine, compacted, path });
        }
        entries.retain(|(index, _)| *index > covered);
        Ok(RecoveredMachine { cells, snapshot, entries })
    }

    /// Ends everything in order, after what was asked for before, and gives the disk back; nothing is written any more then,
    /// whatever handles there still are.
    ///
    /// # Errors
    /// [`WriteFault::Failed`] when the log had failed or could not be made durable, or was closed before.
    pub async fn close(&self) -> Result<(), WriteFault> {
        let (sender, closed) = tokio::sync::oneshot::channel();
        let log = self.log.clone();
        // Who asked may have lost interest.
        self.snapshots.submit(move || log.close(move |result| drop(sender.send(result))));
        closed.await.unwrap_or(Err(WriteFault::Failed))
    }

    /// Lets the log of a machine that ends before its snapshot begin behind it: the node went down while one was installed.
    fn catch_up(
        self,
        report: OpenReport,
        done: impl FnOnce(Result<(Self, OpenReport), OpenError>) + Send + 'static,
    ) {
        let behind = self
            .snapshots
            .all()
            .into_iter()
            .filter(|(machine, meta)| self.log.recovered_last(*machine) < meta.index);
        let batch: Vec<_> =
            behind.map(|(machine, meta)| (machine, vec![Write::Compact { upto: meta.index }])).collect();
        if batch.is_empty() {
            return done(Ok((self, report)));
        }
        self.log.clone().write(batch, move |outcome| {
            done(match outcome {
                Ok(()) => Ok((self, report)),
                Err(fault) => Err(OpenError::Refused(fault)),
            });
        });
    }
}

/// A snapshot that cannot be read when the node starts is a disk that cannot be opened.
fn open_error(fault: SnapshotFault) -> OpenError {
    match fault {
        SnapshotFault::Io { operation, path, source } => {
            OpenError::Io { operation, path, source: io::Error::new(source.kind(), source) }
        }
        SnapshotFault::Version { path, found, known } => OpenError::Version { path, found, known },
        SnapshotFault::Damaged { path, reason } => OpenError::Corrupt { path, offset: 0, reason },
        fault @ (SnapshotFault::DamagedChunk { .. }
        | SnapshotFault::Missing
        | SnapshotFault::Outdated { .. }
        | SnapshotFault::Different
        | SnapshotFault::LogFailed
        | SnapshotFault::Stopped) => {
            OpenError::Corrupt { path: directory().into(), offset: 0, reason: fault.to_string() }
        }
    }
}

#[cfg(test)]
mod tests;
