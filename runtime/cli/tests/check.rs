//! `synod check` as people use it: files, exit codes, what is printed, and the report.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const GOOD: &str = r#"{"process":0,"type":"invoke","f":"write","key":"x","value":1,"time":1}
{"process":0,"type":"ok","f":"write","key":"x","value":1,"time":2}
{"process":1,"type":"invoke","f":"read","key":"x","value":null,"time":3}
{"process":1,"type":"ok","f":"read","key":"x","value":1,"time":4}
"#;

/// The read of the second key sees what nobody wrote; the name of that key tries to be markup.
const BAD: &str = r#"{"process":1,"type":"invoke","f":"read","key":"<b>","value":null}
{"process":1,"type":"ok","f":"read","key":"<b>","value":7}
"#;

fn check(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_synod"))
        .arg("check")
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_linearizable_history_ends_with_0() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("h.jsonl"), GOOD).unwrap();
    let output = check(directory.path(), &["h.jsonl", "--model", "register"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(text(&output.stdout).starts_with("linearizable\n"), "{output:?}");
    let output = check(directory.path(), &["h.jsonl", "--model", "cas-register", "--init", "5", "--json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["verdict"], &json["operations"]), (&"linearizable".into(), &2.into()));
}

#[test]
fn a_history_that_is_not_ends_with_1_and_shows_why() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("h.jsonl"), format!("{GOOD}{BAD}")).unwrap();
    let output = check(directory.path(), &["h.jsonl", "--model", "register", "--report", "out.html"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let printed = text(&output.stdout);
    assert!(printed.starts_with("not linearizable\n"), "{printed}");
    assert!(printed.contains("read → 7") && printed.contains("|-X"), "{printed}");
    let html = fs::read_to_string(directory.path().join("out.html")).unwrap();
    assert!(html.contains("class=\"stuck\"") && html.contains("&lt;b&gt;"), "{html}");
    assert!(!html.contains("<script") && !html.contains("src=") && !html.contains("href="), "{html}");
    let output = check(directory.path(), &["h.jsonl", "--model", "register", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["failing"][0]["stuck"]["line"], 5);
    assert_eq!(json["failing"][0]["up_to_line"], 6);
}

/// Every subset of concurrent writes would have to be tried to refute the read.
fn hard() -> String {
    let line = |kind: &str, process: usize| {
        format!("{{\"process\":{process},\"type\":\"{kind}\",\"f\":\"write\",\"value\":{process}}}\n")
    };
    let mut lines: String = (0..40).map(|process| line("invoke", process)).collect();
    lines.extend((0..40).map(|process| line("ok", process)));
    lines
        + "{\"process\":0,\"type\":\"invoke\",\"f\":\"read\"}\n{\"process\":0,\"type\":\"ok\",\"f\":\"read\",\"value\":-1}\n"
}

#[test]
fn a_history_that_takes_too_long_ends_with_2() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("h.jsonl"), hard()).unwrap();
    let output = check(directory.path(), &["h.jsonl", "--model", "register", "--timeout", "0.05"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(text(&output.stdout).starts_with("unknown\n"), "{output:?}");
    assert!(text(&output.stderr).contains("time ran out after 0.05 s"), "{output:?}");
    let output = check(directory.path(), &["h.jsonl", "--model", "register", "--memory", "1"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(text(&output.stderr).contains("memory ran out at 1 MiB"), "{output:?}");
}

#[test]
fn what_is_no_history_is_one_sentence_and_another_code() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("h.jsonl"), format!("{GOOD}{GOOD}nonsense\n")).unwrap();
    let output = check(directory.path(), &["h.jsonl", "--model", "register"]);
    assert_eq!(output.status.code(), Some(65), "{output:?}");
    assert!(text(&output.stderr).starts_with("synod: h.jsonl:9: not JSON: "), "{output:?}");
    assert_eq!(text(&output.stderr).lines().count(), 1);
    assert_eq!(check(directory.path(), &["none.jsonl", "--model", "set"]).status.code(), Some(74));
    assert_eq!(check(directory.path(), &["h.jsonl", "--model", "stack"]).status.code(), Some(64));
    assert_eq!(check(directory.path(), &["h.jsonl", "--model", "kv", "--init", "1"]).status.code(), Some(64));
    let report = &["h.jsonl", "--model", "register", "--report", "no/such/folder.html"];
    fs::write(directory.path().join("h.jsonl"), GOOD).unwrap();
    assert_eq!(check(directory.path(), report).status.code(), Some(74));
}
