//! A member that says whatever comes to it, for long: honest members are served meanwhile, and what it says is counted.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::BytesMut;
use synod::prelude::*;
use synod::protocols::prng::Prng;
use synod::transport::memory::{MemoryTransport, Process};
use synod::transport::{
    BulkReceiver, CloseReason, Config, Frames, Lane, Link, Peer, Receiver, Refusal, Role, Transport,
    Undelivered,
};
use synod::wire::{Call, Form, Grant, Head, Load, decode, encode};
use tokio::time::sleep;

use crate::hostile::counted;
use crate::subjects::*;
use crate::world::{World, address, linked, name, run};

/// Keeps its link for as long as it is let.
#[derive(Default)]
struct Mad(Mutex<Option<Arc<dyn Link>>>);

impl Receiver for Mad {
    fn connected(&self, link: Arc<dyn Link>) {
        *self.0.lock().unwrap() = Some(link);
    }

    fn interrupted(&self, _: &Arc<dyn Link>, _: &CloseReason) {}

    fn resumed(&self, _: &Arc<dyn Link>) {}

    fn returned(&self, _: &Arc<dyn Link>, _: Frames, _: Undelivered, _: &CloseReason) {}

    fn disconnected(&self, _: &Peer, _: u64, _: CloseReason) {
        *self.0.lock().unwrap() = None;
    }

    fn frames(&self, _: &Arc<dyn Link>, _: Lane, _: Frames) {}

    fn datagram(&self, _: &Arc<dyn Link>, _: Bytes) {}

    fn bulk(&self, _: &Arc<dyn Link>, _: Bytes, _: Box<dyn BulkReceiver>) {}

    fn refused(&self, _: Refusal) {}
}

/// A number from what there is, or at an edge.
fn number(prng: &mut Prng, real: u64) -> u64 {
    match prng.below(6) {
        0 => u64::MAX,
        1 => prng.next_u64(),
        2 => prng.below(5),
        _ => real,
    }
}

fn head(prng: &mut Prng, target: u64) -> Head {
    let target = number(prng, target);
    let (correlation, message) = (number(prng, 1), number(prng, 2) as u32);
    let deadline_ms = prng.chance(0.3).then_some(number(prng, 50) as u32);
    let call = Call { message, target, named: prng.chance(0.2), deadline_ms, ..Call::default() };
    let load = |prng: &mut Prng| Load { messages: number(prng, 3) as u32, blocks: number(prng, 3) as u32 };
    let error = AskError::unknown(Cause::LinkLost);
    match prng.below(14) {
        0 | 1 => Head::Tell(call),
        2 | 3 => Head::Ask(correlation, call),
        4 => Head::Reply { correlation, stream: false },
        5 => Head::Failure { correlation, error },
        6 => Head::Returned { message, target, error },
        7 => Head::Lookup(correlation),
        8 => {
            if prng.chance(0.5) {
                Head::Watch(correlation)
            } else {
                Head::Unwatch(correlation)
            }
        }
        9 => {
            if prng.chance(0.5) {
                Head::Describe(correlation)
            } else {
                Head::Announce
            }
        }
        10 => Head::Protocol(correlation),
        11 => Head::Parcel { number: correlation, size: number(prng, 100) },
        12 => Head::Settled { number: correlation, refused: prng.chance(0.5).then_some(error) },
        _ => {
            let grants = [Grant::Same, Grant::Window(load(prng)), Grant::Initial, Grant::Gone];
            Head::Credit { target, spent: load(prng), grant: *prng.pick(&grants).expect("some") }
        }
    }
}

/// A frame that is one, nearly one, or none; sometimes with the header of another message as its body.
fn frame(prng: &mut Prng, target: u64) -> BytesMut {
    let mut out = BytesMut::new();
    head(prng, target).write(&mut out);
    match prng.below(4) {
        0 => head(prng, target).write(&mut out),
        1 => encode(&number(prng, target), Form::Compact, &mut out).expect("a number"),
        2 => encode(&("clerk", "test.desk"), Form::Compact, &mut out).expect("a question"),
        _ => (0..prng.below(40)).for_each(|_| out.extend_from_slice(&[prng.next_u64() as u8])),
    }
    if prng.chance(0.3) {
        let at = prng.below(out.len() as u64) as usize;
        out[at] ^= 1 << prng.below(8);
    }
    if prng.chance(0.1) {
        out.truncate(prng.below(out.len() as u64 + 1) as usize);
    }
    out
}

async fn connect(world: &World, to: &str) -> (Arc<Mad>, Arc<MemoryTransport>) {
    let mad = Arc::new(Mad::default());
    let peer = Peer { name: name("mad"), role: Role::Member, incarnation: 1 };
    let config = Config::lan("127.0.0.1:0".parse().expect("an address"));
    let process = Process { peer, cluster: "test".into(), seed: 1, config };
    let transport = MemoryTransport::start(&world.network, process, mad.clone(), |task| {
        actix_rt::spawn(task);
    });
    let transport = transport.expect("it starts");
    transport.connect(address(to));
    (mad, transport)
}

/// Gives how many frames were sent.
async fn rage(seed: u64) -> (u64, u64) {
    let mut prng = Prng::new(seed);
    let world = World::new();
    let b = world.node("b", &[]);
    let clerk: ActorRef<Desk> = b.spawn("clerk", Clerk::default).await.unwrap().reference();
    let mut bytes = BytesMut::new();
    encode(&clerk, Form::Compact, &mut bytes).unwrap();
    let (_, _, target): (String, u64, u64) = decode(&bytes, 100).unwrap();
    let a = world.node("a", &["b"]);
    linked(&a, 1).await;
    let there: ActorRef<Desk> = a.lookup("clerk").await.unwrap();
    let (mad, _transport) = connect(&world, "b").await;
    let mut sent = 0;
    for round in 0..60 {
        for _ in 0..50 {
            // A link that was ended comes back by itself.
            let link = mad.0.lock().unwrap().clone();
            let Some(link) = link else { continue };
            let frame = frame(&mut prng, target);
            let lane = Lane::from_number(prng.below(6) as u8).expect("a lane");
            sent += u64::from(link.send(lane, &mut |out| out.extend_from_slice(&frame)).is_ok());
            if prng.chance(0.02)
                && let Ok(mut stream) = link.open_bulk(frame.freeze()).await
            {
                let _ = stream.write(Bytes::from_static(b"noise")).await;
            }
        }
        sleep(Duration::from_millis(5)).await;
        assert!(there.ask(Noted).await.is_ok(), "seed {seed}, round {round}");
    }
    (sent, counted(&b, "synod_frames_malformed_total") + counted(&b, "synod_messages_refused_total"))
}

#[test]
fn whatever_a_member_sends_for_long_the_others_are_served() {
    let (mut sent, mut counted) = (0, 0);
    for seed in 0..12 {
        run(async {
            let (more, found) = rage(seed).await;
            sent += more;
            counted += found;
        });
    }
    println!("{sent} frames of noise, {counted} of them counted as malformed or refused");
    assert!(sent > 10_000 && counted > 3_000, "{sent} sent, {counted} counted");
}
