//! The drivers of a node, one for each protocol it runs, begun when the first machine of the protocol is hosted.

use std::any::Any;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use futures_util::future::BoxFuture;
use synod_protocols::Protocol;
use synod_protocols::liveness::{Config, Liveness};

use crate::actor::ActorSystem;
use crate::address::{ProtocolId, node_id};
use crate::driver::{Context, Driver, DriverHandle, DriverMeters, Limits, Throttle, Vigil};
use crate::node::config::RaftConfig;
use crate::node::pairs::Pairs;
use crate::storage::{Log, LogFailure, Store, WriteFault};
use crate::telemetry::Metrics;

/// The drivers, and the store they share.
pub(crate) struct Drivers {
    store: Store,
    /// Where damaged logs are kept, relative to the node's directory.
    set_aside: Vec<PathBuf>,
    meters: DriverMeters,
    /// How soon the silence of a peer is to be noticed: as soon as by the groups that rely on it.
    pace: RaftConfig,
    throttle: Throttle,
    pairs: OnceLock<Arc<Pairs>>,
    running: Mutex<BTreeMap<ProtocolId, Arc<dyn Running>>>,
}

/// A driver without its type.
trait Running: Any + Send + Sync {
    fn as_any(&self) -> &dyn Any;
    fn shutdown(&self) -> BoxFuture<'static, ()>;
}

impl<P: Protocol> Running for DriverHandle<P> {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn shutdown(&self) -> BoxFuture<'static, ()> {
        let handle = self.clone();
        Box::pin(async move { Self::shutdown(&handle).await })
    }
}

impl Drivers {
    /// No drivers yet, for machines that keep their records in `store`.
    pub(crate) fn new(store: Store, set_aside: Vec<PathBuf>, metrics: &Metrics, pace: RaftConfig) -> Self {
        let meters = DriverMeters::new(metrics);
        let throttle = Throttle::new(pace.snapshot_rate);
        Self { store, set_aside, meters, pace, throttle, pairs: OnceLock::new(), running: Mutex::default() }
    }

    /// The driver of a protocol, begun if this is the first time it is asked for.
    ///
    /// # Panics
    /// When two protocols share a name.
    pub(crate) fn of<P: Protocol>(&self, system: &ActorSystem) -> DriverHandle<P> {
        self.start::<P>(system, Some(self.pairs(system)))
    }

    /// What watches the nodes of peers: begun with the first driver, so that a node answers its peers as soon as it has machines.
    fn pairs(&self, system: &ActorSystem) -> Arc<Pairs> {
        let begin = || {
            let RaftConfig { election_timeout: timeout, heartbeat: interval, .. } = self.pace;
            let config = Config { id: node_id(system.name()), interval, timeout };
            Arc::new(Pairs::start(self.start::<Liveness>(system, None), config))
        };
        self.pairs.get_or_init(begin).clone()
    }

    fn start<P: Protocol>(&self, system: &ActorSystem, vigil: Option<Arc<Pairs>>) -> DriverHandle<P> {
        let id = ProtocolId::of(P::NAME);
        let mut running = self.running();
        let driver = running.entry(id).or_insert_with(|| {
            let env = system.env();
            let context = Context {
                seed: env.seed,
                clock: env.clock.clone(),
                spawner: env.spawner.clone(),
                place: id.0 as usize,
                courier: system.courier(),
                store: self.store.clone(),
                meters: self.meters.clone(),
                limits: Limits::default(),
                throttle: self.throttle.clone(),
                vigil: vigil.map(|pairs| pairs as Arc<dyn Vigil>),
            };
            Arc::new(Driver::<P>::start(context))
        });
        let driver = driver.as_any().downcast_ref::<DriverHandle<P>>();
        driver.expect("protocols with different names are different types").clone()
    }

    /// Where damaged logs are kept, relative to the node's directory.
    pub(crate) fn set_aside(&self) -> impl Iterator<Item = &Path> {
        self.set_aside.iter().map(PathBuf::as_path)
    }

    /// The log that all machines share.
    pub(crate) fn log(&self) -> &Log {
        self.store.log()
    }

    /// Completes when the log has failed for good.
    pub(crate) fn failed(&self) -> impl Future<Output = LogFailure> + Send + use<> {
        self.store.log().failed()
    }

    /// Ends every driver after its writes are durable.
    pub(crate) async fn shutdown(&self) {
        let running: Vec<_> = self.running().values().cloned().collect();
        for driver in running {
            driver.shutdown().await;
        }
    }

    /// Closes the log and gives the disk back.
    pub(crate) async fn close(&self) -> Result<(), WriteFault> {
        self.store.close().await
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<ProtocolId, Arc<dyn Running>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
