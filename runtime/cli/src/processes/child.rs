//! The processes of a command. They end with it, in order or not: each watches its standard input, which ends when the command does.

use std::fs::OpenOptions;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::layout::Place;
use crate::failure::Failure;

const POLL: Duration = Duration::from_millis(20);

/// The processes, one for each place. Dropping them stops them.
pub(crate) struct Children {
    children: Vec<Running>,
    grace: Duration,
}

struct Running {
    child: Child,
    ended: Option<ExitStatus>,
}

impl Children {
    /// Starts a process for each place; what it says on standard error goes to the place's log.
    ///
    /// # Errors
    /// Names the file that could not be opened or run; what was started is stopped.
    pub(crate) fn start(
        places: &[Place],
        grace: Duration,
        command: impl Fn(&Place) -> Command,
    ) -> Result<Self, Failure> {
        let mut children = Self { children: Vec::new(), grace };
        for place in places {
            children.children.push(Running::start(place, command(place))?);
        }
        Ok(children)
    }

    /// Ends the child at a place without a word, as `kill -9` does, and gives when it is gone.
    pub(crate) fn kill(&mut self, place: usize) {
        self.children[place].kill();
    }

    /// Starts the child at a place again, which has ended.
    ///
    /// # Errors
    /// As [`Children::start`].
    pub(crate) fn restart(&mut self, number: usize, place: &Place, command: Command) -> Result<(), Failure> {
        self.children[number] = Running::start(place, command)?;
        Ok(())
    }

    /// Sends the child at a place a signal, unless it has ended.
    pub(crate) fn signal(&self, place: usize, signal: Signal) {
        let running = &self.children[place];
        if running.ended.is_none() {
            // An error means that it has ended since.
            let _ = kill_process(Pid::from_child(&running.child), signal);
        }
    }

    /// The process id of the child at a place.
    pub(crate) fn pid(&self, place: usize) -> u32 {
        self.children[place].child.id()
    }

    /// How the child at a place ended, if it did.
    pub(crate) fn ended(&mut self, place: usize) -> Option<ExitStatus> {
        self.children[place].poll()
    }

    /// Asks all to end, waits for the grace, and ends those that are left.
    pub(crate) fn stop(&mut self) {
        for running in &mut self.children {
            if running.poll().is_none() {
                // An error means that it has ended since.
                let _ = kill_process(Pid::from_child(&running.child), Signal::TERM);
                // One that stands still hears of it only when it goes on.
                let _ = kill_process(Pid::from_child(&running.child), Signal::CONT);
            }
        }
        let deadline = Instant::now() + self.grace;
        while self.children.iter_mut().any(|running| running.poll().is_none()) && Instant::now() < deadline {
            thread::sleep(POLL);
        }
        for running in &mut self.children {
            if running.poll().is_none() {
                running.kill();
            }
        }
    }
}

impl Running {
    fn start(place: &Place, mut command: Command) -> Result<Self, Failure> {
        let log = OpenOptions::new().create(true).append(true).open(place.log());
        let log = log.map_err(|error| Failure::at(&place.log(), "write it", error))?;
        // Ctrl-C at a terminal is for the command alone, which then asks its children. And one that stands still when the command
        // dies is woken by the kernel, because nobody is left who could: that goes by groups.
        command.process_group(0);
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log).spawn();
        let child =
            spawned.map_err(|error| Failure::at(Path::new(command.get_program()), "run it", error))?;
        Ok(Self { child, ended: None })
    }

    fn kill(&mut self) {
        // An error means that it has ended since; a killed process is certain to end.
        let _ = self.child.kill();
        self.ended = self.child.wait().ok();
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    fn places(root: &Path, count: u16) -> Vec<Place> {
        let http: Vec<_> = (0..count).map(|number| ([127, 0, 0, 1], 8080 + number).into()).collect();
        let quic: Vec<u16> = (0..count).map(|number| 7000 + number).collect();
        let places = Place::all(root, &http, &quic);
        for place in &places {
            std::fs::create_dir_all(&place.directory).unwrap();
        }
        places
    }

    fn shell(script: &'static str) -> impl Fn(&Place) -> Command {
        move |_| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            command
        }
    }

    fn wait(children: &mut Children, place: usize) -> ExitStatus {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if let Some(status) = children.ended(place) {
                return status;
            }
            thread::sleep(POLL);
        }
        panic!("the child goes on");
    }

    #[test]
    fn children_end_when_asked() {
        let root = tempfile::tempdir().unwrap();
        let places = places(root.path(), 2);
        let mut children =
            Children::start(&places, Duration::from_secs(20), shell("exec sleep 100")).unwrap();
        assert_eq!(children.ended(0), None);
        children.stop();
        assert_eq!(children.ended(1).unwrap().signal(), Some(Signal::TERM.as_raw()));
    }

    #[test]
    fn children_that_do_not_listen_are_killed() {
        let root = tempfile::tempdir().unwrap();
        let places = places(root.path(), 1);
        let script = "trap '' TERM; echo deaf >&2; exec sleep 100";
        let mut children = Children::start(&places, Duration::from_millis(1), shell(script)).unwrap();
        while std::fs::read_to_string(places[0].log()).unwrap() != "deaf\n" {
            thread::sleep(POLL);
        }
        children.stop();
        assert_eq!(children.ended(0).unwrap().signal(), Some(Signal::KILL.as_raw()));
    }

    #[test]
    fn the_end_of_standard_input_is_the_end_of_the_command() {
        let root = tempfile::tempdir().unwrap();
        let places = places(root.path(), 1);
        let mut children = Children::start(&places, Duration::from_secs(20), shell("cat; exit 7")).unwrap();
        drop(children.children[0].child.stdin.take());
        assert_eq!(wait(&mut children, 0).code(), Some(7));
    }
}
