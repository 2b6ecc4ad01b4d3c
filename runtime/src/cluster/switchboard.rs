//! Hears everything that arrives and puts it where it belongs, on the transport's own thread: it reads headers, never bodies of
//! messages, and makes one push per target and batch.
//!
//! What it cannot read is counted and passed over; nothing a peer sends makes it panic.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use synod_protocols::{SessionId, Timestamp};
use synod_transport::{
    BulkReceiver, CloseReason, Frames, Lane, Link, Peer, Receiver, Refusal, Role, TransportError, Undelivered,
};

use super::courier::Inbox;
use super::links::Links;
use super::session::Session;
use crate::actor::{Core, DeadLetter, Feed, Watcher, answer_lookup, enter_watch, leave_watch};
use crate::address::ProtocolId;
use crate::error::{AskError, Cause};
use crate::wire::{Head, MANIFEST_BYTES_MAX, Manifest, decode, encode_body, split_number};

/// The receiver of one actor system.
pub(crate) struct Switchboard {
    core: Weak<Core>,
    /// By the link's own id: frames of a link may come after another has taken its place.
    sessions: Mutex<BTreeMap<u64, Arc<Session>>>,
    /// Until when no operator is told of another refusal of a kind.
    told: Mutex<BTreeMap<&'static str, Timestamp>>,
}

/// How long one refusal stands for all others of its kind: strangers must not fill the disk with the log of a node.
const TOLD_FOR: Duration = Duration::from_secs(1);

impl Switchboard {
    pub(crate) fn new(core: Weak<Core>) -> Self {
        Self { core, sessions: Mutex::default(), told: Mutex::default() }
    }

    fn sessions(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Session>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an operator should hear of a refusal. That a peer is not there, or is this node, is no fault of anybody.
    fn is_news(&self, error: &TransportError, now: Timestamp) -> bool {
        if matches!(error, TransportError::Unreachable(_) | TransportError::Myself) {
            return false;
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let until = told.entry(error.kind()).or_default();
        let news = *until <= now;
        if news {
            *until = now.after(TOLD_FOR);
        }
        news
    }

    fn known(&self, link: &Arc<dyn Link>) -> Option<(Arc<Core>, Arc<Session>)> {
        Some((self.core.upgrade()?, self.sessions().get(&link.session())?.clone()))
    }
}

impl Receiver for Switchboard {
    fn connected(&self, link: Arc<dyn Link>) {
        let Some(core) = self.core.upgrade() else { return };
        let id = link.session();
        let session = Arc::new(Session::new(link));
        self.sessions().insert(id, session.clone());
        let peer = session.peer();
        tracing::info!(node = %core.name(), peer = %peer.name, incarnation = peer.incarnation, "link up");
        core.links.up(&session);
        for manifest in core.catalogue.manifests() {
            core.send(session.clone(), Lane::Control, Head::Announce, encode_body(&manifest));
        }
    }

    fn interrupted(&self, link: &Arc<dyn Link>, reason: &CloseReason) {
        let Some((core, session)) = self.known(link) else { return };
        tracing::info!(node = %core.name(), peer = %session.peer().name, ?reason, "link interrupted");
        core.links.carried(&session);
    }

    fn resumed(&self, link: &Arc<dyn Link>) {
        let Some((core, session)) = self.known(link) else { return };
        tracing::info!(node = %core.name(), peer = %session.peer().name, "link resumed");
        core.links.carried(&session);
    }

    fn returned(&self, link: &Arc<dyn Link>, frames: Frames, known: Undelivered, reason: &CloseReason) {
        let Some((core, session)) = self.known(link) else { return };
        // First, so that whoever hears of it does not try the same way again.
        core.links.down(&session, reason);
        let cause = match reason {
            CloseReason::Restarted => Cause::StaleIncarnation,
            CloseReason::Shutdown
            | CloseReason::Replaced
            | CloseReason::Forgotten
            | CloseReason::Idle
            | CloseReason::Lost(_)
            | CloseReason::Violation(_) => Cause::LinkLost,
        };
        let error = match known {
            Undelivered::NeverSent => AskError::not_executed(cause),
            Undelivered::Unacknowledged => AskError::unknown(cause),
        };
        for frame in frames {
            give_back(&core, &session, frame, error);
        }
    }

    fn disconnected(&self, peer: &Peer, session: u64, reason: CloseReason) {
        let gone = self.sessions().remove(&session);
        let (Some(core), Some(gone)) = (self.core.upgrade(), gone) else { return };
        tracing::info!(node = %core.name(), peer = %peer.name, ?reason, "link down");
        core.links.down(&gone, &reason);
        part(&core, &gone);
    }

    fn frames(&self, link: &Arc<dyn Link>, _lane: Lane, frames: Frames) {
        let Some((core, session)) = self.known(link) else { return };
        let mut sorted = Sorted::default();
        for frame in frames {
            take(&core, &session, frame, &mut sorted);
        }
        sorted.deliver(&core, &session);
    }

    fn datagram(&self, link: &Arc<dyn Link>, _payload: Bytes) {
        if let Some((core, session)) = self.known(link) {
            core.hostile(&session, "datagram");
        }
    }

    fn bulk(&self, link: &Arc<dyn Link>, header: Bytes, stream: Box<dyn BulkReceiver>) {
        let Some((core, session)) = self.known(link) else { return };
        let mut rest = header.clone();
        match Head::read(&mut rest) {
            Ok(Head::Protocol(protocol)) => match inbox_of(&core.links, &session, protocol) {
                Some((inbox, carrier)) => inbox.bulk(session.node(), carrier, rest, stream),
                None => core.hostile(&session, "protocol"),
            },
            Ok(head @ (Head::Tell(_) | Head::Ask(..) | Head::Reply { .. } | Head::Returned { .. })) => {
                let whole = collect(core.clone(), session, head, header, stream);
                core.run(0, whole);
            }
            Ok(_) => core.hostile(&session, "bulk"),
            Err(error) => core.hostile(&session, error.fault()),
        }
    }

    fn refused(&self, refusal: Refusal) {
        let Some(core) = self.core.upgrade() else { return };
        if refusal.error == TransportError::Myself {
            core.links.is_myself(&refusal.endpoint);
        }
        let Refusal { endpoint, error, .. } = &refusal;
        if self.is_news(error, core.now()) {
            tracing::warn!(node = %core.name(), endpoint, %error, "refused");
        } else {
            tracing::debug!(node = %core.name(), endpoint, %error, "refused");
        }
    }
}

/// The messages of one batch by target, in the order in which the targets were first met.
#[derive(Default)]
struct Sorted {
    groups: Vec<(u64, Vec<Bytes>)>,
    positions: HashMap<u64, usize>,
    last: usize,
}

impl Sorted {
    fn add(&mut self, target: u64, frame: Bytes) {
        if self.groups.get(self.last).is_none_or(|(known, _)| *known != target) {
            self.last = *self.positions.entry(target).or_insert(self.groups.len());
            if self.last == self.groups.len() {
                self.groups.push((target, Vec::new()));
            }
        }
        self.groups[self.last].1.push(frame);
    }

    fn deliver(self, core: &Core, session: &Arc<Session>) {
        let received = core.now();
        for (target, frames) in self.groups {
            match core.registry.find(target) {
                Ok(feed) => feed_with(core, session, &feed, received, frames),
                Err(cause) => refuse_all(core, session, frames, cause),
            }
        }
    }
}

fn feed_with(core: &Core, session: &Arc<Session>, feed: &Feed, received: Timestamp, mut frames: Vec<Bytes>) {
    if session.peer().role == Role::Client {
        let (allowed, denied) = frames.into_iter().partition(|frame| is_for_clients(feed, frame));
        frames = allowed;
        refuse_all(core, session, denied, Cause::Denied);
    }
    if let Err((refused, cause)) = feed.push_frames(session, received, frames) {
        refuse_all(core, session, refused, cause);
    }
}

fn is_for_clients(feed: &Feed, frame: &[u8]) -> bool {
    let Ok((Head::Tell(call) | Head::Ask(_, call), _)) = Head::peek(frame) else { return false };
    let (interface, _) = split_number(call.message);
    feed.interfaces.iter().any(|offered| offered.number == interface && offered.clients)
}

fn refuse_all(core: &Core, session: &Arc<Session>, frames: Vec<Bytes>, cause: Cause) {
    for mut frame in frames {
        let Ok(head) = Head::read(&mut frame) else { unreachable!("its header has been read before") };
        core.refuse(session, &head, &frame, AskError::not_executed(cause));
    }
}

/// A frame of this node's that did not get through: its message comes back to whoever sent it.
fn give_back(core: &Core, session: &Session, mut frame: Bytes, error: AskError) {
    match Head::read(&mut frame) {
        Ok(Head::Tell(call)) => returned(core, session, call.message, call.target, error, frame),
        Ok(Head::Ask(correlation, _)) => {
            session.pending.answer(correlation, Err(error));
        }
        // An answer, or a message on its way back: its sender hears from its own end of the link. Other requests end with the link.
        Ok(_) => {}
        // What could not be encoded, of which its sender knows.
        Err(_) => debug_assert!(frame.is_empty(), "a frame of this node's own"),
    }
}

fn returned(core: &Core, session: &Session, message: u32, target: u64, error: AskError, body: Bytes) {
    let message = session.message_id(message).unwrap_or_default();
    let node = session.peer().name.clone();
    core.dead_letter(DeadLetter { node, actor: target, message, error, body: Some(body) });
}

/// Deals with one frame; messages to actors wait in `sorted`.
fn take(core: &Core, session: &Arc<Session>, mut frame: Bytes, sorted: &mut Sorted) {
    // What its sender could not encode.
    if frame.is_empty() {
        return;
    }
    let (head, size) = match Head::peek(&frame) {
        Ok(read) => read,
        Err(error) => return core.hostile(session, error.fault()),
    };
    if let Head::Tell(call) | Head::Ask(_, call) = &head {
        return sorted.add(call.target, frame);
    }
    let body = frame.split_off(size);
    let understood = match head {
        Head::Tell(_) | Head::Ask(..) => true,
        Head::Reply { correlation, .. } => {
            // Nobody waits for an answer that comes too late.
            session.pending.answer(correlation, Ok(body));
            true
        }
        Head::Failure { correlation, error } => {
            session.pending.answer(correlation, Err(error));
            true
        }
        Head::Returned { message, target, error } => {
            returned(core, session, message, target, error, body);
            true
        }
        Head::Lookup(correlation) => match answer_lookup(core, session.peer().role, &body) {
            Some(answer) => reply(core, session, correlation, answer),
            None => false,
        },
        Head::Describe(correlation) => match decode::<String>(&body, MANIFEST_BYTES_MAX) {
            Ok(name) => reply(core, session, correlation, encode_body(&core.catalogue.manifest(&name))),
            Err(_) => false,
        },
        Head::Watch(correlation) => enter_watch(core, session, correlation, &body),
        Head::Unwatch(correlation) => leave_watch(core, session, correlation, &body),
        Head::Announce => {
            decode::<Manifest>(&body, MANIFEST_BYTES_MAX).is_ok_and(|manifest| session.learn(manifest))
        }
        Head::Protocol(protocol) => match inbox_of(&core.links, session, protocol) {
            Some((inbox, carrier)) => {
                inbox.frame(session.node(), carrier, body);
                true
            }
            None => false,
        },
    };
    if !understood {
        core.hostile(session, "body");
    }
}

fn reply(core: &Core, session: &Arc<Session>, correlation: u64, body: Bytes) -> bool {
    core.send(session.clone(), Lane::Control, Head::Reply { correlation, stream: false }, body);
    true
}

/// Reads a large message to its end and deals with it as with a frame.
async fn collect(
    core: Arc<Core>,
    session: Arc<Session>,
    head: Head,
    header: Bytes,
    mut stream: Box<dyn BulkReceiver>,
) {
    let limits = core.settings.limits;
    let mut whole = BytesMut::from(&header[..]);
    let mut held = session.hold();
    while let Ok(chunk) = stream.read().await {
        let Some(chunk) = chunk else {
            let mut sorted = Sorted::default();
            take(&core, &session, whole.freeze(), &mut sorted);
            return sorted.deliver(&core, &session);
        };
        if whole.len() + chunk.len() > limits.message_bytes_max + header.len() {
            return core.refuse(&session, &head, &Bytes::new(), AskError::not_executed(Cause::TooLarge));
        }
        if !held.more(chunk.len(), limits.bulk_bytes_max) {
            return core.refuse(&session, &head, &Bytes::new(), AskError::not_executed(Cause::LinkFull));
        }
        whole.extend_from_slice(&chunk);
    }
    // A stream that broke was not received, and its sender knows.
}

/// A link is gone: what waited on it fails, and nobody watches over it any longer.
fn part(core: &Core, gone: &Arc<Session>) {
    gone.pending.close();
    core.registry
        .unwatch(|watcher| matches!(watcher, Watcher::Remote(session, _) if Arc::ptr_eq(session, gone)));
}

/// Who hears the frames of a protocol, and over which connection they come.
fn inbox_of(links: &Links, session: &Session, protocol: u64) -> Option<(Arc<dyn Inbox>, SessionId)> {
    // A client is no member: its frames never reach a protocol.
    if session.peer().role == Role::Client {
        return None;
    }
    Some((links.inbox(ProtocolId(protocol))?, session.carrier()?))
}
