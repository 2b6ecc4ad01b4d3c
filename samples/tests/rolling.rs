//! A cluster of three processes is upgraded one by one while all of them work, and one is taken back to the old version.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use synod::prelude::*;
use synod::transport::Role;
use synod_samples::rolling::MEMBERS;

const OLD: &str = env!("CARGO_BIN_EXE_stock_old");
const NEW: &str = env!("CARGO_BIN_EXE_stock_new");
/// Far longer than any step takes on a machine that does other things besides.
const PATIENCE: Duration = Duration::from_secs(60);
/// How much work each process has to have done with each other one at each stage.
const PROGRESS: u64 = 20;

/// One process of the cluster.
struct Process {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    address: String,
}

impl Process {
    fn start(program: &str, name: &str, directory: &Path, address: &str, others: &[String]) -> Self {
        let mut command = Command::new(program);
        command.arg(name).arg(directory).arg(address).args(others);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let input = child.stdin.take();
        let mut process = Self { child, input, lines, address: String::new() };
        process.address = process.next("ready");
        process
    }

    /// What its next line of this kind says.
    fn next(&self, kind: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).expect("it goes on");
            let mut words = line.splitn(3, ' ').skip(1);
            if words.next() == Some(kind) {
                return words.next().unwrap_or_default().to_owned();
            }
        }
    }

    /// Its account as of now: older lines are passed over.
    fn account(&self) -> BTreeMap<String, u64> {
        while self.lines.try_recv().is_ok() {}
        read(&self.next("account"))
    }

    fn say(&mut self, word: &str) {
        writeln!(self.input.as_mut().unwrap(), "{word}").unwrap();
    }

    /// Lets it stop working; gives its last account.
    fn stop(&mut self) -> BTreeMap<String, u64> {
        self.say("stop");
        read(&self.next("stopped"))
    }

    fn end(mut self) {
        drop(self.input.take());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended is ended once more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(account: &str) -> BTreeMap<String, u64> {
    let entry = |entry: &str| entry.rsplit_once('=').map(|(key, n)| (key.to_owned(), n.parse().unwrap()));
    account.split(' ').filter_map(entry).collect()
}

/// The cluster, and what its processes did before they were replaced.
struct Cluster {
    directory: tempfile::TempDir,
    running: BTreeMap<&'static str, Process>,
    added: u64,
    unknown: u64,
}

impl Cluster {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::create("stock", Validity::days(1)).unwrap();
        for name in MEMBERS {
            let peer = PeerName::new(name).unwrap();
            let own = directory.path().join(name);
            std::fs::create_dir(&own).unwrap();
            authority.issue(&peer, Role::Member, Validity::days(1)).unwrap().save(&own).unwrap();
        }
        Self { directory, running: BTreeMap::new(), added: 0, unknown: 0 }
    }

    fn start(&mut self, program: &str, name: &'static str, address: &str) {
        let others: Vec<String> = self.running.values().map(|process| process.address.clone()).collect();
        let process = Process::start(program, name, &self.directory.path().join(name), address, &others);
        self.running.insert(name, process);
    }

    /// Replaces one process by another program with the same identity, disk and address.
    fn replace(&mut self, name: &'static str, program: &str) {
        let mut process = self.running.remove(name).unwrap();
        let account = process.stop();
        self.settle(&account);
        let address = process.address.clone();
        process.end();
        self.start(program, name, &address);
    }

    /// Takes the last account of a process.
    fn settle(&mut self, account: &BTreeMap<String, u64>) {
        self.added += account["added"];
        self.unknown += account["unknown"];
        for (error, count) in account.iter().filter(|(key, _)| key.starts_with("error:")) {
            let expected =
                ["unreachable", "link_lost", "stale_incarnation", "no_such_actor", "stopped", "timeout"];
            let cause = error.trim_start_matches("error:").split('/').next().unwrap();
            assert!(expected.contains(&cause), "{error} {count} times: {account:?}");
        }
    }

    /// Waits until every process has taken from every other one, and raised the counter, so often more.
    fn progress(&self) {
        for (name, process) in &self.running {
            let before = process.account();
            let counts: Vec<String> = MEMBERS
                .iter()
                .filter(|other| *other != name)
                .map(|other| format!("from-{other}"))
                .chain(["added".to_owned()])
                .collect();
            let of = |account: &BTreeMap<String, u64>, key: &String| account.get(key).copied().unwrap_or(0);
            let begun = Instant::now();
            loop {
                let now = process.account();
                if counts.iter().all(|key| of(&now, key) >= of(&before, key) + PROGRESS) {
                    break;
                }
                assert!(begun.elapsed() < PATIENCE, "{name} comes no further: {before:?}, {now:?}");
            }
        }
    }

    /// How often the new processes were told by old ones that they do not know a message, and how often they were answered.
    fn more(&self, name: &str) -> (u64, u64) {
        let account = self.running[name].account();
        (account["more"], account["unsupported"])
    }
}

#[test]
fn a_cluster_is_upgraded_and_taken_back_while_it_works() {
    let mut cluster = Cluster::new();
    for name in MEMBERS {
        cluster.start(OLD, name, "127.0.0.1:0");
    }
    cluster.progress();

    cluster.replace("n1", NEW);
    cluster.progress();
    let (understood, unsupported) = cluster.more("n1");
    assert_eq!(understood, 0, "both others are old");
    assert!(unsupported >= 2 * PROGRESS);

    cluster.replace("n2", NEW);
    cluster.progress();
    let (understood, unsupported) = cluster.more("n2");
    assert!(understood >= PROGRESS && unsupported >= PROGRESS, "one is new, one is old");

    cluster.replace("n3", NEW);
    cluster.progress();
    assert_eq!(cluster.more("n3").1, 0, "nobody is old");

    // Back again, because something else went wrong.
    cluster.replace("n1", OLD);
    cluster.progress();

    for name in MEMBERS {
        let account = cluster.running.get_mut(name).unwrap().stop();
        cluster.settle(&account);
    }
    let last = cluster.running.get_mut("n2").unwrap();
    last.say("total");
    let total: u64 = last.next("total").parse().unwrap();
    let counted = cluster.added..=cluster.added + cluster.unknown;
    assert!(counted.contains(&total), "{total} is counted, {counted:?} were added");
    for (_, process) in std::mem::take(&mut cluster.running) {
        process.end();
    }
}
