//! What a member that lost its mind can send: each frame is counted, none is obeyed, nobody panics.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use synod::prelude::*;
use synod::transport::memory::{MemoryTransport, Process};
use synod::transport::{
    BulkReceiver, CloseReason, Config, Frames, Lane, Link, Peer, Receiver, Refusal, Role, Transport,
    Undelivered,
};
use synod::wire::{Call, Head};

use crate::subjects::*;
use crate::world::{World, address, name, run};

/// A peer that speaks frames and nothing above them.
#[derive(Default)]
pub(crate) struct Raw {
    link: Mutex<Option<Arc<dyn Link>>>,
    heard: Mutex<Vec<Bytes>>,
}

impl Receiver for Raw {
    fn connected(&self, link: Arc<dyn Link>) {
        *self.link.lock().unwrap() = Some(link);
    }

    fn interrupted(&self, _link: &Arc<dyn Link>, reason: &CloseReason) {
        panic!("{reason:?}");
    }

    fn resumed(&self, _link: &Arc<dyn Link>) {}

    fn returned(&self, _: &Arc<dyn Link>, _: Frames, _: Undelivered, reason: &CloseReason) {
        assert_eq!(*reason, CloseReason::Shutdown);
    }

    fn disconnected(&self, _peer: &Peer, _session: u64, reason: CloseReason) {
        assert_eq!(reason, CloseReason::Shutdown);
    }

    fn frames(&self, _link: &Arc<dyn Link>, _lane: Lane, frames: Frames) {
        self.heard.lock().unwrap().extend(frames);
    }

    fn datagram(&self, _link: &Arc<dyn Link>, _payload: Bytes) {}

    fn bulk(&self, _link: &Arc<dyn Link>, _header: Bytes, _stream: Box<dyn BulkReceiver>) {}

    fn refused(&self, refusal: Refusal) {
        panic!("{refusal}");
    }
}

impl Raw {
    pub(crate) async fn connect(world: &World, to: &str) -> (Arc<Self>, Arc<MemoryTransport>) {
        let raw = Arc::new(Self::default());
        let peer = Peer { name: name("mad"), role: Role::Member, incarnation: 1 };
        let config = Config::lan("127.0.0.1:0".parse().unwrap());
        let process = Process { peer, cluster: "test".into(), seed: 1, config };
        let transport = MemoryTransport::start(&world.network, process, raw.clone(), |task| {
            actix_rt::spawn(task);
        });
        let transport = transport.unwrap();
        transport.connect(address(to));
        while raw.link.lock().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        (raw, transport)
    }

    pub(crate) fn link(&self) -> Arc<dyn Link> {
        self.link.lock().unwrap().clone().expect("connected")
    }

    pub(crate) fn send(&self, bytes: &[u8]) {
        self.link().send(Lane::Control, &mut |out| out.extend_from_slice(bytes)).unwrap();
    }

    pub(crate) fn send_head(&self, head: &Head, body: &[u8]) {
        let mut frame = bytes::BytesMut::new();
        head.write(&mut frame);
        frame.extend_from_slice(body);
        self.send(&frame);
    }

    /// The failures and returned tells that came back, by their headers.
    pub(crate) fn answers(&self) -> Vec<Head> {
        let heard = self.heard.lock().unwrap().clone();
        let heads = heard.into_iter().map(|mut frame| Head::read(&mut frame).unwrap());
        heads.filter(|head| !matches!(head, Head::Announce | Head::Credit { .. })).collect()
    }
}

pub(crate) fn counted(system: &ActorSystem, metric: &str) -> u64 {
    let text = system.metrics().render();
    let lines = text.lines().filter(|line| line.starts_with(metric));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

#[test]
fn frames_that_are_none_are_counted_and_passed_over() {
    run(async {
        let world = World::new();
        let b = world.node("b", &[]);
        let clerk: ActorRef<Desk> = b.spawn("clerk", Clerk::default).await.unwrap().reference();
        let (raw, _transport) = Raw::connect(&world, "b").await;
        let malformed: [&[u8]; 9] = [
            &[1],
            &[2, 1, 0x80],
            &[99],
            &[0x81, 0xFF, 0, 0],
            &[4, 1, 250, 0],
            &[6, 1, 0xDD, 0xFF, 0xFF, 0xFF, 0xFF],
            &[7, 1, 0x91, 0x91, 0x91],
            &[10, 0xDB, 0xFF, 0xFF, 0xFF, 0xFF],
            &[11, 1, 0, 0, 0, 0, 0, 0, 0, 5],
        ];
        for frame in malformed {
            raw.send(frame);
        }
        raw.send(&[]);
        raw.link().datagram(Bytes::from_static(b"?")).unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(counted(&b, "synod_frames_malformed_total"), malformed.len() as u64 + 1);
        assert_eq!(clerk.ask(Noted).await, Ok(vec![]));
    });
}

#[test]
fn requests_for_nobody_of_nothing_are_refused_with_the_cause() {
    run(async {
        let world = World::new();
        let b = world.node("b", &[]);
        let spawned = b.spawn("clerk", Clerk::default).await.unwrap();
        let clerk: ActorRef<Desk> = spawned.reference();
        let mut bytes = bytes::BytesMut::new();
        synod::wire::encode(&clerk, synod::wire::Form::Compact, &mut bytes).unwrap();
        let (_, _, target): (String, u64, u64) = synod::wire::decode(&bytes, 100).unwrap();
        let (raw, _transport) = Raw::connect(&world, "b").await;
        let call = |message, target| Call { message, target, ..Call::default() };
        let note = 2;
        raw.send_head(&Head::Ask(1, call(note, 0xDEAD_BEEF)), b"");
        raw.send_head(&Head::Ask(2, call(99, target)), b"\x01");
        raw.send_head(&Head::Ask(3, call(7 << 16, target)), b"\x01");
        raw.send_head(&Head::Ask(4, call(note, target)), b"\xDD\xFF\xFF\xFF\xFF");
        raw.send_head(&Head::Ask(5, call(note, target)), &[0x91; 3_000]);
        raw.send_head(&Head::Ask(6, call(note, target)), b"\x01\x02");
        raw.send_head(&Head::Tell(call(note, target)), b"\xA1?");
        raw.send_head(&Head::Reply { correlation: 77, stream: false }, b"nobody asked");
        raw.send_head(&Head::Ask(7, call(note, target)), b"\x05");
        tokio::time::sleep(Duration::from_millis(10)).await;
        let failure =
            |correlation, cause| Head::Failure { correlation, error: AskError::not_executed(cause) };
        let mut answers = raw.answers();
        // Which lane an answer takes follows from its target, so only the order per target is fixed.
        answers.sort_by_key(|head| match head {
            Head::Failure { correlation, .. } | Head::Reply { correlation, .. } => *correlation,
            _ => u64::MAX,
        });
        let expected = [
            failure(1, Cause::NoSuchActor),
            failure(2, Cause::Unsupported),
            failure(3, Cause::Unsupported),
            failure(4, Cause::Decode),
            failure(5, Cause::Decode),
            failure(6, Cause::Decode),
            Head::Reply { correlation: 7, stream: false },
            Head::Returned { message: note, target, error: AskError::not_executed(Cause::Decode) },
        ];
        assert_eq!(answers, expected);
        assert_eq!(clerk.ask(Noted).await, Ok(vec![5]), "only the good one was handled");
        assert_eq!(counted(&b, "synod_messages_refused_total"), 7);
    });
}

#[test]
fn a_bulk_stream_of_nonsense_is_counted() {
    run(async {
        let world = World::new();
        let b = world.node("b", &[]);
        let (raw, _transport) = Raw::connect(&world, "b").await;
        for header in [&b"\x63\x00"[..], b"", b"\x06\x00\x01\x00\x00\x00\x00\x00\x00\x00"] {
            let mut stream = raw.link().open_bulk(Bytes::copy_from_slice(header)).await.unwrap();
            // Nobody reads it: whether the end is acknowledged is the transport's affair.
            drop(stream.finish());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(counted(&b, "synod_frames_malformed_total"), 3);
    });
}

#[test]
fn large_messages_that_are_none_keep_nobody_waiting() {
    run(async {
        let world = World::new();
        let b = world.node("b", &[]);
        let clerk: ActorRef<Desk> = b.spawn("clerk", Clerk::default).await.unwrap().reference();
        let mut bytes = bytes::BytesMut::new();
        synod::wire::encode(&clerk, synod::wire::Form::Compact, &mut bytes).unwrap();
        let (_, _, target): (String, u64, u64) = synod::wire::decode(&bytes, 100).unwrap();
        let (raw, _transport) = Raw::connect(&world, "b").await;
        let inner = |head: Head| {
            let mut inner = bytes::BytesMut::new();
            head.write(&mut inner);
            inner
        };
        let note = Head::Tell(Call { message: 2, target, ..Call::default() });
        // One that claims too much is refused; what stands in no order, or is followed by more, is no large message.
        raw.send_head(&Head::Parcel { number: 1, size: u64::MAX }, &inner(note.clone()));
        raw.send_head(&Head::Parcel { number: 2, size: 5 }, &inner(Head::Lookup(1)));
        raw.send_head(&Head::Parcel { number: 3, size: 5 }, b"\x63");
        raw.send_head(&Head::Parcel { number: 4, size: 5 }, &[&inner(note.clone())[..], b"?"].concat());
        // Nobody waits for these words, nor for one that comes without its place.
        raw.send_head(&Head::Settled { number: u64::MAX, refused: None }, b"");
        let header = [&inner(Head::Parcel { number: 9, size: 1 })[..], &inner(note.clone())[..]].concat();
        let mut stream = raw.link().open_bulk(header.into()).await.unwrap();
        stream.write(Bytes::from_static(b"\x07")).await.unwrap();
        drop(stream.finish().await);
        raw.send_head(&note, b"\x05");
        tokio::time::sleep(Duration::from_millis(100)).await;
        let refused = Some(AskError::not_executed(Cause::TooLarge));
        assert_eq!(raw.answers(), [Head::Settled { number: 1, refused }]);
        assert_eq!(counted(&b, "synod_frames_malformed_total"), 3);
        assert_eq!(clerk.ask(Noted).await, Ok(vec![5]));
        // A place that stays empty keeps what is behind it waiting, until the link ends.
        raw.send_head(&Head::Parcel { number: 5, size: 1 }, &inner(note.clone()));
        raw.send_head(&note, b"\x06");
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(clerk.ask(Noted).await, Ok(vec![5]));
        raw.link().close(CloseReason::Shutdown);
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(clerk.ask(Noted).await, Ok(vec![5, 6]));
    });
}

#[test]
fn a_message_that_comes_back_and_is_too_large_is_a_dead_letter_all_the_same() {
    run(async {
        let world = World::new();
        let _b = world.node("b", &[]);
        let (raw, _transport) = Raw::connect(&world, "b").await;
        let error = AskError::not_executed(Cause::Stopped);
        let mut inner = bytes::BytesMut::new();
        Head::Returned { message: 2, target: 77, error }.write(&mut inner);
        raw.send_head(&Head::Parcel { number: 1, size: u64::MAX }, &inner);
        tokio::time::sleep(Duration::from_millis(100)).await;
        let letters = world.letters();
        assert_eq!(letters.len(), 1);
        assert_eq!((letters[0].actor, letters[0].error), (77, error));
        assert_eq!(letters[0].body, None, "it was not taken");
        raw.link().close(CloseReason::Shutdown);
    });
}
