//! What the gateway counts: requests by route, method and status, and how long writes take.

use std::time::Duration;

use actix_web::http::Method;
use synod::telemetry::{CounterFamily, Histogram, Metrics};

/// The handles of the gateway's metrics.
pub(crate) struct Measures {
    requests: CounterFamily,
    puts: Histogram,
}

impl Measures {
    /// Registers them; once for each registry.
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self {
            requests: metrics
                .counters("synod_http_requests", "Requests answered, by route, method and status"),
            puts: metrics.histogram("synod_http_put_seconds", "How long successful puts took", &bounds()),
        }
    }

    /// Counts one answer.
    pub(crate) fn record(&self, route: &str, method: &Method, status: u16, took: Duration) {
        let labels = vec![
            ("route", route.to_owned()),
            ("method", known(method).to_owned()),
            ("status", status.to_string()),
        ];
        self.requests.get_or_create(&labels).inc();
        if method == Method::PUT && (200..300).contains(&status) {
            self.puts.observe(took.as_secs_f64());
        }
    }
}

/// A method that may be a label: clients can make up as many others as they like.
fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "HEAD" => "HEAD",
        "POST" => "POST",
        _ => "other",
    }
}

/// From a tenth of a millisecond to about ten seconds, each a quarter above the one before, so that a percentile read from them
/// is at most a quarter off.
fn bounds() -> Vec<f64> {
    std::iter::successors(Some(1e-4), |bound| Some(bound * 1.25)).take(52).collect()
}
