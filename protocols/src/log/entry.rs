//! An entry of a replicated log and the description of a snapshot, with opaque bytes inside.
//!
//! Not an encoding of commands: the typed handle encodes them once, and the same bytes go to the disk and to the wire.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::log::position::Position;
use crate::types::{ClientId, LogIndex, LogTime, Term};

/// One position of a replicated log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The term of the leader that appended it.
    pub term: Term,
    /// Its position, counted from 1.
    pub index: LogIndex,
    /// The leader's log time when it was appended; never less than that of the entry before.
    pub time: LogTime,
    /// What it carries.
    pub body: Body,
}

/// What an entry carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// Nothing but its term and time: a new leader's first entry, and the tick that lets log time pass.
    Noop,
    /// A command of the application.
    Command {
        /// Who asked, for recognising a retry; `None` when the caller wants no such guarantee.
        session: Option<SessionTag>,
        /// The encoded command.
        payload: Bytes,
    },
    /// A change of the protocol's own configuration, encoded by the protocol.
    Configuration(Bytes),
    /// A command of which a witness keeps the position only.
    Withheld,
}

/// Names one attempt-independent request of a client: a retry bears the same tag (Raft dissertation §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SessionTag {
    /// The client.
    pub client: ClientId,
    /// The client's own number of the request; it rises by one from request to request.
    pub sequence: u64,
}

/// What a snapshot says of itself: the state after applying every entry up to `index`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotMeta {
    /// The last entry whose effect the snapshot contains.
    pub index: LogIndex,
    /// That entry's term.
    pub term: Term,
    /// That entry's log time.
    pub time: LogTime,
    /// The protocol's own configuration as of `index`, encoded by the protocol.
    pub configuration: Bytes,
}

impl SnapshotMeta {
    /// The position of the last entry contained.
    #[must_use]
    pub const fn position(&self) -> Position {
        Position { term: self.term, index: self.index }
    }
}

impl Entry {
    /// Where the entry stands.
    #[must_use]
    pub const fn position(&self) -> Position {
        Position { term: self.term, index: self.index }
    }

    /// What a witness keeps of this entry: everything but the bytes of a command.
    #[must_use]
    pub fn withheld(self) -> Self {
        match self.body {
            Body::Command { .. } => Self { body: Body::Withheld, ..self },
            Body::Noop | Body::Configuration(_) | Body::Withheld => self,
        }
    }

    /// The bytes this entry counts for in windows and limits: its payload and a fixed overhead.
    #[must_use]
    pub fn size(&self) -> usize {
        self.body.size()
    }
}

impl Body {
    /// The bytes an entry with this body counts for in windows and limits.
    #[must_use]
    pub fn size(&self) -> usize {
        const OVERHEAD: usize = 48;
        OVERHEAD
            + match self {
                Self::Noop | Self::Withheld => 0,
                Self::Command { payload, .. } => payload.len(),
                Self::Configuration(bytes) => bytes.len(),
            }
    }
}
