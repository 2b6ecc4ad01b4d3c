//! Three nodes in this process, each with a directory, a port and a certificate of its own.

use std::path::Path;
use std::time::Duration;

use synod::node::NodeConfig;
use synod::prelude::Node;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::bench::echo::failure;
use crate::failure::Failure;
use crate::processes::{Place, choose_http, choose_quic, prepare};

const NODES: u16 = 3;
/// How long the nodes may take to find each other.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long each phase of an end may take.
const GRACE: Duration = Duration::from_secs(10);
/// How long a service has nothing to do before it sleeps.
const SLEEPY: Duration = Duration::from_secs(1);

/// The nodes; what they wrote goes with this.
pub(crate) struct House {
    pub(crate) nodes: Vec<Node>,
    _root: TempDir,
}

/// What the nodes have counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Messages of Raft machines sent.
    pub(crate) raft: u64,
    /// Beats of pairs of nodes sent.
    pub(crate) beats: u64,
    /// Bytes sent over links.
    pub(crate) bytes: u64,
}

impl House {
    /// Starts the nodes below `directory`, or where temporary files go, and waits until they know each other.
    ///
    /// # Errors
    /// Names the file or port that is in the way.
    pub(crate) async fn start(directory: Option<&Path>) -> Result<Self, Failure> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("synod-bench-");
        let root = match directory {
            Some(directory) => builder.tempdir_in(directory),
            None => builder.tempdir(),
        };
        let root =
            root.map_err(|error| Failure::new(format!("cannot make a temporary directory: {error}")))?;
        let places = Place::all(root.path(), &choose_http(NODES)?, &choose_quic(NODES)?);
        prepare(root.path(), &places)?;
        let mut nodes = Vec::new();
        for place in &places {
            let mut config = NodeConfig::from_file(&place.config(), &[]).map_err(failure)?;
            config.raft.hibernate_after = Some(SLEEPY);
            nodes.push(Node::start(&config).await.map_err(failure)?);
        }
        let house = Self { nodes, _root: root };
        let deadline = Instant::now() + PATIENCE;
        while house.nodes.iter().any(|node| node.system().members().len() + 1 < usize::from(NODES)) {
            if Instant::now() > deadline {
                return Err(Failure::new("the nodes do not find each other"));
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(house)
    }

    /// The nodes' names.
    pub(crate) fn names(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.name().to_string()).collect()
    }

    /// Ends the nodes in order.
    pub(crate) async fn end(self) {
        for node in &self.nodes {
            node.shutdown(GRACE).await;
        }
    }
}

impl Tally {
    /// Up to this moment.
    pub(crate) fn of(house: &House) -> Self {
        let texts: Vec<String> = house.nodes.iter().map(|node| node.metrics().render()).collect();
        let sum = |wanted: &str| {
            let lines = texts.iter().flat_map(|text| text.lines());
            lines.filter_map(|line| line.strip_prefix(wanted)?.trim().parse::<u64>().ok()).sum()
        };
        let messages =
            |protocol| sum(&format!("synod_driver_messages_sent_total{{protocol=\"{protocol}\"}}"));
        Self {
            raft: messages("raft"),
            beats: messages("liveness"),
            bytes: sum("synod_link_bytes_sent_total"),
        }
    }
}
