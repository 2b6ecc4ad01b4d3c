//! The map as a state machine: how each command takes effect, the same on every replica.
//!
//! Trusts that the handle has checked keys and sizes; a command that breaks a limit does no harm here.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use synod_protocols::{LogIndex, LogTime};

use crate::driver::Frozen;
use crate::services::kv::command::{Answer, Command, Query, Reply};
use crate::services::kv::lease::{LEASE_LIMIT, Leases};
use crate::services::kv::model::{
    DeleteOutcome, Event, EventKind, Expect, KeyValue, LeaseId, Operation, OperationResult, Put, PutOutcome,
    Range, Txn, TxnOutcome, Versioned,
};
use crate::services::kv::rows::{Row, Rows};
use crate::services::kv::snapshot::{self, Saved};
use crate::services::kv::watch::{Hub, WatchLimits};
use crate::services::state_machine::{Applied, StateMachine};

/// Bytes of keys and values after which a range answer stops.
pub const RANGE_BYTES: usize = 1 << 20;

/// An ordered map from text to bytes.
#[derive(Debug)]
pub struct Map {
    pub(crate) rows: Rows,
    pub(crate) leases: Leases,
    /// The last index at which something was applied; what came after it up to a snapshot changed nothing.
    pub(crate) applied: LogIndex,
    pub(crate) hub: Hub,
}

impl Map {
    /// An empty map.
    #[must_use]
    pub fn new() -> Self {
        Self::with_limits(WatchLimits::default())
    }

    pub(crate) fn with_limits(limits: WatchLimits) -> Self {
        Self {
            rows: Rows::default(),
            leases: Leases::default(),
            applied: LogIndex::ZERO,
            hub: Hub::new(limits, LogIndex(1)),
        }
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn put(&mut self, index: LogIndex, put: Put, events: &mut Vec<Event>) -> Reply {
        if put.lease.is_some_and(|lease| !self.leases.contains(lease)) {
            return Reply::LeaseUnknown;
        }
        if !self.holds(&put.key, &put.expect) {
            return Reply::Put(PutOutcome::Conflict { present: self.versioned(&put.key), index });
        }
        let created = self.write(index, put.key, put.value, put.lease, events);
        Reply::Put(if created { PutOutcome::Created { index } } else { PutOutcome::Replaced { index } })
    }

    fn delete(
        &mut self,
        index: LogIndex,
        key: &str,
        expect: &Expect,
        events: &mut Vec<Event>,
    ) -> DeleteOutcome {
        if !self.holds(key, expect) {
            return DeleteOutcome::Conflict { present: self.versioned(key), index };
        }
        if self.erase(index, key, EventKind::Delete, events) {
            DeleteOutcome::Deleted { index }
        } else {
            DeleteOutcome::Absent { index }
        }
    }

    fn txn(&mut self, index: LogIndex, txn: Txn, events: &mut Vec<Event>) -> Reply {
        let succeeded = txn.compare.iter().all(|compare| self.holds(&compare.key, &compare.expect));
        let branch = if succeeded { txn.then } else { txn.otherwise };
        let unknown = |operation: &Operation| matches!(operation, Operation::Put { lease: Some(lease), .. } if !self.leases.contains(*lease));
        if branch.iter().any(unknown) {
            return Reply::LeaseUnknown;
        }
        let results = branch.into_iter().map(|operation| self.operate(index, operation, events)).collect();
        Reply::Txn(TxnOutcome { succeeded, results, index })
    }

    fn operate(&mut self, index: LogIndex, operation: Operation, events: &mut Vec<Event>) -> OperationResult {
        match operation {
            Operation::Put { key, value, lease } => {
                OperationResult::Put { created: self.write(index, key, value, lease, events) }
            }
            Operation::Delete { key } => {
                OperationResult::Delete { existed: self.erase(index, &key, EventKind::Delete, events) }
            }
            Operation::Get { key } => OperationResult::Get(self.versioned(&key)),
        }
    }

    fn grant(&mut self, at: Applied, ttl: Duration) -> Reply {
        if self.leases.len() >= LEASE_LIMIT {
            return Reply::LeaseLimit;
        }
        // The index of the grant names the lease: unique for ever, the same everywhere.
        let id = LeaseId(at.index.0);
        self.leases.add(id, ttl, at.time.after(ttl));
        Reply::Granted(id)
    }

    fn revoke(&mut self, index: LogIndex, lease: LeaseId, events: &mut Vec<Event>) -> Reply {
        let Some(keys) = self.leases.remove(lease) else { return Reply::LeaseUnknown };
        for key in keys {
            self.erase(index, &key, EventKind::Expire, events);
        }
        Reply::Done
    }

    fn holds(&self, key: &str, expect: &Expect) -> bool {
        // Looked for only if somebody wants to know.
        let present = || self.rows.find(key);
        match expect {
            Expect::Any => true,
            Expect::Absent => present().is_none(),
            Expect::Value(value) => present().is_some_and(|row| row.value == *value),
            Expect::Index(index) => present().is_some_and(|row| row.index == *index),
        }
    }

    /// Says whether the key was absent.
    fn write(
        &mut self,
        index: LogIndex,
        key: String,
        value: Bytes,
        lease: Option<LeaseId>,
        events: &mut Vec<Event>,
    ) -> bool {
        let present = self.rows.find_mut(&key);
        let created = present.is_none();
        let name = match present {
            Some(row) => {
                (row.value, row.index) = (value.clone(), index);
                let name = Arc::clone(&row.key);
                if let Some(old) = std::mem::replace(&mut row.lease, lease) {
                    self.leases.detach(old, &name);
                }
                name
            }
            None => {
                let name: Arc<str> = key.as_str().into();
                self.rows.insert(Row { key: Arc::clone(&name), value: value.clone(), index, lease });
                name
            }
        };
        if let Some(lease) = lease {
            self.leases.attach(lease, name);
        }
        events.push(Event { key, value: Some(value), index, kind: EventKind::Put });
        created
    }

    /// Says whether the key was there.
    fn erase(&mut self, index: LogIndex, key: &str, kind: EventKind, events: &mut Vec<Event>) -> bool {
        let Some(row) = self.rows.remove(key) else { return false };
        if let Some(lease) = row.lease {
            self.leases.detach(lease, key);
        }
        events.push(Event { key: key.to_owned(), value: None, index, kind });
        true
    }

    fn versioned(&self, key: &str) -> Option<Versioned> {
        self.rows.find(key).map(|row| Versioned { value: row.value.clone(), index: row.index })
    }

    fn range(&self, range: &Range) -> Vec<KeyValue> {
        let after = range.after.as_deref().unwrap_or_default();
        let mut bytes = 0;
        self.rows
            .from(after.max(&range.prefix))
            .skip_while(|row| range.after.as_deref() == Some(&*row.key))
            .take_while(|row| row.key.starts_with(&range.prefix))
            .take_while(|row| {
                let fits = bytes < RANGE_BYTES;
                bytes += row.key.len() + row.value.len();
                fits
            })
            .take(range.limit)
            .map(|row| KeyValue { key: row.key.to_string(), value: row.value.clone(), index: row.index })
            .collect()
    }
}

impl Default for Map {
    fn default() -> Self {
        Self::new()
    }
}

impl StateMachine for Map {
    type Command = Command;
    type Reply = Reply;
    type Query = Query;
    type Answer = Answer;

    fn apply(&mut self, at: Applied, command: Command) -> Reply {
        self.applied = at.index;
        let mut events = Vec::new();
        let reply = match command {
            Command::Put(put) => self.put(at.index, put, &mut events),
            Command::Delete { key, expect } => {
                Reply::Delete(self.delete(at.index, &key, &expect, &mut events))
            }
            Command::Txn(txn) => self.txn(at.index, txn, &mut events),
            Command::Grant { ttl } => self.grant(at, ttl),
            Command::KeepAlive(lease) if self.leases.renew(lease, at.time) => Reply::Done,
            Command::KeepAlive(_) => Reply::LeaseUnknown,
            Command::Revoke(lease) => self.revoke(at.index, lease, &mut events),
        };
        self.hub.publish(at.index, events);
        reply
    }

    fn query(&self, query: Query) -> Answer {
        match query {
            Query::Get(key) => Answer::Value(self.versioned(&key)),
            Query::Range(range) => Answer::Rows(self.range(&range)),
        }
    }

    fn snapshot(&self) -> Frozen {
        snapshot::freeze(&self.rows, &self.leases, self.applied)
    }

    fn restore(reader: &mut dyn Read) -> io::Result<Self> {
        let Saved { rows, leases, applied } = snapshot::read(reader)?;
        Ok(Self { rows, leases, applied, hub: Hub::new(WatchLimits::default(), applied.next()) })
    }

    fn expire(&mut self, index: LogIndex, time: LogTime) {
        let mut events = Vec::new();
        while let Some(keys) = self.leases.run_out(time) {
            for key in keys {
                self.erase(index, &key, EventKind::Expire, &mut events);
            }
        }
        if !events.is_empty() {
            self.applied = index;
            self.hub.publish(index, events);
        }
    }

    fn wake(&self) -> Option<LogTime> {
        self.leases.next_end()
    }

    fn stopped(&mut self) {
        self.hub.stop();
    }

    fn adopt(&mut self, mut previous: Self) {
        previous.hub.leap(self.hub.oldest());
    }
}
