//! `synod lab` as people use it: the published numbers are met already by few trials, and the drawing is one.

use std::process::{Command, Output};

use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_synod");

fn lab(arguments: &[&str]) -> Output {
    Command::new(BINARY).arg("lab").args(arguments).output().unwrap()
}

#[test]
fn the_time_to_replace_a_leader_is_as_published_and_the_same_each_time() {
    let directory = tempfile::tempdir().unwrap();
    let svg = directory.path().join("out.svg");
    let output = lab(&["election", "--svg", svg.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("150–155 ms"));
    let drawing = std::fs::read_to_string(svg).unwrap();
    assert!(drawing.starts_with("<svg") && drawing.contains("<polyline") && !drawing.contains("<script"));
    assert_eq!(lab(&["election"]).stdout, output.stdout);
}

#[test]
fn partitions_end_as_published_and_too_few_votes_miss_the_tolerance() {
    let output = lab(&["partition", "--trials", "20", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["lines"].as_array().unwrap().len(), 12);
    let output = lab(&["split-vote", "--trials", "50"]);
    assert_eq!(output.status.code(), Some(1), "chance alone is larger than a point");
    assert!(String::from_utf8_lossy(&output.stderr).contains("outside of the tolerance"));
}
