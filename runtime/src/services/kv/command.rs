//! What the replicas of the map say and store: commands, queries and their answers, as they are encoded.
//!
//! A form that stands in logs is never changed: a changed form is another variant at the end.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::services::kv::model::{
    DeleteOutcome, Expect, KeyValue, LeaseId, Put, PutOutcome, Range, Txn, TxnOutcome, Versioned,
};

/// Changes the map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Writes a key.
    Put(Put),
    /// Deletes a key.
    Delete {
        /// The key.
        key: String,
        /// What has to hold.
        expect: Expect,
    },
    /// Several steps as one.
    Txn(Txn),
    /// Grants a lease.
    Grant {
        /// Its time to live.
        ttl: Duration,
    },
    /// Puts off a lease's end.
    KeepAlive(LeaseId),
    /// Ends a lease.
    Revoke(LeaseId),
}

/// The answer to a [`Command`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// To a put.
    Put(PutOutcome),
    /// To a delete.
    Delete(DeleteOutcome),
    /// To a transaction.
    Txn(TxnOutcome),
    /// A lease was granted.
    Granted(LeaseId),
    /// A lease was kept alive or ended.
    Done,
    /// The lease named does not exist; nothing changed.
    LeaseUnknown,
    /// There are too many leases; nothing changed.
    LeaseLimit,
}

/// Asks the map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Query {
    /// Reads a key.
    Get(String),
    /// Reads keys in order.
    Range(Range),
}

/// The answer to a [`Query`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// To a get.
    Value(Option<Versioned>),
    /// To a range.
    Rows(Vec<KeyValue>),
}
