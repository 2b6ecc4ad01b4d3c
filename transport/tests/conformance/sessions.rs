//! The rules of sessions: what a break does to frames on their way, and what becomes of them when there is nobody to go on with.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use synod_transport::{CloseReason, Lane, Link, LinkError, Undelivered};

use crate::grounds::{Ground, Way, member};
use crate::recorder::{Heard, Node, Recorder};
use crate::suite::{LANES, numbered, put, send};

/// Two members whose connections break after half a second of silence and are awaited for `window`.
async fn pair(ground: &Ground, window: Duration) -> (Node, Node, Way) {
    let [mut one, mut two] = [member("a"), member("b")];
    for who in [&mut one, &mut two] {
        who.config.idle_timeout = Duration::from_millis(500);
        who.config.keep_alive = Duration::from_millis(100);
        who.config.connect_timeout = Duration::from_millis(300);
        who.config.reconnect_window = window;
    }
    let (a, b) = (ground.start(&one), ground.start(&two));
    let way = ground.way("b", &b);
    a.transport.connect(way.address());
    a.recorder.link(0).await;
    b.recorder.link(0).await;
    (a, b, way)
}

const LONG: Duration = Duration::from_secs(60);

/// Sends `count` frames on every lane, a few at a time.
async fn flood(link: &dyn Link, count: u32) {
    for number in 0..count {
        for lane in LANES {
            send(link, lane, &numbered(number, number as usize % 900)).await;
        }
        if number % 50 == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn is_whole(node: &Node, count: u32) {
    let heard = node.recorder.heard();
    for lane in LANES {
        let bodies = Recorder::bodies(&heard, lane);
        assert_eq!(bodies.len(), count as usize, "{lane:?}");
        for (number, body) in bodies.iter().enumerate() {
            assert_eq!(*body, numbered(number as u32, number % 900), "{lane:?} frame {number}");
        }
    }
}

pub(crate) async fn a_break_loses_and_repeats_nothing(ground: &Ground) {
    const COUNT: u32 = 6_000;
    const BREAKS: usize = 3;
    let (a, b, way) = pair(ground, LONG).await;
    let (at_a, at_b) = (a.recorder.link(0).await, b.recorder.link(0).await);
    let breaks = async {
        for nth in 1..=BREAKS {
            way.rough();
            tokio::time::sleep(Duration::from_millis(150)).await;
            way.cut(true);
            a.recorder.interrupted(nth).await;
            b.recorder.interrupted(nth).await;
            way.cut(false);
            a.recorder.resumed(nth).await;
            b.recorder.resumed(nth).await;
        }
    };
    futures_util::future::join3(breaks, flood(&*at_a, COUNT), flood(&*at_b, COUNT)).await;
    for node in [&a, &b] {
        for lane in LANES {
            node.recorder.frames(lane, COUNT as usize).await;
        }
        is_whole(node, COUNT);
        let counted = (node.metrics)();
        assert_eq!((counted.links_opened, counted.violations), (1, 0));
        assert!(counted.connections > BREAKS as u64, "{counted:?}");
    }
    let replayed = (a.metrics)().frames_replayed + (b.metrics)().frames_replayed;
    assert!(replayed > 0, "no frame was on its way when the connection broke");
}

pub(crate) async fn what_a_peer_that_stays_away_did_not_acknowledge_comes_back_once(ground: &Ground) {
    let (a, b, way) = pair(ground, Duration::from_millis(300)).await;
    let link = a.recorder.link(0).await;
    let session = link.session();
    let lane = Lane::Ordered(1);
    send(&*link, lane, &numbered(0, 8)).await;
    b.recorder.frames(lane, 1).await;
    way.cut(true);
    for number in 1..100 {
        send(&*link, lane, &numbered(number, 8)).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    a.recorder.interrupted(1).await;
    for number in 100..200 {
        send(&*link, lane, &numbered(number, 8)).await;
    }
    assert_eq!(a.recorder.disconnected(session).await, CloseReason::Idle);
    assert_eq!(link.send(lane, &mut put(b"late")), Err(LinkError::Closed));
    let back = Recorder::returned(&a.recorder.heard());
    let last = a.recorder.heard().iter().rev().nth(1).cloned();
    assert!(matches!(last, Some(Heard::Returned(_, _, _, CloseReason::Idle))), "{last:?}");
    let numbers: Vec<Bytes> = (0..200).map(|number| numbered(number, 8).into()).collect();
    let bodies: Vec<Bytes> = back.iter().map(|(body, _)| body.clone()).collect();
    let first = numbers.len() - bodies.len();
    assert!(first <= 1, "all but the one that was received come back: {first}");
    assert_eq!(bodies, numbers[first..], "in the order in which they were sent");
    // Those that were sent after the break was known were never written.
    let unsent = back.iter().filter(|(_, known)| *known == Undelivered::NeverSent).count();
    assert!((100..200).contains(&unsent), "{unsent}");
    let received = Recorder::bodies(&b.recorder.heard(), lane);
    assert_eq!(received, numbers[..1]);
    // The peers find one another again, and begin anew.
    way.cut(false);
    let again = a.recorder.link(1).await;
    assert_ne!(again.session(), session);
    send(&*again, lane, b"again").await;
    assert_eq!(b.recorder.frames(lane, 2).await[1..], ["again"]);
    assert_eq!(Recorder::returned(&a.recorder.heard()).len(), back.len());
}

pub(crate) async fn a_restarted_peer_hears_nothing_that_was_for_the_one_before(ground: &Ground) {
    let a = ground.start(&member("a"));
    let mut who = member("b");
    // Longer than the test: only the incarnation can tell that the first link is over.
    who.config.idle_timeout = LONG;
    let b = ground.start(&who);
    b.transport.connect(crate::grounds::named("a", &a));
    let link = a.recorder.link(0).await;
    let lane = Lane::Ordered(2);
    send(&*link, lane, b"heard").await;
    b.recorder.frames(lane, 1).await;
    ground.kill(&who, b).await;
    for number in 0..50 {
        send(&*link, lane, &numbered(number, 100)).await;
    }
    who.incarnation = 2;
    let b = ground.start(&who);
    b.transport.connect(crate::grounds::named("a", &a));
    let second = a.recorder.link(1).await;
    assert_eq!(a.recorder.disconnected(link.session()).await, CloseReason::Restarted);
    let back = Recorder::returned(&a.recorder.heard());
    // The one that was received comes back too when the word about it was not there in time: nobody knows then.
    let unknown = (Bytes::from_static(b"heard"), Undelivered::Unacknowledged);
    let bodies: Vec<Bytes> = back.into_iter().filter(|one| *one != unknown).map(|(body, _)| body).collect();
    let numbers: Vec<Bytes> = (0..50).map(|number| numbered(number, 100).into()).collect();
    assert_eq!(bodies, numbers);
    send(&*second, lane, b"new").await;
    assert_eq!(b.recorder.frames(lane, 1).await, ["new"]);
}

pub(crate) async fn the_fleeting_lane_ends_with_its_connection(ground: &Ground) {
    let (a, b, way) = pair(ground, LONG).await;
    let link = a.recorder.link(0).await;
    link.send(Lane::Fleeting, &mut put(b"first")).expect("a connection is there");
    assert_eq!(b.recorder.frames(Lane::Fleeting, 1).await, ["first"]);
    let before = link.connection();
    way.cut(true);
    link.send(Lane::Fleeting, &mut put(b"lost")).expect("nobody knows yet");
    link.send(Lane::Control, &mut put(b"kept")).expect("taken");
    a.recorder.interrupted(1).await;
    assert_eq!(link.connection(), None);
    assert_eq!(link.send(Lane::Fleeting, &mut put(b"early")), Err(LinkError::Closed));
    assert_eq!(link.ready(Lane::Fleeting).await, Err(LinkError::Closed));
    way.cut(false);
    a.recorder.resumed(1).await;
    assert_ne!(link.connection(), before);
    link.send(Lane::Fleeting, &mut put(b"second")).expect("a connection is there");
    assert_eq!(b.recorder.frames(Lane::Control, 1).await, ["kept"]);
    assert_eq!(b.recorder.frames(Lane::Fleeting, 2).await, ["first", "second"]);
    assert_eq!(Recorder::returned(&a.recorder.heard()), []);
}

pub(crate) async fn a_link_that_is_closed_gives_back_what_was_not_received(ground: &Ground) {
    let (a, b, way) = pair(ground, LONG).await;
    let (at_a, at_b) = (a.recorder.link(0).await, b.recorder.link(0).await);
    way.cut(true);
    a.recorder.interrupted(1).await;
    b.recorder.interrupted(1).await;
    for (link, count) in [(&at_a, 3), (&at_b, 5)] {
        for number in 0..count {
            send(&**link, Lane::Control, &numbered(number, 8)).await;
        }
    }
    at_a.close(CloseReason::Shutdown);
    assert_eq!(a.recorder.disconnected(at_a.session()).await, CloseReason::Shutdown);
    // It kept the link that the other gave up, and hears of that when they meet again.
    way.cut(false);
    assert!(matches!(b.recorder.disconnected(at_b.session()).await, CloseReason::Lost(_)));
    let (next_a, next_b) = (a.recorder.link(1).await, b.recorder.link(1).await);
    for (node, count) in [(&a, 3), (&b, 5)] {
        let back = Recorder::returned(&node.recorder.heard());
        let unsent: BTreeSet<Bytes> = back.iter().map(|(body, _)| body.clone()).collect();
        assert_eq!((back.len(), unsent.len()), (count, count));
        assert!(back.iter().all(|(_, known)| *known == Undelivered::NeverSent), "{back:?}");
    }
    send(&*next_a, Lane::Control, b"there").await;
    send(&*next_b, Lane::Control, b"and back").await;
    assert_eq!(b.recorder.frames(Lane::Control, 1).await, ["there"]);
    assert_eq!(a.recorder.frames(Lane::Control, 1).await, ["and back"]);
}
