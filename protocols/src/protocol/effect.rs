//! What a machine wants done: a closed enumeration, and the only way to reach the world.
//!
//! Effects are data. The order of a machine's effects is the order in which they are carried out.

use crate::log::{Entry, SnapshotMeta};
use crate::protocol::Protocol;
use crate::types::{LogIndex, NodeId, RequestId, Token, WriteId};

/// Something to be done.
#[derive(Clone, Debug)]
pub enum Effect<P: Protocol> {
    /// Give a message to the link, once `after` is durable. It may be lost, and it may be overtaken after a reconnect.
    Send {
        /// To whom.
        to: NodeId,
        /// What to say.
        message: P::Message,
        /// The write that has to be durable first; [`WriteId::ZERO`] for none.
        after: WriteId,
    },
    /// Append records to the log and make them durable; answered by [`crate::Input::Persisted`].
    Persist {
        /// This write's id.
        id: WriteId,
        /// What to append, in order.
        records: Vec<P::Record>,
    },
    /// Forget the entries from `from` on. A write like any other, in the same order.
    Truncate {
        /// This write's id.
        id: WriteId,
        /// The first entry to forget.
        from: LogIndex,
    },
    /// Forget the entries up to `upto`, which a durable snapshot contains. A write like any other, in the same order.
    Compact {
        /// This write's id.
        id: WriteId,
        /// The last entry to forget.
        upto: LogIndex,
    },
    /// Answer a token, once `after` is durable.
    Reply {
        /// The question.
        token: Token,
        /// The one answer.
        reply: P::Reply,
        /// The write that has to be durable first.
        after: WriteId,
    },
    /// Tell observers, once `after` is durable.
    Emit {
        /// What happened.
        event: P::Event,
        /// The write that has to be durable first.
        after: WriteId,
    },
    /// Read entries of the log back; answered by [`crate::Input::Loaded`].
    Load {
        /// The request's id.
        request: RequestId,
        /// The first entry wanted.
        from: LogIndex,
        /// The last entry wanted.
        to: LogIndex,
        /// Stop after the entry with which this many bytes are reached; at least one entry is read.
        max_bytes: usize,
    },
    /// Let committed entries take effect on the application, in order; answered by [`crate::Input::Applied`].
    Apply {
        /// Consecutive entries, the first of them next to the last one applied.
        entries: Vec<Entry>,
    },
    /// Write a snapshot of the application as it is after the last `Apply`; answered by `SnapshotTaken` or `SnapshotFailed`.
    TakeSnapshot {
        /// What the snapshot shall say of itself.
        meta: SnapshotMeta,
    },
    /// Send the newest durable snapshot to a peer's node; answered by [`crate::Input::SnapshotSent`].
    SendSnapshot {
        /// To whom.
        to: NodeId,
        /// What the receiving machine is told with it.
        message: P::Message,
    },
    /// Make the snapshot that was received last from `from` the application's state. A write like any other: durable by itself,
    /// and it forgets the log up to its index (and the whole log when the log does not hold the snapshot's last entry).
    InstallSnapshot {
        /// This write's id.
        id: WriteId,
        /// Whose snapshot.
        from: NodeId,
        /// What it says of itself.
        meta: SnapshotMeta,
    },
    /// Forget the snapshot that was received last from `from`.
    DropSnapshot {
        /// Whose snapshot.
        from: NodeId,
    },
}
