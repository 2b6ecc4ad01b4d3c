//! `synod chaos` as people use it: real processes, a real proxy, real faults; what it judges, and that nothing is left behind.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_synod");

fn chaos(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(["chaos", "--json", "--nodes", "3", "--history"]).arg(directory.join("history.jsonl"));
    command.args(arguments).env("TMPDIR", directory).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn card(output: &Output) -> Value {
    let complaint = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {complaint}"))
}

/// Whether a process runs whose files are in this directory.
fn lives_on(directory: &Path) -> bool {
    let name = directory.to_str().unwrap();
    std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        line.contains(name) && line.contains("--exit-with-stdin")
    })
}

fn assert_clean(directory: &Path) {
    assert!(!lives_on(directory), "a node lives on");
    let left: Vec<_> =
        std::fs::read_dir(directory).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["history.jsonl"], "files are left behind");
}

#[test]
fn a_run_under_faults_is_linearizable_and_leaves_its_history_only() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["--for", "8", "--faults", "kill,cut,loss", "--seed", "5"];
    let output = chaos(directory.path(), &arguments).output().unwrap();
    let card = card(&output);
    assert_eq!(output.status.code(), Some(0), "{card}");
    assert_eq!((&card["verdict"], &card["seed"]), (&"linearizable".into(), &5.into()));
    assert!(card["operations"]["ok"].as_u64().unwrap() > 100, "{card}");
    let installed = card["faults"].as_array().unwrap().iter().map(|row| row["installed"].as_u64().unwrap());
    assert!(installed.sum::<u64>() >= 2, "{card}");
    assert_clean(directory.path());
    let history = directory.path().join("history.jsonl");
    let check = Command::new(BINARY).arg("check").arg(history).args(["--model", "cas-register"]).output();
    assert_eq!(check.unwrap().status.code(), Some(0));
}

#[test]
fn a_run_with_stale_reads_is_judged_not_linearizable() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["--for", "8", "--faults", "pause,cut", "--reads", "stale", "--seed", "6"];
    let output = chaos(directory.path(), &arguments).output().unwrap();
    let card = card(&output);
    assert_eq!(output.status.code(), Some(1), "{card}");
    assert_eq!(card["verdict"], "not linearizable");
}

#[test]
fn ctrl_c_ends_everything_even_nodes_that_stand_still() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = chaos(directory.path(), &["--for", "60", "--faults", "pause"]).spawn().unwrap();
    let history = directory.path().join("history.jsonl");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !std::fs::read_to_string(&history).unwrap_or_default().contains("nemesis") {
        assert!(Instant::now() < deadline, "no fault strikes");
        thread::sleep(Duration::from_millis(20));
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2));
    assert_clean(directory.path());
}
