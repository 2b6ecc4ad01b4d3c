//! What a machine hears: a closed enumeration of everything that can happen to it.
//!
//! Inputs carry what the driver knows for certain; what a peer claims stands inside a message and is not trusted.

use bytes::Bytes;

use crate::log::SnapshotMeta;
use crate::protocol::Protocol;
use crate::types::{LogIndex, LogTime, NodeId, RequestId, SessionId, Token, WriteId};

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Input<P: Protocol> {
    /// A peer's message, and the link session on which it came.
    Message {
        /// Its sender, as its certificate says.
        from: NodeId,
        /// The link session; a later session of the same peer has another id.
        session: SessionId,
        /// What it says, unchecked.
        message: P::Message,
    },
    /// A request of this node's users. The machine owes exactly one reply to `token`.
    Command {
        /// Never used before on this machine in this incarnation.
        token: Token,
        /// What is asked.
        command: P::Command,
    },
    /// The deadline of [`Protocol::next_deadline`] has passed.
    Timeout,
    /// Every write up to this one is durable.
    Persisted(WriteId),
    /// A write failed or could not be made durable. Final: the machine acknowledges nothing any more.
    WriteFailed,
    /// Room for further records: `false` when the disk has none beyond what is reserved for writes already made.
    /// A machine without room refuses new work and stays alive.
    Space {
        /// Whether new work may be written.
        available: bool,
    },
    /// A link to a peer came up.
    Reachable {
        /// The peer.
        peer: NodeId,
        /// The new session.
        session: SessionId,
    },
    /// The link to a peer went down.
    Unreachable {
        /// The peer.
        peer: NodeId,
    },
    /// The answer to [`crate::Effect::Load`]: consecutive entries from the requested index, possibly fewer than were asked for.
    Loaded {
        /// The request.
        request: RequestId,
        /// What was read; empty when the range is no longer in the log.
        records: Vec<P::Record>,
    },
    /// Entries up to `upto` have taken effect on the application.
    Applied {
        /// The last entry applied.
        upto: LogIndex,
        /// The application's answer for each command applied, in order.
        results: Vec<(LogIndex, Bytes)>,
        /// The log time at which the application wants to be called again, for instance to let a lease expire.
        wake: Option<LogTime>,
    },
    /// The answer to [`crate::Effect::TakeSnapshot`]: the snapshot is durable.
    SnapshotTaken(SnapshotMeta),
    /// A snapshot could not be written; the log stays as it is.
    SnapshotFailed,
    /// The answer to [`crate::Effect::SendSnapshot`].
    SnapshotSent {
        /// To whom.
        to: NodeId,
        /// The snapshot's last index.
        index: LogIndex,
        /// Whether the peer's node has it whole; `false` when the transfer broke.
        delivered: bool,
    },
    /// A whole, checked snapshot has come from a peer and waits to be installed or dropped.
    SnapshotReceived {
        /// The sender.
        from: NodeId,
        /// What the sender's machine said when it sent it, unchecked.
        message: P::Message,
        /// What the snapshot says of itself.
        meta: SnapshotMeta,
    },
    /// The answer to [`crate::Effect::InstallSnapshot`]: durable, and the application's state is the snapshot's.
    SnapshotInstalled(SnapshotMeta),
}

/// What a machine finds on its disk when it starts.
#[derive(Clone, Debug)]
pub struct Recovered<R> {
    /// The last record of each cell, ordered by key.
    pub cells: Vec<R>,
    /// The newest whole snapshot.
    pub snapshot: Option<SnapshotMeta>,
    /// The entries of the log above the last compaction, consecutive.
    pub entries: Vec<R>,
}

impl<R> Default for Recovered<R> {
    fn default() -> Self {
        Self { cells: Vec::new(), snapshot: None, entries: Vec::new() }
    }
}
