//! What the log counts.

use crate::telemetry::{Counter, Gauge, Histogram, Metrics};

/// The log's metrics.
#[derive(Clone)]
pub(super) struct Counters {
    pub(super) syncs: Counter,
    pub(super) bytes: Counter,
    pub(super) records: Counter,
    pub(super) records_per_commit: Histogram,
    pub(super) torn_bytes: Counter,
    pub(super) corruptions: Counter,
    pub(super) repairs: Counter,
    pub(super) set_aside: Gauge,
    pub(super) refusals: Counter,
    pub(super) failures: Counter,
    pub(super) segments: Gauge,
    pub(super) reclaimed: Counter,
    pub(super) copied_bytes: Counter,
}

impl Counters {
    pub(super) fn new(metrics: &Metrics) -> Self {
        const BATCHES: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 512.0, 2048.0];
        Self {
            syncs: metrics.counter("synod_log_syncs", "Syncs of log segments"),
            bytes: metrics.counter("synod_log_bytes", "Bytes appended to the log, headers included"),
            records: metrics.counter("synod_log_records", "Records appended to the log"),
            records_per_commit: metrics.histogram(
                "synod_log_records_per_commit",
                "Records made durable by one group commit",
                &BATCHES,
            ),
            torn_bytes: metrics
                .counter("synod_log_torn_bytes", "Bytes of torn tails cut when the log was opened"),
            corruptions: metrics.counter("synod_log_corruptions", "Durable records found damaged"),
            repairs: metrics.counter("synod_log_repairs", "Damaged logs that were set aside and replaced"),
            set_aside: metrics
                .gauge("synod_log_set_aside", "Damaged logs that are kept in the node's directory"),
            refusals: metrics.counter("synod_log_space_refusals", "Refusals for want of space: of the next segment's room, which ends the taking of entries, and of batches"),
            failures: metrics.counter("synod_log_failures", "Writes or syncs that failed, which is final"),
            segments: metrics.gauge("synod_log_segments", "Segments of the log"),
            reclaimed: metrics.counter(
                "synod_log_segments_reclaimed",
                "Segments removed because nothing in them was of use",
            ),
            copied_bytes: metrics
                .counter("synod_log_copied_bytes", "Bytes appended again so that a segment could be removed"),
        }
    }
}
