//! The QUIC implementation of the transport contract: a socket, a thread of its own with a current-thread runtime, and the handle
//! that users hold.
//!
//! One thread moves several times more messages than a pool of them (measured), and user code cannot stall it; unless its user says
//! that the transport is to share a thread with what talks most to it.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use futures_util::future::{BoxFuture, LocalBoxFuture};
use quinn::{Endpoint, TransportConfig, VarInt};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::{AbortHandle, LocalSet, spawn_local};
use tokio::time::timeout;

use super::dial::{accept_all, keep};
use super::footing::{Footing, Tasks, World};
use super::goodbye::Goodbyes;
use super::hub::Hub;
use super::renewal::Renewal;
use super::settings;
use super::table::Table;
use crate::config::Config;
use crate::contract::{CloseReason, Link, Receiver, RenewError, Transport};
use crate::error::StartError;
use crate::identity::Identity;
use crate::metrics::{Counters, Metrics, add};
use crate::peer::{Address, PeerName};
use crate::session::Sessions;

/// How long the last packets of closed connections may take to leave.
const FAREWELL: Duration = Duration::from_millis(150);

/// A process's end of all its QUIC links. Dropping the last handle ends everything at once and tells nobody: peers notice after
/// their idle timeout. [`Transport::close`] is the polite way.
pub struct QuicTransport {
    address: SocketAddr,
    counters: Arc<Counters>,
    table: Arc<Table>,
    sessions: Arc<Sessions>,
    tls: Arc<Renewal>,
    orders: mpsc::UnboundedSender<Order>,
}

/// What the handle asks of the thread.
enum Order {
    Connect(Address),
    Forget(Address),
    Close(CloseReason, Duration, oneshot::Sender<()>),
}

/// The dialling of one address.
struct Dialling {
    task: AbortHandle,
    peer: Arc<Mutex<Option<PeerName>>>,
}

impl QuicTransport {
    /// Listens at `config.bind` and starts the transport's thread; does not block, and needs no runtime around it. `incarnation`
    /// must grow from one start of a process to the next. All calls of `receiver` come from that thread.
    ///
    /// # Errors
    /// [`StartError`]; nothing runs then and the address is free.
    pub fn start(
        config: Config,
        identity: Identity,
        incarnation: u64,
        seed: u64,
        receiver: Arc<dyn Receiver>,
    ) -> Result<Arc<Self>, StartError> {
        let parts = Parts::new(config, &identity, World::real(), incarnation, seed, receiver)?;
        let bind = parts.config.bind;
        let failed = |source: io::Error| StartError::Bind { address: bind, source };
        let socket = settings::socket(&parts.config)?;
        let address = socket.local_addr().map_err(failed)?;
        let runtime = Builder::new_current_thread().enable_all().build().map_err(StartError::Thread)?;
        let (transport, inbox) = Self::of(&parts, address);
        let started = {
            let _within = runtime.enter();
            Footing::real(socket, Tasks::Thread).map_err(failed).and_then(|footing| parts.assemble(footing))
        };
        let hub = match started {
            Ok(started) => started,
            Err(error) => {
                // A runtime must not be dropped where its user may be asynchronous.
                runtime.shutdown_background();
                return Err(error);
            }
        };
        thread::Builder::new()
            .name(format!("quic-{}", identity.name()))
            .spawn(move || run(runtime, hub, inbox))
            .map_err(StartError::Thread)?;
        Ok(Arc::new(transport))
    }

    /// As [`QuicTransport::start`], on the calling thread instead of one of its own: within a local set on a runtime with time and
    /// network, where it runs as one local task. What blocks that thread blocks the links.
    ///
    /// # Errors
    /// [`StartError`]; nothing runs then and the address is free.
    pub fn start_here(
        config: Config,
        identity: &Identity,
        incarnation: u64,
        seed: u64,
        receiver: Arc<dyn Receiver>,
    ) -> Result<Arc<Self>, StartError> {
        let parts = Parts::new(config, identity, World::real(), incarnation, seed, receiver)?;
        let bind = parts.config.bind;
        let failed = |source: io::Error| StartError::Bind { address: bind, source };
        let socket = settings::socket(&parts.config)?;
        let address = socket.local_addr().map_err(failed)?;
        let footing = Footing::real(socket, Tasks::Local).map_err(failed)?;
        Ok(Self::start_within(parts, footing, address, |body| drop(spawn_local(body()))))
    }

    /// Starts a transport whose tasks are all of one future, which `spawn` is given to run where it likes; dropping that future is
    /// `kill -9`. Nothing runs before.
    pub(crate) fn start_within(
        parts: Parts,
        footing: Footing,
        address: SocketAddr,
        spawn: impl FnOnce(Box<dyn FnOnce() -> LocalBoxFuture<'static, ()> + Send>),
    ) -> Arc<Self> {
        let (transport, inbox) = Self::of(&parts, address);
        spawn(Box::new(move || Box::pin(live(parts, footing, inbox))));
        Arc::new(transport)
    }

    /// The handle on what these parts will be, and where its orders arrive.
    fn of(parts: &Parts, address: SocketAddr) -> (Self, mpsc::UnboundedReceiver<Order>) {
        let (orders, inbox) = mpsc::unbounded_channel();
        let (counters, table, sessions) =
            (parts.counters.clone(), parts.table.clone(), parts.sessions.clone());
        (Self { address, counters, table, sessions, tls: parts.tls.clone(), orders }, inbox)
    }
}

impl Transport for QuicTransport {
    fn local_address(&self) -> SocketAddr {
        self.address
    }

    fn connect(&self, address: Address) {
        self.order(Order::Connect(address));
    }

    fn forget(&self, address: &Address) {
        self.order(Order::Forget(address.clone()));
    }

    fn link(&self, peer: &PeerName) -> Option<Arc<dyn Link>> {
        self.sessions.living(peer).map(|session| session.handle())
    }

    fn metrics(&self) -> Metrics {
        let mut metrics = self.counters.snapshot();
        for link in self.table.links() {
            let Some(connection) = link.connection() else { continue };
            let stats = connection.stats();
            metrics.packets_lost += stats.path.lost_packets;
            metrics.packets_sent += stats.path.sent_packets;
            metrics.sends += stats.udp_tx.ios;
        }
        metrics
    }

    fn renew(&self, identity: &Identity) -> Result<(), RenewError> {
        self.tls.renew(identity)?;
        add(&self.counters.renewals, 1);
        self.table.links().iter().for_each(|link| self.tls.review(link));
        Ok(())
    }

    fn close(&self, reason: CloseReason, grace: Duration) -> BoxFuture<'static, ()> {
        let (done, closed) = oneshot::channel();
        self.order(Order::Close(reason, grace, done));
        // The sender is dropped without a word when the transport was closed before.
        Box::pin(async move {
            let _ = closed.await;
        })
    }
}

impl QuicTransport {
    /// Orders to a transport that is closed have nobody to carry them out, as its callers know.
    fn order(&self, order: Order) {
        let _ = self.orders.send(order);
    }
}

/// What a hub is made of, checked.
pub(crate) struct Parts {
    config: Config,
    name: PeerName,
    incarnation: u64,
    seed: u64,
    receiver: Arc<dyn Receiver>,
    tls: Arc<Renewal>,
    connection: Arc<TransportConfig>,
    counters: Arc<Counters>,
    table: Arc<Table>,
    sessions: Arc<Sessions>,
}

impl Parts {
    pub(crate) fn new(
        config: Config,
        identity: &Identity,
        world: World,
        incarnation: u64,
        seed: u64,
        receiver: Arc<dyn Receiver>,
    ) -> Result<Self, StartError> {
        config.check()?;
        Ok(Self {
            name: identity.name().clone(),
            tls: Arc::new(Renewal::new(identity, world)?),
            connection: settings::connection(&config)?,
            table: Table::new(incarnation, config.links_max),
            counters: Arc::default(),
            sessions: Arc::default(),
            config,
            incarnation,
            seed,
            receiver,
        })
    }

    /// Where the endpoint's tasks are to run.
    fn assemble(self, footing: Footing) -> Result<Arc<Hub>, StartError> {
        let bind = self.config.bind;
        let failed = |source: io::Error| StartError::Bind { address: bind, source };
        let unusable = |reason| StartError::Identity { name: self.name.to_string(), reason };
        let Footing { socket, runtime, tasks, names, endpoint, server, client } = footing;
        let (crypto, _) = self.tls.current().for_dialer().map_err(unusable)?;
        let server = settings::server(server(crypto), &self.config, self.connection.clone());
        let endpoint = settings::endpoint(endpoint, &self.config)?;
        let endpoint = Endpoint::new_with_abstract_socket(endpoint, Some(server.clone()), socket, runtime)
            .map_err(failed)?;
        Ok(Arc::new(Hub {
            name: self.name,
            incarnation: self.incarnation,
            seed: self.seed,
            receiver: self.receiver,
            counters: self.counters,
            table: self.table,
            sessions: self.sessions,
            tls: self.tls,
            endpoint,
            connection: self.connection,
            client,
            server,
            handshakes: Arc::new(Semaphore::new(self.config.handshakes_max)),
            goodbyes: Goodbyes::new(tasks),
            tasks,
            names,
            config: self.config,
        }))
    }
}

/// The thread.
fn run(runtime: Runtime, hub: Arc<Hub>, inbox: mpsc::UnboundedReceiver<Order>) {
    let (table, sessions) = (hub.table.clone(), hub.sessions.clone());
    let done = runtime.block_on(serve(hub, inbox));
    // With the runtime and the connections goes the socket: the address is free.
    drop(runtime);
    over(&table, &sessions, done);
}

/// The same in one future: what it starts runs in a local set of its own, and ends with it.
async fn live(parts: Parts, footing: Footing, inbox: mpsc::UnboundedReceiver<Order>) {
    let (table, sessions) = (parts.table.clone(), parts.sessions.clone());
    let local = LocalSet::new();
    let done = local
        .run_until(async move {
            let hub = parts.assemble(footing).expect("the settings are checked, the socket has an address");
            serve(hub, inbox).await
        })
        .await;
    drop(local);
    over(&table, &sessions, done);
}

/// Lets go of what users of ended links still hold, and tells the one who closed the transport.
fn over(table: &Table, sessions: &Sessions, done: Option<oneshot::Sender<()>>) {
    table.links().iter().for_each(|link| drop(link.release()));
    for session in sessions.all() {
        session.finish();
    }
    if let Some(done) = done {
        // It may have stopped waiting.
        let _ = done.send(());
    }
}

/// Carries out orders until the transport is closed or its last handle is gone.
async fn serve(hub: Arc<Hub>, mut inbox: mpsc::UnboundedReceiver<Order>) -> Option<oneshot::Sender<()>> {
    let accepting = hub.tasks.spawn(accept_all(hub.clone()));
    let mut dialling: BTreeMap<(String, Option<PeerName>), Dialling> = BTreeMap::new();
    while let Some(order) = inbox.recv().await {
        match order {
            Order::Connect(address) => {
                dialling.entry(key(&address)).or_insert_with(|| Dialling::start(&hub, address));
            }
            Order::Forget(address) => {
                let known = dialling.remove(&key(&address)).and_then(|dialling| dialling.stop());
                if let Some(name) = address.name.or(known) {
                    forget(&hub, &name);
                }
            }
            Order::Close(reason, grace, done) => {
                accepting.abort();
                dialling.values().for_each(|dialling| dialling.task.abort());
                farewell(&hub, reason, grace).await;
                return Some(done);
            }
        }
    }
    None
}

/// Ends the session with a peer and the connection to it, if there are any.
fn forget(hub: &Hub, name: &PeerName) {
    if let Some(session) = hub.sessions.living(name) {
        hub.finish(&session, CloseReason::Forgotten);
    }
    if let Some(link) = hub.table.living(name) {
        hub.end(&link, CloseReason::Forgotten);
    }
}

/// Lets queued frames out, then ends every link.
async fn farewell(hub: &Hub, reason: CloseReason, grace: Duration) {
    hub.endpoint.set_server_config(None);
    let sessions = hub.sessions.all();
    sessions.iter().for_each(|session| session.drain());
    let drained = async {
        for session in &sessions {
            session.drained().await;
        }
    };
    // What has not left within the grace is given back with its link.
    let _ = timeout(grace, drained).await;
    for session in hub.sessions.all() {
        hub.finish(&session, reason.clone());
    }
    for link in hub.table.links() {
        hub.end(&link, reason.clone());
    }
    hub.goodbyes.said().await;
    hub.endpoint.close(VarInt::from_u32(0), b"");
    // Peers that do not answer find out by their idle timeout.
    let _ = timeout(FAREWELL, hub.endpoint.wait_idle()).await;
}

fn key(address: &Address) -> (String, Option<PeerName>) {
    (address.endpoint.clone(), address.name.clone())
}

impl Dialling {
    fn start(hub: &Arc<Hub>, address: Address) -> Self {
        let peer = Arc::new(Mutex::new(None));
        let note = peer.clone();
        let found = move |name: &PeerName| {
            *note.lock().unwrap_or_else(PoisonError::into_inner) = Some(name.clone());
        };
        Self { task: hub.tasks.spawn(keep(hub.clone(), address, found)), peer }
    }

    /// Stops dialling; gives who was found at the address.
    fn stop(self) -> Option<PeerName> {
        self.task.abort();
        self.peer.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
