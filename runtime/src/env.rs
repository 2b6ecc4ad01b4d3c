//! The one seam between a node and the world: clock, spawner, seed, transport and disk.
//!
//! A node that gets another [`Env`] runs unmodified in simulation. Nothing else in this crate reads a clock, starts a thread,
//! draws chance, opens a socket or a file.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use synod_protocols::{Incarnation, Timestamp};
use synod_transport::{PeerName, Receiver, Role, Transport};

use crate::storage::{Disk, Worker};

/// What a node takes from the world.
#[derive(Clone)]
pub struct Env {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where actors and disk work run.
    pub spawner: Arc<dyn Spawner>,
    /// From which every random choice of the node follows. In production drawn from the operating system.
    pub seed: u64,
    /// How the node reaches its peers.
    pub network: Arc<dyn Network>,
    /// What the node keeps; `None` for a node that keeps nothing.
    pub disk: Option<Arc<dyn Disk>>,
}

/// Time as the node sees it.
pub trait Clock: Send + Sync + 'static {
    /// Monotonic time since an arbitrary origin of this process.
    fn now(&self) -> Timestamp;

    /// Time since the Unix epoch, for logs and certificates only: no decision rests on it.
    fn wall(&self) -> Duration;
}

/// What begins work on a thread.
pub type Start = Box<dyn FnOnce() + Send>;

/// Where work runs.
pub trait Spawner: Send + Sync + 'static {
    /// How many places for actors there are, at least one. Work of one place runs on one thread.
    fn places(&self) -> usize;

    /// Runs `start` on the thread of place `place % places()`, where it may spawn local tasks and start actors.
    fn start_at(&self, place: usize, start: Start);

    /// Runs `start` on the thread that carries the node's links, if that is shared with protocols; gives it back if not.
    ///
    /// # Errors
    /// Links have a thread of their own, or run with everything else.
    fn start_by_links(&self, start: Start) -> Result<(), Start> {
        Err(start)
    }

    /// A worker of its own for disk work.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    fn worker(&self, name: &str) -> io::Result<Arc<dyn Worker>>;
}

/// Opens the node's end of the network.
pub trait Network: Send + Sync + 'static {
    /// Starts a transport that tells `receiver` what arrives.
    ///
    /// # Errors
    /// [`NetworkError`] says which address or credential was unusable; nothing runs then.
    fn open(&self, request: Open) -> Result<Arc<dyn Transport>, NetworkError>;
}

/// What a node tells the network when it opens its end.
pub struct Open {
    /// The node's or client's name, which its credential has to bear.
    pub name: PeerName,
    /// Whether it is a node or a client, which its credential has to bear out.
    pub role: Role,
    /// The cluster's name.
    pub cluster: String,
    /// This process start.
    pub incarnation: Incarnation,
    /// Where to listen.
    pub bind: SocketAddr,
    /// For back-off jitter.
    pub seed: u64,
    /// Who hears what arrives.
    pub receiver: Arc<dyn Receiver>,
}

/// Why the network could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The address is not free or not ours.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The credential does not fit the node, or a setting is impossible; the text says which.
    #[error("{0}")]
    Unusable(String),
}
