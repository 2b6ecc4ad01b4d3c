//! The benchmarks as people run them, but short: every figure is there, and none is nothing.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

/// Runs `synod bench` and gives the middle of each figure.
fn bench(arguments: &[&str]) -> BTreeMap<String, f64> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_synod"));
    let output = command.args(["bench", "--json"]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let figure = |line: &str| {
        let figure: Value = serde_json::from_str(line).unwrap();
        let number = |name: &str| figure[name].as_f64().unwrap_or_else(|| panic!("{name}: {line}"));
        let (min, median, max) = (number("min"), number("median"), number("max"));
        assert!(0.0 < min && min <= median && median <= max, "{line}");
        assert!(figure["unit"].as_str().is_some_and(|unit| !unit.is_empty()), "{line}");
        (figure["name"].as_str().unwrap().to_owned(), median)
    };
    text.lines().map(figure).collect()
}

#[test]
fn messages_between_two_processes() {
    let figures = bench(&["messaging", "--seconds", "0.5"]);
    for name in [
        "remote_tell_1",
        "remote_tell_1000",
        "remote_ask_1_p50",
        "remote_ask_1_p99",
        "remote_ask_64",
        "remote_ask_1024",
        "remote_ask_1_p99_beside_bulk",
        "topic_publish_1000",
        "local_tell_same",
        "local_tell_cross",
    ] {
        assert!(figures.contains_key(name), "{name} is missing: {figures:?}");
    }
    assert!(figures["remote_ask_1_p50"] <= figures["remote_ask_1_p99"]);
}

#[test]
fn durable_writes_and_the_death_of_a_leader() {
    let figures = bench(&["kv", "--clients", "1,8", "--seconds", "0.5", "--kills", "1", "--starts", "1"]);
    for name in [
        "kv_put_native_1",
        "kv_put_native_8_p99",
        "kv_put_http_1_p50",
        "kv_put_http_8",
        "kv_recovery_native",
        "kv_recovery_http",
        "kv_cold_start",
    ] {
        assert!(figures.contains_key(name), "{name} is missing: {figures:?}");
    }
    // Nobody else can answer before the others have elected.
    assert!(figures["kv_recovery_http"] > 100.0, "{figures:?}");
}
