//! One node as a process of its own: how it ends when it can go on no longer.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

const BINARY: &str = env!("CARGO_BIN_EXE_synod");
const PATIENCE: Duration = Duration::from_secs(60);

/// A cluster of one, killed when dropped.
struct Alone {
    child: Child,
    http: String,
}

impl Alone {
    fn start(directory: &Path) -> Self {
        let ca = |arguments: &[&str]| {
            let made = Command::new(BINARY).args(["ca"]).args(arguments).arg("--dir").arg(directory).output();
            assert!(made.as_ref().is_ok_and(|output| output.status.success()), "{made:?}");
        };
        ca(&["init", "--cluster", "alone"]);
        ca(&["issue", "--name", "a"]);
        let file = directory.join("node.toml");
        let text = "cluster = \"alone\"\nnode = \"a\"\ndirectory = \"data\"\n\
             [listen]\nquic = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:0\"\n\
             [tls]\nauthority = \"ca.pem\"\ncertificate = \"a.pem\"\nkey = \"a-key.pem\"\n";
        fs::write(&file, text).unwrap();
        // Writing beyond the limit of a file's size is an error for whoever ignores the signal, and the end for others.
        let mut child = Command::new("sh")
            .args(["-c", "trap '' XFSZ; exec \"$@\"", "sh", BINARY, "node", "--config"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let http = loop {
            line.clear();
            assert!(log.read_line(&mut line).unwrap() > 0, "the node ended before it served");
            if let Some((_, address)) = line.split_once("serving HTTP address=") {
                break address.trim().to_owned();
            }
        };
        child.stderr = Some(log.into_inner());
        Self { child, http }
    }

    /// Asks for a write and gives the first line of the answer.
    fn put(&self) -> String {
        use std::io::Write;
        let mut stream = TcpStream::connect(&self.http).unwrap();
        stream.write_all(b"PUT /kv/k HTTP/1.0\r\ncontent-length: 1\r\n\r\nv").unwrap();
        let mut line = String::new();
        // A node that ends may close the connection without an answer.
        let _ = BufReader::new(stream).read_line(&mut line);
        line
    }

    /// Writes another credential of the node over the one it has, asks it to read it, and gives the line about that.
    fn renew(&mut self, directory: &Path, with_key: bool) -> String {
        let next = directory.join("next");
        let issued = Command::new(BINARY)
            .args(["ca", "issue", "--name", "a", "--dir"])
            .args([directory, Path::new("--out"), &next])
            .output();
        assert!(issued.as_ref().is_ok_and(|output| output.status.success()), "{issued:?}");
        let take = |file: &str| fs::rename(next.join(file), directory.join(file)).unwrap();
        take("a.pem");
        if with_key {
            take("a-key.pem");
        }
        kill_process(Pid::from_child(&self.child), Signal::USR1).unwrap();
        let mut log = BufReader::new(self.child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("renewed") {
            line.clear();
            assert!(log.read_line(&mut line).unwrap() > 0, "the node ended");
        }
        self.child.stderr = Some(log.into_inner());
        line
    }

    /// How the process ended, and the rest of what it said.
    fn end(mut self) -> (ExitStatus, String) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                let mut said = String::new();
                self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
                return (status, said);
            }
            assert!(Instant::now() < deadline, "the node goes on");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        // Errors mean that it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_node_whose_log_has_failed_says_so_and_ends() {
    let directory = tempfile::tempdir().unwrap();
    let node = Alone::start(directory.path());
    assert!(node.put().contains("201"));
    let nothing = Rlimit { current: Some(1), maximum: Some(1) };
    prlimit(Some(Pid::from_child(&node.child)), Resource::Fsize, nothing).unwrap();
    let answer = node.put();
    assert!(answer.is_empty() || answer.contains("503"), "{answer}");
    let (status, said) = node.end();
    assert_eq!(status.code(), Some(1), "{said}");
    let last = said.lines().last().unwrap();
    let told =
        ["synod: the log has failed", "node has to be started again", "data", "log/", "File too large"];
    assert!(told.iter().all(|part| last.contains(part)), "{said}");
}

#[test]
fn a_node_takes_another_certificate_and_goes_on_and_keeps_its_own_when_it_cannot() {
    let directory = tempfile::tempdir().unwrap();
    let mut node = Alone::start(directory.path());
    let taken = node.renew(directory.path(), true);
    assert!(taken.contains("the identity was renewed") && taken.contains("serial"), "{taken}");
    let refused = node.renew(directory.path(), false);
    assert!(refused.contains("was not renewed") && refused.contains("does not belong"), "{refused}");
    assert!(node.put().contains("201"));
}
