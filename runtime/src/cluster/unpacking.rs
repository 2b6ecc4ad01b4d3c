//! Large messages as they come, each on a stream of its own, into the places that they have in their lanes.
//!
//! Frames for a target wait for the large message that was sent before them; how much may wait is bounded.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use synod_transport::{BulkReceiver, CloseReason, Lane};
use tokio::time::timeout;

use super::answer::Body;
use super::arrivals::{Opened, Taken};
use super::delivery::{Sorted, refuse_all};
use super::parcels::Settled;
use super::session::Session;
use crate::actor::{Core, DeadLetter};
use crate::error::{AskError, Cause};
use crate::wire::Head;

/// A message for an actor: into its batch, or behind the large one that was sent before it.
pub(super) fn sort(core: &Core, session: &Arc<Session>, target: u64, frame: Bytes, sorted: &mut Sorted) {
    if !session.arrivals.is_holding() {
        return sorted.add(target, frame);
    }
    match session.arrivals.open().hold(target, frame, core.settings.limits.feed_bytes_max) {
        Ok(Some(frame)) => sorted.add(target, frame),
        Ok(None) => {}
        Err(frame) => refuse_all(core, session, target, vec![frame], Cause::MailboxFull),
    }
}

/// A large message has its place here in its lane; `false` when it is none.
pub(super) fn place(
    core: &Core,
    session: &Arc<Session>,
    parcel: (u64, u64),
    inner: &[u8],
    sorted: &mut Sorted,
) -> bool {
    let (number, size) = parcel;
    let Some((head, target)) = inner_head(inner) else { return false };
    if is_beyond(session, number) {
        return false;
    }
    // What came before it in the lane goes first.
    std::mem::take(sorted).deliver(core, session);
    if size > core.settings.limits.message_bytes_max as u64 {
        refuse(core, session, number, &head, Cause::TooLarge);
        return true;
    }
    let mut open = session.arrivals.open();
    if let Some(ready) = open.place(number, target) {
        deliver(core, session, ready, &open);
        settle(core, session, number, Ok(()));
    }
    true
}

/// Closes the link if its peer numbers its large messages as no honest one does.
fn is_beyond(session: &Session, number: u64) -> bool {
    let beyond = session.arrivals.open().is_beyond(number);
    if beyond {
        let rule = "its large messages are out of order";
        session.link().close(CloseReason::Violation(rule.to_owned()));
    }
    beyond
}

/// A large message is not taken, whatever it is; `false` when it is none.
pub(super) fn turn_away(
    core: &Core,
    session: &Arc<Session>,
    number: u64,
    inner: &[u8],
    cause: Cause,
) -> bool {
    let Some((head, _)) = inner_head(inner) else { return false };
    if is_beyond(session, number) {
        return false;
    }
    refuse(core, session, number, &head, cause);
    true
}

/// The header of a message that may be large, and whose order it is in.
pub(super) fn inner_head(inner: &[u8]) -> Option<(Head, Option<u64>)> {
    let (head, size) = Head::peek(inner).ok()?;
    let target = match &head {
        Head::Tell(call) | Head::Ask(_, call) => Some(call.target),
        Head::Reply { .. } | Head::Returned { .. } => None,
        _ => return None,
    };
    (size == inner.len()).then_some((head, target))
}

/// Reads a large message to its end, and puts it in its place.
pub(super) async fn collect(
    core: Arc<Core>,
    session: Arc<Session>,
    number: u64,
    inner: Bytes,
    mut stream: Box<dyn BulkReceiver>,
) {
    let Some((head, _)) = inner_head(&inner) else { return core.hostile(&session, "bulk") };
    if is_beyond(&session, number) {
        return core.hostile(&session, "bulk");
    }
    if session.arrivals.open().is_done(number) {
        return;
    }
    let limits = core.settings.limits;
    let mut whole = BytesMut::from(&inner[..]);
    let mut held = session.shares.bulk.hold();
    loop {
        let Ok(read) = timeout(limits.bulk_patience, stream.read()).await else {
            core.limit_reached("bulk");
            return refuse(&core, &session, number, &head, Cause::Timeout);
        };
        // A stream that broke comes again over the next connection.
        let Ok(chunk) = read else { return };
        let Some(chunk) = chunk else { return complete(&core, &session, number, &head, whole.freeze()) };
        if whole.len() + chunk.len() > limits.message_bytes_max + inner.len() {
            return refuse(&core, &session, number, &head, Cause::TooLarge);
        }
        if !held.more(chunk.len(), limits.bulk_bytes_max) {
            return refuse(&core, &session, number, &head, Cause::LinkFull);
        }
        whole.extend_from_slice(&chunk);
    }
}

fn complete(core: &Core, session: &Arc<Session>, number: u64, head: &Head, whole: Bytes) {
    let mut open = session.arrivals.open();
    match open.whole(number, whole, core.settings.limits.bulk_bytes_max) {
        Taken::Deliver(ready) => {
            deliver(core, session, ready, &open);
            settle(core, session, number, Ok(()));
        }
        Taken::Early | Taken::Again => {}
        Taken::TooMany => {
            drop(open);
            refuse(core, session, number, head, Cause::LinkFull);
        }
    }
}

fn refuse(core: &Core, session: &Arc<Session>, number: u64, head: &Head, cause: Cause) {
    let mut open = session.arrivals.open();
    let Some(ready) = open.without(number) else { return };
    deliver(core, session, ready, &open);
    drop(open);
    core.count_refusal(cause);
    if let Head::Reply { correlation, .. } = head {
        // The request was executed, and its answer is not taken.
        session.pending.answer(*correlation, Err(AskError::unknown(cause)));
    }
    if let Head::Returned { message, target, error } = head {
        // What comes back is not taken, and comes back no more; its sender hears of it all the same.
        dead_letter(core, session, *message, *target, *error, None);
    }
    settle(core, session, number, Err(AskError::not_executed(cause)));
}

/// Nothing more comes over a link that has ended: what was held back does not wait any longer, and nobody keeps account of it.
pub(super) fn let_go(core: &Core, session: &Arc<Session>) {
    let mut open = session.arrivals.open();
    let held = open.end();
    deliver(core, session, held, &open);
    for actor in session.owing.take() {
        if core.registry.find(actor).is_ok_and(|feed| feed.part(session)) {
            core.counters.accounts.dec();
        }
    }
}

/// Hands frames over in their order; nothing else is taken out of the table meanwhile.
fn deliver(core: &Core, session: &Arc<Session>, frames: Vec<Bytes>, _open: &Opened<'_>) {
    let mut sorted = Sorted::default();
    for mut frame in frames {
        match Head::peek(&frame) {
            Ok((Head::Tell(call) | Head::Ask(_, call), _)) => sorted.add(call.target, frame),
            Ok((head, size)) => answered(core, session, head, frame.split_off(size)),
            Err(_) => unreachable!("its header has been read before"),
        }
    }
    sorted.deliver(core, session);
}

/// An answer, or a message that came back.
pub(super) fn answered(core: &Core, session: &Session, head: Head, body: Bytes) {
    match head {
        Head::Reply { correlation, .. } => {
            // Nobody waits for an answer that comes too late.
            session.pending.answer(correlation, Ok(Body::of(body)));
        }
        Head::Returned { message, target, error } => {
            dead_letter(core, session, message, target, error, Some(body));
        }
        _ => unreachable!("neither an answer nor a message that came back"),
    }
}

/// A tell of this node's has come back.
pub(super) fn dead_letter(
    core: &Core,
    session: &Session,
    message: u32,
    target: u64,
    error: AskError,
    body: Option<Bytes>,
) {
    let message = session.message_id(message).unwrap_or_default();
    let node = session.peer().name.clone();
    core.dead_letter(DeadLetter { node, actor: target, message, error, body });
}

fn settle(core: &Core, session: &Arc<Session>, number: u64, settled: Settled) {
    let head = Head::Settled { number, refused: settled.err() };
    core.send(session.clone(), Lane::Control, head, Bytes::new());
}
