//! Strangers in numbers: handshakes that nobody means to finish, and first flights that are sent again. What they cost is counted in bytes, by
//! an allocator of this test's own.

#[path = "quic/dialling.rs"]
mod dialling;
#[path = "conformance/recorder/ends.rs"]
mod ends;
#[path = "quic/members.rs"]
mod members;
#[path = "conformance/recorder.rs"]
mod recorder;

use std::alloc::System;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use quinn::{ClientConfig, EndpointConfig};
use quinn_proto::Endpoint;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use synod_transport::{Address, CloseReason, Lane};

use dialling::settings;
use members::{authority, member, run};
use recorder::{Heard, Node, Recorder};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How many handshakes are begun.
const FLOOD: usize = 10_000;
/// From how many addresses.
const ADDRESSES: usize = 200;
/// What all of them may take at a time: each of the 32 that are let into a handshake without having shown their address has a connection.
const BYTES_MAX: usize = 4 << 20;

/// Bytes that are held by this process.
fn held() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.saturating_sub(stats.bytes_deallocated)
}

fn address(of: &Node) -> Address {
    Address { endpoint: of.transport.local_address().to_string(), name: None }
}

/// The first datagram of a handshake that will never have a second one.
fn first_datagram(config: ClientConfig, to: SocketAddr) -> Vec<u8> {
    let mut endpoint = Endpoint::new(Arc::new(EndpointConfig::default()), None, true, None);
    let (_, mut connection) = endpoint.connect(Instant::now(), config, to, "shop.synod").expect("usable");
    let mut datagram = Vec::new();
    let sent = connection.poll_transmit(Instant::now(), 1, &mut datagram);
    assert!(sent.is_some(), "a client speaks first");
    datagram
}

/// Frames over an established link, numbered.
struct Traffic<'a> {
    from: &'a Node,
    to: &'a Node,
    sent: u64,
}

impl Traffic<'_> {
    async fn goes_on(&mut self) {
        let link = self.from.recorder.link(0).await;
        for _ in 0..10 {
            let number = self.sent.to_le_bytes();
            link.send(Lane::Control, &mut |out| out.extend_from_slice(&number)).expect("there is room");
            self.sent += 1;
        }
        let bodies = self.to.recorder.frames(Lane::Control, self.sent as usize).await;
        assert_eq!(bodies.last().map(|body| &body[..]), Some(&(self.sent - 1).to_le_bytes()[..]));
    }
}

/// Both in one test: the allocator counts for the whole process.
#[test]
fn floods_and_repetitions_cost_little_and_keep_nobody_out() {
    run(async {
        ten_thousand_half_open_handshakes().await;
        first_flights_sent_again().await;
    });
}

async fn ten_thousand_half_open_handshakes() {
    let authority = authority();
    let (a, b) = (member(&authority, "a"), member(&authority, "b"));
    let late = member(&authority, "c");
    a.transport.connect(address(&b));
    let mut traffic = Traffic { from: &a, to: &b, sent: 0 };
    traffic.goes_on().await;
    let bind = |_| UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let sockets: Vec<UdpSocket> = (0..ADDRESSES).map(bind).collect();
    let (config, to) = (settings(None), b.transport.local_address());
    let before = held();
    let mut most = 0;
    for number in 0..FLOOD {
        let datagram = first_datagram(config.clone(), to);
        sockets[number % ADDRESSES].send_to(&datagram, to).expect("sent");
        if number % 100 == 99 {
            // What arrives after them shows that they have been dealt with.
            traffic.goes_on().await;
            most = most.max(held().saturating_sub(before));
        }
        if number == FLOOD / 2 {
            late.transport.connect(address(&b));
        }
    }
    late.recorder.link(0).await;
    let counted = (b.metrics)();
    println!(
        "{FLOOD} handshakes begun from {ADDRESSES} addresses: {} asked to show their address, {} turned away, at most {most} bytes held",
        counted.handshakes_retried, counted.handshakes_shed
    );
    assert!(most <= BYTES_MAX, "{most} bytes, at most {BYTES_MAX}");
    let entered = FLOOD as u64 - counted.handshakes_retried.min(FLOOD as u64) - counted.handshakes_shed;
    assert!(entered < FLOOD as u64 / 10, "{entered} were let into a handshake");
    assert_eq!((counted.links_opened, counted.violations), (2, 0));
    assert_eq!((a.metrics)().connections, 1, "the link that was there before was not disturbed");
    // Those that were let in are given up, and so is what they held.
    b.recorder
        .until("the end of those that were let in", |heard| {
            let ended = heard.iter().filter(|event| matches!(event, Heard::Refused(_))).count();
            (ended >= 16).then_some(())
        })
        .await;
}

async fn first_flights_sent_again() {
    let authority = authority();
    let (a, b, c) = (member(&authority, "a"), member(&authority, "b"), member(&authority, "c"));
    let seen = Arc::new(Mutex::new(Vec::<Vec<u8>>::new()));
    let front = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let back = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let (relay, to, kept) = (front.local_addr().expect("bound"), b.transport.local_address(), seen.clone());
    let relaying = tokio::spawn(async move {
        let (mut there, mut here, mut dialer) = ([0; 65_536], [0; 65_536], None);
        loop {
            tokio::select! {
                Ok((size, from)) = front.recv_from(&mut there) => {
                    dialer = Some(from);
                    kept.lock().expect("no test panics here").push(there[..size].to_vec());
                    back.send_to(&there[..size], to).await.expect("sent");
                }
                Ok((size, _)) = back.recv_from(&mut here), if dialer.is_some() => {
                    front.send_to(&here[..size], dialer.expect("checked")).await.expect("sent");
                }
            }
        }
    });
    let way = Address { endpoint: relay.to_string(), name: None };
    a.transport.connect(way.clone());
    let session = b.recorder.link(0).await.session();
    let link = a.recorder.link(0).await;
    link.send(Lane::Control, &mut |out| out.extend_from_slice(b"once")).expect("there is room");
    b.recorder.frames(Lane::Control, 1).await;
    a.transport.forget(&way);
    assert_eq!(b.recorder.disconnected(session).await, CloseReason::Forgotten);
    relaying.abort();
    let seen = std::mem::take(&mut *seen.lock().expect("no test panics here"));
    assert!(seen.len() >= 3, "a handshake takes more than {} datagrams", seen.len());
    for _ in 0..20 {
        let thief = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        for datagram in &seen {
            thief.send_to(datagram, to).expect("sent");
        }
    }
    // What arrives after them shows that they have been dealt with.
    c.transport.connect(address(&b));
    b.recorder.link(1).await;
    assert_eq!((b.metrics)().links_opened, 2, "a's and c's");
    assert_eq!(Recorder::bodies(&b.recorder.heard(), Lane::Control), ["once"]);
    println!("{} datagrams of a's sent 20 times again: no link, no frame", seen.len());
}
