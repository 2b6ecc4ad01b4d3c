//! A sweep of Raft seeds as JSON: one object with everything that people are told.

use serde_json::{Map, Value, json};
use synod::protocols::raft::simulation::Failure;
use synod::protocols::sim::{FaultKind, Report, TraceLine};

use crate::sim::broken::Smaller;

/// The whole object; without a sweep it holds the failure alone.
pub(crate) fn whole(report: Option<&Report>, failure: Option<Value>) -> Value {
    let mut whole = report.map(sums).unwrap_or_default();
    whole.insert("failure".to_owned(), failure.unwrap_or(Value::Null));
    Value::Object(whole)
}

/// What was broken, and the smallest run that breaks it.
pub(crate) fn broken(broken: &Failure, smaller: Option<&Smaller>, replay: &[String]) -> Value {
    json!({
        "seed": broken.seed,
        "invariant": broken.violation.invariant,
        "violation": broken.violation.to_string(),
        "tail": tail(&broken.tail),
        "replay": replay.first(),
        "smaller": smaller.map(|smaller| json!({
            "runs": smaller.run.runs,
            "nodes": smaller.run.options.nodes_of(broken.seed),
            "violation": smaller.run.failure.violation.to_string(),
            "faults_before": smaller.faults_before,
            "faults": smaller.run.faults.iter().map(|(at, fault)| json!({
                "at_seconds": at.0 as f64 / 1e9,
                "fault": format!("{fault:?}"),
            })).collect::<Vec<_>>(),
            "tail": tail(&smaller.run.failure.tail),
            "replay": replay.get(1),
        })),
    })
}

fn sums(report: &Report) -> Map<String, Value> {
    let faults: Map<String, Value> = FaultKind::of_machines()
        .map(|kind| {
            let count = report.faults.count(kind);
            (kind.name().to_owned(), json!({"requested": count.requested, "injected": count.injected}))
        })
        .collect();
    let never: Vec<&str> =
        report.reached.iter().filter(|(_, count)| **count == 0).map(|(path, _)| *path).collect();
    let mut sums = Map::new();
    let seconds = report.simulated.as_secs_f64();
    let commands = json!({
        "ok": report.commands.ok,
        "refused": report.commands.refused,
        "unknown": report.commands.unknown,
    });
    for (name, value) in [
        ("seeds", json!(report.seeds)),
        ("simulated_seconds", json!(seconds)),
        ("simulated_hours", json!(seconds / 3600.0)),
        ("wall_seconds", json!(report.wall.as_secs_f64())),
        ("times_real_time", json!(report.speed())),
        ("events", json!(report.events)),
        ("commands", commands),
        ("faults", Value::Object(faults)),
        ("reached", json!(report.reached)),
        ("never_reached", json!(never)),
    ] {
        sums.insert(name.to_owned(), value);
    }
    sums
}

fn tail(lines: &[TraceLine]) -> Vec<String> {
    lines.iter().map(ToString::to_string).collect()
}
