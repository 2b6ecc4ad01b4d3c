//! The queues of a node, by name: an end for each, made when it is first sent to or taken from.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;
use synod_protocols::Protocol;
use synod_protocols::delivery::{Config, Delivery};
use tokio::sync::OnceCell;

use crate::actor::ActorSystem;
use crate::address::{MachineId, node_id};
use crate::delivery::end::End;
use crate::delivery::error::QueueError;
use crate::delivery::meters::QueueMeters;
use crate::delivery::options::{ReceiverOptions, SenderOptions};
use crate::delivery::outlet::Outlet;
use crate::delivery::receiver::ReliableReceiver;
use crate::delivery::sender::ReliableSender;
use crate::driver::{CreateError, DriverHandle};

/// The queues of a node.
pub(crate) struct Queues {
    system: ActorSystem,
    meters: QueueMeters,
    ends: Mutex<BTreeMap<String, Arc<OnceCell<Arc<End>>>>>,
}

impl Queues {
    pub(crate) fn new(system: ActorSystem) -> Self {
        let meters = QueueMeters::new(system.metrics());
        Self { system, meters, ends: Mutex::default() }
    }

    /// This node's end of a queue.
    pub(crate) async fn end(
        &self,
        name: &str,
        driver: DriverHandle<Delivery>,
    ) -> Result<Arc<End>, CreateError> {
        let cell = {
            let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
            ends.entry(name.to_owned()).or_default().clone()
        };
        cell.get_or_try_init(|| self.host(name, driver)).await.cloned()
    }

    async fn host(&self, name: &str, driver: DriverHandle<Delivery>) -> Result<Arc<End>, CreateError> {
        let machine = MachineId::of(Delivery::NAME, name);
        let (core, meters) = (self.system.core.clone(), self.meters.of(name));
        let end = Arc::new(End::new(name.to_owned(), core, meters, driver.clone(), machine));
        let outlet = Outlet(end.clone());
        let config = Config::lan(node_id(self.system.name()));
        driver.create(name, config, move || Box::new(outlet)).await?;
        Ok(end)
    }
}

impl End {
    /// A sender to this queue.
    pub(crate) async fn sender<M: Serialize + Send + 'static>(
        self: Arc<Self>,
        options: SenderOptions,
    ) -> Result<ReliableSender<M>, QueueError> {
        ReliableSender::open(self, options).await
    }

    /// A receiver from this queue.
    pub(crate) async fn receiver<M: DeserializeOwned + Send + 'static>(
        self: Arc<Self>,
        options: ReceiverOptions,
    ) -> Result<ReliableReceiver<M>, QueueError> {
        ReliableReceiver::open(self, options).await
    }
}
