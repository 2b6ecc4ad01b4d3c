//! The typed handle of the map: checks what callers ask, and hands it to the replicas.
//!
//! Not the map itself; a clone of the handle costs a reference count.

use std::time::Duration;

use synod_protocols::LogIndex;
use synod_protocols::raft::Status;

use crate::services::kv::error::KvError;
use crate::services::kv::model::{
    Call, Consistency, DeleteOutcome, Expect, KeyValue, LeaseId, Put, PutOutcome, Range, Read, Txn,
    TxnOutcome, Versioned,
};
use crate::services::kv::watch::WatchStream;

/// A replicated ordered map from text to bytes. Any node answers.
#[derive(Clone)]
pub struct Kv {}

impl Kv {
    /// Writes a key.
    ///
    /// # Errors
    /// [`KvError`] says what was wrong and whether the write may have taken place.
    pub async fn put(&self, put: Put, call: Call) -> Result<PutOutcome, KvError> {
        todo!("{put:?} {call:?}")
    }

    /// Deletes a key.
    ///
    /// # Errors
    /// [`KvError`] says what was wrong and whether the deletion may have taken place.
    pub async fn delete(&self, key: &str, expect: Expect, call: Call) -> Result<DeleteOutcome, KvError> {
        todo!("{key} {expect:?} {call:?}")
    }

    /// Does several steps as one, if conditions hold.
    ///
    /// # Errors
    /// [`KvError`] says what was wrong and whether the transaction may have taken place.
    pub async fn txn(&self, txn: Txn, call: Call) -> Result<TxnOutcome, KvError> {
        todo!("{txn:?} {call:?}")
    }

    /// Reads a key.
    ///
    /// # Errors
    /// [`KvError`]; a read changes nothing.
    pub async fn get(&self, key: &str, consistency: Consistency) -> Result<Read<Option<Versioned>>, KvError> {
        todo!("{key} {consistency:?}")
    }

    /// Reads keys in order.
    ///
    /// # Errors
    /// [`KvError`]; a read changes nothing.
    pub async fn range(
        &self,
        range: Range,
        consistency: Consistency,
    ) -> Result<Read<Vec<KeyValue>>, KvError> {
        todo!("{range:?} {consistency:?}")
    }

    /// Grants a lease that runs out `ttl` of log time after it was granted or last kept alive.
    ///
    /// # Errors
    /// [`KvError`] says what was wrong and whether a lease may have been granted.
    pub async fn grant(&self, ttl: Duration, call: Call) -> Result<LeaseId, KvError> {
        todo!("{ttl:?} {call:?}")
    }

    /// Puts off the end of a lease by its whole time to live.
    ///
    /// # Errors
    /// [`KvError`]; its cause is `LeaseUnknown` when the lease has run out.
    pub async fn keep_alive(&self, lease: LeaseId, call: Call) -> Result<(), KvError> {
        todo!("{lease:?} {call:?}")
    }

    /// Ends a lease; its keys vanish.
    ///
    /// # Errors
    /// [`KvError`]; its cause is `LeaseUnknown` when the lease has run out.
    pub async fn revoke(&self, lease: LeaseId, call: Call) -> Result<(), KvError> {
        todo!("{lease:?} {call:?}")
    }

    /// Tells every change of keys that begin with `prefix`, as this node applies them: from the index `from` on, itself included,
    /// or from the next change on.
    ///
    /// # Errors
    /// [`KvError`] with the cause `Compacted` when the history from there on is no longer held.
    pub fn watch(&self, prefix: &str, from: Option<LogIndex>) -> Result<WatchStream, KvError> {
        todo!("{prefix} {from:?}")
    }

    /// How this node's replica stands.
    ///
    /// # Errors
    /// [`KvError`] with the cause `Stopped`.
    pub async fn status(&self) -> Result<Status, KvError> {
        todo!()
    }
}
