//! A ready-made replicated service: an ordered map with compare-and-set, transactions, leases and watches.

mod error;
mod handle;
mod model;
mod watch;

pub use error::{BadKey, KvCause, KvError};
pub use handle::Kv;
pub use model::{
    Call, Compare, Consistency, DeleteOutcome, Event, EventKind, Expect, KEY_LIMIT, KeyValue, LeaseId,
    Operation, OperationResult, Put, PutOutcome, Range, Read, Txn, TxnOutcome, VALUE_LIMIT, Versioned,
};
pub use watch::WatchStream;
