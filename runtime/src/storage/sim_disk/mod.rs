//! A disk in memory that forgets, tears and fails as it is told to, by a seed.
//!
//! Not a model of one file system: it gives exactly what [`crate::storage::Disk`] promises, and whatever is not promised it takes
//! away sooner or later. Faults after Alagappan et al., "Protocol-Aware Recovery for Consensus-Based Storage" (FAST 2018), and
//! Rebello et al., "Can Applications Recover from fsync Failures?" (ATC 2020).

mod content;
mod disk;
mod faults;
mod names;
#[cfg(test)]
mod tests;

pub use disk::SimDisk;
pub use faults::{DiskCosts, DiskFaults};
