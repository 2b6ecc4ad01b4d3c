//! What a node keeps: a disk behind a seam, one write-ahead log shared by all machines, snapshots as files, backups.
//!
//! What a record means is the business of the machine that wrote it. [`Store`] is the whole; [`Log`] and [`Snapshots`] are its
//! parts.

mod backup;
mod disk;
mod log;
mod real_disk;
mod removed;
mod sim_disk;
mod snapshot;
mod start;
#[cfg(test)]
mod steps;
mod store;
mod thread_worker;
mod worker;

pub use backup::{BackupFault, BackupHeader, BackupReader, write_backup};
pub use disk::{Disk, DiskFile};
pub use log::{DamagedLog, Log, LogFailure, LogOptions, OpenError, OpenReport, ReadFault};
pub use log::{RecoveredLog, SetAside, Write, WriteFault};
pub use real_disk::RealDisk;
pub use sim_disk::{DiskCosts, DiskFaults, SimDisk};
pub use snapshot::{SnapshotBody, SnapshotFault, SnapshotReader, SnapshotReceiver, Snapshots};
pub use start::OpenStore;
pub use store::{RecoverError, RecoveredMachine, Store};
pub use thread_worker::ThreadWorker;
pub use worker::Worker;
