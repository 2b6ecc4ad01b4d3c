//! The processes of a run: started, killed, stopped and asked how they are. Decides nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use synod_gateway::{Role, Status};
use ureq::Agent;

use super::proxy::Proxy;
use crate::client::{Endpoint, Path as HttpPath, Request, attempt, local_agent};
use crate::failure::Failure;
use crate::processes::{Children, Place, choose_http, choose_quic, last_words, prepare_by};

/// How long a node may take to hand over, flush and close.
const GRACE: Duration = Duration::from_secs(5);
/// How long a node may take to say how it is.
const PATIENCE: Duration = Duration::from_millis(400);
const LOOK: Duration = Duration::from_millis(50);
/// Few, so that snapshots are taken and sent during a run.
const SNAPSHOT_ENTRIES: &str = "raft.snapshot_entries=1000";

/// Processes, and the network between them.
pub(super) struct Cluster {
    pub(super) places: Vec<Place>,
    pub(super) proxy: Proxy,
    children: Children,
    binary: PathBuf,
    agent: Agent,
}

impl Cluster {
    /// The places of so many nodes below `root`.
    ///
    /// # Errors
    /// When there are no free ports.
    pub(super) fn places(root: &Path, nodes: u16) -> Result<Vec<Place>, Failure> {
        Ok(Place::all(root, &choose_http(nodes)?, &choose_quic(nodes)?))
    }

    /// Starts the processes.
    ///
    /// # Errors
    /// Names the file, socket or program that is in the way.
    pub(super) fn start(root: &Path, places: Vec<Place>, seed: u64) -> Result<Self, Failure> {
        let listen: Vec<_> = places.iter().map(|place| place.quic).collect();
        let proxy = Proxy::start(&listen, seed)?;
        let numbers: BTreeMap<&str, usize> =
            places.iter().enumerate().map(|(number, place)| (place.name.as_str(), number)).collect();
        prepare_by(root, &places, |from, to| {
            proxy.address(numbers[from.name.as_str()], numbers[to.name.as_str()])
        })?;
        let binary = std::env::current_exe()
            .map_err(|error| Failure::new(format!("cannot find the path of this program: {error}")))?;
        let children = Children::start(&places, GRACE, |place| command(&binary, place))?;
        Ok(Self { places, proxy, children, binary, agent: local_agent(PATIENCE) })
    }

    /// How many nodes there are.
    pub(super) fn nodes(&self) -> usize {
        self.places.len()
    }

    /// Where they serve HTTP.
    pub(super) fn endpoints(&self) -> Vec<Endpoint> {
        self.places.iter().map(|place| Endpoint::plain(place.http)).collect()
    }

    /// How a node is, if it says so in time.
    pub(super) fn status(&self, node: usize) -> Option<Status> {
        let body = self.get(node, "/status")?;
        let status: Status = serde_json::from_slice(body.as_bytes()).ok()?;
        // Another process may have taken the port.
        (status.node == self.places[node].name).then_some(status)
    }

    /// A counter of a node, by its printed name.
    pub(super) fn counter(&self, node: usize, name: &str) -> Option<u64> {
        let metrics = self.get(node, "/metrics")?;
        metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }

    /// The node that says it leads, in the latest term.
    pub(super) fn leader(&self) -> Option<usize> {
        let leads = |node: usize| {
            let status = self.status(node).filter(|status| status.role == Role::Leader)?;
            Some((status.term, node))
        };
        (0..self.nodes()).filter_map(leads).max().map(|(_, node)| node)
    }

    /// Ends a node as `kill -9` does.
    pub(super) fn kill(&mut self, node: usize) {
        self.children.kill(node);
    }

    /// Starts a node again that has ended.
    ///
    /// # Errors
    /// When the program cannot be run.
    pub(super) fn restart(&mut self, node: usize) -> Result<(), Failure> {
        let place = &self.places[node];
        self.children.restart(node, place, command(&self.binary, place))
    }

    /// Lets a node stand still.
    pub(super) fn pause(&self, node: usize) {
        self.children.signal(node, Signal::STOP);
    }

    /// Lets a node go on.
    pub(super) fn resume(&self, node: usize) {
        self.children.signal(node, Signal::CONT);
    }

    /// What a node said last, if it has ended.
    pub(super) fn ended(&mut self, node: usize) -> Option<String> {
        self.children.ended(node)?;
        Some(last_words(&self.places[node]))
    }

    /// Waits until every node knows a leader and has applied what was committed before; `false` when that takes too long, or
    /// `interrupted` says so.
    ///
    /// # Errors
    /// When a node has ended.
    pub(super) fn settle(
        &mut self,
        patience: Duration,
        mut interrupted: impl FnMut() -> bool,
    ) -> Result<bool, Failure> {
        let deadline = Instant::now() + patience;
        let mut goal = None;
        while Instant::now() < deadline && !interrupted() {
            for node in 0..self.nodes() {
                if let Some(words) = self.ended(node) {
                    return Err(Failure::new(format!("{} has ended: {words}", self.places[node].name)));
                }
            }
            let all: Option<Vec<Status>> = (0..self.nodes()).map(|node| self.status(node)).collect();
            if let Some(all) = all {
                let led = all.iter().all(|status| status.leader.is_some());
                let commit = all.iter().map(|status| status.commit_index).max();
                match goal {
                    None if led => goal = commit,
                    Some(goal) if led && all.iter().all(|status| status.applied_index >= goal) => {
                        return Ok(true);
                    }
                    None | Some(_) => {}
                }
            }
            thread::sleep(LOOK);
        }
        Ok(false)
    }

    /// Ends all nodes in order, as far as they listen.
    pub(super) fn stop(&mut self) {
        self.children.stop();
    }

    fn get(&self, node: usize, path: &'static str) -> Option<String> {
        let endpoint = Endpoint::plain(self.places[node].http);
        let answer = attempt(&self.agent, &endpoint, &Request::read(HttpPath::new(path)), &[]).ok()?;
        (answer.status == 200).then(|| answer.text())
    }
}

fn command(binary: &Path, place: &Place) -> Command {
    let mut command = Command::new(binary);
    command.args(["node", "--exit-with-stdin", "--set", SNAPSHOT_ENTRIES, "--config"]).arg(place.config());
    command
}
