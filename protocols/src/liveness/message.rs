//! What liveness machines say to each other, are asked, and tell.

use serde::{Deserialize, Serialize};

use crate::protocol::{Place, Placed};
use crate::types::NodeId;

/// Between the machines of two nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// The sender is alive: at once when that becomes interesting, then at every interval. Owed, if it is wanted: beats, for a
    /// timeout from here on.
    Beat {
        /// Whether the sender wants to hear from the receiver.
        wanted: bool,
    },
}

/// A request of this node's users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Watch a peer, once more than before.
    Watch {
        /// The peer.
        peer: NodeId,
    },
    /// Watch a peer once less than before; the last one ends the watch.
    Release {
        /// The peer.
        peer: NodeId,
    },
}

/// The answer to every command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// So be it.
    Done,
}

/// An opinion about a watched peer that has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The peer has not been heard for too long, or its link broke.
    Suspected {
        /// The peer.
        peer: NodeId,
    },
    /// A suspected peer was heard.
    Heard {
        /// The peer.
        peer: NodeId,
    },
}

/// Nothing: what was known of the living means nothing after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {}

impl Placed for Record {
    fn place(&self) -> Place {
        match *self {}
    }
}
