//! The typed handle of the map: checks what callers ask, and hands it to the replicas, one of which may be this node's.
//!
//! Not the map itself; a clone of the handle costs a few reference counts.

use std::time::Duration;

use synod_protocols::log::SessionTag;
use synod_protocols::raft::Status;
use synod_protocols::{ClientId, LogIndex};

use crate::address::stable_hash;
use crate::services::kv::command::{Answer, Command, Query, Reply};
use crate::services::kv::error::{KvCause, KvError};
use crate::services::kv::limits::KvLimits;
use crate::services::kv::map::Map;
use crate::services::kv::model::{
    Call, Consistency, DeleteOutcome, Expect, KeyValue, LeaseId, Put, PutOutcome, Range, Read, Txn,
    TxnOutcome, Versioned,
};
use crate::services::kv::watch::WatchStream;
use crate::services::replicated::{Backup, DEADLINE, Proof, Remote, ReplicaError, Replicated};

/// A replicated ordered map from text to bytes. Any member answers, and any client of a cluster that opened it to clients.
#[derive(Clone, Debug)]
pub struct Kv {
    service: Service,
    limits: KvLimits,
}

/// Where the map is.
#[derive(Clone, Debug)]
enum Service {
    /// Here, among other places.
    Here(Replicated<Map>),
    /// On other nodes only.
    Elsewhere(Remote<Map>),
}

impl Kv {
    /// The map that `replicated` holds.
    #[must_use]
    pub fn new(replicated: Replicated<Map>, limits: KvLimits) -> Self {
        Self { service: Service::Here(replicated), limits }
    }

    /// The map of other nodes, which `remote` reaches.
    #[must_use]
    pub fn remote(remote: Remote<Map>, limits: KvLimits) -> Self {
        Self { service: Service::Elsewhere(remote), limits }
    }

    /// Writes a key.
    ///
    /// # Errors
    /// [`KvError`] says what was wrong and whether the write may have taken place.
    pub async fn put(&self, put: Put, call: Call) -> Result<PutOutcome, KvError> {
        self.limits.check_put(&put)?;
        match self.execute(Command::Put(put), call).await? {
            Reply::Put(outcome) => Ok(outcome),
            reply => Err(refusal(&reply)),
        }
    }

    /// Deletes a key.
    ///
    /// # Errors
    /// [`KvError`] says what was wrong and whether the deletion may have taken place.
    pub async fn delete(&self, key: &str, expect: Expect, call: Call) -> Result<DeleteOutcome, KvError> {
        self.limits.check_delete(key, &expect)?;
        match self.execute(Command::Delete { key: key.to_owned(), expect }, call).await? {
            Reply::Delete(outcome) => Ok(outcome),
            reply => Err(refusal(&reply)),
        }
    }

    /// Does several steps as one, if conditions hold.
    ///
    /// # Errors
    /// [`KvError`] says what was wrong and whether the transaction may have taken place.
    pub async fn txn(&self, txn: Txn, call: Call) -> Result<TxnOutcome, KvError> {
        self.limits.check_txn(&txn)?;
        match self.execute(Command::Txn(txn), call).await? {
            Reply::Txn(outcome) => Ok(outcome),
            reply => Err(refusal(&reply)),
        }
    }

    /// Reads a key.
    ///
    /// # Errors
    /// [`KvError`]; a read changes nothing.
    pub async fn get(&self, key: &str, consistency: Consistency) -> Result<Read<Option<Versioned>>, KvError> {
        self.limits.check_key(key)?;
        let Read { value, index } = self.query(Query::Get(key.to_owned()), consistency).await?;
        match value {
            Answer::Value(value) => Ok(Read { value, index }),
            Answer::Rows(_) => Err(KvError::not_executed(KvCause::Unsupported)),
        }
    }

    /// Reads keys in order. An empty page is surely the last; a short one may have been cut at 1 MiB.
    ///
    /// # Errors
    /// [`KvError`]; a read changes nothing.
    pub async fn range(
        &self,
        range: Range,
        consistency: Consistency,
    ) -> Result<Read<Vec<KeyValue>>, KvError> {
        let Read { value, index } = self.query(Query::Range(range), consistency).await?;
        match value {
            Answer::Rows(value) => Ok(Read { value, index }),
            Answer::Value(_) => Err(KvError::not_executed(KvCause::Unsupported)),
        }
    }

    /// Grants a lease that runs out `ttl` of log time after it was granted or last kept alive.
    ///
    /// # Errors
    /// [`KvError`] says what was wrong and whether a lease may have been granted.
    pub async fn grant(&self, ttl: Duration, call: Call) -> Result<LeaseId, KvError> {
        match self.execute(Command::Grant { ttl }, call).await? {
            Reply::Granted(lease) => Ok(lease),
            reply => Err(refusal(&reply)),
        }
    }

    /// Puts off the end of a lease by its whole time to live.
    ///
    /// # Errors
    /// [`KvError`]; its cause is `LeaseUnknown` when the lease has run out.
    pub async fn keep_alive(&self, lease: LeaseId, call: Call) -> Result<(), KvError> {
        match self.execute(Command::KeepAlive(lease), call).await? {
            Reply::Done => Ok(()),
            reply => Err(refusal(&reply)),
        }
    }

    /// Ends a lease; its keys vanish.
    ///
    /// # Errors
    /// [`KvError`]; its cause is `LeaseUnknown` when the lease has run out.
    pub async fn revoke(&self, lease: LeaseId, call: Call) -> Result<(), KvError> {
        match self.execute(Command::Revoke(lease), call).await? {
            Reply::Done => Ok(()),
            reply => Err(refusal(&reply)),
        }
    }

    /// Tells every change of keys that begin with `prefix`, as this node applies them: from the index `from` on, itself included,
    /// or from the next change on.
    ///
    /// # Errors
    /// [`KvError`] with the cause `Compacted` when the history from there on is no longer held, and `NoReplica` at a client.
    pub fn watch(&self, prefix: &str, from: Option<LogIndex>) -> Result<WatchStream, KvError> {
        self.here()?.inspect(|map| map.hub.watch(prefix, from))
    }

    /// A backup of this node's map that contains everything acknowledged before. `cluster` stands in its header.
    ///
    /// # Errors
    /// [`KvError`]: a member in a minority, or one that does not catch up in time, gives none, and neither does a client.
    pub async fn backup(&self, cluster: &str, deadline: Duration) -> Result<Backup, KvError> {
        let replicated = self.here()?;
        // An empty page: what counts is the index that the answer reflects.
        let nothing = Query::Range(Range { prefix: String::new(), after: None, limit: 0 });
        let (_, seen) = replicated.query(&nothing, deadline).await?;
        Ok(replicated.backup(seen, cluster, deadline).await?)
    }

    /// How this node's replica stands.
    ///
    /// # Errors
    /// [`KvError`] with the cause `Stopped` or `Busy`, and `NoReplica` at a client.
    pub async fn status(&self) -> Result<Status, KvError> {
        Ok(self.here()?.status().await?)
    }

    /// The replicated service below; `None` at a client.
    #[must_use]
    pub const fn replicated(&self) -> Option<&Replicated<Map>> {
        match &self.service {
            Service::Here(replicated) => Some(replicated),
            Service::Elsewhere(_) => None,
        }
    }

    fn here(&self) -> Result<&Replicated<Map>, KvError> {
        self.replicated().ok_or(KvError::not_executed(KvCause::NoReplica))
    }

    async fn execute(&self, command: Command, call: Call) -> Result<Reply, KvError> {
        let Call { session, idempotency_key, deadline } = call;
        let tag = session.or_else(|| idempotency_key.as_deref().map(idempotency_tag));
        Ok(self.service.execute(tag, &command, deadline).await?)
    }

    async fn query(&self, query: Query, consistency: Consistency) -> Result<Read<Answer>, KvError> {
        let proof = match consistency {
            // At a client there is no state that could be stale; the present one serves whoever would take an old one.
            Consistency::Linearizable | Consistency::Stale => Proof::Either,
            Consistency::Confirmed => Proof::Round,
        };
        let (value, index) = match &self.service {
            Service::Here(replicated) if consistency == Consistency::Stale => replicated.query_stale(query),
            Service::Here(replicated) => replicated.query_by(proof, &query, DEADLINE).await?,
            Service::Elsewhere(remote) => remote.query_by(proof, &query, DEADLINE).await?,
        };
        Ok(Read { value, index })
    }
}

impl Service {
    async fn execute(
        &self,
        tag: Option<SessionTag>,
        command: &Command,
        deadline: Duration,
    ) -> Result<Reply, ReplicaError> {
        match (self, tag) {
            (Self::Here(replicated), Some(tag)) => replicated.execute_once(tag, command, deadline).await,
            (Self::Here(replicated), None) => replicated.execute(command, deadline).await,
            (Self::Elsewhere(remote), Some(tag)) => remote.execute_once(tag, command, deadline).await,
            (Self::Elsewhere(remote), None) => remote.execute(command, deadline).await,
        }
    }
}

/// A key that stands for one request is a client of its own with the one number 1.
fn idempotency_tag(key: &str) -> SessionTag {
    SessionTag { client: ClientId(stable_hash(key.as_bytes())), sequence: 1 }
}

fn refusal(reply: &Reply) -> KvError {
    KvError::not_executed(match reply {
        Reply::LeaseUnknown => KvCause::LeaseUnknown,
        Reply::LeaseLimit => KvCause::LeaseLimit,
        // The idempotency key was used before, for a request of another kind.
        Reply::Put(_) | Reply::Delete(_) | Reply::Txn(_) | Reply::Granted(_) | Reply::Done => {
            KvCause::KeyReused
        }
    })
}
