//! What one may set on an actor system. Builds nothing.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use synod_protocols::Incarnation;
use synod_transport::{Address, PeerName, Role};

use super::letter::DeadLetterHook;
use super::policy::Policy;
use crate::env::Env;
use crate::telemetry::Metrics;

/// The settings of one actor system.
#[derive(Clone)]
pub struct Settings {
    /// The cluster's name.
    pub cluster: String,
    /// This node's or client's name.
    pub name: PeerName,
    /// Whether this is a node or a client.
    pub role: Role,
    /// This process start: later than every earlier one of the same name.
    pub incarnation: Incarnation,
    /// Clock, spawner, seed, network and disk.
    pub env: Env,
    /// Where to listen.
    pub bind: SocketAddr,
    /// Whom to keep links to. `lookup` asks them.
    pub peers: Vec<Address>,
    /// Where to count.
    pub metrics: Metrics,
    /// Bounds and waits.
    pub limits: Limits,
    /// Which interfaces not everybody may call.
    pub policy: Policy,
    /// Who hears of messages that could not be delivered.
    pub dead_letters: DeadLetterHook,
}

/// Bounds and waits of an actor system.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long an ask waits for its answer unless it says otherwise.
    pub ask_timeout: Duration,
    /// How long a message waits for a link to its node to come up.
    pub connect_timeout: Duration,
    /// After this long without a link a watcher is told that the node is down. The transport's idle timeout comes before it.
    pub idle_timeout: Duration,
    /// How long a child has to stop when its parent ends or is started again; then it is ended without being asked.
    pub child_grace: Duration,
    /// The largest message or answer that is sent or taken, in bytes. What exceeds the link's frame limit goes in bulk.
    pub message_bytes_max: usize,
    /// How many bytes of messages wait before one actor.
    pub feed_bytes_max: usize,
    /// How many bytes one link may have on the way in bulk messages that are not complete.
    pub bulk_bytes_max: usize,
    /// For how long nothing may come of a bulk message before it is given up.
    pub bulk_patience: Duration,
    /// How many asks of one peer may wait for answers that actors give later; beyond, they are refused.
    pub peer_asks_max: usize,
    /// How many watches one peer may have; beyond, they are refused.
    pub peer_watches_max: usize,
    /// How many bytes of answers to one peer may wait for room; beyond, asks fail without their answer.
    pub peer_answer_bytes_max: usize,
}

impl Default for Limits {
    /// Values for nodes in one data centre.
    fn default() -> Self {
        Self {
            ask_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(1),
            idle_timeout: Duration::from_secs(3),
            child_grace: Duration::from_secs(5),
            message_bytes_max: 64 << 20,
            feed_bytes_max: 64 << 20,
            bulk_bytes_max: 256 << 20,
            bulk_patience: Duration::from_secs(30),
            peer_asks_max: 65_536,
            peer_watches_max: 16_384,
            peer_answer_bytes_max: 256 << 20,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("cluster", &self.cluster)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
