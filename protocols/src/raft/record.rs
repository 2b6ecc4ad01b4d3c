//! What a Raft machine writes to its disk: entries of the log, and three cells.
//!
//! Term and vote are one record, so that no crash separates them (Raft §5.2; RT-02).

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::log::{Body, Entry, SnapshotMeta};
use crate::protocol::{Place, Placed};
use crate::types::{LogIndex, LogTime, NodeId, Term};

/// One record of the machine's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// An entry of the replicated log.
    Entry(Entry),
    /// The term, and the vote given in it.
    Ballot {
        /// The term.
        term: Term,
        /// Whom this node voted for in that term.
        vote: Option<NodeId>,
    },
    /// The configuration the group started with, encoded; written with the first ballot.
    Founding(Bytes),
    /// Where a witness's log begins: a committed position and the configuration in force there.
    Anchor(SnapshotMeta),
}

impl Record {
    const BALLOT: u64 = 0;
    const FOUNDING: u64 = 1;
}

impl Placed for Record {
    fn place(&self) -> Place {
        match self {
            Self::Entry(entry) => Place::Entry(entry.index),
            Self::Ballot { .. } => Place::Cell(Self::BALLOT),
            Self::Founding(_) => Place::Cell(Self::FOUNDING),
            Self::Anchor(_) => Place::Cell(Place::ANCHOR),
        }
    }

    fn stamp(&self) -> (Term, LogTime) {
        match self {
            Self::Entry(entry) => (entry.term, entry.time),
            Self::Ballot { .. } | Self::Founding(_) | Self::Anchor(_) => (Term::ZERO, LogTime::ZERO),
        }
    }

    /// A configuration is in force before anything is applied; commands and their sessions have an effect only then.
    fn is_read_at_start(&self) -> bool {
        matches!(self, Self::Entry(Entry { body: Body::Configuration(_), .. }))
    }

    fn forgets_upto(&self) -> Option<LogIndex> {
        match self {
            Self::Anchor(meta) => Some(meta.index),
            Self::Entry(_) | Self::Ballot { .. } | Self::Founding(_) => None,
        }
    }
}
