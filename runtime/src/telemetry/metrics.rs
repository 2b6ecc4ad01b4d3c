//! The registry of one node's metrics and its text form.
//!
//! Names follow the Prometheus conventions: `synod_` first, unit last; counters get their `_total` when printed.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::text::encode;
pub use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
pub use prometheus_client::metrics::gauge::Gauge;
pub use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use synod_transport::Transport;

use super::transport::TransportMeters;

/// The labels of one member of a family.
pub type Labels = Vec<(&'static str, String)>;
/// Counters that differ by labels.
pub type CounterFamily = Family<Labels, Counter>;
/// Gauges that differ by labels.
pub type GaugeFamily = Family<Labels, Gauge>;

/// The metrics of one node; clones share them.
#[derive(Clone, Default)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
}

impl Metrics {
    /// A new counter. Register each name once and keep the handle.
    #[must_use]
    pub fn counter(&self, name: &str, help: &str) -> Counter {
        self.register(name, help, Counter::default())
    }

    /// A new family of counters.
    #[must_use]
    pub fn counters(&self, name: &str, help: &str) -> CounterFamily {
        self.register(name, help, CounterFamily::default())
    }

    /// A new gauge.
    #[must_use]
    pub fn gauge(&self, name: &str, help: &str) -> Gauge {
        self.register(name, help, Gauge::default())
    }

    /// A new family of gauges.
    #[must_use]
    pub fn gauges(&self, name: &str, help: &str) -> GaugeFamily {
        self.register(name, help, GaugeFamily::default())
    }

    /// A new histogram with the given upper bounds.
    #[must_use]
    pub fn histogram(&self, name: &str, help: &str, bounds: &[f64]) -> Histogram {
        self.register(name, help, Histogram::new(bounds.iter().copied()))
    }

    /// Shows what a transport counts besides, for as long as it lives.
    pub(crate) fn show(&self, transport: &Arc<dyn Transport>) {
        let meters = Box::new(TransportMeters::new(transport));
        self.registry.lock().unwrap_or_else(PoisonError::into_inner).register_collector(meters);
    }

    /// Every metric in the Prometheus text format.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        encode(&mut text, &registry).expect("writing to a String does not fail");
        text
    }

    fn register<M>(&self, name: &str, help: &str, metric: M) -> M
    where
        M: prometheus_client::registry::Metric + Clone,
    {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        registry.register(name, help, metric.clone());
        metric
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_printed() {
        let metrics = Metrics::default();
        metrics
            .counters("synod_refusals", "Refused peers")
            .get_or_create(&vec![("reason", "expired".into())])
            .inc();
        assert!(metrics.render().contains("synod_refusals_total{reason=\"expired\"} 1"));
    }
}
