//! The write-ahead log of a node: one total order of records of all its machines, in segments, with group commit.
//!
//! Not a replicated log: it neither knows terms nor what a record means. It knows where a record lives (an entry by index, a
//! cell by key), hence which records are still of use, and gives back the space of the others.
//!
//! A record holds the checksum of the one before it and the durable position known when it was written. On opening, damage
//! below the greatest such position is corruption and is reported, never cut; damage above it is a torn tail and is cut.
//! Sources: Rebello et al., "Can Applications Recover from fsync Failures?" (ATC 2020): a failed sync is final. Alagappan et
//! al., "Protocol-Aware Recovery for Consensus-Based Storage" (FAST 2018): a crash and a corruption are told apart. Rosenblum
//! and Ousterhout, "The Design and Implementation of a Log-Structured File System" (SOSP 1991) §3: cleaning by copying.

mod admit;
mod cells;
mod counters;
mod create;
mod elsewhere;
mod engine;
mod entries;
mod fault;
mod handle;
mod index;
mod open;
mod opening;
mod options;
mod origin;
mod read;
mod reclaim;
mod record;
mod repair;
mod scan;
mod segment;
mod shared;
mod slot;
#[cfg(test)]
mod tests;

pub use fault::{LogFailure, OpenError, ReadFault, WriteFault};
pub use handle::Log;
pub(super) use opening::Opening;
pub use options::{DamagedLog, LogOptions, OpenReport, RecoveredLog, SetAside, Write};
