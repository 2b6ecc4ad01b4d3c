//! Where a sample's nodes live: for real on loopback, or in virtual time. The sample itself does not know which.
//!
//! Not a part of synod: it only shows that a simulated node differs from a real one by the environment its builder gets.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use synod::prelude::*;
use synod::storage::LogOptions;
use tempfile::TempDir;

use crate::stage::Stage;

/// How long a real node may take for each phase of its end.
const GRACE: Duration = Duration::from_secs(2);

/// The world of one cluster.
pub struct Ground {
    cluster: &'static str,
    world: World,
    running: RefCell<BTreeMap<String, Node>>,
}

enum World {
    /// Threads, sockets and files of the operating system. The authority and the disks last as long as the sample.
    Real { authority: Box<Authority>, disks: TempDir },
    /// One thread in virtual time; everything follows from the seed.
    Simulated(Simulation),
}

impl Ground {
    /// Ground for a cluster: QUIC on loopback, an authority of its own and disks in a temporary directory; or a simulation.
    ///
    /// # Errors
    /// When the authority or the directory cannot be made.
    pub fn new(cluster: &'static str, stage: Stage) -> Result<Self, Box<dyn Error>> {
        let world = match stage {
            Stage::Real => World::Real {
                authority: Box::new(Authority::create(cluster, Validity::days(1))?),
                disks: TempDir::with_prefix("synod-sample-")?,
            },
            Stage::Simulated(simulation) => World::Simulated(simulation),
        };
        Ok(Self { cluster, world, running: RefCell::default() })
    }

    /// Starts a node, or starts it again on the disk it left behind. It dials the nodes that are running.
    ///
    /// # Errors
    /// What [`NodeBuilder::start`] says.
    pub async fn start(&self, name: &str) -> Result<Node, Box<dyn Error>> {
        // A log of small segments, because a sample writes little and opens it often.
        let builder = Node::builder(self.cluster, name).log(LogOptions::sim());
        let builder = match &self.world {
            World::Real { authority, disks } => {
                builder.tls(Identity::brief(authority, name)?).directory(disks.path().join(name))
            }
            World::Simulated(simulation) => builder.env(simulation.boot(&peer(name)?)),
        };
        let peers: Vec<String> =
            self.running.borrow().values().map(|node| node.address().to_string()).collect();
        let node = builder.join(peers).start().await?;
        self.running.borrow_mut().insert(name.to_owned(), node.clone());
        Ok(node)
    }

    /// Ends a node: a simulated one at once, with power failure; a real one, which shares its process with others, in order.
    ///
    /// # Errors
    /// When there is no such node.
    pub async fn end(&self, name: &str) -> Result<(), Box<dyn Error>> {
        let node = self.running.borrow_mut().remove(name).ok_or_else(|| format!("{name} is not running"))?;
        match &self.world {
            World::Real { .. } => node.shutdown(GRACE).await,
            World::Simulated(simulation) => drop(simulation.kill(&peer(name)?)),
        }
        Ok(())
    }
}

fn peer(name: &str) -> Result<PeerName, IdentityError> {
    PeerName::new(name).ok_or_else(|| IdentityError::Peer(name.to_owned()))
}
