//! A simulated client: one request at a time, retried with the same tag until it is answered or given up.
//!
//! State only; `workload.rs` decides what it does next.

use crate::log::SessionTag;
use crate::sim::OperationId;
use crate::types::{ClientId, NodeId, Timestamp, Token};

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Append this number, which no other command bears, to the list of a key.
    Append {
        /// The key.
        key: u32,
        /// The number.
        id: u64,
    },
    /// Read the list of a key.
    Read {
        /// The key.
        key: u32,
    },
}

/// What a client learnt from an operation that took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The number stands at this position of the list, counted from 1.
    Appended(u64),
    /// The list has this length.
    Length(u64),
}

/// A client between and during its requests.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) id: ClientId,
    pub(super) sequence: u64,
    /// Where it believes the leader to be.
    pub(super) leader: NodeId,
    /// Rises with everything that makes an earlier alarm void.
    pub(super) generation: u32,
    pub(super) request: Option<Request>,
}

/// A request under way.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) action: Action,
    pub(super) operation: OperationId,
    pub(super) tag: Option<SessionTag>,
    /// The question that is out, if one is.
    pub(super) token: Option<Token>,
    /// Whether an attempt may have taken effect.
    pub(super) uncertain: bool,
    /// When it is given up.
    pub(super) deadline: Timestamp,
    /// How long the key's list was known to be when the request was made.
    pub(super) floor: u64,
}

impl Client {
    pub(super) fn new(id: ClientId, leader: NodeId) -> Self {
        Self { id, sequence: 0, leader, generation: 0, request: None }
    }
}
