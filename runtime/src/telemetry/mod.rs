//! What a node tells its operators: a registry of metrics in the Prometheus text format.
//!
//! A value of the node, never a global; spans and events go through `tracing`.

mod metrics;
mod transport;

pub use metrics::{Counter, CounterFamily, Gauge, GaugeFamily, Histogram, Labels, Metrics};
