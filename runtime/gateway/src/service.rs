//! What the gateway needs of a node: the replicated map, how the node stands, and where to count.
//!
//! Answers are local futures: a handler runs to its end on the thread that took its connection.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::LocalBoxStream;
use futures_util::{FutureExt, StreamExt};
use synod::protocols::{LogIndex, NodeId};
use synod::services::kv::{
    Call, Consistency, DeleteOutcome, Event, Expect, KeyValue, Kv, KvError, Put, PutOutcome, Range, Read,
    Versioned,
};
use synod::services::replicated::{ReplicaCause, ReplicaError};
use synod::telemetry::Metrics;

use crate::roster::{Members, Roster};
use crate::status::Status;

/// A node, as HTTP shows it.
pub trait Service: Send + Sync + 'static {
    /// The replicated map.
    fn map(&self) -> &dyn Map;

    /// How the node stands.
    ///
    /// # Errors
    /// The sentence says why the node cannot tell.
    fn status(&self) -> LocalBoxFuture<'static, Result<Status, String>>;

    /// A backup of the node's state that contains everything acknowledged before.
    fn backup(&self, deadline: Duration) -> LocalBoxFuture<'static, Result<Backup, KvError>>;

    /// Who the members of the group are.
    ///
    /// # Errors
    /// The sentence says why the node cannot tell.
    fn members(&self) -> LocalBoxFuture<'static, Result<Members, String>>;

    /// Leads the group to other members; gives the index from which it is done.
    fn change_members(
        &self,
        wanted: Roster,
        deadline: Duration,
    ) -> LocalBoxFuture<'static, Result<LogIndex, Unchanged>>;

    /// Lets leadership be handed over, to the member of this name or to the one that is furthest along; gives the new leader.
    fn transfer(
        &self,
        to: Option<String>,
        deadline: Duration,
    ) -> LocalBoxFuture<'static, Result<String, Unchanged>>;

    /// Where the gateway counts, and what `/metrics` prints.
    fn metrics(&self) -> &Metrics;
}

/// A change of members or of the leader that was refused or cut short, told by the names of nodes.
#[derive(Debug, thiserror::Error)]
#[error("{words}")]
pub struct Unchanged {
    /// What the group said, by the numbers of nodes.
    pub error: ReplicaError,
    words: String,
}

impl Unchanged {
    /// Tells `error` with nodes called as `name` says.
    #[must_use]
    pub fn new(error: ReplicaError, name: impl Fn(NodeId) -> String) -> Self {
        let words = match &error.cause {
            ReplicaCause::Members(unfit) => unfit.told(name),
            ReplicaCause::Successor(reason) => reason.told(name),
            _ => error.to_string(),
        };
        Self { error, words }
    }
}

/// A backup that is being taken.
pub struct Backup {
    /// The last entry whose effect it contains.
    pub index: LogIndex,
    /// How many bytes it has.
    pub length: u64,
    /// Its bytes.
    pub pieces: LocalBoxStream<'static, io::Result<Bytes>>,
}

/// The replicated map, as HTTP uses it.
pub trait Map: Send + Sync + 'static {
    /// Writes a key. The error says whether the write may have taken place.
    fn put(&self, put: Put, call: Call) -> LocalBoxFuture<'static, Result<PutOutcome, KvError>>;

    /// Deletes a key. The error says whether the deletion may have taken place.
    fn delete(
        &self,
        key: String,
        expect: Expect,
        call: Call,
    ) -> LocalBoxFuture<'static, Result<DeleteOutcome, KvError>>;

    /// Reads a key.
    fn get(
        &self,
        key: String,
        consistency: Consistency,
    ) -> LocalBoxFuture<'static, Result<Read<Option<Versioned>>, KvError>>;

    /// Reads keys in order.
    fn range(
        &self,
        range: Range,
        consistency: Consistency,
    ) -> LocalBoxFuture<'static, Result<Read<Vec<KeyValue>>, KvError>>;

    /// Tells every change of keys that begin with `prefix` from the index `from` on, or from the next change on.
    ///
    /// # Errors
    /// With the cause `Compacted` when the history from there on is no longer held.
    fn watch(
        &self,
        prefix: &str,
        from: Option<LogIndex>,
    ) -> Result<LocalBoxStream<'static, Result<Event, KvError>>, KvError>;
}

impl Map for Kv {
    fn put(&self, put: Put, call: Call) -> LocalBoxFuture<'static, Result<PutOutcome, KvError>> {
        let kv = self.clone();
        async move { kv.put(put, call).await }.boxed_local()
    }

    fn delete(
        &self,
        key: String,
        expect: Expect,
        call: Call,
    ) -> LocalBoxFuture<'static, Result<DeleteOutcome, KvError>> {
        let kv = self.clone();
        async move { kv.delete(&key, expect, call).await }.boxed_local()
    }

    fn get(
        &self,
        key: String,
        consistency: Consistency,
    ) -> LocalBoxFuture<'static, Result<Read<Option<Versioned>>, KvError>> {
        let kv = self.clone();
        async move { kv.get(&key, consistency).await }.boxed_local()
    }

    fn range(
        &self,
        range: Range,
        consistency: Consistency,
    ) -> LocalBoxFuture<'static, Result<Read<Vec<KeyValue>>, KvError>> {
        let kv = self.clone();
        async move { kv.range(range, consistency).await }.boxed_local()
    }

    fn watch(
        &self,
        prefix: &str,
        from: Option<LogIndex>,
    ) -> Result<LocalBoxStream<'static, Result<Event, KvError>>, KvError> {
        Ok(Self::watch(self, prefix, from)?.boxed_local())
    }
}
