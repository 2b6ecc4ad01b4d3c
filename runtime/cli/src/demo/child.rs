//! The processes of a demo. They end with it, in order or not: each watches its standard input, which ends when the demo does.

use std::fs::OpenOptions;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::layout::Place;
use crate::failure::Failure;

const POLL: Duration = Duration::from_millis(20);

/// The processes, one for each place. Dropping them stops them.
pub(super) struct Children {
    children: Vec<Running>,
    grace: Duration,
}

struct Running {
    child: Child,
    ended: Option<ExitStatus>,
}

impl Children {
    /// Starts `binary` once for each place.
    ///
    /// # Errors
    /// Names the file that could not be opened or run; what was started is stopped.
    pub(super) fn start(binary: &Path, places: &[Place], grace: Duration) -> Result<Self, Failure> {
        let mut children = Self { children: Vec::new(), grace };
        for place in places {
            let log = OpenOptions::new().create(true).append(true).open(place.log());
            let log = log.map_err(|error| Failure::at(&place.log(), "write it", error))?;
            let child = Command::new(binary)
                .args(["node", "--exit-with-stdin", "--config"])
                .arg(place.config())
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()
                .map_err(|error| Failure::at(binary, "run it", error))?;
            children.children.push(Running { child, ended: None });
        }
        Ok(children)
    }

    /// The process id of the child at a place.
    pub(super) fn pid(&self, place: usize) -> u32 {
        self.children[place].child.id()
    }

    /// How the child at a place ended, if it did.
    pub(super) fn ended(&mut self, place: usize) -> Option<ExitStatus> {
        self.children[place].poll()
    }

    /// Asks all to end, waits for the grace, and ends those that are left.
    pub(super) fn stop(&mut self) {
        for running in &mut self.children {
            if running.poll().is_none() {
                // An error means that it has ended since.
                let _ = kill_process(Pid::from_child(&running.child), Signal::TERM);
            }
        }
        let deadline = Instant::now() + self.grace;
        while self.children.iter_mut().any(|running| running.poll().is_none()) && Instant::now() < deadline {
            thread::sleep(POLL);
        }
        for running in &mut self.children {
            if running.poll().is_none() {
                // As above; a killed process is certain to end.
                let _ = running.child.kill();
                running.ended = running.child.wait().ok();
            }
        }
    }
}

impl Running {
    fn poll(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().ok().flatten();
        }
        self.ended
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        self.stop();
    }
}
