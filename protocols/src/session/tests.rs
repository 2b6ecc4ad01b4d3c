//! The session table: a retry takes effect once, for as long as is promised, and the same on every replica.

use std::time::Duration;

use super::*;

fn tag(client: u64, sequence: u64) -> SessionTag {
    SessionTag { client: ClientId(client), sequence }
}

fn table(max_sessions: usize, max_replies: usize, ttl: u64) -> Sessions {
    Sessions::new(SessionLimits {
        max_sessions,
        max_replies,
        max_bytes: 1 << 20,
        ttl: Duration::from_nanos(ttl),
    })
}

#[test]
fn a_retry_gets_the_first_reply_and_no_second_effect() {
    let mut sessions = table(10, 10, 100);
    assert_eq!(sessions.judge(tag(1, 1), LogTime(0)), Verdict::Fresh);
    sessions.record(tag(1, 1), LogTime(0), b"one");
    assert_eq!(sessions.judge(tag(1, 1), LogTime(5)), Verdict::Duplicate(Bytes::from_static(b"one")));
    assert_eq!(sessions.judge(tag(1, 2), LogTime(5)), Verdict::Fresh);
}

#[test]
fn a_request_older_than_what_is_remembered_never_takes_effect_again() {
    let mut sessions = table(10, 2, 100);
    for sequence in [1, 3, 2, 4] {
        assert_eq!(sessions.judge(tag(1, sequence), LogTime(0)), Verdict::Fresh, "{sequence} out of order");
        sessions.record(tag(1, sequence), LogTime(0), &[]);
    }
    assert_eq!(sessions.judge(tag(1, 1), LogTime(0)), Verdict::Stale);
    assert_eq!(sessions.judge(tag(1, 2), LogTime(0)), Verdict::Stale);
    assert_eq!(sessions.judge(tag(1, 3), LogTime(0)), Verdict::Duplicate(Bytes::new()));
}

#[test]
fn a_forgotten_client_is_told_so_instead_of_executing_twice() {
    let mut sessions = table(10, 4, 100);
    sessions.record(tag(1, 1), LogTime(0), &[]);
    sessions.record(tag(1, 2), LogTime(50), &[]);
    assert_eq!(sessions.judge(tag(1, 2), LogTime(149)), Verdict::Duplicate(Bytes::new()));
    assert_eq!(sessions.judge(tag(1, 2), LogTime(150)), Verdict::Expired, "silent for the time to live");
    assert!(sessions.is_empty());
    assert_eq!(sessions.bytes(), 0);
}

#[test]
fn one_key_one_request_holds_for_the_last_so_many_keys() {
    let mut sessions = table(1_000, 1, 1_000_000);
    for key in 0..5_000u64 {
        assert_eq!(sessions.judge(tag(key, 1), LogTime(key)), Verdict::Fresh);
        sessions.record(tag(key, 1), LogTime(key), &key.to_be_bytes());
    }
    assert_eq!(sessions.len(), 1_000);
    for key in 4_000..5_000u64 {
        let reply = Bytes::copy_from_slice(&key.to_be_bytes());
        assert_eq!(sessions.judge(tag(key, 1), LogTime(5_000)), Verdict::Duplicate(reply));
    }
    assert_eq!(
        sessions.judge(tag(3_999, 1), LogTime(5_000)),
        Verdict::Fresh,
        "the key before them is forgotten"
    );
}

#[test]
fn the_client_that_is_still_active_outlives_the_silent_one() {
    let mut sessions = table(2, 4, 1_000);
    sessions.record(tag(1, 1), LogTime(0), &[]);
    sessions.record(tag(2, 1), LogTime(1), &[]);
    sessions.record(tag(1, 2), LogTime(2), &[]);
    sessions.record(tag(3, 1), LogTime(3), &[]);
    assert_eq!(sessions.judge(tag(1, 2), LogTime(4)), Verdict::Duplicate(Bytes::new()));
    assert_eq!(sessions.judge(tag(2, 2), LogTime(4)), Verdict::Expired);
}

#[test]
fn replies_never_hold_more_bytes_than_allowed() {
    let mut sessions = table(1_000, 4, 1_000_000);
    for key in 0..100 {
        sessions.record(tag(key, 1), LogTime(key), &vec![0; 64 << 10]);
        assert!(sessions.bytes() <= 1 << 20);
    }
    assert!(sessions.len() > 10, "no more is forgotten than the limit asks for");
}

#[test]
fn a_table_from_a_snapshot_judges_and_forgets_like_the_one_it_was_taken_from() {
    let mut original = table(3, 2, 100);
    for (client, sequence, at) in [(5, 1, 0), (2, 1, 10), (5, 2, 20), (5, 3, 30), (9, 1, 40)] {
        original.record(tag(client, sequence), LogTime(at), &[sequence as u8]);
    }
    let mut copy = Sessions::from(Saved::from(&original.freeze()));
    for (client, sequence, at) in [(7, 1, 50), (5, 1, 60), (2, 1, 60), (9, 1, 139), (9, 1, 140)] {
        let tag = tag(client, sequence);
        let verdict = original.judge(tag, LogTime(at));
        assert_eq!(copy.judge(tag, LogTime(at)), verdict);
        if verdict == Verdict::Fresh {
            original.record(tag, LogTime(at), &[]);
            copy.record(tag, LogTime(at), &[]);
        }
        assert_eq!(
            (original.len(), original.bytes()),
            (copy.len(), copy.bytes()),
            "after client {client} at {at}"
        );
    }
}

#[test]
fn a_frozen_table_shares_what_has_not_changed_and_stays_as_it_was() {
    let mut sessions = table(10_000, 4, 1_000_000);
    for client in 0..5_000 {
        sessions.record(tag(client, 1), LogTime(client), b"reply");
    }
    let frozen = sessions.freeze();
    let shared = |now: &Sessions| {
        let pieces = now.clients.pieces.iter();
        pieces
            .filter(|(at, piece)| frozen.clients.pieces.get(at).is_some_and(|old| Arc::ptr_eq(old, piece)))
            .count()
    };
    let all = frozen.clients.pieces.len();
    assert!(all > 900 && shared(&sessions) == all, "freezing copies nothing, and the clients are spread");
    sessions.record(tag(7, 2), LogTime(6_000), &[]);
    assert_eq!(shared(&sessions), all - 1, "a change copies one piece");
    let mut then = Sessions::from(Saved::from(&frozen));
    assert_eq!((then.len(), then.bytes() < sessions.bytes()), (5_000, true));
    assert_eq!(then.judge(tag(7, 2), LogTime(6_000)), Verdict::Fresh, "it is as it was");
    assert!(matches!(sessions.judge(tag(7, 2), LogTime(6_000)), Verdict::Duplicate(_)));
}

#[test]
fn an_empty_table_costs_next_to_nothing() {
    let sessions = table(100_000, 32, 1_000_000);
    assert!(sessions.clients.pieces.is_empty() && sessions.by_use.is_empty());
}
