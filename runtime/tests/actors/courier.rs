//! The way of protocol machines: frames and bulk streams between members, links that come and go, nothing from clients.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use synod::actor::ActorSystem;
use synod::address::{ProtocolId, node_id};
use synod::cluster::{Courier, Inbox, Spoken};
use synod::protocols::{Incarnation, NodeId, SessionId};
use synod::transport::{BulkReceiver, LinkError};
use synod::wire::{Form, traced};

use crate::world::{World, linked, name, run};

#[derive(Debug, PartialEq)]
enum Heard {
    Frame(NodeId, Bytes),
    Bulk(NodeId, Bytes, Bytes),
    Up(NodeId),
    Down(NodeId),
}

/// Takes down what it hears, without the sessions.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Vec<Heard>>>);

impl Ear {
    fn note(&self, heard: Heard) {
        self.0.lock().unwrap().push(heard);
    }

    fn take(&self) -> Vec<Heard> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Inbox for Ear {
    fn frame(&self, from: NodeId, _session: SessionId, body: Bytes) {
        self.note(Heard::Frame(from, body));
    }

    fn bulk(&self, from: NodeId, _session: SessionId, header: Bytes, mut stream: Box<dyn BulkReceiver>) {
        let ear = self.clone();
        actix_rt::spawn(async move {
            let mut content = Vec::new();
            while let Some(chunk) = stream.read().await.unwrap() {
                content.extend_from_slice(&chunk);
            }
            ear.note(Heard::Bulk(from, header, content.into()));
        });
    }

    fn reachable(&self, peer: NodeId, _session: SessionId) {
        self.note(Heard::Up(peer));
    }

    fn unreachable(&self, peer: NodeId, _session: SessionId) {
        self.note(Heard::Down(peer));
    }
}

fn spoken(name: &'static str) -> Spoken {
    Spoken { name, shape: traced::<u64>() }
}

fn send(courier: &Arc<dyn Courier>, to: &str, protocol: &str, body: &[u8]) -> Result<(), LinkError> {
    courier.send(node_id(&name(to)), ProtocolId::of(protocol), &mut |_, out| out.extend_from_slice(body))
}

const SOON: Duration = Duration::from_millis(20);

#[test]
fn frames_and_streams_reach_the_inbox_of_their_protocol() {
    run(async {
        let world = World::new();
        let (a, b) = world.pair().await;
        let (raft, paxos) = (Ear::default(), Ear::default());
        b.courier().subscribe(spoken("raft"), Arc::new(raft.clone()));
        b.courier().subscribe(spoken("paxos"), Arc::new(paxos.clone()));
        let from = node_id(a.name());
        assert_eq!(raft.take(), [Heard::Up(from)], "of the link that was up already");
        for body in [&b"one"[..], b"two"] {
            send(&a.courier(), "b", "raft", body).unwrap();
        }
        send(&a.courier(), "b", "nobody", b"?").unwrap();
        let opened =
            a.courier().open_bulk(node_id(b.name()), ProtocolId::of("paxos"), Bytes::from_static(b"head"));
        let mut stream = opened.await.unwrap();
        stream.write(Bytes::from_static(b"con")).await.unwrap();
        stream.write(Bytes::from_static(b"tent")).await.unwrap();
        stream.finish().await.unwrap();
        tokio::time::sleep(SOON).await;
        let frame = |body: &'static [u8]| Heard::Frame(from, Bytes::from_static(body));
        assert_eq!(raft.take(), [frame(b"one"), frame(b"two")]);
        let bulk = Heard::Bulk(from, Bytes::from_static(b"head"), Bytes::from_static(b"content"));
        assert_eq!(paxos.take(), [Heard::Up(from), bulk]);
        assert_eq!(send(&a.courier(), "stranger", "raft", b"?"), Err(LinkError::Closed));
        assert!(b.metrics().render().contains("synod_frames_malformed_total{fault=\"body\"} 1"));
    });
}

#[test]
fn a_restart_is_a_link_down_and_another_up() {
    run(async {
        let world = World::new();
        let (a, _b) = world.pair().await;
        let ear = Ear::default();
        a.courier().subscribe(spoken("raft"), Arc::new(ear.clone()));
        world.network.kill(&name("b"));
        let mut settings = world.settings("b", &["a"]);
        settings.incarnation = Incarnation(2);
        let heir = ActorSystem::start(settings).unwrap();
        linked(&heir, 1).await;
        tokio::time::sleep(SOON).await;
        let b = node_id(&name("b"));
        assert_eq!(ear.take(), [Heard::Up(b), Heard::Down(b), Heard::Up(b)]);
        send(&heir.courier(), "a", "raft", b"again").unwrap();
        tokio::time::sleep(SOON).await;
        assert_eq!(ear.take(), [Heard::Frame(b, Bytes::from_static(b"again"))]);
    });
}

#[test]
fn a_client_reaches_no_protocol() {
    run(async {
        let world = World::new();
        let b = world.node("b", &[]);
        let ear = Ear::default();
        b.courier().subscribe(spoken("raft"), Arc::new(ear.clone()));
        let client = world.client("shopper", &["b"]);
        linked(&client, 1).await;
        send(&client.courier(), "b", "raft", b"let me vote").unwrap();
        let to = node_id(b.name());
        drop(client.courier().open_bulk(to, ProtocolId::of("raft"), Bytes::new()).await);
        tokio::time::sleep(SOON).await;
        assert_eq!(ear.take(), [], "neither its link nor its frames");
        assert_eq!(send(&b.courier(), "shopper", "raft", b"?"), Err(LinkError::Closed));
    });
}

/// The form in which a frame of a protocol goes to a peer.
fn form(courier: &Arc<dyn Courier>, to: &str, protocol: &str) -> Form {
    let mut used = None;
    let body = &mut |form, _: &mut bytes::BytesMut| used = Some(form);
    courier.send(node_id(&name(to)), ProtocolId::of(protocol), body).unwrap();
    used.unwrap()
}

/// Lets two nodes speak a protocol that nobody asks about, and waits until both know that: whatever either had said of its protocols
/// before has been heard then, for such words keep their order.
async fn know_each_other(one: &ActorSystem, other: &ActorSystem) {
    for node in [one, other] {
        let protocol = Spoken { name: "last", shape: traced::<u64>() };
        node.courier().subscribe(protocol, Arc::new(Ear::default()));
    }
    for (from, to) in [(one, other), (other, one)] {
        while form(&from.courier(), to.name().as_str(), "last") != Form::Compact {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

#[test]
fn only_nodes_that_speak_a_protocol_alike_leave_the_names_out() {
    run(async {
        let world = World::new();
        let (a, b) = world.pair().await;
        let speak = |node: &ActorSystem, shape| {
            let protocol = Spoken { name: "raft", shape };
            node.courier().subscribe(protocol, Arc::new(Ear::default()));
        };
        speak(&a, traced::<(u64, u8)>());
        assert_eq!(form(&a.courier(), "b", "raft"), Form::Named, "the peer has not said how it speaks");
        speak(&b, traced::<(u64, u8)>());
        know_each_other(&a, &b).await;
        assert_eq!(form(&a.courier(), "b", "raft"), Form::Compact);
        assert_eq!(form(&b.courier(), "a", "raft"), Form::Compact);
        assert_eq!(form(&a.courier(), "b", "paxos"), Form::Named, "a protocol that is not spoken here");

        // The peer comes back as a newer version, which has one field more.
        world.network.kill(&name("b"));
        let mut settings = world.settings("b", &["a"]);
        settings.incarnation = Incarnation(2);
        let heir = ActorSystem::start(settings).unwrap();
        speak(&heir, traced::<(u64, u8, u8)>());
        linked(&heir, 1).await;
        know_each_other(&a, &heir).await;
        assert_eq!(form(&a.courier(), "b", "raft"), Form::Named);
        assert_eq!(form(&heir.courier(), "a", "raft"), Form::Named);
    });
}

#[test]
fn what_neither_side_can_trace_travels_by_names() {
    run(async {
        let world = World::new();
        let (a, b) = world.pair().await;
        for node in [&a, &b] {
            let protocol = Spoken { name: "raft", shape: traced::<std::num::NonZeroU8>() };
            node.courier().subscribe(protocol, Arc::new(Ear::default()));
        }
        know_each_other(&a, &b).await;
        assert_eq!(form(&a.courier(), "b", "raft"), Form::Named);
    });
}
