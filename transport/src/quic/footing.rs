//! What a QUIC transport stands on: its socket, its time, its chance, and where its tasks run.
//!
//! In production all of it is the operating system's. The one other footing is that of `crate::simulated`, whose socket leads to a
//! network in memory and nowhere else.

use std::future::Future;
use std::io;
use std::net::UdpSocket;
use std::sync::Arc;

use super::local_runtime::LocalRuntime;
use quinn::{AsyncUdpSocket, ClientConfig, EndpointConfig, Runtime, ServerConfig, TokioRuntime};
use rustls::crypto::CryptoProvider;
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use tokio::task::{AbortHandle, JoinSet, spawn_local};

/// What an endpoint stands on.
pub(crate) struct Footing {
    /// What carries datagrams.
    pub(crate) socket: Arc<dyn AsyncUdpSocket>,
    /// Where quinn gets its timers from, and where its tasks run.
    pub(crate) runtime: Arc<dyn Runtime>,
    /// Where our tasks run.
    pub(crate) tasks: Tasks,
    /// Whether addresses may bear names, which the operating system resolves.
    pub(crate) names: bool,
    /// Settings of an endpoint: connection ids and resets draw on the chance in them.
    pub(crate) endpoint: EndpointConfig,
    /// Makes the settings for those who dial us: address validation has a key and a clock.
    pub(crate) server: Box<dyn FnOnce(Arc<dyn quinn::crypto::ServerConfig>) -> ServerConfig + Send>,
    /// Makes the settings of a dial.
    pub(crate) client: ClientSettings,
}

/// Makes the settings of a dial, with the chance of the first connection id.
pub(crate) type ClientSettings =
    Box<dyn Fn(Arc<dyn quinn::crypto::ClientConfig>) -> ClientConfig + Send + Sync>;

/// What TLS takes from the world.
#[derive(Clone)]
pub(crate) struct World {
    /// The algorithms, and their chance.
    pub(crate) provider: Arc<CryptoProvider>,
    /// By which the validity of certificates is judged.
    pub(crate) clock: Arc<dyn TimeProvider>,
}

/// Where the tasks of a transport run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tasks {
    /// On the runtime of the transport's own thread.
    Thread,
    /// In the local set of the task that starts them, with whatever else runs on that thread.
    Local,
}

impl Footing {
    /// The operating system's socket, clock and chance; within the runtime that is to watch the socket.
    pub(crate) fn real(socket: UdpSocket, tasks: Tasks) -> io::Result<Self> {
        Ok(Self {
            socket: TokioRuntime.wrap_udp_socket(socket)?,
            runtime: match tasks {
                Tasks::Thread => Arc::new(TokioRuntime),
                Tasks::Local => Arc::new(LocalRuntime),
            },
            tasks,
            names: true,
            endpoint: EndpointConfig::default(),
            server: Box::new(ServerConfig::with_crypto),
            client: Box::new(ClientConfig::new),
        })
    }
}

impl World {
    /// The operating system's clock and chance.
    pub(crate) fn real() -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Self { provider, clock: Arc::new(DefaultTimeProvider) }
    }
}

impl Tasks {
    /// Starts a task.
    pub(crate) fn spawn(self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        match self {
            Self::Thread => tokio::spawn(task).abort_handle(),
            Self::Local => spawn_local(task).abort_handle(),
        }
    }

    /// Starts a task that ends with `set`.
    pub(crate) fn join(self, set: &mut JoinSet<()>, task: impl Future<Output = ()> + Send + 'static) {
        match self {
            Self::Thread => set.spawn(task),
            Self::Local => set.spawn_local(task),
        };
    }
}
