//! What entries do to a replica's state.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use synod_protocols::log::{Body, Entry, SessionTag, SnapshotMeta};
use synod_protocols::session::SessionLimits;
use synod_protocols::{ClientId, LogIndex, LogTime, Term};

use crate::driver::{Frozen, Host};
use crate::services::replicated::host::ReplicaHost;
use crate::services::replicated::payload::{Settled, pack, read};
use crate::services::replicated::shared::Shared;
use crate::services::state_machine::{Applied, StateMachine};

/// Adds up, and lets the sum fall to zero at a log time.
#[derive(Debug, Default)]
struct Sum {
    sum: u64,
    zero_at: Option<LogTime>,
    stopped: bool,
}

impl StateMachine for Sum {
    type Command = u64;
    type Reply = u64;
    type Query = ();
    type Answer = u64;

    fn apply(&mut self, at: Applied, command: u64) -> u64 {
        self.sum += command;
        self.zero_at.get_or_insert(LogTime(at.time.0 + 100));
        self.sum
    }

    fn query(&self, (): ()) -> u64 {
        self.sum
    }

    fn snapshot(&self) -> Frozen {
        let sum = self.sum;
        Frozen::new(move |writer| writer.write_all(&sum.to_le_bytes()))
    }

    fn restore(reader: &mut dyn Read) -> io::Result<Self> {
        let mut bytes = [0; 8];
        reader.read_exact(&mut bytes)?;
        Ok(Self { sum: u64::from_le_bytes(bytes), zero_at: None, stopped: false })
    }

    fn expire(&mut self, _index: LogIndex, _time: LogTime) {
        (self.sum, self.zero_at) = (0, None);
    }

    fn wake(&self) -> Option<LogTime> {
        self.zero_at
    }

    fn stopped(&mut self) {
        self.stopped = true;
    }
}

fn host() -> (ReplicaHost<Sum>, Arc<Shared<Sum>>) {
    let limits = SessionLimits { max_sessions: 2, ..SessionLimits::default() };
    let shared = Arc::new(Shared::new(Sum::default(), limits));
    (ReplicaHost::new(Arc::clone(&shared), Arc::default()), shared)
}

fn entry(index: u64, time: u64, body: Body) -> Entry {
    Entry { term: Term(1), index: LogIndex(index), time: LogTime(time), body }
}

fn command(client: Option<(u64, u64)>, amount: u64) -> Body {
    let session = client.map(|(client, sequence)| SessionTag { client: ClientId(client), sequence });
    Body::Command { session, payload: pack(&amount).unwrap() }
}

fn reply(result: &Bytes) -> Option<u64> {
    match Settled::read(result) {
        Settled::Reply(reply) => read(&reply),
        Settled::Unreadable | Settled::Stale | Settled::Expired | Settled::Reused => None,
    }
}

#[test]
fn a_repeated_request_gets_the_first_reply_and_takes_effect_once() {
    let (mut host, shared) = host();
    let entries = vec![
        entry(1, 1, command(Some((7, 1)), 5)),
        entry(2, 2, command(None, 1)),
        entry(3, 3, command(Some((7, 1)), 5)),
        entry(4, 4, command(Some((7, 2)), 5)),
    ];
    let effected = host.apply(entries.into());
    let replies: Vec<_> =
        effected.results.iter().map(|(index, result)| (index.0, reply(result).unwrap())).collect();
    assert_eq!(replies, [(1, 5), (2, 6), (3, 5), (4, 11)]);
    assert_eq!(shared.state().machine.sum, 11);
    assert_eq!(shared.state().applied, LogIndex(4));
}

#[test]
fn another_command_under_a_used_tag_changes_nothing_and_does_not_get_the_first_ones_reply() {
    let (mut host, shared) = host();
    let entries = vec![
        entry(1, 1, command(Some((7, 1)), 5)),
        entry(2, 2, command(Some((7, 1)), 6)),
        entry(3, 3, command(Some((7, 1)), 5)),
    ];
    let effected = host.apply(entries.into());
    assert_eq!(Settled::read(&effected.results[1].1), Settled::Reused);
    assert_eq!(reply(&effected.results[2].1), Some(5));
    assert_eq!(shared.state().machine.sum, 5);
}

#[test]
fn a_forgotten_session_is_refused_and_changes_nothing() {
    let (mut host, shared) = host();
    host.apply((1..=3).map(|client| entry(client, client, command(Some((client, 1)), 1))).collect());
    let effected = host.apply(vec![entry(4, 4, command(Some((1, 2)), 1))].into());
    assert_eq!(Settled::read(&effected.results[0].1), Settled::Expired);
    assert_eq!(shared.state().machine.sum, 3);
}

#[test]
fn a_command_of_a_later_version_is_answered_and_changes_nothing() {
    let (mut host, shared) = host();
    let of_later_form = Body::Command { session: None, payload: Bytes::from_static(&[99, 1, 2, 3]) };
    let of_later_type = Body::Command { session: None, payload: pack(&"text").unwrap() };
    let empty = Body::Command { session: None, payload: Bytes::new() };
    let effected =
        host.apply(vec![entry(1, 1, of_later_form), entry(2, 2, of_later_type), entry(3, 3, empty)].into());
    for (index, result) in &effected.results {
        assert_eq!(Settled::read(result), Settled::Unreadable, "{index}");
    }
    assert_eq!((shared.state().machine.sum, effected.results.len()), (0, 3));
}

#[test]
fn log_time_runs_out_before_the_entry_that_brings_it() {
    let (mut host, _) = host();
    assert_eq!(host.apply(vec![entry(1, 10, command(None, 5))].into()).wake, Some(LogTime(110)));
    assert_eq!(host.apply(vec![entry(2, 109, command(None, 5))].into()).results.len(), 1);
    let effected = host.apply(vec![entry(3, 110, command(None, 1)), entry(4, 111, Body::Noop)].into());
    assert_eq!(reply(&effected.results[0].1), Some(1));
    assert_eq!(effected.wake, Some(LogTime(210)));
    let effected = host.apply(vec![entry(5, 210, Body::Noop)].into());
    assert_eq!((effected.results.len(), effected.wake), (0, None));
}

#[test]
fn a_snapshot_carries_the_sessions_along() {
    let (mut first, _) = host();
    first.apply(vec![entry(1, 1, command(Some((7, 1)), 5))].into());
    let frozen = first.snapshot();
    first.apply(vec![entry(2, 2, command(Some((8, 1)), 5))].into());
    let mut bytes = Vec::new();
    frozen.write_to(&mut bytes).unwrap();
    let meta =
        SnapshotMeta { index: LogIndex(1), term: Term(1), time: LogTime(1), configuration: Bytes::new() };
    let (mut second, shared) = host();
    second.thaw().read(&meta, &mut &bytes[..]).unwrap().put();
    assert_eq!(shared.state().machine.sum, 5);
    assert_eq!(shared.state().applied, LogIndex(1));
    let effected = second
        .apply(vec![entry(2, 2, command(Some((7, 1)), 5)), entry(3, 3, command(Some((8, 1)), 5))].into());
    assert_eq!(
        effected.results.iter().map(|(_, result)| reply(result)).collect::<Vec<_>>(),
        [Some(5), Some(10)]
    );
    for length in 0..bytes.len() {
        assert!(second.thaw().read(&meta, &mut &bytes[..length]).is_err(), "cut at {length}");
    }
}

#[test]
fn a_snapshot_of_a_replica_that_remembers_differently_is_refused() {
    let (mut first, _) = host();
    let mut bytes = Vec::new();
    first.snapshot().write_to(&mut bytes).unwrap();
    let meta =
        SnapshotMeta { index: LogIndex(1), term: Term(1), time: LogTime(1), configuration: Bytes::new() };
    let other = SessionLimits { max_sessions: 9, ..SessionLimits::default() };
    let second = ReplicaHost::new(Arc::new(Shared::new(Sum::default(), other)), Arc::default());
    let refusal = second.thaw().read(&meta, &mut &bytes[..]).expect_err("it is refused").to_string();
    assert!(
        refusal.contains("max_sessions: 9") && refusal.contains("give all members the same"),
        "{refusal}"
    );
}

#[test]
fn the_state_hears_that_its_disk_has_failed_and_that_its_service_has_ended() {
    let (mut failing, shared) = host();
    failing.failed();
    assert!(shared.state().machine.stopped);
    let (ending, shared) = host();
    assert!(!shared.state().machine.stopped);
    drop(ending);
    assert!(shared.state().machine.stopped);
}
