//! A node in memory that obeys the contract of the map on one thread of changes, and fails when told to.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::{LocalBoxFuture, ready};
use futures_util::stream::{self, LocalBoxStream};
use futures_util::{FutureExt, StreamExt};
use synod::protocols::{LogIndex, NodeId};
use synod::services::kv::{
    Call, Consistency, DeleteOutcome, Event, EventKind, Expect, KeyValue, KvCause, KvError, Put, PutOutcome,
    Range, Read, Versioned,
};
use synod::services::replicated::{NoSuccessor, ReplicaCause, ReplicaError, Unfit};
use synod::telemetry::Metrics;
use tokio::sync::watch;

use crate::roster::{Members, Roster};
use crate::service::{Backup, Map, Service, Unchanged};
use crate::status::{Role, Status};

#[derive(Default)]
struct State {
    rows: BTreeMap<String, Versioned>,
    history: Vec<Event>,
    answered: BTreeMap<String, PutOutcome>,
    oldest: u64,
    failure: Option<KvError>,
    calls: Vec<Call>,
    reads: Vec<Consistency>,
    stuck: bool,
    members: Roster,
}

pub(super) struct Memory {
    state: Arc<Mutex<State>>,
    changed: watch::Sender<u64>,
    pub(super) status: Mutex<Result<Status, String>>,
    metrics: Metrics,
}

impl Memory {
    pub(super) fn new() -> Arc<Self> {
        let status = Status {
            node: "node-1".into(),
            cluster: "test".into(),
            pid: 7,
            role: Role::Leader,
            leader: Some("node-1".into()),
            term: 3,
            commit_index: 0,
            applied_index: 0,
            members: vec!["node-1".into(), "node-2".into()],
            set_aside: Vec::new(),
            uptime_ms: 12,
            links: Vec::new(),
        };
        Arc::new(Self {
            state: Arc::default(),
            changed: watch::Sender::new(0),
            status: Mutex::new(Ok(status)),
            metrics: Metrics::default(),
        })
    }

    pub(super) fn fail(&self, failure: KvError) {
        self.state.lock().unwrap().failure = Some(failure);
    }

    pub(super) fn hang(&self) {
        self.state.lock().unwrap().stuck = true;
    }

    pub(super) fn forget_before(&self, oldest: u64) {
        self.state.lock().unwrap().oldest = oldest;
    }

    pub(super) fn last_call(&self) -> Call {
        self.state.lock().unwrap().calls.last().cloned().expect("there was a call")
    }

    pub(super) fn last_read(&self) -> Consistency {
        *self.state.lock().unwrap().reads.last().expect("there was a read")
    }

    /// Several puts as one change.
    pub(super) fn transact(&self, keys: &[&str]) {
        let mut state = self.state.lock().unwrap();
        let index = state.next();
        for key in keys {
            state.change(index, key, Some(bytes::Bytes::from_static(b"t")), EventKind::Put);
        }
        self.changed.send_replace(index.0);
    }
}

impl State {
    fn next(&self) -> LogIndex {
        LogIndex(self.history.last().map_or(1, |event| event.index.0 + 1))
    }

    fn change(&mut self, index: LogIndex, key: &str, value: Option<bytes::Bytes>, kind: EventKind) {
        match &value {
            Some(value) => self.rows.insert(key.to_owned(), Versioned { value: value.clone(), index }),
            None => self.rows.remove(key),
        };
        self.history.push(Event { key: key.to_owned(), value, index, kind });
    }

    fn holds(&self, key: &str, expect: &Expect) -> bool {
        let present = self.rows.get(key);
        match expect {
            Expect::Any => true,
            Expect::Absent => present.is_none(),
            Expect::Value(value) => present.is_some_and(|row| row.value == *value),
            Expect::Index(index) => present.is_some_and(|row| row.index == *index),
        }
    }

    fn put(&mut self, put: Put, call: &Call) -> Result<PutOutcome, KvError> {
        self.calls.push(call.clone());
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        if let Some(outcome) = call.idempotency_key.as_ref().and_then(|key| self.answered.get(key)) {
            return Ok(outcome.clone());
        }
        let index = self.next();
        let present = self.rows.get(&put.key).cloned();
        let outcome = if !self.holds(&put.key, &put.expect) {
            PutOutcome::Conflict { present, index }
        } else {
            self.change(index, &put.key, Some(put.value), EventKind::Put);
            if present.is_some() { PutOutcome::Replaced { index } } else { PutOutcome::Created { index } }
        };
        if let Some(key) = &call.idempotency_key {
            self.answered.insert(key.clone(), outcome.clone());
        }
        Ok(outcome)
    }

    fn delete(&mut self, key: &str, expect: &Expect, call: Call) -> Result<DeleteOutcome, KvError> {
        self.calls.push(call);
        let index = self.next();
        let present = self.rows.get(key).cloned();
        if !self.holds(key, expect) {
            return Ok(DeleteOutcome::Conflict { present, index });
        }
        if present.is_none() {
            return Ok(DeleteOutcome::Absent { index });
        }
        self.change(index, key, None, EventKind::Delete);
        Ok(DeleteOutcome::Deleted { index })
    }
}

impl Service for Memory {
    fn map(&self) -> &dyn Map {
        self
    }

    fn status(&self) -> LocalBoxFuture<'static, Result<Status, String>> {
        ready(self.status.lock().unwrap().clone()).boxed_local()
    }

    /// Two pieces, of which the second does not come while the node fails.
    fn backup(&self, _deadline: Duration) -> LocalBoxFuture<'static, Result<Backup, KvError>> {
        let state = self.state.lock().unwrap();
        let second = if state.stuck { Err(io::Error::other("the disk")) } else { Ok("two".into()) };
        let pieces = stream::iter([Ok("one, ".into()), second]).boxed_local();
        let index = LogIndex(state.next().0 - 1);
        ready(Ok(Backup { index, length: 8, pieces })).boxed_local()
    }

    fn members(&self) -> LocalBoxFuture<'static, Result<Members, String>> {
        let members = self.state.lock().unwrap().members.clone();
        ready(Ok(Members { index: 7, members, leaving: Vec::new(), goal: None })).boxed_local()
    }

    /// Takes what it is told, unless nobody would hold the data.
    fn change_members(
        &self,
        wanted: Roster,
        _deadline: Duration,
    ) -> LocalBoxFuture<'static, Result<LogIndex, Unchanged>> {
        if wanted.voters.is_empty() {
            let cause = ReplicaCause::Members(Unfit::NoVoter);
            let unchanged = Unchanged::new(ReplicaError::not_executed(cause), |node| node.to_string());
            return ready(Err(unchanged)).boxed_local();
        }
        self.state.lock().unwrap().members = wanted;
        ready(Ok(LogIndex(8))).boxed_local()
    }

    /// Lets anybody lead but one, which is a learner.
    fn transfer(
        &self,
        to: Option<String>,
        _deadline: Duration,
    ) -> LocalBoxFuture<'static, Result<String, Unchanged>> {
        if to.as_deref() == Some("learner") {
            let cause = ReplicaCause::Successor(NoSuccessor::Learner(NodeId(4)));
            let unchanged =
                Unchanged::new(ReplicaError::not_executed(cause), |node| format!("node-{}", node.0));
            return ready(Err(unchanged)).boxed_local();
        }
        ready(Ok(to.unwrap_or_else(|| "node-2".into()))).boxed_local()
    }

    fn metrics(&self) -> &Metrics {
        &self.metrics
    }
}

impl Map for Memory {
    fn put(&self, put: Put, call: Call) -> LocalBoxFuture<'static, Result<PutOutcome, KvError>> {
        let mut state = self.state.lock().unwrap();
        let outcome = state.put(put, &call);
        self.changed.send_replace(state.next().0);
        ready(outcome).boxed_local()
    }

    fn delete(
        &self,
        key: String,
        expect: Expect,
        call: Call,
    ) -> LocalBoxFuture<'static, Result<DeleteOutcome, KvError>> {
        let mut state = self.state.lock().unwrap();
        let outcome = state.delete(&key, &expect, call);
        self.changed.send_replace(state.next().0);
        ready(outcome).boxed_local()
    }

    fn get(
        &self,
        key: String,
        consistency: Consistency,
    ) -> LocalBoxFuture<'static, Result<Read<Option<Versioned>>, KvError>> {
        let mut state = self.state.lock().unwrap();
        state.reads.push(consistency);
        if state.stuck {
            return std::future::pending().boxed_local();
        }
        let index = state.next().previous();
        ready(Ok(Read { value: state.rows.get(&key).cloned(), index })).boxed_local()
    }

    fn range(
        &self,
        range: Range,
        consistency: Consistency,
    ) -> LocalBoxFuture<'static, Result<Read<Vec<KeyValue>>, KvError>> {
        let mut state = self.state.lock().unwrap();
        state.reads.push(consistency);
        let rows = state.rows.iter().filter(|(key, _)| key.starts_with(&range.prefix));
        let rows = rows.filter(|(key, _)| range.after.as_ref().is_none_or(|after| *key > after));
        let row = |(key, row): (&String, &Versioned)| KeyValue {
            key: key.clone(),
            value: row.value.clone(),
            index: row.index,
        };
        let value = rows.map(row).take(range.limit).collect();
        ready(Ok(Read { value, index: state.next().previous() })).boxed_local()
    }

    fn watch(
        &self,
        prefix: &str,
        from: Option<LogIndex>,
    ) -> Result<LocalBoxStream<'static, Result<Event, KvError>>, KvError> {
        let shared = self.state.clone();
        let state = shared.lock().unwrap();
        if let Some(from) = from.filter(|from| from.0 < state.oldest) {
            let _ = from;
            return Err(KvError::not_executed(KvCause::Compacted { oldest: LogIndex(state.oldest) }));
        }
        let first = state.history.iter().position(|event| from.is_some_and(|from| event.index >= from));
        let next = first.unwrap_or(state.history.len());
        drop(state);
        let follow = (shared, self.changed.subscribe(), next);
        let prefix = prefix.to_owned();
        let events = stream::unfold(follow, |(state, mut changed, next)| async move {
            loop {
                let event = state.lock().unwrap().history.get(next).cloned();
                if let Some(event) = event {
                    return Some((event, (state, changed, next + 1)));
                }
                changed.changed().await.ok()?;
            }
        });
        let events = events.filter(move |event| ready(event.key.starts_with(&prefix)));
        Ok(events.map(Ok).boxed_local())
    }
}
