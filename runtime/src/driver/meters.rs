//! What drivers count, by protocol.
//!
//! Registered once per node; every driver gets the handles of its own protocol.

use std::fmt;

use crate::telemetry::{Counter, CounterFamily, Histogram, Labels, Metrics};

/// The metrics of all drivers of a node.
#[derive(Clone)]
pub struct DriverMeters {
    turns: CounterFamily,
    steps: CounterFamily,
    frames_sent: CounterFamily,
    frames_received: CounterFamily,
    messages_sent: CounterFamily,
    messages_received: CounterFamily,
    writes: CounterFamily,
    records: CounterFamily,
    dropped: CounterFamily,
    bad: CounterFamily,
    reached: CounterFamily,
    records_per_write: Histogram,
}

impl DriverMeters {
    /// Registers the metrics; once per node.
    #[must_use]
    pub fn new(metrics: &Metrics) -> Self {
        let family = |name: &str, help: &str| metrics.counters(&format!("synod_driver_{name}"), help);
        Self {
            turns: family("turns", "Turns taken by a protocol's driver"),
            steps: family("steps", "Inputs handled by machines"),
            frames_sent: family("frames_sent", "Frames of protocol messages sent"),
            frames_received: family("frames_received", "Frames of protocol messages received"),
            messages_sent: family("messages_sent", "Protocol messages sent"),
            messages_received: family("messages_received", "Protocol messages received"),
            writes: family("writes", "Writes to the log, each for all machines of a driver"),
            records: family("records", "Records in those writes"),
            dropped: family("dropped", "Protocol messages that were not handed on, by reason"),
            bad: family("bad_frames", "Malformed frames, messages and streams of peers"),
            reached: family("reached", "Rare paths that machines took"),
            records_per_write: metrics.histogram(
                "synod_driver_records_per_write",
                "Records in one write to the log",
                &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 4096.0],
            ),
        }
    }

    /// The handles of one protocol.
    pub(crate) fn of(&self, protocol: &'static str) -> Meters {
        let labels: Labels = vec![("protocol", protocol.to_owned())];
        let counter = |family: &CounterFamily| family.get_or_create(&labels).clone();
        Meters {
            protocol,
            turns: counter(&self.turns),
            steps: counter(&self.steps),
            frames_sent: counter(&self.frames_sent),
            frames_received: counter(&self.frames_received),
            messages_sent: counter(&self.messages_sent),
            messages_received: counter(&self.messages_received),
            writes: counter(&self.writes),
            records: counter(&self.records),
            bad: counter(&self.bad),
            dropped: self.dropped.clone(),
            reached: self.reached.clone(),
            records_per_write: self.records_per_write.clone(),
        }
    }
}

impl fmt::Debug for DriverMeters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DriverMeters")
    }
}

/// The metrics of one protocol.
#[derive(Clone)]
pub(crate) struct Meters {
    protocol: &'static str,
    pub(crate) turns: Counter,
    pub(crate) steps: Counter,
    pub(crate) frames_sent: Counter,
    pub(crate) frames_received: Counter,
    pub(crate) messages_sent: Counter,
    pub(crate) messages_received: Counter,
    pub(crate) writes: Counter,
    pub(crate) records: Counter,
    pub(crate) bad: Counter,
    dropped: CounterFamily,
    reached: CounterFamily,
    pub(crate) records_per_write: Histogram,
}

impl Meters {
    /// Counts what was not handed on.
    pub(crate) fn dropped(&self, reason: &'static str) {
        self.dropped
            .get_or_create(&vec![("protocol", self.protocol.to_owned()), ("reason", reason.to_owned())])
            .inc();
    }

    /// Counts a rare path.
    pub(crate) fn reached(&self, path: &'static str) {
        self.reached
            .get_or_create(&vec![("protocol", self.protocol.to_owned()), ("path", path.to_owned())])
            .inc();
    }
}
