//! Three `synod node` processes as an operator runs them: leases under suspension, and a log that its disk has changed.

use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_synod");
/// How long anything may take that a process does and tells nobody of. It bounds a test that fails; none asserts how long anything took.
const PATIENCE: Duration = Duration::from_secs(120);
const NAMES: [&str; 3] = ["node-1", "node-2", "node-3"];

/// The nodes that run, by their place in [`NAMES`]; killed when dropped.
struct Cluster {
    root: TempDir,
    port: u16,
    running: [Option<Child>; 3],
}

impl Cluster {
    /// All three, with these settings of Raft.
    fn start(raft: &str) -> Self {
        // Below the ports that outgoing connections get.
        let port = 10_000 + (RandomState::new().build_hasher().finish() % 9_000) as u16;
        let mut cluster = Self { root: tempfile::tempdir().unwrap(), port, running: [const { None }; 3] };
        let root = cluster.root.path();
        synod(&["ca", "init", "--cluster", "three", "--dir", root.to_str().unwrap()]);
        for (place, name) in NAMES.into_iter().enumerate() {
            synod(&["ca", "issue", "--name", name, "--dir", root.to_str().unwrap()]);
            let mut text = format!(
                "cluster = \"three\"\nnode = \"{name}\"\ndirectory = \"{name}\"\n\
                 [listen]\nquic = \"127.0.0.1:{}\"\nhttp = \"127.0.0.1:{}\"\n\
                 [tls]\nauthority = \"ca.pem\"\ncertificate = \"{name}.pem\"\nkey = \"{name}-key.pem\"\n\
                 [raft]\n{raft}\n[peers]\n",
                cluster.quic(place),
                cluster.http(place),
            );
            for other in (0..3).filter(|other| *other != place) {
                text.push_str(&format!("{} = \"127.0.0.1:{}\"\n", NAMES[other], cluster.quic(other)));
            }
            fs::write(root.join(format!("{name}.toml")), text).unwrap();
        }
        (0..3).for_each(|place| cluster.begin(place));
        cluster
    }

    fn begin(&mut self, place: usize) {
        let file = self.root.path().join(format!("{}.toml", NAMES[place]));
        let log = File::create(self.root.path().join(format!("{}.log", NAMES[place]))).unwrap();
        let mut command = Command::new(BINARY);
        command.args(["node", "--config"]).arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.running[place] = Some(command.spawn().unwrap());
    }

    fn kill(&mut self, place: usize) {
        if let Some(mut child) = self.running[place].take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    fn signal(&self, place: usize, signal: Signal) {
        kill_process(Pid::from_child(self.running[place].as_ref().expect("it runs")), signal).unwrap();
    }

    const fn quic(&self, place: usize) -> u16 {
        self.port + place as u16
    }

    const fn http(&self, place: usize) -> u16 {
        self.port + 10 + place as u16
    }

    /// A request that a node has been given; `None` when nobody listens there.
    fn ask(&self, place: usize, method: &str, path: &str, body: &str) -> Option<TcpStream> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.http(place))).ok()?;
        let length = body.len();
        let request = format!("{method} {path} HTTP/1.0\r\ncontent-length: {length}\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).ok()?;
        Some(stream)
    }

    /// The answer: its status and its body.
    fn request(&self, place: usize, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
        answer(self.ask(place, method, path, body)?)
    }

    fn status(&self, place: usize) -> Option<Value> {
        serde_json::from_str(&self.request(place, "GET", "/status", "")?.1).ok()
    }

    /// Which of these nodes says of itself that it leads.
    fn leader(&self, places: &[usize]) -> Option<usize> {
        let leads = |place: usize| self.status(place).is_some_and(|status| status["role"] == "leader");
        places.iter().copied().find(|place| leads(*place))
    }

    /// Writes through one of these nodes, as soon as one takes it.
    fn put(&self, places: &[usize], value: &str) {
        until("a write is taken", || {
            let put = |place: &usize| self.request(*place, "PUT", "/kv/k", value);
            places.iter().find_map(put).filter(|(status, _)| *status < 300).map(drop)
        });
    }

    /// From which index the configuration is in force that a node knows, unless it leads to another one.
    fn configured(&self, place: usize) -> Option<u64> {
        let members: Value = serde_json::from_str(&self.request(place, "GET", "/members", "")?.1).ok()?;
        let settled = members["goal"].is_null() && members["leaving"] == Value::Array(Vec::new());
        members["index"].as_u64().filter(|_| settled)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        (0..3).for_each(|place| self.kill(place));
    }
}

fn synod(arguments: &[&str]) {
    let output = Command::new(BINARY).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
}

fn answer(mut stream: TcpStream) -> Option<(u16, String)> {
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    let mut said = String::new();
    stream.read_to_string(&mut said).ok()?;
    let (head, body) = said.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// Looks again and again, because a process announces neither that it leads nor that it has caught up, until there is something.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(found) = look() {
            return found;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("not within {PATIENCE:?}: {what}");
}

/// Changes one byte of the newest segment of a node's log, before much of what was durable.
fn damage(directory: &Path) {
    let segments = fs::read_dir(directory.join("log")).unwrap().map(|entry| entry.unwrap().path());
    let mut segments: Vec<PathBuf> =
        segments.filter(|path| path.extension().is_some_and(|extension| extension == "segment")).collect();
    segments.sort();
    let path = segments.last().expect("a segment");
    let bytes = fs::read(path).unwrap();
    let written = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    assert!(written > 16_000, "{written} bytes were written");
    let file = File::options().write(true).open(path).unwrap();
    file.write_all_at(&[!bytes[written / 4]], (written / 4) as u64).unwrap();
}

#[test]
fn a_leader_that_was_suspended_answers_no_read_under_a_lease_that_is_over() {
    let cluster = Cluster::start("lease_reads = true");
    for round in 0..4 {
        cluster.put(&[0, 1, 2], &format!("old {round}"));
        let leader = until("somebody leads", || cluster.leader(&[0, 1, 2]));
        let read = cluster.request(leader, "GET", "/kv/k", "");
        assert_eq!(read, Some((200, format!("old {round}"))));
        cluster.signal(leader, Signal::STOP);
        let others: Vec<usize> = (0..3).filter(|place| *place != leader).collect();
        cluster.put(&others, &format!("new {round}"));
        // They wait in the leader's sockets, and are read before anything that tells it of its successor.
        let asked: Vec<_> = (0..8).filter_map(|_| cluster.ask(leader, "GET", "/kv/k", "")).collect();
        cluster.signal(leader, Signal::CONT);
        assert_eq!(asked.len(), 8);
        for (status, value) in asked.into_iter().filter_map(answer) {
            assert!(status != 200 || value == format!("new {round}"), "{value} is read in round {round}");
        }
    }
}

#[test]
fn a_node_whose_log_was_damaged_sets_it_aside_and_has_no_vote_until_the_group_takes_it_in_anew() {
    let mut cluster = Cluster::start("");
    let value = "x".repeat(1_000);
    (0..60).for_each(|_| cluster.put(&[0, 1, 2], &value));
    let before = until("the members are known", || cluster.configured(2));
    assert_eq!(cluster.status(2).expect("a status")["set_aside"], Value::Array(Vec::new()));
    (0..3).for_each(|place| cluster.kill(place));
    damage(&cluster.root.path().join(NAMES[2]));

    (1..3).for_each(|place| cluster.begin(place));
    let status = until("the damaged node serves", || cluster.status(2));
    let aside = status["set_aside"].as_array().expect("a list");
    assert!(aside.len() == 1 && aside[0].as_str().is_some_and(|path| Path::new(path).is_dir()), "{status}");
    // Two of three, linked; one of them has forgotten what it promised. Several elections long nobody can win.
    let linked = |status: &Value| {
        status["links"].as_array().expect("links").iter().any(|link| link["connected"] == true)
    };
    until("the two are linked", || cluster.status(2).filter(linked));
    let watched = Instant::now();
    while watched.elapsed() < Duration::from_secs(6) {
        assert_eq!(cluster.leader(&[1, 2]), None, "a node without a past has voted");
        thread::sleep(Duration::from_millis(100));
    }

    cluster.begin(0);
    until("the group takes the node in anew, and everybody knows", || {
        let anew = |place: usize| cluster.configured(place).is_some_and(|index| index > before);
        (0..3).all(anew).then_some(())
    });
    let found = until("it has caught up", || {
        let (status, value) = cluster.request(2, "GET", "/kv/k?consistency=stale", "")?;
        (status == 200).then_some(value)
    });
    assert_eq!(found, value);
    cluster.kill(0);
    cluster.put(&[1, 2], "its vote counts again");
}
