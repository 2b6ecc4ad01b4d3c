//! One figure of one run, as a line of JSON.

use std::error::Error;
use std::time::Duration;

use serde::Serialize;

use crate::latency::Latencies;

/// Why a measurement has ended early.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    unit: &'a str,
    value: f64,
}

/// Tells one figure.
pub(crate) fn say(name: &str, unit: &str, value: f64) {
    println!("{}", serde_json::to_string(&Line { name, unit, value }).expect("a name and a number"));
}

/// Tells how many asks there were in which time, and how long they took.
pub(crate) fn say_asks(name: &str, took: Duration, latencies: &Latencies) {
    say(name, "asks/s", latencies.count() as f64 / took.as_secs_f64());
    for (part, suffix) in [(0.5, "p50"), (0.99, "p99"), (0.999, "p999")] {
        say(&format!("{name}_{suffix}"), "us", latencies.quantile_us(part));
    }
}
