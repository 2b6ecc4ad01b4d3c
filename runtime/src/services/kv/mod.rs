//! A ready-made replicated service: an ordered map with compare-and-set, transactions, leases and watches.
//!
//! [`Map`] is the state machine that every replica runs, [`Kv`] the handle that callers hold.

mod command;
mod error;
mod handle;
mod lease;
mod limits;
mod map;
mod model;
mod plain;
mod row;
mod rows;
mod snapshot;
#[cfg(test)]
mod tests;
mod watch;

pub use command::{Answer, Command, Query, Reply};
pub use error::{BadKey, KvCause, KvError};
pub use handle::Kv;
pub use limits::KvLimits;
pub use map::{Map, RANGE_BYTES};
pub use model::{
    Call, Compare, Consistency, DeleteOutcome, Event, EventKind, Expect, KEY_LIMIT, KeyValue, LeaseId,
    Operation, OperationResult, Put, PutOutcome, Range, Read, Txn, TxnOutcome, VALUE_LIMIT, Versioned,
};
pub use watch::WatchStream;
