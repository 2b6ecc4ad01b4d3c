//! Heap allocations of a put that takes effect, counted by an allocator of this test's own: a cost that no machine changes.
//!
//! What a replica does with every command: the table of sessions is asked, the map changes, the table remembers the reply.

use std::alloc::System;

use bytes::{Bytes, BytesMut};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use synod::protocols::log::SessionTag;
use synod::protocols::session::{SessionLimits, Sessions, Verdict};
use synod::protocols::{ClientId, LogIndex, LogTime};
use synod::services::kv::{Command, Expect, Map, Put};
use synod::services::{Applied, StateMachine};
use synod::wire::{Form, encode};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const KEYS: u64 = 5_000;
const CLIENTS: u64 = 64;
const VALUE: usize = 256;

fn encoded(number: u64) -> BytesMut {
    let (key, value) = (format!("key.{:06}", number % KEYS), Bytes::from(vec![b'v'; VALUE]));
    let mut out = BytesMut::new();
    let put = Command::Put(Put { key, value, expect: Expect::Any, lease: None });
    encode(&put, Form::Compact, &mut out).expect("a put can be encoded");
    out
}

/// One for the row, which map, history and snapshots share: its key, its value, and 36 bytes of what else is known of it.
#[test]
fn a_put_takes_one_piece_of_memory_and_a_remembered_reply_none() {
    let (mut map, mut sessions) = (Map::new(), Sessions::new(SessionLimits::default()));
    let (mut allocations, mut bytes) = (0, 0);
    // Until the keys are there, the history is full, and every client has as many replies as are remembered.
    let (before, counted) = (40_000, 10_000);
    for number in 1..=before + counted {
        let command = encoded(number);
        let client = ClientId(number % CLIENTS);
        let tag = SessionTag { client, sequence: 1 + (number - 1) / CLIENTS };
        let at = Applied { index: LogIndex(number), time: LogTime(number), session: Some(tag) };
        let region = Region::new(ALLOCATOR);
        assert_eq!(sessions.judge(tag, at.time), Verdict::Fresh);
        let reply = map.apply_encoded(at, &command).expect("it can be read");
        sessions.record(tag, at.time, b"as long as the encoded reply of a put");
        let change = region.change();
        drop(reply);
        if number > before {
            allocations += change.allocations + change.reallocations;
            bytes += change.bytes_allocated;
        }
    }
    let each = |total: usize| total as f64 / counted as f64;
    println!("{:.3} allocations and {:.1} bytes a put", each(allocations), each(bytes));
    // The rest is the order of clients by their last use, a tree whose nodes come and go.
    assert!(each(allocations) <= 1.2, "{} allocations a put", each(allocations));
    let row = 36 + "key.000000".len() + VALUE;
    assert!(each(bytes) <= row as f64 + 64.0, "{} bytes a put, of which the row has {row}", each(bytes));
}
