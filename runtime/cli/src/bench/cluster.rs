//! A cluster of three processes with a directory of its own, for the time of a measurement.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use synod::node::{LinkThread, Node};
use synod::services::kv::Kv;
use synod_gateway::Status;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::bench::echo::failure;
use crate::bench::http::HttpClient;
use crate::failure::Failure;
use crate::processes::{
    CLIENT, CLUSTER, Children, Place, choose_http, choose_quic, client_identity, prepare,
};

const NODES: u16 = 3;
/// How long a node may take to hand over, flush and close.
const GRACE: Duration = Duration::from_secs(10);
/// How long the cluster may take to agree on a leader.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// Three processes; dropping this stops them and removes what they wrote.
pub(crate) struct Cluster {
    pub(crate) places: Vec<Place>,
    children: Children,
    binary: PathBuf,
    root: TempDir,
}

impl Cluster {
    /// Starts the processes below `directory`, or where temporary files go; gives also when the first of them was started.
    ///
    /// # Errors
    /// Names the file, port or program that is in the way.
    pub(crate) fn start(directory: Option<&Path>) -> Result<(Self, Instant), Failure> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("synod-bench-");
        let root = match directory {
            Some(directory) => builder.tempdir_in(directory),
            None => builder.tempdir(),
        };
        let root =
            root.map_err(|error| Failure::new(format!("cannot make a temporary directory: {error}")))?;
        let binary = std::env::current_exe()
            .map_err(|error| Failure::new(format!("cannot find the path of this program: {error}")))?;
        let places = Place::all(root.path(), &choose_http(NODES)?, &choose_quic(NODES)?);
        prepare(root.path(), &places)?;
        let began = Instant::now();
        let children = Children::start(&places, GRACE, |place| command(&binary, place))?;
        Ok((Self { places, children, binary, root }, began))
    }

    /// The map as a client of the cluster uses it, over QUIC; the node lives as long as it is wanted.
    ///
    /// # Errors
    /// When the client does not start.
    pub(crate) async fn client(&self) -> Result<(Node, Kv), Failure> {
        // As the clients of others have it: what asks also reads the socket.
        let mut builder = Node::client(CLUSTER, CLIENT)
            .tls(client_identity(self.root.path())?)
            .link_thread(LinkThread::Callers);
        for place in &self.places {
            builder = builder.peer(&place.name, place.quic.to_string()).map_err(failure)?;
        }
        let node = builder.start().await.map_err(failure)?;
        let kv = node.remote_kv("kv", self.places.iter().map(|place| &place.name)).map_err(failure)?;
        Ok((node, kv))
    }

    /// The number of the node that all take for the leader, once they do.
    ///
    /// # Errors
    /// When they do not, or a process has ended.
    pub(crate) async fn leader(&mut self) -> Result<usize, Failure> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let mut leaders = Vec::new();
            for (number, place) in self.places.iter().enumerate() {
                if let Some(status) = self.children.ended(number) {
                    let words = crate::processes::last_words(place);
                    return Err(Failure::new(format!("{} has ended ({status}): {words}", place.name)));
                }
                leaders.extend(status(place).await.and_then(|status| status.leader));
            }
            let agreed = leaders.len() == self.places.len() && leaders.iter().all(|name| *name == leaders[0]);
            if let (true, Some(leader)) = (agreed, leaders.first())
                && let Some(number) = self.places.iter().position(|place| place.name == *leader)
            {
                return Ok(number);
            }
            sleep(LOOK).await;
        }
        Err(Failure::new("the nodes do not agree on a leader"))
    }

    /// Ends a process as `kill -9` does.
    pub(crate) fn kill(&mut self, number: usize) {
        self.children.kill(number);
    }

    /// Starts a process again that was killed.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub(crate) fn restart(&mut self, number: usize) -> Result<(), Failure> {
        let place = &self.places[number];
        self.children.restart(number, place, command(&self.binary, place))
    }
}

fn command(binary: &Path, place: &Place) -> Command {
    let mut command = Command::new(binary);
    command.args(["node", "--exit-with-stdin", "--config"]).arg(place.config());
    command
}

async fn status(place: &Place) -> Option<Status> {
    // A node that does not answer has no status; the caller goes on looking.
    let response = HttpClient::new(place.http).get("/status").await.ok()?;
    serde_json::from_slice(&response.body).ok()
}
