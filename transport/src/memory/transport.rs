//! The in-memory implementation of the transport contract: the handle that users hold.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::timeout;

use super::event::{Event, Inbox};
use super::link::Place;
use super::network::{Entry, Network};
use super::station::{Shared, Station, ended};
use crate::config::Config;
use crate::contract::{CloseReason, Link, Receiver, Transport};
use crate::error::StartError;
use crate::metrics::{Counters, Metrics};
use crate::peer::{Address, Peer, PeerName};
use crate::session::Sessions;

/// Who a process on the simulated network is.
#[derive(Clone, Debug)]
pub struct Process {
    /// What a certificate and a hello would say.
    pub peer: Peer,
    /// The cluster that a certificate would name.
    pub cluster: String,
    /// For the jitter of backoff.
    pub seed: u64,
    /// Where to listen, how long to wait, and the bounds. An unspecified or loopback address becomes the one of the name's own
    /// host, and port 0 becomes 7400, so that every node of a simulation may use the same setting.
    pub config: Config,
}

/// A process's end of the simulated network.
pub struct MemoryTransport {
    shared: Arc<Shared>,
    address: SocketAddr,
}

impl MemoryTransport {
    /// Starts a process on the network. `spawn` is called once, with the one task that does all the work and makes all calls of
    /// `receiver`; dropping that task is `kill -9`.
    ///
    /// # Errors
    /// [`StartError::Config`], or [`StartError::Bind`] when somebody listens at the address; `spawn` was not called then.
    pub fn start(
        network: &Network,
        process: Process,
        receiver: Arc<dyn Receiver>,
        spawn: impl FnOnce(BoxFuture<'static, ()>),
    ) -> Result<Arc<Self>, StartError> {
        let Process { peer, cluster, seed, config } = process;
        config.check()?;
        let inbox = Inbox::new();
        let entry = Entry {
            peer,
            cluster,
            inbox: inbox.clone(),
            frame_max: config.frame_bytes_max,
            address: config.bind,
            links: BTreeMap::new(),
        };
        let (station, address) = network.hub.register(config.bind, entry)?;
        let counters = Arc::<Counters>::default();
        let place = Place { hub: network.hub.clone(), station, inbox, counters };
        let shared = Arc::new(Shared {
            place,
            config,
            sessions: Sessions::default(),
            ended: watch::Sender::new(false),
        });
        spawn(Box::pin(Station::new(shared.clone(), receiver, seed).run()));
        Ok(Arc::new(Self { shared, address }))
    }
}

impl Transport for MemoryTransport {
    fn local_address(&self) -> SocketAddr {
        self.address
    }

    fn connect(&self, address: Address) {
        self.shared.place.inbox.post_now(Event::Connect(address));
    }

    fn forget(&self, address: &Address) {
        self.shared.place.inbox.post_now(Event::Forget(address.clone()));
    }

    fn link(&self, peer: &PeerName) -> Option<Arc<dyn Link>> {
        self.shared.sessions.living(peer).map(|session| session.handle())
    }

    fn metrics(&self) -> Metrics {
        self.shared.place.counters.snapshot()
    }

    fn close(&self, reason: CloseReason, grace: Duration) -> BoxFuture<'static, ()> {
        let (shared, sessions) = (self.shared.clone(), self.shared.sessions.all());
        Box::pin(async move {
            shared.place.hub.deafen(shared.place.station);
            shared.place.inbox.post_now(Event::Retire);
            sessions.iter().for_each(|session| session.drain());
            let drained = async {
                for session in &sessions {
                    session.drained().await;
                }
            };
            // What has not left within the grace is given back with its link.
            let _ = timeout(grace, drained).await;
            shared.place.inbox.post_now(Event::Stop(reason));
            ended(&shared).await;
        })
    }
}
