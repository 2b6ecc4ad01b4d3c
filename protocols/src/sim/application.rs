//! The replicated application of a simulated node: entries in, answers out, with bytes inside.
//!
//! Not the typed state machine of the runtime; it is what a protocol's workload needs to see whether commands were lost
//! or took effect twice.

use bytes::Bytes;

use crate::log::{Entry, SnapshotMeta};
use crate::types::LogTime;

/// State that committed entries act upon; equal entries in equal order give equal states.
pub trait Application: Clone + Default {
    /// Lets one committed entry take effect; the answer counts for commands only.
    fn apply(&mut self, entry: &Entry) -> Bytes;

    /// The log time at which the application wants to be called again.
    fn wake(&self) -> Option<LogTime>;

    /// The whole state, as bytes.
    fn snapshot(&self) -> Bytes;

    /// Becomes the state that `state` was taken of.
    fn restore(&mut self, meta: &SnapshotMeta, state: &Bytes);

    /// A number that differs when states differ; part of the state, so a snapshot carries it.
    fn digest(&self) -> u64;
}

/// What a protocol without entries has no need of.
impl Application for () {
    fn apply(&mut self, _: &Entry) -> Bytes {
        Bytes::new()
    }

    fn wake(&self) -> Option<LogTime> {
        None
    }

    fn snapshot(&self) -> Bytes {
        Bytes::new()
    }

    fn restore(&mut self, _: &SnapshotMeta, _: &Bytes) {}

    fn digest(&self) -> u64 {
        0
    }
}
