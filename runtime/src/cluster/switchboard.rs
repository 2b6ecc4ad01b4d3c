//! Hears everything that arrives and puts it where it belongs, on the transport's own thread: it reads headers, never bodies of
//! messages, and makes one push per target and batch.
//!
//! What it cannot read is counted and passed over; nothing a peer sends makes it panic.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use synod_protocols::{SessionId, Timestamp};
use synod_transport::{
    BulkReceiver, CloseReason, Frames, Lane, Link, Peer, Receiver, Refusal, Role, TransportError, Undelivered,
};

use super::courier::Inbox;
use super::delivery::{Sorted, refuse_all};
use super::links::Links;
use super::session::Session;
use super::unpacking::{answered, collect, dead_letter, let_go, place, sort, turn_away};
use crate::actor::{Core, Reason, Terminated, Watcher, answer_lookup, enter_watch, leave_watch};
use crate::address::ProtocolId;
use crate::error::{AskError, Cause, Outcome};
use crate::wire::{Head, MANIFEST_BYTES_MAX, Manifest, decode, encode_body};

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
        core.counters.quarantined.set(core.links.quarantined().len() as i64);
        for manifest in core.catalogue.manifests() {
            core.send(session.clone(), Lane::Control, Head::Announce, encode_body(&manifest));
        }
        if peer.role == Role::Member {
            for protocol in core.links.spoken() {
                let manifest = Manifest::of_protocol(protocol.name, protocol.shape);
                core.send(session.clone(), Lane::Control, Head::Announce, encode_body(&manifest));
            }
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
        let mut rest = header;
        match Head::read(&mut rest) {
            Ok(Head::Protocol(protocol)) => match inbox_of(&core.links, &session, protocol) {
                Some((inbox, carrier)) => inbox.bulk(session.node(), carrier, rest, stream),
                None => core.hostile(&session, "protocol"),
            },
            Ok(Head::Parcel { number, .. }) => {
                core.run(0, collect(core.clone(), session, number, rest, stream))
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

/// A frame of this node's that did not get through: its message comes back to whoever sent it.
fn give_back(core: &Core, session: &Session, mut frame: Bytes, error: AskError) {
    match Head::read(&mut frame) {
        Ok(Head::Tell(call)) => dead_letter(core, session, call.message, call.target, error, Some(frame)),
        Ok(Head::Ask(correlation, _)) => {
            session.pending.answer(correlation, Err(error));
        }
        // One that was written may have its place there.
        Ok(Head::Parcel { number, .. }) if error.outcome == Outcome::NotExecuted => {
            session.parcels.settle(number, Err(error));
        }
        // An answer, or a message on its way back: its sender hears from its own end of the link. Other requests end with the link.
        Ok(_) => {}
        // What could not be encoded, of which its sender knows.
        Err(_) => debug_assert!(frame.is_empty(), "a frame of this node's own"),
    }
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
    let shut = core.links.is_quarantined(session.peer());
    if let Head::Tell(call) | Head::Ask(_, call) = &head {
        if shut {
            return refuse_all(core, session, call.target, vec![frame], Cause::Quarantined);
        }
        return sort(core, session, call.target, frame, sorted);
    }
    let body = frame.split_off(size);
    let understood = match head {
        Head::Tell(_) | Head::Ask(..) => true,
        Head::Reply { .. } | Head::Returned { .. } => {
            answered(core, session, head, body);
            true
        }
        Head::Parcel { number, .. } if shut => turn_away(core, session, number, &body, Cause::Quarantined),
        Head::Parcel { number, size } => place(core, session, (number, size), &body, sorted),
        Head::Settled { number, refused } => {
            session.parcels.settle(number, refused.map_or(Ok(()), Err));
            true
        }
        Head::Cancel { correlation, target } => {
            // The request itself may have come with the same read.
            std::mem::take(sorted).deliver(core, session);
            cancel(core, session, correlation, target)
        }
        Head::Credit { target, spent, grant } => session.flows.hear(target, spent, grant),
        Head::Failure { correlation, error } => {
            session.pending.answer(correlation, Err(error));
            true
        }
        Head::Lookup(correlation) => match answer_lookup(core, session.peer(), &body) {
            Some(answer) => reply(core, session, correlation, answer),
            None => false,
        },
        Head::Describe(correlation) => match decode::<String>(&body, MANIFEST_BYTES_MAX) {
            Ok(name) => reply(core, session, correlation, encode_body(&core.catalogue.manifest(&name))),
            Err(_) => false,
        },
        // As this node is to those peers, so it is to their watchers.
        Head::Watch(correlation) if shut => be_down(core, session, correlation),
        Head::Watch(correlation) => enter_watch(core, session, correlation, &body),
        Head::Unwatch(correlation) => leave_watch(core, session, correlation, &body),
        Head::Announce => {
            decode::<Manifest>(&body, MANIFEST_BYTES_MAX).is_ok_and(|manifest| learn(core, session, manifest))
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

fn be_down(core: &Core, session: &Arc<Session>, correlation: u64) -> bool {
    let down = Terminated { reason: Reason::NodeDown, incarnation: core.incarnation() };
    core.tell(Watcher::Remote(session.clone(), correlation), down);
    true
}

fn cancel(core: &Core, session: &Arc<Session>, correlation: u64, target: u64) -> bool {
    if core.registry.find(target).is_ok_and(|feed| feed.holds(session)) {
        session.cancelled.enter(correlation);
    }
    true
}

fn reply(core: &Core, session: &Arc<Session>, correlation: u64, body: Bytes) -> bool {
    core.send(session.clone(), Lane::Control, Head::Reply { correlation, stream: false }, body);
    true
}

/// Keeps what a peer says of an interface; `false` when it has said too much.
fn learn(core: &Core, session: &Session, manifest: Manifest) -> bool {
    let learned = session.learn(manifest);
    if !learned {
        core.limit_reached("interfaces");
    }
    learned
}

/// A link is gone: what waited on it fails, and nobody watches over it any longer.
fn part(core: &Core, gone: &Arc<Session>) {
    gone.flows.close();
    gone.parcels.close();
    gone.pending.close();
    let_go(core, gone);
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
