//! The map as a state machine: every command, by log index and log time, and what watchers hear of it.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use synod_protocols::{LogIndex, LogTime};

use super::command::{Answer, Command, Query, Reply};
use super::limits::KvLimits;
use super::map::{Map, RANGE_BYTES};
use super::row::Row;
use super::watch::WatchLimits;
use super::*;
use crate::services::state_machine::{Applied, StateMachine};

/// A map and the log that is applied to it, one second per entry.
struct Log {
    map: Map,
    index: u64,
}

impl Log {
    fn new() -> Self {
        Self { map: Map::new(), index: 0 }
    }

    fn apply(&mut self, command: Command) -> Reply {
        self.apply_at(command, self.index + 1)
    }

    /// As the host does: what has run out goes first.
    fn apply_at(&mut self, command: Command, second: u64) -> Reply {
        self.index += 1;
        let at = Applied { index: LogIndex(self.index), time: seconds(second), session: None };
        self.tick(at);
        self.map.apply(at, command)
    }

    fn pass(&mut self, second: u64) {
        self.index += 1;
        self.tick(Applied { index: LogIndex(self.index), time: seconds(second), session: None });
    }

    fn tick(&mut self, at: Applied) {
        if self.map.wake().is_some_and(|wake| wake <= at.time) {
            self.map.expire(at.index, at.time);
        }
    }

    fn put(&mut self, key: &str, value: &str) -> Reply {
        self.apply(put(key, value, Expect::Any, None))
    }

    fn get(&self, key: &str) -> Option<(String, u64)> {
        match self.map.query(Query::Get(key.into())) {
            Answer::Value(value) => value.map(|v| (String::from_utf8(v.value.to_vec()).unwrap(), v.index.0)),
            Answer::Rows(_) => panic!("a get is answered with rows"),
        }
    }

    fn keys(&self, prefix: &str, after: Option<&str>, limit: usize) -> Vec<String> {
        let range = Range { prefix: prefix.into(), after: after.map(Into::into), limit };
        match self.map.query(Query::Range(range)) {
            Answer::Rows(rows) => rows.into_iter().map(|row| row.key).collect(),
            Answer::Value(_) => panic!("a range is answered with a value"),
        }
    }

    /// What a restart or another replica makes of a snapshot.
    fn restored(&self) -> Self {
        let mut bytes = Vec::new();
        self.map.snapshot().write_to(&mut bytes).unwrap();
        Self { map: Map::restore(&mut &bytes[..]).unwrap(), index: self.index }
    }
}

fn seconds(second: u64) -> LogTime {
    LogTime(second * 1_000_000_000)
}

fn put(key: &str, value: &str, expect: Expect, lease: Option<LeaseId>) -> Command {
    Command::Put(Put { key: key.into(), value: Bytes::copy_from_slice(value.as_bytes()), expect, lease })
}

fn text(value: &str) -> Bytes {
    Bytes::copy_from_slice(value.as_bytes())
}

fn heard(stream: &mut WatchStream) -> Vec<Result<(String, u64, EventKind), KvError>> {
    let mut events = Vec::new();
    while let Some(Some(item)) = stream.next().now_or_never() {
        events.push(item.map(|event| (event.key, event.index.0, event.kind)));
    }
    events
}

#[test]
fn a_put_says_whether_it_created_and_a_failed_expectation_changes_nothing() {
    let mut log = Log::new();
    assert_eq!(log.put("a", "1"), Reply::Put(PutOutcome::Created { index: LogIndex(1) }));
    assert_eq!(log.put("a", "2"), Reply::Put(PutOutcome::Replaced { index: LogIndex(2) }));
    let present = Some(Versioned { value: text("2"), index: LogIndex(2) });
    for expect in [Expect::Absent, Expect::Value(text("1")), Expect::Index(LogIndex(1))] {
        let index = LogIndex(log.index + 1);
        let conflict = Reply::Put(PutOutcome::Conflict { present: present.clone(), index });
        assert_eq!(log.apply(put("a", "x", expect.clone(), None)), conflict, "{expect:?}");
        assert_eq!(log.get("a"), Some(("2".into(), 2)));
    }
    let absent = Reply::Put(PutOutcome::Conflict { present: None, index: LogIndex(6) });
    assert_eq!(log.apply(put("b", "x", Expect::Value(text("")), None)), absent);
    for (expect, value) in [(Expect::Value(text("2")), "3"), (Expect::Index(LogIndex(7)), "4")] {
        let index = LogIndex(log.index + 1);
        assert_eq!(log.apply(put("a", value, expect, None)), Reply::Put(PutOutcome::Replaced { index }));
    }
    assert_eq!(
        log.apply(put("b", "", Expect::Absent, None)),
        Reply::Put(PutOutcome::Created { index: LogIndex(9) })
    );
}

#[test]
fn a_delete_knows_absence_from_conflict() {
    let mut log = Log::new();
    log.put("a", "1");
    let delete = |expect| Command::Delete { key: "a".into(), expect };
    let present = Some(Versioned { value: text("1"), index: LogIndex(1) });
    let conflict = DeleteOutcome::Conflict { present, index: LogIndex(2) };
    assert_eq!(log.apply(delete(Expect::Index(LogIndex(9)))), Reply::Delete(conflict));
    let deleted = DeleteOutcome::Deleted { index: LogIndex(3) };
    assert_eq!(log.apply(delete(Expect::Value(text("1")))), Reply::Delete(deleted));
    assert_eq!(log.apply(delete(Expect::Any)), Reply::Delete(DeleteOutcome::Absent { index: LogIndex(4) }));
    let conflict = DeleteOutcome::Conflict { present: None, index: LogIndex(5) };
    assert_eq!(log.apply(delete(Expect::Value(text("1")))), Reply::Delete(conflict));
}

#[test]
fn a_transaction_takes_one_branch_as_one_step() {
    let mut log = Log::new();
    log.put("from", "10");
    log.put("to", "0");
    let txn = |expected: &str| {
        Command::Txn(Txn {
            compare: vec![
                Compare { key: "from".into(), expect: Expect::Value(text(expected)) },
                Compare { key: "lock".into(), expect: Expect::Absent },
            ],
            then: vec![
                Operation::Put { key: "from".into(), value: text("0"), lease: None },
                Operation::Put { key: "to".into(), value: text("10"), lease: None },
                Operation::Get { key: "to".into() },
                Operation::Delete { key: "none".into() },
            ],
            otherwise: vec![Operation::Get { key: "from".into() }],
        })
    };
    let outcome = TxnOutcome {
        succeeded: true,
        results: vec![
            OperationResult::Put { created: false },
            OperationResult::Put { created: false },
            OperationResult::Get(Some(Versioned { value: text("10"), index: LogIndex(3) })),
            OperationResult::Delete { existed: false },
        ],
        index: LogIndex(3),
    };
    assert_eq!(log.apply(txn("10")), Reply::Txn(outcome));
    let results = vec![OperationResult::Get(Some(Versioned { value: text("0"), index: LogIndex(3) }))];
    assert_eq!(
        log.apply(txn("10")),
        Reply::Txn(TxnOutcome { succeeded: false, results, index: LogIndex(4) })
    );
    let unknown = Operation::Put { key: "x".into(), value: text("1"), lease: Some(LeaseId(99)) };
    let first = Operation::Put { key: "y".into(), value: text("1"), lease: None };
    let broken = Txn { compare: vec![], then: vec![first, unknown], otherwise: vec![] };
    assert_eq!(log.apply(Command::Txn(broken)), Reply::LeaseUnknown);
    assert_eq!(log.get("y"), None, "a transaction with an unknown lease changes nothing");
}

#[test]
fn ranges_page_in_order_within_a_prefix() {
    let mut log = Log::new();
    for key in ["a", "b/1", "b/2", "b/22", "b/3", "c"] {
        log.put(key, "v");
    }
    assert_eq!(log.keys("b/", None, 2), ["b/1", "b/2"]);
    assert_eq!(log.keys("b/", Some("b/2"), 2), ["b/22", "b/3"]);
    assert_eq!(log.keys("b/", Some("b/3"), 2), [""; 0]);
    assert_eq!(log.keys("b/", Some("a"), 1), ["b/1"], "a start before the prefix misses nothing");
    assert_eq!(log.keys("", Some("b/20"), 9), ["b/22", "b/3", "c"], "the start need not exist");
    assert_eq!(log.keys("b/", None, 0), [""; 0]);
    let half = "x".repeat(RANGE_BYTES / 2);
    for key in ["d/1", "d/2", "d/3"] {
        log.put(key, &half);
    }
    assert_eq!(log.keys("d/", None, 9), ["d/1", "d/2"]);
    assert_eq!(log.keys("d/", Some("d/2"), 9), ["d/3"]);
}

#[test]
fn keys_vanish_when_log_time_reaches_the_end_of_their_lease() {
    let mut log = Log::new();
    let ttl = Duration::from_secs(10);
    assert_eq!(log.apply_at(Command::Grant { ttl }, 100), Reply::Granted(LeaseId(1)));
    log.apply_at(put("a", "1", Expect::Any, Some(LeaseId(1))), 100);
    log.apply_at(put("b", "1", Expect::Any, Some(LeaseId(1))), 100);
    log.apply_at(put("b", "2", Expect::Any, None), 101);
    assert_eq!(log.map.wake(), Some(seconds(110)));
    log.pass(109);
    assert!(log.get("a").is_some());
    assert_eq!(log.apply_at(Command::KeepAlive(LeaseId(1)), 109), Reply::Done);
    log.pass(118);
    assert!(log.get("a").is_some(), "kept alive until 119");
    let mut watch = log.map.hub.watch("", None).unwrap();
    let reply = log.apply_at(put("a", "late", Expect::Absent, None), 119);
    assert_eq!(
        reply,
        Reply::Put(PutOutcome::Created { index: LogIndex(log.index) }),
        "the lease ends before the command"
    );
    let index = log.index;
    assert_eq!(
        heard(&mut watch),
        [Ok(("a".into(), index, EventKind::Expire)), Ok(("a".into(), index, EventKind::Put))]
    );
    assert_eq!(log.get("b").unwrap().0, "2", "written again without the lease");
    assert_eq!(log.map.wake(), None);
    assert_eq!(log.apply(Command::KeepAlive(LeaseId(1))), Reply::LeaseUnknown);
    assert_eq!(log.apply(put("c", "", Expect::Any, Some(LeaseId(1)))), Reply::LeaseUnknown);
    assert_eq!(log.get("c"), None);
}

#[test]
fn a_revoked_lease_takes_its_keys_along() {
    let mut log = Log::new();
    log.apply(Command::Grant { ttl: Duration::from_secs(1000) });
    for key in ["b", "a", "kept"] {
        log.apply(put(key, "", Expect::Any, Some(LeaseId(1))));
    }
    log.apply(Command::Delete { key: "kept".into(), expect: Expect::Any });
    log.put("kept", "by nobody's lease");
    let mut watch = log.map.hub.watch("", None).unwrap();
    assert_eq!(log.apply(Command::Revoke(LeaseId(1))), Reply::Done);
    let index = log.index;
    assert_eq!(
        heard(&mut watch),
        [Ok(("a".into(), index, EventKind::Expire)), Ok(("b".into(), index, EventKind::Expire))]
    );
    assert_eq!(log.keys("", None, 9), ["kept"]);
    assert_eq!(log.apply(Command::Revoke(LeaseId(1))), Reply::LeaseUnknown);
}

#[test]
fn a_snapshot_holds_rows_indexes_and_leases_and_stays_as_it_was() {
    let mut log = Log::new();
    for key in 0..1000 {
        log.put(&format!("k{key:04}"), &key.to_string());
    }
    let lease = LeaseId(log.index + 1);
    log.apply_at(Command::Grant { ttl: Duration::from_secs(60) }, 2000);
    log.apply_at(put("leased", "x", Expect::Any, Some(lease)), 2000);
    let frozen = log.map.snapshot();
    log.apply_at(put("k0000", "changed after", Expect::Any, None), 2001);
    let mut bytes = Vec::new();
    frozen.write_to(&mut bytes).unwrap();
    let mut copy = Log { map: Map::restore(&mut &bytes[..]).unwrap(), index: log.index };
    assert_eq!(copy.get("k0000"), Some(("0".into(), 1)));
    copy.apply_at(put("k0000", "changed after", Expect::Any, None), 2001);
    log.index = copy.index;
    assert_eq!(copy.map.wake(), Some(seconds(2060)));
    for log in [&mut log, &mut copy] {
        log.pass(2060);
        assert_eq!(log.get("leased"), None);
    }
    let (all, copied) = (log.restored(), copy.restored());
    let rows = |log: &Log| {
        let pair = |row: &Row| (row.key().to_owned(), row.value().to_vec());
        log.map.rows.iter().map(pair).collect::<Vec<_>>()
    };
    assert_eq!(rows(&all), rows(&copied));
    assert_eq!(all.map.len(), 1000);
}

#[test]
fn damaged_snapshots_are_refused_without_taking_memory() {
    let mut log = Log::new();
    log.put("a", "1");
    let mut bytes = Vec::new();
    log.map.snapshot().write_to(&mut bytes).unwrap();
    for length in 0..bytes.len() {
        assert!(Map::restore(&mut &bytes[..length]).is_err(), "cut at {length}");
    }
    let value_length = bytes.len() - 1 - 4;
    bytes[value_length..value_length + 4].copy_from_slice(&0x3FFF_FFFF_u32.to_le_bytes());
    assert!(Map::restore(&mut &bytes[..]).is_err(), "a gigabyte is claimed");
}

#[test]
fn a_watch_begins_at_an_index_and_misses_nothing() {
    let mut log = Log::new();
    for key in ["a/1", "b", "a/2"] {
        log.put(key, "v");
    }
    let mut from_two = log.map.hub.watch("a/", Some(LogIndex(2))).unwrap();
    let mut from_start = log.map.hub.watch("", Some(LogIndex(0))).unwrap();
    let mut from_later = log.map.hub.watch("a/", Some(LogIndex(5))).unwrap();
    let mut from_now = log.map.hub.watch("a/", None).unwrap();
    log.put("a/4", "v");
    log.apply(Command::Delete { key: "a/4".into(), expect: Expect::Any });
    let put = |key: &str, index| Ok((key.to_owned(), index, EventKind::Put));
    let deleted = Ok(("a/4".to_owned(), 5, EventKind::Delete));
    assert_eq!(heard(&mut from_two), [put("a/2", 3), put("a/4", 4), deleted.clone()]);
    assert_eq!(heard(&mut from_start).len(), 5);
    assert_eq!(heard(&mut from_later), std::slice::from_ref(&deleted));
    assert_eq!(heard(&mut from_now), [put("a/4", 4), deleted]);
}

#[test]
fn forgotten_history_is_refused_with_the_oldest_index() {
    let limits = WatchLimits { events: 4, bytes: 1 << 20 };
    let mut log = Log { map: Map::with_limits(limits), index: 0 };
    let pair = |key: &str| Operation::Put { key: key.into(), value: text("v"), lease: None };
    log.apply(Command::Txn(Txn { then: vec![pair("a"), pair("b")], ..Txn::default() }));
    for key in ["c", "d", "e"] {
        log.put(key, "v");
    }
    // Five events of which four fit: both events of the transaction go together.
    let error = log.map.hub.watch("", Some(LogIndex(1))).unwrap_err();
    assert_eq!(error, KvError::not_executed(KvCause::Compacted { oldest: LogIndex(2) }));
    assert_eq!(heard(&mut log.map.hub.watch("", Some(LogIndex(2))).unwrap()).len(), 3);
    let restored = log.restored();
    let mut map = restored.map;
    let error = map.hub.watch("", Some(LogIndex(4))).unwrap_err();
    assert_eq!(error, KvError::not_executed(KvCause::Compacted { oldest: LogIndex(5) }));
    assert!(map.hub.watch("", Some(LogIndex(5))).is_ok());
}

#[test]
fn a_slow_watch_ends_after_whole_indexes_and_holds_no_more() {
    let limits = WatchLimits { events: 2, bytes: 1 << 20 };
    let mut log = Log { map: Map::with_limits(limits), index: 0 };
    let mut slow = log.map.hub.watch("", None).unwrap();
    let mut other = log.map.hub.watch("z", None).unwrap();
    for key in ["a", "b", "c"] {
        log.put(key, "v");
    }
    let pair = |key: &str| Operation::Put { key: key.into(), value: text("v"), lease: None };
    log.apply(Command::Txn(Txn { then: vec![pair("d"), pair("e")], ..Txn::default() }));
    log.put("f", "v");
    let put = |key: &str, index| Ok((key.to_owned(), index, EventKind::Put));
    let end = Err(KvError::not_executed(KvCause::Slow { last: LogIndex(3) }));
    assert_eq!(heard(&mut slow), [put("a", 1), put("b", 2), put("c", 3), end]);
    assert_eq!(slow.next().now_or_never(), Some(None), "the end is said once");
    assert_eq!(heard(&mut other), [], "whoever is not concerned goes on");
    log.put("z", "v");
    assert_eq!(heard(&mut other), [put("z", 6)]);
}

#[test]
fn watchers_are_told_when_the_state_leaps_and_when_it_goes() {
    let mut ahead = Log::new();
    for key in ["a", "b", "c"] {
        ahead.put(key, "v");
    }
    let mut behind = Log::new();
    behind.put("a", "v");
    let mut watch = behind.map.hub.watch("", Some(LogIndex(1))).unwrap();
    let mut map = ahead.restored().map;
    map.adopt(behind.map);
    let end = Err(KvError::not_executed(KvCause::Compacted { oldest: LogIndex(4) }));
    assert_eq!(heard(&mut watch), [Ok(("a".into(), 1, EventKind::Put)), end]);
    let mut watch = map.hub.watch("", None).unwrap();
    drop(map);
    assert_eq!(heard(&mut watch), [Err(KvError::not_executed(KvCause::Stopped))]);
}

#[test]
fn bad_keys_and_large_values_are_refused_before_they_cost_anything() {
    let limits = KvLimits { value_bytes: 10, txn_steps: 2 };
    let cause = |result: Result<(), KvError>| result.unwrap_err().cause;
    assert_eq!(cause(limits.check_key("")), KvCause::BadKey(BadKey::Empty));
    assert_eq!(cause(limits.check_key(&"k".repeat(1025))), KvCause::BadKey(BadKey::TooLong { size: 1025 }));
    assert_eq!(limits.check_key(&"k".repeat(1024)), Ok(()));
    for key in ["a\nb", "\u{0}", "\u{85}"] {
        assert_eq!(cause(limits.check_key(key)), KvCause::BadKey(BadKey::ControlCharacter));
    }
    let large =
        Put { key: "k".into(), value: Bytes::from_static(&[0; 11]), expect: Expect::Any, lease: None };
    assert_eq!(cause(limits.check_put(&large)), KvCause::TooLarge { size: 11, limit: 10 });
    let get = || Operation::Get { key: "k".into() };
    let txn = |then| Txn { then, ..Txn::default() };
    assert_eq!(
        cause(limits.check_txn(&txn(vec![get(), get(), get()]))),
        KvCause::TooManySteps { steps: 3, limit: 2 }
    );
    let put = Operation::Put { key: "kk".into(), value: Bytes::from_static(&[0; 9]), lease: None };
    assert_eq!(cause(limits.check_txn(&txn(vec![put]))), KvCause::TooLarge { size: 11, limit: 10 });
}

#[test]
fn watches_end_when_nothing_is_applied_any_more_and_none_begins() {
    let mut map = Map::new();
    let mut watch = map.hub.watch("", None).unwrap();
    assert!(watch.next().now_or_never().is_none());
    map.stopped();
    let end = watch.next().now_or_never().flatten().expect("it ended").unwrap_err();
    assert_eq!(end.cause, KvCause::Stopped);
    assert_eq!(watch.next().now_or_never(), Some(None));
    assert_eq!(map.hub.watch("", None).unwrap_err().cause, KvCause::Stopped);
}
