//! The process that answers: this program once more, which ends with the one that started it.

use std::io::{BufRead, BufReader, Read, Write, stdin, stdout};
use std::process::{Child, Command, Stdio};

use crate::command::Peer;
use crate::line::Failure;

/// The process; dropping this ends it.
pub(crate) struct Answerer {
    child: Child,
    /// What it said first: where it is.
    pub(crate) whereabouts: String,
}

impl Answerer {
    /// Starts it, and waits until it says where it is.
    ///
    /// # Errors
    /// When it does not start, or says nothing.
    pub(crate) fn start(peer: Peer) -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["answer", &peer.name()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line)?;
        let answerer = Self { child, whereabouts: line.trim().to_owned() };
        if answerer.whereabouts.is_empty() {
            return Err("the process that answers did not start".into());
        }
        Ok(answerer)
    }
}

impl Drop for Answerer {
    fn drop(&mut self) {
        // One that has ended already is killed without an error.
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            eprintln!("the process that answers does not end: {error}");
        }
    }
}

/// In the process that answers: says where it is, and ends it with the one that started it.
pub(crate) fn be_found(whereabouts: &str) -> Result<(), Failure> {
    let mut stdout = stdout();
    writeln!(stdout, "{whereabouts}")?;
    stdout.flush()?;
    std::thread::spawn(|| {
        // Its end is all that matters, however it comes.
        match stdin().read_to_end(&mut Vec::new()) {
            Ok(_) => std::process::exit(0),
            Err(error) => {
                eprintln!("the process that measures is not heard: {error}");
                std::process::exit(1);
            }
        }
    });
    Ok(())
}
