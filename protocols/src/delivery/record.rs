//! What a durable producer writes to its disk: its messages, and how far they were confirmed.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::delivery::numbers::{Sequence, StreamId};
use crate::protocol::{Place, Placed};
use crate::types::LogIndex;

/// One record of the machine's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// A message that was accepted. Its place in the log is its place in the stream.
    Accepted {
        /// Its place.
        sequence: Sequence,
        /// What it says.
        payload: Bytes,
    },
    /// What is confirmed, beginning with nothing when the stream begins. It is written a little after the fact: what it lacks is sent again.
    Settled {
        /// The stream.
        stream: StreamId,
        /// Everything up to here is.
        upto: Sequence,
        /// And these, first and last of each run.
        beyond: Vec<(u64, u64)>,
    },
}

impl Placed for Record {
    fn place(&self) -> Place {
        match self {
            Self::Accepted { sequence, .. } => Place::Entry(LogIndex(sequence.0)),
            Self::Settled { .. } => Place::Cell(Place::ANCHOR),
        }
    }

    fn forgets_upto(&self) -> Option<LogIndex> {
        match self {
            Self::Accepted { .. } => None,
            Self::Settled { upto, .. } => Some(LogIndex(upto.0)),
        }
    }
}
