//! What waits in the queue of a simulated world.
//!
//! Data only; what an event does stands in `world.rs` and `drive.rs`.

use crate::log::Entries;
use crate::log::SnapshotMeta;
use crate::sim::disk::Synced;
use crate::sim::fault::Fault;
use crate::sim::image::Snapshot;
use crate::sim::links::Pair;
use crate::sim::subject::Subject;
use crate::types::{LogIndex, NodeId, RequestId, SessionId, Timestamp, Token};

/// Something planned for an instant of virtual time.
#[derive(Clone, Debug)]
pub(super) enum Event<P: Subject> {
    /// Something comes to one process; void if that process has died since.
    Node {
        /// The node's position.
        node: usize,
        /// Which of its processes; each start counts one up.
        life: u64,
        /// What comes.
        arrival: Arrival<P>,
    },
    /// A node's machine may have run into its deadline.
    Timer {
        /// The node's position.
        node: usize,
    },
    /// A paused process goes on.
    Resume {
        /// The node's position.
        node: usize,
        /// Until when it was to pause; a longer pause may have come over it.
        until: Timestamp,
    },
    /// A full disk has room again.
    Room {
        /// The node's position.
        node: usize,
    },
    /// A link has been broken for the idle timeout, unless its generation changed.
    LinkExpires(Pair, u64),
    /// A link comes up, unless its generation changed.
    LinkConnects(Pair, u64),
    /// A fault strikes, unless the world has come to peace before.
    Fault(Fault),
    /// What brings the world to peace.
    Order(Fault),
    /// The workload asked to be called.
    Alarm(u64),
}

/// What comes to a process from its disk, its links, its application or its users.
#[derive(Clone, Debug)]
pub(super) enum Arrival<P: Subject> {
    /// A peer's message.
    Message {
        /// The sender.
        from: NodeId,
        /// The link session it was sent on.
        session: SessionId,
        /// What it says.
        message: P::Message,
    },
    /// A user's command.
    Command {
        /// Its token.
        token: Token,
        /// What is asked.
        command: P::Command,
    },
    /// The sync in flight ends.
    SyncEnds,
    /// The process hears how a sync ended.
    SyncSeen(Synced),
    /// The application finished the first of its jobs.
    JobEnds,
    /// A snapshot is ready to be kept.
    SnapshotWritten(Snapshot),
    /// A snapshot came from a peer.
    SnapshotArrives {
        /// The sender.
        from: NodeId,
        /// What the sender's machine said with it.
        message: P::Message,
        /// The snapshot.
        snapshot: Snapshot,
    },
    /// A snapshot that was sent has arrived, or never will.
    SnapshotSent {
        /// To whom.
        to: NodeId,
        /// Its last index.
        index: LogIndex,
        /// Whether it arrived.
        delivered: bool,
    },
    /// Entries are read back.
    Load {
        /// The request.
        request: RequestId,
        /// The first entry wanted.
        from: LogIndex,
        /// The last entry wanted.
        to: LogIndex,
        /// Where to stop.
        max_bytes: usize,
    },
    /// A link came up with a session, or went down.
    Peer {
        /// The peer.
        peer: NodeId,
        /// The session; `None` when the link went down.
        session: Option<SessionId>,
    },
    /// A peer that is watched would have been heard by this time, if it were to be heard at all.
    Doubt {
        /// The peer.
        peer: NodeId,
    },
    /// The disk has room, or has none.
    Space(bool),
}

impl<P: Subject> Arrival<P> {
    /// A short name for the trace.
    #[must_use]
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Message { .. } => "message",
            Self::Command { .. } => "command",
            Self::SyncEnds => "sync ends",
            Self::SyncSeen(_) => "persisted",
            Self::JobEnds => "job ends",
            Self::SnapshotWritten(_) => "snapshot written",
            Self::SnapshotArrives { .. } => "snapshot arrives",
            Self::SnapshotSent { .. } => "snapshot sent",
            Self::Load { .. } => "load",
            Self::Peer { .. } => "peer",
            Self::Doubt { .. } => "doubt",
            Self::Space(_) => "disk space",
        }
    }

    /// A number that tells this arrival from others of its kind.
    #[must_use]
    pub(super) fn digest(&self) -> u64 {
        match self {
            Self::Message { from, session, message } => {
                P::message_size(message) as u64 ^ from.0 << 32 ^ session.0 << 40
            }
            Self::Command { token, .. } => token.0,
            Self::SyncEnds | Self::JobEnds => 0,
            Self::SyncSeen(Synced::Durable(id, _)) => id.0,
            Self::SyncSeen(Synced::Failed) => u64::MAX,
            Self::SnapshotWritten(snapshot) | Self::SnapshotArrives { snapshot, .. } => snapshot.meta.index.0,
            Self::SnapshotSent { to, index, delivered } => index.0 ^ to.0 << 32 ^ u64::from(*delivered) << 63,
            Self::Load { request, from, .. } => request.0 ^ from.0 << 32,
            Self::Peer { peer, session } => peer.0 ^ session.map_or(0, |session| session.0 << 32),
            Self::Doubt { peer } => peer.0,
            Self::Space(available) => u64::from(*available),
        }
    }
}

/// What the application of a process still has to do, in order.
#[derive(Clone, Debug)]
pub(super) enum Job {
    /// Let entries take effect.
    Apply(Entries),
    /// Write a snapshot.
    Snapshot(SnapshotMeta),
    /// Become the state of a snapshot that is durable.
    Install(Snapshot),
}
