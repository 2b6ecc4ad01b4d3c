//! The life of a demo: prepare, start, show until somebody says stop, end.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use clap::Args;
use tempfile::TempDir;

use super::row::{Process, Row};
use super::sample::{History, Sampler};
use super::screen::Screen;
use crate::client::seconds;
use crate::failure::Failure;
use crate::output::Form;
use crate::processes::{Children, Place, consecutive_http, last_words, prepare, quic_ports};
use crate::signals::stop_requests;

const TICK: Duration = Duration::from_secs(1);
/// Until the cluster is ready there is more to see.
const EAGER_TICK: Duration = Duration::from_millis(100);
/// How long a node may take to hand over, flush and close.
const GRACE: Duration = Duration::from_secs(10);

/// Starts a cluster of processes on this machine, with certificates of its own, and shows it.
///
/// Kill a node to see what happens; the command that brings it back is printed. Ctrl-C stops everything.
#[derive(Args, Debug)]
pub(crate) struct DemoCommand {
    /// How many nodes; three survive the death of one, five of two.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=9))]
    nodes: u16,
    /// Where everything is kept, to be found again by the next start. Without it, a temporary directory that is removed.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The port of the first node's HTTP on 127.0.0.1; the others have the ports after it.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Stop after so many seconds.
    #[arg(long = "for", value_name = "SECS", value_parser = seconds)]
    duration: Option<Duration>,
}

impl DemoCommand {
    /// Runs the demo to its end.
    ///
    /// # Errors
    /// When it cannot start; everything that was started is stopped.
    pub(crate) fn run(self, form: Form) -> Result<(), Failure> {
        let stop = stop_requests()?;
        let root = Root::open(self.dir.as_deref())?;
        let http = consecutive_http(self.port, self.nodes)?;
        let quic = quic_ports(root.path(), self.nodes)?;
        let places = Place::all(root.path(), &http, &quic);
        prepare(root.path(), &places)?;
        let binary = std::env::current_exe()
            .map_err(|error| Failure::new(format!("cannot find the path of this program: {error}")))?;
        let children = Children::start(&places, GRACE, |place| {
            let mut command = Command::new(&binary);
            command.args(["node", "--exit-with-stdin", "--config"]).arg(place.config());
            command
        })?;
        let count = places.len();
        let mut demo = Demo {
            binary,
            screen: Screen::new(form),
            sampler: Sampler::new(),
            histories: vec![History::default(); count],
            seen: vec![Seen::Nothing; count],
            ready: false,
            begun: Instant::now(),
            places,
            children,
        };
        demo.screen.say(&format!("starting {count} nodes in {}", root.path().display()))?;
        let result = demo.watch(&stop, self.duration);
        let foreign = demo.end()?;
        root.close(&foreign);
        result
    }
}

/// The directory of a demo.
enum Root {
    Kept(PathBuf),
    Temporary(TempDir),
}

/// The last that was told of a node's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Nothing,
    Alive,
    Dead,
}

/// A demo that runs.
struct Demo {
    places: Vec<Place>,
    children: Children,
    binary: PathBuf,
    screen: Screen,
    sampler: Sampler,
    histories: Vec<History>,
    seen: Vec<Seen>,
    ready: bool,
    begun: Instant,
}

impl Demo {
    fn watch(&mut self, stop: &Receiver<&'static str>, duration: Option<Duration>) -> Result<(), Failure> {
        let deadline = duration.map(|duration| self.begun + duration);
        loop {
            for (history, sample) in self.histories.iter_mut().zip(self.sampler.ask(&self.places)) {
                history.note(sample);
            }
            self.tell_changes()?;
            let rows = self.rows();
            self.screen.show(&rows, "Ctrl-C stops all nodes")?;
            let tick = if self.ready { TICK } else { EAGER_TICK };
            let left = deadline
                .map_or(tick, |deadline| deadline.saturating_duration_since(Instant::now()).min(tick));
            match stop.recv_timeout(left) {
                Ok(signal) => return self.screen.say(&format!("{signal}: stopping")),
                Err(RecvTimeoutError::Timeout)
                    if deadline.is_some_and(|deadline| Instant::now() >= deadline) =>
                {
                    return self.screen.say("time is up: stopping");
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Failure::new("signals are not caught any more"));
                }
            }
        }
    }

    /// Says who died, who came back, and when the cluster is ready.
    fn tell_changes(&mut self) -> Result<(), Failure> {
        for index in 0..self.places.len() {
            let place = &self.places[index];
            let ended = self.children.ended(index);
            let alive = self.histories[index].status().is_some();
            match (alive, ended, self.seen[index]) {
                (true, _, Seen::Dead) => self.screen.say(&format!("{} is back", place.name))?,
                (false, Some(_), _) if !self.ready => {
                    let words = last_words(place);
                    return Err(Failure::new(format!("{} did not start: {words}", place.name)));
                }
                (false, Some(status), Seen::Nothing | Seen::Alive) => {
                    let (name, command) = (&place.name, place.command(&self.binary));
                    self.screen
                        .say(&format!("{name} is dead ({status}); bring it back with:\n  {command}"))?;
                }
                (true, _, Seen::Nothing | Seen::Alive) | (false, None, _) | (false, Some(_), Seen::Dead) => {}
            }
            if alive {
                self.seen[index] = Seen::Alive;
            } else if ended.is_some() {
                self.seen[index] = Seen::Dead;
            }
        }
        let led = |history: &History| history.status().is_some_and(|status| status.leader.is_some());
        if !self.ready && self.histories.iter().all(led) {
            self.ready = true;
            let text = invitation(&self.places, self.begun.elapsed());
            self.screen.say(&text)?;
        }
        Ok(())
    }

    fn rows(&mut self) -> Vec<Row> {
        let mut rows = Vec::new();
        for (index, place) in self.places.iter().enumerate() {
            let process = match (self.children.ended(index), self.seen[index]) {
                (Some(_), _) => Process::Dead,
                (None, Seen::Nothing) => Process::Starting,
                (None, Seen::Alive | Seen::Dead) => Process::Silent,
            };
            rows.push(Row::of(place, &self.histories[index], process, self.children.pid(index)));
        }
        rows
    }

    /// Stops the children; gives the nodes that were brought back by hand and therefore are none.
    fn end(mut self) -> Result<Vec<String>, Failure> {
        let mut foreign = Vec::new();
        for (index, history) in self.histories.iter().enumerate() {
            if let Some(status) = history.status().filter(|status| status.pid != self.children.pid(index)) {
                foreign.push(format!("{} (pid {})", status.node, status.pid));
            }
        }
        self.children.stop();
        if !foreign.is_empty() {
            let names = foreign.join(" and ");
            self.screen.say(&format!("brought back by hand and therefore left running: {names}"))?;
        }
        Ok(foreign)
    }
}

impl Root {
    fn open(directory: Option<&Path>) -> Result<Self, Failure> {
        let Some(directory) = directory else {
            let temporary = tempfile::Builder::new().prefix("synod-demo-").tempdir();
            return temporary
                .map(Self::Temporary)
                .map_err(|error| Failure::new(format!("cannot make a temporary directory: {error}")));
        };
        let made = std::fs::create_dir_all(directory).and_then(|()| directory.canonicalize());
        made.map(Self::Kept).map_err(|error| Failure::at(directory, "make the directory", error))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(directory) => directory.path(),
        }
    }

    /// Removes a temporary directory, unless a node still lives in it.
    fn close(self, living: &[String]) {
        if let Self::Temporary(directory) = self
            && !living.is_empty()
        {
            eprintln!("synod: {} is kept for the node that runs", directory.keep().display());
        }
    }
}

/// What to try.
fn invitation(places: &[Place], took: Duration) -> String {
    let first = places[0].http;
    let last = places[places.len() - 1].http;
    format!(
        "ready after {took:.1?}; try:\n  \
         curl -i -X PUT --data-binary 'hello' http://{first}/kv/greeting\n  \
         curl -i http://{last}/kv/greeting\n  \
         curl -s 'http://{first}/kv?prefix=g'\n  \
         curl -N 'http://{last}/kv?watch='\n  \
         curl -s http://{first}/status"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_invitation_names_the_first_and_the_last_node() {
        let http = ["127.0.0.1:8080", "127.0.0.1:8081"].map(|address| address.parse().unwrap());
        let text = invitation(&Place::all(Path::new("/d"), &http, &[1, 2]), Duration::from_millis(1234));
        assert!(
            text.starts_with("ready after 1.2s")
                && text.contains("8080/kv/greeting")
                && text.contains("8081/kv/greeting")
        );
    }
}
