//! A value of a peer, decoded: what Raft machines say to each other, the largest of our types.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use synod::protocols::log::{Body, Entries, Entry, Position, SnapshotMeta};
use synod::protocols::raft::{AppendResult, Epoch, Message, Voice};
use synod::protocols::{LogIndex, LogTime, NodeId, Term};
use synod::wire::{DEPTH_LIMIT, Form, decode, encode};

use crate::target::{Target, Verdict, unsealed};

/// A collection takes no more memory ahead than 1 MiB, whatever it claims, and there are two of them in a message.
pub(crate) const TARGET: Target =
    Target { name: "message", seeds, reseal: unsealed, run, most: |length| 64 * length + (2 << 20) };

const LIMIT: usize = 16 << 10;

fn run(input: &[u8]) -> Verdict {
    match decode::<Message>(input, LIMIT) {
        Ok(message) => {
            assert!(input.len() <= LIMIT);
            let written = write(&message, Form::Compact);
            let again: Message = decode(&written, usize::MAX).expect("what is written is read");
            assert_eq!(again, message);
            Verdict::Taken(input.first().map_or(0, |byte| usize::from(*byte)))
        }
        Err(error) => Verdict::Refused(error.to_string()),
    }
}

fn write(message: &Message, form: Form) -> Vec<u8> {
    let mut out = BytesMut::new();
    encode(message, form, &mut out).expect("our own words can be encoded");
    out.to_vec()
}

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let (term, epoch, last) = (Term(7), Epoch(3), Position { index: LogIndex(9), term: Term(6) });
    let voice = Voice::default();
    let meta = SnapshotMeta {
        index: LogIndex(9),
        term,
        time: LogTime(5),
        configuration: Bytes::from_static(b"three voters"),
    };
    let entry = |index: u64, body: Body| Entry { index: LogIndex(index), term, time: LogTime(1), body };
    let command = Body::Command { session: None, payload: Bytes::from_static(b"a value") };
    let entries: Entries = [entry(10, Body::Noop), entry(11, command)].into_iter().collect();
    let messages = [
        ("pre-vote", Message::PreVote { proposed: term, last, voice }),
        ("vote", Message::Vote { term: Term(u64::MAX), last, transfer: true, voice }),
        ("append", Message::Append { term, epoch, previous: last, commit: LogIndex(8), entries }),
        (
            "append-reply",
            Message::AppendReply { term, epoch, result: AppendResult::Matched(LogIndex(9)), voice },
        ),
        (
            "heartbeat-reply",
            Message::HeartbeatReply {
                term,
                epoch,
                round: 4,
                voice,
                rejoin: false,
                promise: Duration::from_millis(300),
            },
        ),
        ("anchor", Message::Anchor { term, epoch, meta }),
        ("lend", Message::Lend { term, epoch, to: NodeId(4), attempt: 1, least: LogIndex(2) }),
    ];
    let mut seeds: Vec<_> =
        messages.iter().map(|(name, message)| (*name, write(message, Form::Compact))).collect();
    seeds.push(("heartbeat-named", write(&messages[4].1, Form::Named)));
    seeds.push(("claims-four-billion-elements", vec![0xDD, 0xFF, 0xFF, 0xFF, 0xFF]));
    seeds.push(("deep", [vec![0x91; 4 * DEPTH_LIMIT], vec![0xC0]].concat()));
    seeds.push(("deep-maps-that-claim", [0xDF, 0xFF, 0xFF, 0xFF, 0xFF, 0xA1, b'a'].repeat(100)));
    seeds
}
