//! The map as a state machine: how each command takes effect, the same on every replica.
//!
//! Trusts that the handle has checked keys and sizes; a command that breaks a limit does no harm here.

use std::io::{self, Read};
use std::time::Duration;

use synod_protocols::{LogIndex, LogTime};

use crate::driver::Frozen;
use crate::services::kv::command::{Answer, Command, Query, Reply};
use crate::services::kv::lease::{LEASE_LIMIT, Leases};
use crate::services::kv::model::{
    DeleteOutcome, EventKind, Expect, KeyValue, LeaseId, Operation, OperationResult, Put, PutOutcome, Range,
    Txn, TxnOutcome, Versioned,
};
use crate::services::kv::plain::PlainPut;
use crate::services::kv::row::{Press, Row};
use crate::services::kv::rows::Rows;
use crate::services::kv::snapshot::{self, Saved};
use crate::services::kv::watch::{Hub, WatchLimits};
use crate::services::state_machine::{Applied, StateMachine, decode_command};

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
    press: Press,
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
            press: Press::default(),
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

    fn put(&mut self, index: LogIndex, put: &Put) -> Reply {
        if put.lease.is_some_and(|lease| !self.leases.contains(lease)) {
            return Reply::LeaseUnknown;
        }
        if !self.holds(&put.key, &put.expect) {
            return Reply::Put(PutOutcome::Conflict { present: self.versioned(&put.key), index });
        }
        self.put_plain(index, &put.key, &put.value, put.lease)
    }

    /// A put of which nothing is to be checked.
    fn put_plain(&mut self, index: LogIndex, key: &str, value: &[u8], lease: Option<LeaseId>) -> Reply {
        let created = self.write(index, key, value, lease);
        Reply::Put(if created { PutOutcome::Created { index } } else { PutOutcome::Replaced { index } })
    }

    fn delete(&mut self, index: LogIndex, key: &str, expect: &Expect) -> DeleteOutcome {
        if !self.holds(key, expect) {
            return DeleteOutcome::Conflict { present: self.versioned(key), index };
        }
        if self.erase(index, key, EventKind::Delete) {
            DeleteOutcome::Deleted { index }
        } else {
            DeleteOutcome::Absent { index }
        }
    }

    fn txn(&mut self, index: LogIndex, txn: &Txn) -> Reply {
        let succeeded = txn.compare.iter().all(|compare| self.holds(&compare.key, &compare.expect));
        let branch = if succeeded { &txn.then } else { &txn.otherwise };
        let unknown = |operation: &Operation| matches!(operation, Operation::Put { lease: Some(lease), .. } if !self.leases.contains(*lease));
        if branch.iter().any(unknown) {
            return Reply::LeaseUnknown;
        }
        let results = branch.iter().map(|operation| self.operate(index, operation)).collect();
        Reply::Txn(TxnOutcome { succeeded, results, index })
    }

    fn operate(&mut self, index: LogIndex, operation: &Operation) -> OperationResult {
        match operation {
            Operation::Put { key, value, lease } => {
                OperationResult::Put { created: self.write(index, key, value, *lease) }
            }
            Operation::Delete { key } => {
                OperationResult::Delete { existed: self.erase(index, key, EventKind::Delete) }
            }
            Operation::Get { key } => OperationResult::Get(self.versioned(key)),
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

    fn revoke(&mut self, index: LogIndex, lease: LeaseId) -> Reply {
        let Some(keys) = self.leases.remove(lease) else { return Reply::LeaseUnknown };
        for key in keys {
            self.erase(index, &key, EventKind::Expire);
        }
        Reply::Done
    }

    fn holds(&self, key: &str, expect: &Expect) -> bool {
        // Looked for only if somebody wants to know.
        let present = || self.rows.find(key);
        match expect {
            Expect::Any => true,
            Expect::Absent => present().is_none(),
            Expect::Value(value) => present().is_some_and(|row| row.value() == value),
            Expect::Index(index) => present().is_some_and(|row| row.index() == *index),
        }
    }

    /// Says whether the key was absent.
    fn write(&mut self, index: LogIndex, key: &str, value: &[u8], lease: Option<LeaseId>) -> bool {
        let row = self.press.row(key, value, index, lease);
        let replaced = self.rows.insert(row.clone());
        if let Some(old) = replaced.as_ref().and_then(Row::lease) {
            self.leases.detach(old, key);
        }
        if let Some(lease) = lease {
            self.leases.attach(lease, key.into());
        }
        self.hub.add(row, index, EventKind::Put);
        replaced.is_none()
    }

    /// Says whether the key was there.
    fn erase(&mut self, index: LogIndex, key: &str, kind: EventKind) -> bool {
        let Some(row) = self.rows.remove(key) else { return false };
        if let Some(lease) = row.lease() {
            self.leases.detach(lease, key);
        }
        // The history remembers the key, and not what it had.
        self.hub.add(self.press.row(key, b"", index, None), index, kind);
        true
    }

    fn versioned(&self, key: &str) -> Option<Versioned> {
        self.rows.find(key).map(Row::versioned)
    }

    fn range(&self, range: &Range) -> Vec<KeyValue> {
        let after = range.after.as_deref().unwrap_or_default();
        let mut bytes = 0;
        self.rows
            .from(after.max(&range.prefix))
            .skip_while(|row| range.after.as_deref().map(str::as_bytes) == Some(row.key_bytes()))
            .take_while(|row| row.key_bytes().starts_with(range.prefix.as_bytes()))
            .take_while(|row| {
                let fits = bytes < RANGE_BYTES;
                bytes += row.len();
                fits
            })
            .take(range.limit)
            .map(|row| KeyValue { key: row.key().to_owned(), value: row.shared_value(), index: row.index() })
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
        let reply = match command {
            Command::Put(put) => self.put(at.index, &put),
            Command::Delete { key, expect } => Reply::Delete(self.delete(at.index, &key, &expect)),
            Command::Txn(txn) => self.txn(at.index, &txn),
            Command::Grant { ttl } => self.grant(at, ttl),
            Command::KeepAlive(lease) if self.leases.renew(lease, at.time) => Reply::Done,
            Command::KeepAlive(_) => Reply::LeaseUnknown,
            Command::Revoke(lease) => self.revoke(at.index, lease),
        };
        self.hub.publish(at.index);
        reply
    }

    /// A plain put is copied once, into its row.
    fn apply_encoded(&mut self, at: Applied, command: &[u8]) -> Option<Reply> {
        let Some(PlainPut { key, value }) = PlainPut::read(command) else {
            return decode_command(command).map(|command| self.apply(at, command));
        };
        self.applied = at.index;
        let reply = self.put_plain(at.index, key, value, None);
        self.hub.publish(at.index);
        Some(reply)
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
        let hub = Hub::new(WatchLimits::default(), applied.next());
        Ok(Self { rows, leases, applied, hub, press: Press::default() })
    }

    fn expire(&mut self, index: LogIndex, time: LogTime) {
        let mut expired = false;
        while let Some(keys) = self.leases.run_out(time) {
            for key in keys {
                expired |= self.erase(index, &key, EventKind::Expire);
            }
        }
        if expired {
            self.applied = index;
            self.hub.publish(index);
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
