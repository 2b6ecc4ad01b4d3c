//! The cluster under study: its nodes, started and started again, and what clients and faults share.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use synod_transport::PeerName;

use crate::env::Env;
use crate::node::Node;
use crate::services::kv::Kv;
use crate::sim::simulation::Simulation;
use crate::sim::study::ledger::Ledger;
use crate::storage::LogOptions;

/// Where every simulated node listens.
const PORT: u16 = 7400;

/// The cluster under study, as its clients and its faults see it.
#[derive(Clone)]
pub(crate) struct Cluster {
    pub(crate) simulation: Simulation,
    /// The map's handle on each node that runs.
    pub(crate) handles: Rc<RefCell<BTreeMap<PeerName, Kv>>>,
    pub(crate) ledger: Rc<RefCell<Ledger>>,
}

impl Cluster {
    /// A cluster of which no node runs.
    pub(crate) fn new(simulation: Simulation) -> Self {
        Self { simulation, handles: Rc::default(), ledger: Rc::default() }
    }

    /// Starts a node that keeps the map, with what its disk holds.
    pub(crate) fn start(&self, name: &PeerName) {
        let (cluster, own) = (self.clone(), name.clone());
        self.simulation.start(name, move |env| async move {
            match cluster.serve(&own, env).await {
                Ok(()) => {}
                Err(error) => cluster.ledger.borrow_mut().complain(format!("{own} did not start: {error}")),
            }
        });
    }

    async fn serve(&self, own: &PeerName, env: Env) -> Result<(), Box<dyn std::error::Error>> {
        let simulation = &self.simulation;
        let bind = simulation.endpoint(own, PORT).parse()?;
        let mut builder = Node::builder("study", own.as_str()).env(env).bind(bind).log(LogOptions::sim());
        for peer in simulation.names().iter().filter(|peer| *peer != own) {
            builder = builder.peer(peer.as_str(), simulation.endpoint(peer, PORT))?;
        }
        let node = builder.start().await?;
        let kv = node.kv("study", simulation.names().iter().map(PeerName::as_str)).await?;
        self.handles.borrow_mut().insert(own.clone(), kv);
        Ok(())
    }
}
