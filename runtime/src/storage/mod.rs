//! What a node keeps: a disk behind a seam, one write-ahead log shared by all machines, snapshots as files.
//!
//! What a record means is the business of the machine that wrote it.

mod disk;
mod worker;

pub use disk::{Disk, DiskFile};
pub use worker::Worker;
