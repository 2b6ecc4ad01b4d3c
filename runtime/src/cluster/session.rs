//! One link as this node uses it: what waits for answers on it, what the peer serves, and how frames get onto it. It outlives the
//! connections that carry it.
//!
//! Decides nothing about actors; who may send what is settled before.

use std::any::TypeId;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use synod_protocols::{NodeId, SessionId};
use synod_transport::{Lane, Link, LinkError, Peer};
use tokio::sync::Notify;

use super::arrivals::Arrivals;
use super::cancelled::Cancelled;
use super::flow::{Flow, Flows};
use super::owing::Owing;
use super::parcels::{Parcel, Parcels, Settled};
use super::pending::Pending;
use super::send_error::SendError;
use super::tally::Shares;
use crate::address::{ProtocolId, node_id};
use crate::error::{AskError, Cause};
use crate::wire::{Agreed, EncodeError, Form, Head, Load, Manifest, MessageShape, Shape, split_number};

/// How much of a large message is handed to the transport at once, in bytes.
const CHUNK: usize = 256 << 10;
/// How many interfaces one peer may announce.
const MANIFESTS_MAX: usize = 4096;
/// How many bytes those of actors may take together.
const MANIFESTS_BYTES: usize = 4 << 20;

/// How many answers wait for room on one link; a peer that reads as little as this asks too much.
const WAITING_MAX: usize = 1 << 16;

/// One link to one incarnation of one peer.
pub(crate) struct Session {
    link: Arc<dyn Link>,
    node: NodeId,
    pub(crate) pending: Pending,
    /// Large messages on their way out.
    pub(crate) parcels: Parcels,
    /// Large messages on their way in, and what waits for them.
    pub(crate) arrivals: Arrivals,
    /// What may still be sent to each of the peer's actors.
    pub(crate) flows: Flows,
    /// This node's actors whose feeds keep account of the peer.
    pub(crate) owing: Owing,
    pub(crate) cancelled: Cancelled,
    known: Mutex<Known>,
    /// What the peer makes this node keep.
    pub(crate) shares: Shares,
    /// Answers that wait for room in their lane.
    waiting: AtomicUsize,
    /// The connection that carries the link, as machines have been told; 0 for none.
    carrier: AtomicU64,
    /// Told when another connection carries it.
    moved: Notify,
}

/// An interface that we know, as one peer serves it.
pub(crate) struct Agreement {
    /// For each message how to send it.
    pub(crate) messages: Vec<Option<Agreed>>,
    /// How many may be sent to one actor at first; `None` where there is no limit.
    pub(crate) window: Option<u32>,
}

#[derive(Default)]
struct Known {
    manifests: BTreeMap<String, Manifest>,
    /// What they take, about.
    bytes: usize,
    /// How the peer speaks the protocols of machines.
    protocols: BTreeMap<ProtocolId, Shape>,
    /// By our type of the interface: two types may claim one name in different versions.
    agreed: HashMap<TypeId, Arc<Agreement>>,
}

impl Session {
    pub(crate) fn new(link: Arc<dyn Link>) -> Self {
        let node = node_id(&link.peer().name);
        Self {
            link,
            node,
            pending: Pending::default(),
            parcels: Parcels::default(),
            arrivals: Arrivals::default(),
            flows: Flows::default(),
            owing: Owing::default(),
            cancelled: Cancelled::default(),
            known: Mutex::default(),
            shares: Shares::default(),
            waiting: AtomicUsize::new(0),
            carrier: AtomicU64::new(0),
            moved: Notify::new(),
        }
    }

    /// What machines call the connection that carries the link: what went over another one may be lost. `None` while there is none.
    pub(crate) fn carrier(&self) -> Option<SessionId> {
        Some(self.carrier.load(Ordering::Acquire)).filter(|number| *number != 0).map(SessionId)
    }

    /// Another connection carries the link, or none; gives the one before.
    pub(crate) fn set_carrier(&self, number: Option<u64>) -> Option<SessionId> {
        let before = self.carrier.swap(number.unwrap_or(0), Ordering::AcqRel);
        self.moved.notify_waiters();
        Some(before).filter(|number| *number != 0).map(SessionId)
    }

    pub(crate) fn peer(&self) -> &Peer {
        self.link.peer()
    }

    pub(crate) fn node(&self) -> NodeId {
        self.node
    }

    pub(crate) fn link(&self) -> &Arc<dyn Link> {
        &self.link
    }

    /// Appends one frame to a lane.
    pub(crate) fn send(
        &self,
        lane: Lane,
        head: &Head,
        body: &mut dyn FnMut(&mut BytesMut) -> Result<(), EncodeError>,
    ) -> Result<(), SendError> {
        self.send_charged(lane, head, body, &mut |_| {}).map_err(|(error, _)| error)
    }

    /// Appends one frame to a lane that is counted against its target's window, whether that has room or not.
    pub(crate) fn send_in(
        &self,
        flow: &Flow,
        lane: Lane,
        head: &Head,
        body: &mut dyn FnMut(&mut BytesMut) -> Result<(), EncodeError>,
    ) -> Result<(), SendError> {
        let sent = self.send_charged(lane, head, body, &mut |load| flow.charge(load));
        sent.map_err(|(error, charged)| {
            flow.release(charged);
            error
        })
    }

    /// Appends one frame; `charge` is told its load before anybody else can see it. With the error comes what was charged.
    fn send_charged(
        &self,
        lane: Lane,
        head: &Head,
        body: &mut dyn FnMut(&mut BytesMut) -> Result<(), EncodeError>,
        charge: &mut dyn FnMut(Load),
    ) -> Result<(), (SendError, Load)> {
        let (mut refused, mut load) = (false, Load::default());
        let sent = self.link.send(lane, &mut |out| {
            let start = out.len();
            head.write(out);
            if body(out).is_err() {
                refused = true;
                // The frame stays as an empty one, which every receiver passes over.
                out.truncate(start);
            } else {
                load = Load::of(out.len() - start);
                charge(load);
            }
        });
        let error = match sent {
            Ok(()) if refused => SendError::Encode,
            Ok(()) => return Ok(()),
            Err(LinkError::Full) => SendError::Full,
            Err(LinkError::TooLarge { .. }) => SendError::TooLarge,
            Err(LinkError::Closed | LinkError::Broken(_)) => SendError::Closed,
        };
        Err((error, load))
    }

    /// Appends one frame with a ready body, waiting for room in the lane; goes as a large message when it is too large for a frame.
    pub(crate) async fn send_patiently(&self, lane: Lane, head: &Head, body: Bytes) -> Result<(), SendError> {
        loop {
            let mut append = |out: &mut BytesMut| {
                out.extend_from_slice(&body);
                Ok(())
            };
            match self.send(lane, head, &mut append) {
                Err(SendError::Full) => self.link.ready(lane).await.map_err(|_| SendError::Closed)?,
                Err(SendError::TooLarge) => {
                    let parcel = self.place(lane, head, body.len(), usize::MAX).await?;
                    return self.carry(parcel, body).await.map_err(|_| SendError::Closed);
                }
                other => return other,
            }
        }
    }

    /// Says that a message was not delivered: to an asker as a failure, of a tell by sending it back. Gives what to send with
    /// patience when the lane has no room for it.
    pub(crate) fn refuse(&self, head: &Head, body: &Bytes, error: AskError) -> Option<(Lane, Head, Bytes)> {
        let (target, head, body) = match head {
            Head::Ask(correlation, call) => {
                (call.target, Head::Failure { correlation: *correlation, error }, Bytes::new())
            }
            Head::Tell(call) => {
                let head = Head::Returned { message: call.message, target: call.target, error };
                (call.target, head, body.clone())
            }
            _ => return None,
        };
        let lane = Lane::for_target(target);
        let sent = self.send(lane, &head, &mut |out| {
            out.extend_from_slice(&body);
            Ok(())
        });
        matches!(sent, Err(SendError::Full | SendError::TooLarge)).then_some((lane, head, body))
    }

    /// Takes a place in a lane for a message that is too large for a frame. Whoever has it sends the body: what comes behind it in
    /// the lane waits there.
    pub(crate) fn try_place(
        &self,
        lane: Lane,
        head: &Head,
        size: usize,
        limit: usize,
    ) -> Result<Parcel, SendError> {
        let (mut number, mut header) = (0, BytesMut::new());
        let told = self.parcels.enter(size, limit, |next| {
            number = next;
            Head::Parcel { number, size: size as u64 }.write(&mut header);
            head.write(&mut header);
            self.link.send(lane, &mut |out| out.extend_from_slice(&header))
        });
        match told {
            Ok(told) => Ok(Parcel { number, header: header.freeze(), told }),
            Err(LinkError::Full) => Err(SendError::Full),
            Err(LinkError::Closed | LinkError::Broken(_) | LinkError::TooLarge { .. }) => {
                Err(SendError::Closed)
            }
        }
    }

    /// The same, waiting for room in the lane, and until fewer are under way.
    pub(crate) async fn place(
        &self,
        lane: Lane,
        head: &Head,
        size: usize,
        limit: usize,
    ) -> Result<Parcel, SendError> {
        loop {
            let settled = self.parcels.settled.notified();
            tokio::pin!(settled);
            // Registered before the look, so that one that is settled in between is not missed.
            settled.as_mut().enable();
            match self.try_place(lane, head, size, limit) {
                Err(SendError::Full) if self.parcels.has_room(size, limit) => {
                    self.link.ready(lane).await.map_err(|_| SendError::Closed)?;
                }
                Err(SendError::Full) => settled.await,
                other => return other,
            }
        }
    }

    /// Sends the body of a large message, over one connection after the other, until the peer says that it has it. Must not be given
    /// up before.
    pub(crate) async fn carry(&self, parcel: Parcel, body: Bytes) -> Settled {
        const GONE: Settled = Err(AskError::unknown(Cause::LinkLost));
        let Parcel { number, header, mut told } = parcel;
        loop {
            let carrier = self.carrier();
            tokio::select! {
                biased;
                settled = &mut told => return settled.unwrap_or(GONE),
                // What breaks is sent again, and a peer that stops reading says why.
                _ = self.stream(number, header.clone(), body.clone()) => {}
            }
            tokio::select! {
                biased;
                settled = &mut told => return settled.unwrap_or(GONE),
                () = self.carried_anew(carrier) => {}
            }
        }
    }

    async fn stream(&self, number: u64, header: Bytes, mut body: Bytes) -> Result<(), LinkError> {
        let mut stream = self.link.open_bulk(header).await?;
        while !body.is_empty() {
            stream.write(body.split_to(body.len().min(CHUNK))).await?;
        }
        self.parcels.is_whole(number);
        stream.finish().await
    }

    /// Completes when another connection than `before` carries the link.
    async fn carried_anew(&self, before: Option<SessionId>) {
        loop {
            let moved = self.moved.notified();
            tokio::pin!(moved);
            // Registered before the look, so that a change in between is not missed.
            moved.as_mut().enable();
            if self.carrier().is_some_and(|carrier| Some(carrier) != before) {
                return;
            }
            moved.await;
        }
    }

    /// Lets one more answer wait for room; `false` when too many do.
    pub(crate) fn wait_for_room(&self) -> bool {
        if self.waiting.fetch_add(1, Ordering::Relaxed) < WAITING_MAX {
            return true;
        }
        self.waited_for_room();
        false
    }

    /// An answer that waited has left, or its link is gone.
    pub(crate) fn waited_for_room(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// Keeps what the peer says of an interface; `false` when it has said too much.
    pub(crate) fn learn(&self, manifest: Manifest) -> bool {
        let mut known = self.known();
        if let Some((name, shape)) = manifest.protocol() {
            let protocol = ProtocolId::of(name);
            let room = known.protocols.len() < MANIFESTS_MAX || known.protocols.contains_key(&protocol);
            if room {
                known.protocols.insert(protocol, shape);
            }
            return room;
        }
        let before = known.manifests.get(&manifest.interface).map(Manifest::bytes);
        let bytes = known.bytes - before.unwrap_or(0) + manifest.bytes();
        if bytes > MANIFESTS_BYTES || (known.manifests.len() >= MANIFESTS_MAX && before.is_none()) {
            return false;
        }
        known.bytes = bytes;
        known.agreed.clear();
        known.manifests.insert(manifest.interface.clone(), manifest);
        true
    }

    /// In which form the peer reads the messages of a protocol that this node speaks as `ours`.
    pub(crate) fn form(&self, protocol: ProtocolId, ours: Shape) -> Form {
        let theirs = self.known().protocols.get(&protocol).copied();
        if ours.compact && theirs == Some(ours) { Form::Compact } else { Form::Named }
    }

    /// How to send the messages of an interface to this peer; `None` while the peer has not described it.
    pub(crate) fn agreement(
        &self,
        key: TypeId,
        interface: &str,
        ours: impl FnOnce() -> Arc<[MessageShape]>,
    ) -> Option<Arc<Agreement>> {
        let mut known = self.known();
        if let Some(agreed) = known.agreed.get(&key) {
            return Some(agreed.clone());
        }
        let manifest = known.manifests.get(interface)?;
        let agreed = Arc::new(Agreement { messages: manifest.agree(&ours()), window: manifest.window });
        known.agreed.insert(key, agreed.clone());
        Some(agreed)
    }

    /// The id of the message with this number, as the peer announced it.
    pub(crate) fn message_id(&self, number: u32) -> Option<String> {
        let (interface, message) = split_number(number);
        let known = self.known();
        let manifest = known.manifests.values().find(|manifest| manifest.number == interface)?;
        Some(manifest.messages.get(usize::from(message))?.id.clone())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
