//! The rules, one function each.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use synod_transport::{Address, CloseReason, Lane, Link, LinkError, Role, StartError, TransportError};

use crate::grounds::{Ground, member, name, named, seed};
use crate::recorder::{Heard, PATIENCE, Recorder};

pub(crate) const LANES: [Lane; 5] =
    [Lane::Control, Lane::Ordered(0), Lane::Ordered(1), Lane::Ordered(2), Lane::Ordered(3)];

pub(crate) fn put(body: &[u8]) -> impl FnMut(&mut BytesMut) + '_ {
    move |out| out.extend_from_slice(body)
}

/// Sends, waiting for room as long as it takes.
pub(crate) async fn send(link: &dyn Link, lane: Lane, body: &[u8]) {
    loop {
        match link.send(lane, &mut put(body)) {
            Ok(()) => return,
            Err(LinkError::Full) => link.ready(lane).await.expect("the link lives"),
            Err(error) => panic!("{error}"),
        }
    }
}

pub(crate) fn numbered(number: u32, size: usize) -> Vec<u8> {
    let mut body = number.to_le_bytes().to_vec();
    body.resize(size.max(4), number as u8);
    body
}

pub(crate) async fn lanes_keep_order_and_lose_nothing(ground: &Ground) {
    const COUNT: u32 = 2_000;
    let (a, b) = ground.pair().await;
    let link = a.recorder.link(0).await;
    for number in 0..COUNT {
        for lane in LANES {
            send(&*link, lane, &numbered(number, number as usize % 700)).await;
        }
    }
    for lane in LANES {
        let bodies = b.recorder.frames(lane, COUNT as usize).await;
        assert_eq!(bodies.len(), COUNT as usize, "{lane:?}");
        for (number, body) in bodies.iter().enumerate() {
            assert_eq!(*body, numbered(number as u32, number % 700), "{lane:?} frame {number}");
        }
    }
}

pub(crate) async fn frames_share_reads(ground: &Ground) {
    const COUNT: usize = 5_000;
    let (a, b) = ground.pair().await;
    let link = a.recorder.link(0).await;
    // How many gather during a write of the sender's hangs on the scheduler; while it cannot write, all do.
    let held = ground.hold(&a, &b).await;
    for number in 0..COUNT {
        let sent = link.send(Lane::Ordered(0), &mut put(&numbered(number as u32, 64)));
        assert_eq!(sent, Ok(()), "the lane has room for all of them");
    }
    drop(held);
    b.recorder.frames(Lane::Ordered(0), COUNT).await;
    let reads = b.recorder.heard().iter().filter(|heard| matches!(heard, Heard::Frames(..))).count();
    assert!(reads * 4 < COUNT, "{COUNT} frames came in {reads} pieces");
    let (sent, received) = ((a.metrics)(), (b.metrics)());
    assert_eq!(sent.frames_out, COUNT as u64);
    assert!(sent.batches_out * 4 < sent.frames_out, "{} writes", sent.batches_out);
    assert_eq!((sent.bytes_out, received.bytes_in), ((COUNT * 65) as u64, (COUNT * 65) as u64));
}

pub(crate) async fn a_full_lane_says_so_and_recovers(ground: &Ground) {
    let mut who = member("a");
    who.config.lane_bytes_max = 128 << 10;
    let (a, b) = (ground.start(&who), ground.start(&member("b")));
    a.transport.connect(named("b", &b));
    let link = a.recorder.link(0).await;
    let (lane, body) = (Lane::Ordered(1), vec![1; 64 << 10]);
    let mut taken = 0;
    let full = loop {
        match link.send(lane, &mut put(&body)) {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
        assert!(taken < 100_000, "the lane never fills");
    };
    assert_eq!(full, LinkError::Full);
    assert!(link.queued() >= 128 << 10 && link.queued() <= (128 << 10) + (64 << 10) + 4);
    assert_eq!(link.send(Lane::Control, &mut put(b"another lane")), Ok(()));
    link.ready(lane).await.expect("the link lives");
    send(&*link, lane, &body).await;
    assert_eq!(b.recorder.frames(lane, taken + 1).await.len(), taken + 1);
}

pub(crate) async fn a_frame_too_large_is_refused_at_the_sender(ground: &Ground) {
    let mut small = member("b");
    small.config.frame_bytes_max = 1000;
    let (a, b) = (ground.start(&member("a")), ground.start(&small));
    a.transport.connect(named("b", &b));
    let link = a.recorder.link(0).await;
    assert_eq!(link.max_frame(), 1000, "the smaller limit of the two holds");
    let lane = Lane::Ordered(2);
    let error = link.send(lane, &mut put(&[0; 1001]));
    assert_eq!(error, Err(LinkError::TooLarge { size: 1001, limit: 1000 }));
    send(&*link, lane, &[1; 1000]).await;
    assert_eq!(b.recorder.frames(lane, 1).await, [[1; 1000].as_slice()]);
}

pub(crate) async fn bulk_arrives_whole_while_frames_flow(ground: &Ground) {
    const SIZE: usize = 32 << 20;
    let (a, b) = ground.pair().await;
    let link = a.recorder.link(0).await;
    let whole: Bytes =
        (0..SIZE as u32 / 4).flat_map(|word| word.wrapping_mul(0x9E37_79B9).to_le_bytes()).collect();
    let sending = async {
        let mut sender = link.open_bulk(Bytes::from_static(b"header")).await.expect("a stream");
        for at in (0..SIZE).step_by(300_000) {
            sender.write(whole.slice(at..SIZE.min(at + 300_000))).await.expect("written");
            send(&*link, Lane::Ordered(0), &numbered(at as u32, 8)).await;
        }
        sender.finish().await.expect("all there");
    };
    let receiving = async {
        let mut stream = b.recorder.stream().await;
        let mut received = BytesMut::with_capacity(SIZE);
        while let Some(chunk) = stream.read().await.expect("readable") {
            received.put(chunk);
        }
        received.freeze()
    };
    let ((), received) = futures_util::future::join(sending, receiving).await;
    assert!(received == whole, "{} of {SIZE} bytes, or others", received.len());
    b.recorder.frames(Lane::Ordered(0), SIZE.div_ceil(300_000)).await;
    let session = b.recorder.link(0).await.session();
    assert!(b.recorder.heard().contains(&Heard::Bulk(session, Bytes::from_static(b"header"))));
}

pub(crate) async fn a_bulk_stream_given_up_is_no_whole(ground: &Ground) {
    let (a, b) = ground.pair().await;
    let link = a.recorder.link(0).await;
    let mut sender = link.open_bulk(Bytes::from_static(b"header")).await.expect("a stream");
    sender.write(Bytes::from_static(b"a part")).await.expect("written");
    let mut stream = b.recorder.stream().await;
    drop(sender);
    let end = loop {
        match stream.read().await {
            Ok(Some(_)) => {}
            end => break end,
        }
    };
    assert!(matches!(end, Err(LinkError::Broken(_))), "{end:?}");
}

pub(crate) async fn bulk_streams_that_nobody_reads_take_nothing_from_the_lanes(ground: &Ground) {
    const STREAM: u32 = 128 << 10;
    const LINK: u32 = 512 << 10;
    const FRAME: usize = 64 << 10;
    let (one, mut two) = (member("a"), member("b"));
    (two.config.stream_window, two.config.link_window) = (STREAM, LINK);
    let streams = two.config.bulk_streams_max;
    assert!(streams * STREAM > 2 * LINK, "together they would fill the lanes' window, and more");
    let (a, b) = (ground.start(&one), ground.start(&two));
    a.transport.connect(named("b", &b));
    let link = a.recorder.link(0).await;
    let filling = async {
        let mut held = Vec::new();
        for _ in 0..streams {
            let mut sender = link.open_bulk(Bytes::from_static(b"header")).await.expect("a stream");
            sender.write(vec![7; STREAM as usize - 64].into()).await.expect("written");
            held.push(sender);
        }
        held
    };
    let held = tokio::time::timeout(PATIENCE, filling).await.expect("every stream has its own window");
    // Four times what the lanes may have unread, on each of them.
    let count = 4 * LINK / FRAME as u32;
    for number in 0..count {
        for lane in LANES {
            send(&*link, lane, &numbered(number, FRAME)).await;
        }
    }
    for lane in LANES {
        b.recorder.frames(lane, count as usize).await;
    }
    assert_eq!(held.len() as u32, streams);
}

pub(crate) async fn datagrams_arrive_and_are_bounded(ground: &Ground) {
    let (a, b) = ground.pair().await;
    let link = a.recorder.link(0).await;
    let limit = link.max_datagram();
    assert!(limit >= 1000, "a path of 1200 bytes carries more than {limit}");
    let largest = Bytes::from(vec![3; limit]);
    link.datagram(largest.clone()).expect("taken");
    let payload = b
        .recorder
        .until("a datagram", |heard| {
            heard.iter().find_map(|event| match event {
                Heard::Datagram(_, payload) => Some(payload.clone()),
                _ => None,
            })
        })
        .await;
    assert_eq!(payload, largest);
    let size = 70_000;
    let error = link.datagram(Bytes::from(vec![3; size]));
    assert!(matches!(error, Err(LinkError::TooLarge { size: 70_000, .. })), "{error:?}");
}

pub(crate) async fn two_that_dial_each_other_share_one_link(ground: &Ground) {
    for round in 1..=10u64 {
        let (mut one, mut two) = (member("a"), member("b"));
        (one.incarnation, two.incarnation) = (round, round);
        let (a, b) = (ground.start(&one), ground.start(&two));
        a.transport.connect(named("b", &b));
        b.transport.connect(named("a", &a));
        let (at_a, at_b) = (a.recorder.link(0).await, b.recorder.link(0).await);
        // Frames both ways, answered on the same link, give the losing dial time to do harm.
        for number in 0..20u32 {
            let lane = Lane::Ordered(0);
            send(&*at_a, lane, &number.to_le_bytes()).await;
            b.recorder.frames(lane, number as usize + 1).await;
            send(&*at_b, lane, &number.to_le_bytes()).await;
            a.recorder.frames(lane, number as usize + 1).await;
        }
        for node in [&a, &b] {
            let heard = node.recorder.heard();
            assert_eq!(Recorder::living(&heard).len(), 1, "round {round}: {heard:#?}");
            let opened = heard.iter().filter(|event| matches!(event, Heard::Connected(..))).count();
            let refused = heard.iter().filter(|event| matches!(event, Heard::Refused(_))).count();
            assert_eq!((opened, refused), (1, 0), "round {round}: {heard:#?}");
        }
        a.transport.close(CloseReason::Shutdown, Duration::from_secs(5)).await;
        b.transport.close(CloseReason::Shutdown, Duration::from_secs(5)).await;
    }
}

pub(crate) async fn the_end_is_told_once_and_last(ground: &Ground) {
    let (a, b) = ground.pair().await;
    let link = a.recorder.link(0).await;
    for lane in LANES {
        send(&*link, lane, b"before the end").await;
    }
    a.transport.close(CloseReason::Shutdown, Duration::from_secs(10)).await;
    let session = b.recorder.link(0).await.session();
    assert_eq!(b.recorder.disconnected(session).await, CloseReason::Shutdown);
    for node in [&a, &b] {
        let heard = node.recorder.heard();
        assert!(matches!(heard.first(), Some(Heard::Connected(..))), "{heard:#?}");
        assert!(matches!(heard.last(), Some(Heard::Disconnected(_, _, CloseReason::Shutdown))), "{heard:#?}");
        let ends = heard.iter().filter(|event| matches!(event, Heard::Disconnected(..))).count();
        assert_eq!(ends, 1, "{heard:#?}");
    }
    let heard = b.recorder.heard();
    for lane in LANES {
        assert_eq!(Recorder::bodies(&heard, lane), ["before the end"], "{lane:?}");
    }
}

pub(crate) async fn closing_lets_queued_frames_out(ground: &Ground) {
    const COUNT: usize = 3_000;
    let (a, b) = ground.pair().await;
    let link = a.recorder.link(0).await;
    for number in 0..COUNT {
        send(&*link, Lane::Ordered(3), &numbered(number as u32, 1000)).await;
    }
    let closing = a.transport.close(CloseReason::Forgotten, Duration::from_secs(20));
    closing.await;
    let session = b.recorder.link(0).await.session();
    assert_eq!(b.recorder.disconnected(session).await, CloseReason::Forgotten);
    assert_eq!(Recorder::bodies(&b.recorder.heard(), Lane::Ordered(3)).len(), COUNT);
    // The address is free again, and closing twice is no harm.
    a.transport.close(CloseReason::Shutdown, Duration::ZERO).await;
    let mut again = member("a");
    (again.incarnation, again.config.bind) = (2, a.transport.local_address());
    ground.start(&again);
}

pub(crate) async fn a_closed_link_takes_nothing(ground: &Ground) {
    let (a, b) = ground.pair().await;
    let (at_a, at_b) = (a.recorder.link(0).await, b.recorder.link(0).await);
    at_a.close(CloseReason::Violation("as a test".to_owned()));
    assert_eq!(at_a.send(Lane::Control, &mut put(b"late")), Err(LinkError::Closed));
    assert_eq!(at_a.ready(Lane::Control).await, Err(LinkError::Closed));
    assert_eq!(at_a.datagram(Bytes::from_static(b"late")), Err(LinkError::Closed));
    assert!(matches!(at_a.open_bulk(Bytes::new()).await.map(|_| ()), Err(LinkError::Closed)));
    let reason = CloseReason::Violation("as a test".to_owned());
    assert_eq!(a.recorder.disconnected(at_a.session()).await, reason);
    assert_eq!(b.recorder.disconnected(at_b.session()).await, reason);
    assert_eq!(at_b.send(Lane::Control, &mut put(b"late")), Err(LinkError::Closed));
    // It was dialled to be kept: another link takes its place.
    let next = a.recorder.link(1).await;
    assert_ne!(next.session(), at_a.session());
    send(&*next, Lane::Control, b"again").await;
    assert_eq!(b.recorder.frames(Lane::Control, 1).await, ["again"]);
}

pub(crate) async fn the_reason_is_heard_on_a_busy_link_too(ground: &Ground) {
    let (a, b) = ground.pair().await;
    let link = a.recorder.link(0).await;
    let body = vec![1; 64 << 10];
    let mut sender = link.open_bulk(Bytes::new()).await.expect("a stream");
    // Nobody reads the bulk stream, so that its window is full, and frames fill the path.
    sender.write(Bytes::from(vec![2; 1 << 20])).await.expect("written");
    for _ in 0..100 {
        send(&*link, Lane::Ordered(0), &body).await;
    }
    link.close(CloseReason::Restarted);
    let session = b.recorder.link(0).await.session();
    assert_eq!(b.recorder.disconnected(session).await, CloseReason::Restarted);
    assert!(matches!(sender.write(Bytes::from(vec![2; 8 << 20])).await, Err(LinkError::Broken(_))));
}

pub(crate) async fn a_restarted_peer_is_a_later_incarnation(ground: &Ground) {
    let a = ground.start(&member("a"));
    let mut who = member("b");
    // Longer than the test: only the incarnation can tell that the first link is over.
    who.config.idle_timeout = Duration::from_secs(60);
    let b = ground.start(&who);
    b.transport.connect(named("a", &a));
    let first = a.recorder.link(0).await;
    ground.kill(&who, b).await;
    who.incarnation = 2;
    let b = ground.start(&who);
    b.transport.connect(named("a", &a));
    let second = a.recorder.link(1).await;
    assert_eq!((first.peer().incarnation, second.peer().incarnation), (1, 2));
    assert_ne!(first.session(), second.session());
    let heard = a.recorder.heard();
    let (gone, back) = (
        heard.iter().position(|event| matches!(event, Heard::Disconnected(_, _, CloseReason::Restarted))),
        heard.iter().rposition(|event| matches!(event, Heard::Connected(..))),
    );
    assert!(gone.is_some() && gone < back, "{heard:#?}");
}

pub(crate) async fn the_later_of_two_namesakes_wins_and_the_other_is_told(ground: &Ground) {
    let a = ground.start(&member("a"));
    let (mut early, mut late) = (member("b"), member("b"));
    (early.incarnation, late.incarnation) = (1, 2);
    early.config.bind.set_port(0);
    late.config.bind = SocketAddr::from(([127, 0, 0, 1], 0));
    let first = ground.start(&early);
    first.transport.connect(named("a", &a));
    let displaced = first.recorder.link(0).await.session();
    // In memory both live on one host: the second takes another port there.
    late.config.bind.set_port(if first.transport.local_address().ip().is_loopback() { 0 } else { 7401 });
    let second = ground.start(&late);
    second.transport.connect(named("a", &a));
    second.recorder.link(0).await;
    assert_eq!(first.recorder.disconnected(displaced).await, CloseReason::Restarted);
    // The first one keeps trying, is refused each time with the reason, and the link of the second stays.
    first.recorder.refused("a refusal", |error| matches!(error, TransportError::RefusedByPeer(_))).await;
    let superseded = TransportError::Superseded { found: 1, known: 2 };
    a.recorder.refused("a superseded namesake", |error| *error == superseded).await;
    assert_eq!(Recorder::living(&second.recorder.heard()).len(), 1);
    assert_eq!(a.transport.link(&name("b")).expect("a link").peer().incarnation, 2);
    assert_eq!((a.metrics)().links_opened, 2);
}

pub(crate) async fn a_dead_peer_is_noticed_and_found_again(ground: &Ground) {
    let a = ground.start(&member("a"));
    let mut who = member("b");
    let b = ground.start(&who);
    a.transport.connect(named("b", &b));
    let first = a.recorder.link(0).await;
    let address = ground.kill(&who, b).await;
    assert_eq!(a.recorder.disconnected(first.session()).await, CloseReason::Idle);
    assert!(a.transport.link(&name("b")).is_none());
    a.recorder.refused("a failed dial", |error| matches!(error, TransportError::Unreachable(_))).await;
    who.incarnation = 2;
    who.config.bind = address;
    let b = ground.start(&who);
    let second = a.recorder.link(1).await;
    assert_eq!(second.peer().incarnation, 2);
    send(&*second, Lane::Ordered(0), b"found").await;
    assert_eq!(b.recorder.frames(Lane::Ordered(0), 1).await, ["found"]);
}

pub(crate) async fn forgetting_ends_the_link_and_the_dialling(ground: &Ground) {
    for by_name in [true, false] {
        let (mut one, mut two) = (member("a"), member("b"));
        (one.incarnation, two.incarnation) = (1 + u64::from(by_name), 1 + u64::from(by_name));
        let (a, b) = (ground.start(&one), ground.start(&two));
        let address = if by_name { named("b", &b) } else { seed(&b) };
        a.transport.connect(address.clone());
        let (at_a, at_b) = (a.recorder.link(0).await, b.recorder.link(0).await);
        a.transport.forget(&address);
        assert_eq!(a.recorder.disconnected(at_a.session()).await, CloseReason::Forgotten);
        assert_eq!(b.recorder.disconnected(at_b.session()).await, CloseReason::Forgotten);
        // Nothing happens: that takes a while to see, here several times the longest backoff.
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!((a.metrics)().dials, 1);
        assert_eq!(Recorder::living(&b.recorder.heard()), []);
        for node in [&a, &b] {
            node.transport.close(CloseReason::Shutdown, Duration::ZERO).await;
        }
    }
}

pub(crate) async fn a_silent_address_is_told_within_the_connect_timeout(ground: &Ground) {
    let mut who = member("a");
    who.config.connect_timeout = Duration::from_millis(300);
    let a = ground.start(&who);
    // A socket that never answers, held open so that nobody else takes the port.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let endpoint = silent.local_addr().expect("an address").to_string();
    let begun = tokio::time::Instant::now();
    a.transport.connect(Address { endpoint: endpoint.clone(), name: Some(name("b")) });
    let refusal = a.recorder.refused("a failed dial", |_| true).await;
    assert!(matches!(refusal.error, TransportError::Unreachable(_)), "{refusal:?}");
    assert_eq!((refusal.endpoint, refusal.expected), (endpoint, Some(name("b"))));
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(290) && took < Duration::from_secs(5), "{took:?}");
    // And it goes on.
    a.recorder
        .until("three attempts", |heard| {
            (heard.iter().filter(|event| matches!(event, Heard::Refused(_))).count() >= 3).then_some(())
        })
        .await;
    assert!((a.metrics)().refusals["unreachable"] >= 3);
}

pub(crate) async fn another_name_another_cluster_and_oneself_are_refused(ground: &Ground) {
    let (a, b) = (ground.start(&member("a")), ground.start(&member("b")));
    let mut foreign = member("c");
    foreign.cluster = "bank";
    let c = ground.start(&foreign);

    a.transport.connect(Address { name: Some(name("d")), ..named("b", &b) });
    let wrong = TransportError::WrongNode { expected: name("d"), found: name("b") };
    a.recorder.refused("the wrong node", |error| *error == wrong).await;

    a.transport.connect(seed(&c));
    let theirs = TransportError::WrongCluster { expected: "shop".to_owned(), found: "bank".to_owned() };
    a.recorder.refused("another cluster", |error| *error == theirs).await;

    a.transport.connect(seed(&a));
    a.recorder.refused("oneself", |error| *error == TransportError::Myself).await;

    for node in [&a, &b, &c] {
        assert!(node.recorder.is_untouched(), "{:#?}", node.recorder.heard());
    }
    let refusals = (a.metrics)().refusals;
    for kind in ["wrong_node", "wrong_cluster", "myself"] {
        assert!(refusals[kind] >= 1, "{refusals:?}");
    }
}

pub(crate) async fn clients_connect_and_are_not_dialled(ground: &Ground) {
    let a = ground.start(&member("a"));
    let mut who = member("bob");
    who.role = Role::Client;
    let bob = ground.start(&who);
    bob.transport.connect(seed(&a));
    assert_eq!(a.recorder.link(0).await.peer().role, Role::Client);
    assert_eq!(bob.recorder.link(0).await.peer().name, name("a"));

    let b = ground.start(&member("b"));
    b.transport.connect(named("bob", &bob));
    let wrong = TransportError::WrongRole { name: name("bob"), found: Role::Client };
    b.recorder.refused("a client", |error| *error == wrong).await;
    assert!(b.recorder.is_untouched());
}

pub(crate) async fn an_address_in_use_is_a_typed_error(ground: &Ground) {
    let a = ground.start(&member("a"));
    let mut who = member("b");
    who.config.bind = a.transport.local_address();
    let error = ground.try_start(&who).err().expect("the address is taken");
    assert!(matches!(&error, StartError::Bind { address, .. } if *address == who.config.bind), "{error}");
    assert!(error.to_string().contains(&who.config.bind.to_string()), "{error}");
    who.config.keep_alive = who.config.idle_timeout;
    let error = ground.try_start(&who).err().expect("the setting is out of range");
    assert!(matches!(&error, StartError::Config(wrong) if wrong.field == "keep_alive"), "{error}");
}
