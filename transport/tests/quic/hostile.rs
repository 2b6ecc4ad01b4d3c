//! What a peer with a valid certificate and bad manners, or a stranger with none, achieves: a typed end, a count, and no memory.

use std::time::Duration;

use quinn::{Connection, ConnectionError};
use synod_transport::{Address, CloseReason, Identity, Lane, TransportError};

use crate::members::{authority, config, credential, member, run, start_with};
use crate::recorder::{Heard, Node, Recorder};
use crate::stranger::{hello, link, link_with, stranger};

/// A frame's length, all 32 bits set.
const CLAIM: [u8; 5] = [0xFF, 0xFF, 0xFF, 0xFF, 0x0F];

/// The most address space this process has had, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmPeak:")).expect("a line");
    line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok()).expect("a number") * 1024
}

/// Waits for the end of the only link, and for the peer to have been told the same.
async fn is_violation(node: &Node, connection: &Connection, rule: &str) {
    let session = node.recorder.link(0).await.session();
    let reason = node.recorder.disconnected(session).await;
    assert!(matches!(&reason, CloseReason::Violation(text) if text.contains(rule)), "{reason:?}");
    let told = connection.closed().await;
    assert!(
        matches!(&told, ConnectionError::ApplicationClosed(close) if String::from_utf8_lossy(&close.reason).contains(rule)),
        "{told:?}"
    );
    assert_eq!((node.metrics)().violations, 1);
}

#[test]
fn a_frame_that_claims_four_gigabytes_ends_the_link_and_takes_no_memory() {
    run(async {
        let authority = authority();
        let before = peak();
        for lane in [Lane::Control, Lane::Ordered(0), Lane::Fleeting] {
            let a = member(&authority, "a");
            let endpoint = stranger(Some(&credential(&authority, "b")));
            let (connection, mut control) = link(&endpoint, &a).await;
            match lane {
                Lane::Control => control.write_all(&CLAIM).await.expect("written"),
                Lane::Ordered(_) | Lane::Fleeting => {
                    let mut stream = connection.open_uni().await.expect("a stream");
                    stream.write_all(&[&[lane.number()], &CLAIM[..]].concat()).await.expect("written");
                }
            }
            is_violation(&a, &connection, "claims 4294967295 bytes").await;
            assert_eq!(Recorder::bodies(&a.recorder.heard(), lane).len(), 0);
        }
        let grown = peak() - before;
        assert!(grown < 2 << 30, "address space grew by {grown} bytes");
    });
}

#[test]
fn whole_frames_before_a_bad_one_are_heard_and_nothing_after() {
    run(async {
        let authority = authority();
        let a = member(&authority, "a");
        let endpoint = stranger(Some(&credential(&authority, "b")));
        let (connection, mut control) = link(&endpoint, &a).await;
        control.write_all(&[2, b'o', b'k']).await.expect("written");
        assert_eq!(a.recorder.frames(Lane::Control, 1).await, ["ok"]);
        control.write_all(&[&CLAIM[..], &[2, b'n', b'o']].concat()).await.expect("written");
        is_violation(&a, &connection, "claims").await;
        assert_eq!(Recorder::bodies(&a.recorder.heard(), Lane::Control), ["ok"]);
    });
}

/// A member whom a stranger with a credential sends such bytes on a stream ends the link, and names the rule.
fn each_ends_the_link(cases: &[(Vec<u8>, &str)]) {
    run(async {
        let authority = authority();
        for (bytes, rule) in cases {
            let a = member(&authority, "a");
            let endpoint = stranger(Some(&credential(&authority, "b")));
            let (connection, _control) = link(&endpoint, &a).await;
            let mut stream = connection.open_uni().await.expect("a stream");
            stream.write_all(bytes).await.expect("written");
            is_violation(&a, &connection, rule).await;
        }
    });
}

#[test]
fn streams_of_unknown_kinds_second_lanes_and_large_headers_end_the_link() {
    let large = [&[0x10], &u32::MAX.to_le_bytes()[..]].concat();
    each_ends_the_link(&[
        (vec![0x77], "unknown kind 119"),
        (vec![0], "second stream"),
        (large, "bulk header claims"),
    ]);
}

#[test]
fn acknowledgements_of_what_was_never_sent_end_the_link() {
    let ack = |lane: u8, count: u64| [&[0x12, lane][..], &count.to_le_bytes()].concat();
    each_ends_the_link(&[
        (ack(0, 1), "1 frames are claimed"),
        (ack(4, u64::MAX), "frames are claimed"),
        (ack(Lane::Fleeting.number(), 0), "lane 5"),
        (ack(200, 0), "lane 200"),
    ]);
}

#[test]
fn a_peer_that_claims_what_it_cannot_have_received_is_not_gone_on_with() {
    run(async {
        let authority = authority();
        let a = member(&authority, "a");
        let endpoint = stranger(Some(&credential(&authority, "b")));
        let (first, _control, session) = link_with(&endpoint, &a, |own| own).await;
        let link = a.recorder.link(0).await;
        link.send(Lane::Control, &mut |out| out.extend_from_slice(b"one")).expect("taken");
        first.close(quinn::VarInt::from_u32(5), b"as if it broke");
        a.recorder.interrupted(1).await;
        // The same session, and two frames of the one that was sent.
        let claim = move |_| session.claiming(2);
        let (again, _control, _) = link_with(&endpoint, &a, claim).await;
        let reason = a.recorder.disconnected(link.session()).await;
        assert!(
            matches!(&reason, CloseReason::Violation(text) if text.contains("2 frames are claimed")),
            "{reason:?}"
        );
        assert!(matches!(again.closed().await, ConnectionError::ApplicationClosed(_)));
        let back = Recorder::returned(&a.recorder.heard());
        assert_eq!(back.len(), 1, "{back:?}");
    });
}

#[test]
fn a_lane_that_ends_within_a_frame_or_is_reset_ends_the_link() {
    run(async {
        let authority = authority();
        for reset in [false, true] {
            let a = member(&authority, "a");
            let endpoint = stranger(Some(&credential(&authority, "b")));
            let (connection, mut control) = link(&endpoint, &a).await;
            control.write_all(&[9, 0, 0, 0, 1]).await.expect("written");
            a.recorder.link(0).await;
            if reset {
                control.reset(quinn::VarInt::from_u32(0)).expect("open");
            } else {
                control.finish().expect("open");
            }
            is_violation(&a, &connection, if reset { "reset" } else { "within a frame" }).await;
        }
    });
}

#[test]
fn hellos_that_are_none_are_refused() {
    run(async {
        let authority = authority();
        let a = member(&authority, "a");
        let mut version = hello();
        version[6] = 7;
        let mut long = hello();
        long[9] = 0xFF;
        let cases: [(Vec<u8>, &str); 4] = [
            ([&[0], &version[..]].concat(), "version"),
            ([&[0], &long[..]].concat(), "handshake"),
            (b"\0GET / HTTP/1.1\r\n".to_vec(), "handshake"),
            ([&[3], &hello()[..]].concat(), "handshake"),
        ];
        for (bytes, kind) in cases {
            let before = (a.metrics)().refusals.get(kind).copied().unwrap_or(0);
            let endpoint = stranger(Some(&credential(&authority, "b")));
            let connecting = endpoint.connect(a.transport.local_address(), "shop.synod").expect("dialled");
            let connection = connecting.await.expect("connected");
            let mut stream = connection.open_uni().await.expect("a stream");
            stream.write_all(&bytes).await.expect("written");
            let told = connection.closed().await;
            assert!(matches!(told, ConnectionError::ApplicationClosed(_)), "{told:?}");
            a.recorder
                .until("a refusal", |_| {
                    ((a.metrics)().refusals.get(kind).copied().unwrap_or(0) == before + 1).then_some(())
                })
                .await;
        }
        let version = TransportError::Version { found: 7, supported: 3 };
        a.recorder.refused("another version", |error| *error == version).await;
        assert!(a.recorder.is_untouched());
    });
}

#[test]
fn one_who_says_nothing_is_dropped_after_the_connect_timeout() {
    run(async {
        let authority = authority();
        let mut short = config();
        short.connect_timeout = Duration::from_millis(300);
        let identity = Identity::from_credential(&credential(&authority, "a")).expect("an identity");
        let a = start_with(short, identity);
        let endpoint = stranger(Some(&credential(&authority, "b")));
        let connecting = endpoint.connect(a.transport.local_address(), "shop.synod").expect("dialled");
        let connection = connecting.await.expect("connected");
        a.recorder.refused("silence", |error| matches!(error, TransportError::Handshake(_))).await;
        connection.closed().await;
        assert!(a.recorder.is_untouched());
    });
}

#[test]
fn noise_on_the_socket_disturbs_nobody() {
    run(async {
        let authority = authority();
        let (a, b) = (member(&authority, "a"), member(&authority, "b"));
        let noise = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let mut word = 1u64;
        for size in 0..1400usize {
            let bytes: Vec<u8> = (0..size)
                .map(|_| {
                    word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (word >> 56) as u8
                })
                .collect();
            noise.send_to(&bytes, b.transport.local_address()).expect("sent");
        }
        a.transport.connect(Address { endpoint: b.transport.local_address().to_string(), name: None });
        a.recorder.link(0).await;
        let session = b.recorder.link(0).await.session();
        assert_eq!(Recorder::living(&b.recorder.heard()), [session]);
        let strangers = b.recorder.heard().iter().filter(|event| !matches!(event, Heard::Refused(_))).count();
        assert_eq!(strangers, 1, "{:#?}", b.recorder.heard());
    });
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the stranger tries what we must not")]
fn there_is_no_early_data() {
    run(async {
        let authority = authority();
        let a = member(&authority, "a");
        let endpoint = stranger(Some(&credential(&authority, "b")));
        // A full link first, so that a ticket, if there were one, would have arrived.
        let (connection, mut control) = link(&endpoint, &a).await;
        control.write_all(&[2, b'o', b'k']).await.expect("written");
        a.recorder.frames(Lane::Control, 1).await;
        connection.close(quinn::VarInt::from_u32(0), b"");
        let again = endpoint.connect(a.transport.local_address(), "shop.synod").expect("dialled");
        assert!(again.into_0rtt().is_err(), "a ticket for early data was issued");
    });
}

#[test]
fn floods_of_half_handshakes_leave_room_for_members() {
    run(async {
        let authority = authority();
        let mut narrow = config();
        narrow.handshakes_max = 4;
        narrow.connect_timeout = Duration::from_secs(20);
        let identity = Identity::from_credential(&credential(&authority, "b")).expect("an identity");
        let (a, b) = (member(&authority, "a"), start_with(narrow, identity));
        // More strangers than there are places connect and say nothing.
        let endpoint = stranger(Some(&credential(&authority, "c")));
        let mut held = Vec::new();
        for _ in 0..4 {
            let connecting = endpoint.connect(b.transport.local_address(), "shop.synod").expect("dialled");
            held.push(connecting.await.expect("connected"));
        }
        let fifth = endpoint.connect(b.transport.local_address(), "shop.synod").expect("dialled").await;
        assert!(matches!(fifth, Err(ConnectionError::ConnectionClosed(_))), "{fifth:?}");
        assert!((b.metrics)().handshakes_shed >= 1);
        // A member gets in as soon as one of them gives up.
        a.transport.connect(Address { endpoint: b.transport.local_address().to_string(), name: None });
        held.clear();
        a.recorder.link(0).await;
    });
}

#[test]
fn streams_that_never_say_what_they_bring_are_stopped_and_hold_nobody_up() {
    run(async {
        let authority = authority();
        let mut impatient = config();
        impatient.stream_patience = Duration::from_millis(300);
        let identity = Identity::from_credential(&credential(&authority, "a")).expect("an identity");
        let a = start_with(impatient, identity);
        let endpoint = stranger(Some(&credential(&authority, "b")));
        let (connection, mut control) = link(&endpoint, &a).await;
        // As many as it may have: kinds without headers, headers that are not whole.
        let mut held = Vec::new();
        for size in 0..23 {
            let mut stream = connection.open_uni().await.expect("a stream");
            stream.write_all(&[0x10, 200, 0, 0, 0][..1 + size % 5]).await.expect("written");
            held.push(stream);
        }
        control.write_all(&[2, b'o', b'k']).await.expect("written");
        assert_eq!(a.recorder.frames(Lane::Control, 1).await[0], b"ok"[..]);
        for mut stream in held {
            // Now and then a byte: it is the whole that has to come in time.
            let _ = stream.write_all(&[1]).await;
            assert!(matches!(stream.stopped().await, Ok(Some(_))));
            stream.reset(quinn::VarInt::from_u32(0)).expect("open");
        }
        assert_eq!((a.metrics)().streams_stalled, 23);
        let mut sound = connection.open_uni().await.expect("there is room again");
        sound.write_all(&[0x10, 1, 0, 0, 0, 7]).await.expect("written");
        a.recorder.stream().await;
        assert_eq!((a.metrics)().violations, 0);
    });
}
