//! What a watcher is told when an actor ends.

use serde::{Deserialize, Serialize};

/// The end of an actor: there will be no other with its reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terminated {
    /// Why.
    pub reason: Reason,
    /// The process of the actor's node in which it ended.
    pub incarnation: u64,
}

/// Why an actor is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Reason {
    /// It stopped, by itself or on request.
    Stopped,
    /// It panicked more often than its restart policy allows.
    Panicked,
    /// Its node never had it.
    NoSuchActor,
    /// Its node started again, shut down, or has not been heard for longer than the idle timeout.
    NodeDown,
    /// The caller may not watch it.
    Denied,
}
