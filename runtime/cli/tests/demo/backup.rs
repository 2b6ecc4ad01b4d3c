//! From one cluster into another, with real processes: a backup while rows are written and the leader is killed, and what a restore
//! makes of it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use serde_json::Value;

use super::{BINARY, Demo, json, leader, pid};

fn synod(arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).output().unwrap()
}

/// One sentence on standard error, and a status that is no success.
fn refused(arguments: &[&str]) -> String {
    let output = synod(arguments);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.lines().count() == 1, "{said}");
    said
}

/// Every row, its value and the index of its last write.
fn rows(demo: &Demo) -> BTreeMap<String, (String, u64)> {
    let range = json(&demo.synod(&["kv", "range", "--limit", "100000", "--json", "--timeout", "60"]));
    let row = |row: &Value| {
        let text = |field: &str| row[field].as_str().unwrap().to_owned();
        (text("key"), (text("value"), row["index"].as_u64().unwrap()))
    };
    range.as_array().unwrap().iter().map(row).collect()
}

fn row_file(path: &Path, rows: std::ops::Range<u32>) -> String {
    let text: String =
        rows.map(|row| format!("{row:05};row {row};{}\n", "x".repeat(row as usize % 300))).collect();
    fs::write(path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn import(demo: &Demo, file: &str) -> thread::JoinHandle<Output> {
    let arguments = ["kv", "import", file, "--json", "--jobs", "4", "--addr", &demo.addresses()];
    let arguments = arguments.map(str::to_owned);
    thread::spawn(move || Command::new(BINARY).args(arguments).output().unwrap())
}

/// A put with an idempotency key; gives the head of the answer.
fn put(port: u16, key: &str, value: &str, idempotency: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let request = format!(
        "PUT /kv/{key} HTTP/1.1\r\nHost: node\r\nConnection: close\r\nIdempotency-Key: {idempotency}\r\n\
         Content-Length: {}\r\n\r\n{value}",
        value.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn configs(root: &Path) -> Vec<String> {
    let config = |node| root.join(format!("node-{node}/node.toml")).to_str().unwrap().to_owned();
    (1..=3).map(config).collect()
}

fn data(root: &Path) -> Vec<PathBuf> {
    (1..=3).map(|node| root.join(format!("node-{node}/data"))).collect()
}

fn restore(file: &str, configs: &[String]) -> Vec<String> {
    let mut arguments = vec!["restore".to_owned(), file.to_owned()];
    for config in configs {
        arguments.extend(["--config".to_owned(), config.clone()]);
    }
    arguments
}

fn strings(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

#[test]
fn a_cluster_goes_on_in_another_one_from_a_backup_taken_while_its_leader_died() {
    let directory = tempfile::tempdir().unwrap();
    let (first, second) = (directory.path().join("first"), directory.path().join("second"));
    let file = directory.path().join("kv.backup").to_str().unwrap().to_owned();
    let before = row_file(&directory.path().join("before.txt"), 0..500);
    let during = row_file(&directory.path().join("during.txt"), 500..3000);
    let mut demo = Demo::start(&first);
    assert!(import(&demo, &before).join().unwrap().status.success());
    assert!(put(demo.port, "once", "first", "request-1").starts_with("HTTP/1.1 201"));

    let importing = import(&demo, &during);
    let standing = demo.rows(|rows| leader(rows).is_some_and(|row| row["commit_index"].as_u64() > Some(700)));
    let victim = leader(&standing).unwrap().clone();
    // The leader is asked first, and dies as soon as something of its backup is there, or before it gave any.
    let mut addresses: Vec<String> = demo.addresses().split(',').map(str::to_owned).collect();
    let place = victim["node"].as_str().unwrap().trim_start_matches("node-").parse::<usize>().unwrap() - 1;
    addresses.swap(0, place);
    let taking = {
        let arguments = ["backup", &file, "--json", "--addr", &addresses.join(",")].map(str::to_owned);
        thread::spawn(move || Command::new(BINARY).args(arguments).output().unwrap())
    };
    let part = PathBuf::from(format!("{file}.part"));
    while !part.exists() && !Path::new(&file).exists() {
        thread::sleep(Duration::from_millis(1));
    }
    kill_process(pid(&victim), Signal::KILL).unwrap();
    let taken = json(&taking.join().unwrap());
    let index = taken["index"].as_u64().unwrap();
    assert_eq!((&taken["service"], &taken["cluster"]), (&"kv".into(), &"demo".into()));
    assert_eq!(json(&importing.join().unwrap())["failed"], 0);
    let original = rows(&demo);
    assert_eq!(original.len(), 3001);
    let checked = json(&synod(&["backup", &file, "--check", "--json"]));
    assert_eq!((&checked["index"], &checked["bytes"]), (&taken["index"], &taken["bytes"]));

    refusals(directory.path(), &first, (place + 1) % 3, &file);
    demo.stop();

    // A second cluster has had a life of its own.
    let other = Demo::start(&second);
    assert!(other.synod(&["kv", "put", "junk", "of the second cluster"]).status.success());
    other.stop();
    let restoring = restore(&file, &configs(&second));
    let occupied = refused(&strings(&restoring));
    assert!(occupied.contains("node-1/data: it is not empty, and a restore replaces nothing"), "{occupied}");
    for place in data(&second) {
        fs::remove_dir_all(&place).unwrap();
    }
    // What an interrupted restore leaves is in nobody's way.
    let left = second.join("node-2/data.restoring/log");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("half"), "of something").unwrap();
    let restored = synod(&strings(&restoring));
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    assert!(!second.join("node-2/data.restoring").exists());

    let other = Demo::start(&second);
    let found = rows(&other);
    let expected: BTreeMap<_, _> =
        original.into_iter().filter(|(_, (_, written))| *written <= index).collect();
    assert!(expected.len() > 500 && found == expected, "{} rows, expected {}", found.len(), expected.len());
    // A request that the backup contains is recognised; the cluster takes new ones.
    let again = put(other.port, "once", "first", "request-1");
    assert!(again.starts_with("HTTP/1.1 201"), "the first answer again: {again}");
    assert_eq!(rows(&other)["once"], expected["once"]);
    assert!(put(other.port, "new", "value", "request-2").starts_with("HTTP/1.1 201"));
    let verified = other.synod(&["kv", "verify", &before, "--settle", "60"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    let last = rows(&other);
    other.stop();
    at_rest(directory.path(), &second, last.len());
}

/// What is no backup, is damaged or newer, is refused, and nothing is touched; nor is the directory of a node that lives.
fn refusals(directory: &Path, running: &Path, alive: usize, file: &str) {
    let bytes = fs::read(file).unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let path = directory.join(name).to_str().unwrap().to_owned();
        fs::write(&path, bytes).unwrap();
        path
    };
    let mut damaged = bytes.clone();
    damaged[bytes.len() / 2] ^= 1;
    let mut newer = bytes.clone();
    newer[8] = 2;
    let cases = [
        (put("damaged", &damaged), "the backup is damaged: chunk 0 is not what was written"),
        (put("newer", &newer), "written in format 2, this program reads formats up to 1"),
        (put("cut", &bytes[..bytes.len() - 1]), "the backup is cut off after"),
        (put("foreign", b"something else that is long enough to be looked at"), "this is no backup"),
    ];
    for (path, sentence) in cases {
        for arguments in
            [vec!["backup".into(), path.clone(), "--check".into()], restore(&path, &configs(running))]
        {
            let said = refused(&strings(&arguments));
            assert!(said.contains(sentence), "{said}");
        }
    }
    let running = &configs(running);
    let some = refused(&strings(&restore(file, &running[..2])));
    assert!(some.contains("the members node-3 are missing"), "{some}");
    let locked = refused(&["backup", &format!("{file}.2"), "--config", &running[alive]]);
    assert!(locked.contains("in use by another process"), "{locked}");
    let there = refused(&["backup", file]);
    assert!(there.contains("it is there already"), "{there}");
}

/// A backup of a node that does not run holds the same.
fn at_rest(directory: &Path, stopped: &Path, rows_then: usize) {
    let file = directory.join("rest.backup").to_str().unwrap().to_owned();
    let configs = configs(stopped);
    let taken = synod(&["backup", &file, "--json", "--config", &configs[2]]);
    assert!(taken.status.success(), "{}", String::from_utf8_lossy(&taken.stderr));
    assert_eq!(json(&taken)["node"], "node-3");
    for place in data(stopped) {
        fs::remove_dir_all(&place).unwrap();
    }
    assert!(synod(&strings(&restore(&file, &configs))).status.success());
    let demo = Demo::start(stopped);
    assert_eq!(rows(&demo).len(), rows_then);
    demo.stop();
}
