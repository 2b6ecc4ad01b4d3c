//! The binary as people use it: real processes, real sockets, `kill -9`. What a demo says on standard output drives the test.

mod backup;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_synod");
const PATIENCE: Duration = Duration::from_secs(120);

/// A demo of three nodes that runs. Dropping it kills it, and with it its nodes.
struct Demo {
    child: Child,
    said: Receiver<Value>,
    port: u16,
    nodes: Vec<Value>,
}

impl Demo {
    fn start(directory: &Path) -> Self {
        for _ in 0..20 {
            if let Some(demo) = Self::try_start(directory) {
                return demo;
            }
        }
        panic!("no three ports in a row are free");
    }

    /// `None` when somebody else has taken one of the ports meanwhile.
    fn try_start(directory: &Path) -> Option<Self> {
        // Below the ports that outgoing connections get, or one of them could take a killed node's port.
        let port = 20_000 + (RandomState::new().build_hasher().finish() % 10_000) as u16;
        let mut child = Command::new(BINARY)
            .args(["demo", "--json", "--port", &port.to_string(), "--dir"])
            .arg(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, said) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let Ok(value) = serde_json::from_str(&line) else { break };
                if sender.send(value).is_err() {
                    break;
                }
            }
        });
        let mut demo = Self { child, said, port, nodes: Vec::new() };
        loop {
            match demo.next() {
                Some(event) if event.starts_with("ready after") => return Some(demo),
                Some(_) => {}
                None => {
                    let mut complaint = String::new();
                    demo.child.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
                    assert!(complaint.contains("--port"), "{complaint}");
                    return None;
                }
            }
        }
    }

    /// The next event it tells, if it goes on; rows that come before it are kept.
    fn next(&mut self) -> Option<String> {
        loop {
            let said = self.said.recv_timeout(PATIENCE).ok()?;
            match said.get("event").and_then(Value::as_str) {
                Some(event) => return Some(event.to_owned()),
                None => self.nodes = said["nodes"].as_array().expect("rows").clone(),
            }
        }
    }

    /// The next event that contains the text.
    fn event(&mut self, text: &str) -> String {
        loop {
            let event = self.next().unwrap_or_else(|| panic!("the demo ended before it said {text:?}"));
            if event.contains(text) {
                return event;
            }
        }
    }

    /// Waits for rows that are as they should be.
    fn rows(&mut self, good: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let said = self.said.recv_timeout(PATIENCE).expect("the demo goes on");
            if let Some(nodes) = said["nodes"].as_array()
                && good(nodes)
            {
                return nodes.clone();
            }
        }
        panic!("the rows did not become as they should be");
    }

    fn addresses(&self) -> String {
        let ports: Vec<String> = (self.port..self.port + 3).map(|port| format!("127.0.0.1:{port}")).collect();
        ports.join(",")
    }

    fn synod(&self, arguments: &[&str]) -> Output {
        Command::new(BINARY).args(arguments).args(["--addr", &self.addresses()]).output().unwrap()
    }

    fn stop(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Errors mean that it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn json(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text} {complaint}"))
}

fn pid(row: &Value) -> Pid {
    Pid::from_raw(i32::try_from(row["pid"].as_i64().unwrap()).unwrap()).unwrap()
}

fn leader(rows: &[Value]) -> Option<&Value> {
    rows.iter().find(|row| row["role"] == "leader")
}

/// Waits until the process has ended, reaped or not: its new parent may take its time.
fn gone(process: Pid) -> bool {
    let deadline = Instant::now() + PATIENCE;
    let state = format!("/proc/{}/stat", process.as_raw_nonzero());
    while Instant::now() < deadline {
        let zombie = std::fs::read_to_string(&state).is_ok_and(|state| state.contains(") Z "));
        if zombie || test_kill_process(process).is_err() {
            return true;
        }
        thread::sleep(Duration::from_millis(20));
    }
    false
}

#[test]
fn an_import_is_whole_although_leaders_are_killed() {
    let directory = tempfile::tempdir().unwrap();
    let rows: String =
        (0..2000).map(|row| format!("{row:04};row {row};{}\n", "x".repeat(row % 100))).collect();
    let file = directory.path().join("rows.txt");
    std::fs::write(&file, rows).unwrap();
    let file = file.to_str().unwrap().to_owned();
    let mut demo = Demo::start(&directory.path().join("demo"));

    let arguments =
        ["kv", "import", &file, "--json", "--jobs", "8", "--addr", &demo.addresses()].map(str::to_owned);
    let import = thread::spawn(move || Command::new(BINARY).args(arguments).output().unwrap());
    demo.rows(|rows| leader(rows).is_some_and(|row| row["commit_index"].as_u64() > Some(100)));
    let standing = demo.rows(|rows| leader(rows).is_some());
    let victim = leader(&standing).unwrap().clone();
    kill_process(pid(&victim), Signal::KILL).unwrap();
    let told = demo.event("is dead");
    assert!(told.starts_with(victim["node"].as_str().unwrap()), "{told}");
    let command = told.lines().nth(1).unwrap().trim().to_owned();
    let mut revived =
        Command::new("sh").args(["-c", &format!("exec {command}")]).stderr(Stdio::null()).spawn().unwrap();
    demo.event("is back");

    let report = json(&import.join().unwrap());
    assert_eq!((&report["acknowledged"], &report["failed"]), (&2000.into(), &0.into()), "{report}");
    let verdicts = demo.synod(&["kv", "verify", &file, "--json", "--settle", "60"]);
    assert!(verdicts.status.success(), "{}", String::from_utf8_lossy(&verdicts.stdout));
    assert_eq!(json(&verdicts).as_array().unwrap().len(), 3);
    let index = |demo: &Demo| json(&demo.synod(&["kv", "get", "0042", "--json"]))["index"].as_u64().unwrap();
    let before = index(&demo);
    let again = json(&demo.synod(&["kv", "import", &file, "--json"]));
    assert_eq!((&again["unchanged"], &again["acknowledged"]), (&2000.into(), &0.into()));
    assert_eq!(index(&demo), before);
    demo.stop();
    kill_process(Pid::from_child(&revived), Signal::TERM).unwrap();
    assert!(revived.wait().unwrap().success());
}

#[test]
fn a_second_start_finds_the_data_and_a_killed_demo_leaves_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let demo = Demo::start(directory.path());
    assert!(demo.synod(&["kv", "put", "a/b", "value"]).status.success());
    demo.stop();

    let mut demo = Demo::start(directory.path());
    let read = demo.synod(&["kv", "get", "a/b"]);
    assert_eq!(String::from_utf8_lossy(&read.stdout), "value");
    let conflict = demo.synod(&["kv", "put", "a/b", "other", "--expect-absent"]);
    assert!(!conflict.status.success() && String::from_utf8_lossy(&conflict.stderr).contains("value"));
    assert!(demo.synod(&["status"]).status.success());
    let standing = demo.rows(|rows| rows.iter().all(|row| row["leader"].is_string()));
    demo.child.kill().unwrap();
    for row in &standing {
        assert!(gone(pid(row)), "{row}");
    }
}
