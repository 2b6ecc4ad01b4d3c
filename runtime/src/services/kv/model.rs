//! The words of the map: what callers ask for, and what they are told.
//!
//! No rule stands here; how a request takes effect is the business of `map`.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use synod_protocols::LogIndex;
use synod_protocols::log::SessionTag;

/// The longest key, in bytes.
pub const KEY_LIMIT: usize = 1024;
/// The largest value, in bytes, unless the service is configured otherwise.
pub const VALUE_LIMIT: usize = 1 << 20;

/// How one request is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Names the request, so that a retry by its client takes effect once. Goes before `idempotency_key`.
    pub session: Option<SessionTag>,
    /// Any text that the client uses for this request and its retries only: exactly once for one hour or the last 100,000
    /// keys, whichever comes first.
    pub idempotency_key: Option<String>,
    /// How long the request may take in all; no retry begins after it.
    pub deadline: Duration,
}

impl Default for Call {
    fn default() -> Self {
        Self { session: None, idempotency_key: None, deadline: Duration::from_secs(5) }
    }
}

/// A lease: keys written with it vanish when it runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeaseId(pub u64);

/// What has to hold for a write to take place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expect {
    /// Nothing.
    #[default]
    Any,
    /// The key is absent.
    Absent,
    /// The key has this value.
    Value(Bytes),
    /// The key was written last at this index.
    Index(LogIndex),
}

/// A write of one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Put {
    /// The key: 1 to 1,024 bytes without control characters.
    pub key: String,
    /// The value.
    pub value: Bytes,
    /// What has to hold.
    pub expect: Expect,
    /// The lease with which the key vanishes.
    pub lease: Option<LeaseId>,
}

/// A value and the index at which it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versioned {
    /// The value.
    pub value: Bytes,
    /// The log index of the key's last write.
    pub index: LogIndex,
}

/// What a put did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PutOutcome {
    /// The key was absent.
    Created {
        /// The write's log index.
        index: LogIndex,
    },
    /// The key had a value.
    Replaced {
        /// The write's log index.
        index: LogIndex,
    },
    /// The expectation did not hold; nothing changed.
    Conflict {
        /// What the key has.
        present: Option<Versioned>,
        /// The log index at which this was so.
        index: LogIndex,
    },
}

/// What a delete did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeleteOutcome {
    /// The key is gone.
    Deleted {
        /// The deletion's log index.
        index: LogIndex,
    },
    /// There was no such key.
    Absent {
        /// The log index at which this was so.
        index: LogIndex,
    },
    /// The expectation did not hold; nothing changed.
    Conflict {
        /// What the key has.
        present: Option<Versioned>,
        /// The log index at which this was so.
        index: LogIndex,
    },
}

/// What a read may miss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consistency {
    /// Nothing: every write acknowledged before the read began is seen. Answered under a lease where there is one.
    #[default]
    Linearizable,
    /// Nothing either, confirmed by a round of messages even where a lease would do: no clock is trusted.
    Confirmed,
    /// Whatever this node has not applied yet. Answered without asking anybody.
    Stale,
}

/// An answer and the state it reflects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read<T> {
    /// The answer.
    pub value: T,
    /// The last log index whose effect the answer contains.
    pub index: LogIndex,
}

/// Which keys a range read is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// What the keys begin with; empty for all.
    pub prefix: String,
    /// Keys above this one only: the last key of the page before.
    pub after: Option<String>,
    /// At most this many keys; the answer stops earlier when it holds 1 MiB, so that only an empty page is surely the last.
    pub limit: usize,
}

/// One row of a range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyValue {
    /// The key.
    pub key: String,
    /// The value.
    pub value: Bytes,
    /// The log index of the key's last write.
    pub index: LogIndex,
}

/// One condition of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compare {
    /// The key.
    pub key: String,
    /// What has to hold of it.
    pub expect: Expect,
}

/// One step of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// Writes a key.
    Put {
        /// The key.
        key: String,
        /// The value.
        value: Bytes,
        /// The lease with which the key vanishes.
        lease: Option<LeaseId>,
    },
    /// Deletes a key.
    Delete {
        /// The key.
        key: String,
    },
    /// Reads a key, as the steps before have left it.
    Get {
        /// The key.
        key: String,
    },
}

/// Several conditions and what to do when all of them hold, or when one does not: one atomic step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Txn {
    /// The conditions.
    pub compare: Vec<Compare>,
    /// What to do when all hold.
    pub then: Vec<Operation>,
    /// What to do otherwise.
    pub otherwise: Vec<Operation>,
}

/// What one step of a transaction did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OperationResult {
    /// The key was written.
    Put {
        /// Whether it was absent before.
        created: bool,
    },
    /// The key is gone.
    Delete {
        /// Whether it was there before.
        existed: bool,
    },
    /// What the key has.
    Get(Option<Versioned>),
}

/// What a transaction did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxnOutcome {
    /// Whether all conditions held.
    pub succeeded: bool,
    /// One result for each step of the branch taken.
    pub results: Vec<OperationResult>,
    /// The transaction's log index.
    pub index: LogIndex,
}

/// A change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The key.
    pub key: String,
    /// Its value; `None` when it is gone.
    pub value: Option<Bytes>,
    /// The change's log index; the changes of one transaction share it.
    pub index: LogIndex,
    /// What happened.
    pub kind: EventKind,
}

/// What happened to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It was written.
    Put,
    /// It was deleted.
    Delete,
    /// Its lease ran out or was revoked.
    Expire,
}
