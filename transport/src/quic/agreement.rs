//! What a connection carries: the session that was there before, or one that it begins.
//!
//! Each end says first which session it holds and what it has received of it. If both hold the same one, it goes on; if not, one of
//! them has given its session up, and both begin another.

use std::sync::Arc;

use quinn::{RecvStream, SendStream};
use tokio::time::timeout;

use super::hub::Hub;
use super::link::QuicLink;
use crate::contract::CloseReason;
use crate::lane::REPLAYED;
use crate::metrics::add;
use crate::session::{Birth, RESUME_BYTES, Resume, Session, SessionName};

/// A session and what the peer has been told of it.
pub(crate) struct Agreed {
    pub(crate) session: Arc<Session>,
    pub(crate) told: [u64; REPLAYED],
}

/// Settles what the connection carries and tells the receiver; `None` when it carries nothing.
pub(crate) async fn agree(
    hub: &Arc<Hub>,
    link: &Arc<QuicLink>,
    send: &mut SendStream,
    recv: &mut RecvStream,
) -> Option<Agreed> {
    let begun = SessionName(link.birth.id.0, link.birth.id.1);
    let held = hold(hub, link);
    let own = match &held {
        Some(session) => Resume { session: session.name(), received: session.receipts.tell() },
        None => Resume { session: begun, received: [0; REPLAYED] },
    };
    let theirs = timeout(hub.config.connect_timeout, exchange(&own, send, recv)).await.ok()??;
    if link.is_over() {
        return None;
    }
    let agreed = match held {
        Some(session) if theirs.session == own.session => {
            go_on(hub, link, &session, theirs.received)?;
            Agreed { session, told: own.received }
        }
        held => {
            if let Some(session) = held {
                // Not the connection that is being settled: that one goes on with another session.
                session.interrupt(link.birth.number, &given_up());
                hub.finish(&session, given_up());
            }
            // A peer that holds none either says what it has received of nothing, which is checked.
            let received = if theirs.session == begun { theirs.received } else { [0; REPLAYED] };
            Agreed { session: begin(hub, link, begun, received)?, told: [0; REPLAYED] }
        }
    };
    Some(agreed)
}

fn given_up() -> CloseReason {
    CloseReason::Lost("the peer gave the session up".to_owned())
}

/// The session with this very incarnation, kept from lapsing; one with another incarnation has ended.
fn hold(hub: &Arc<Hub>, link: &QuicLink) -> Option<Arc<Session>> {
    let peer = &link.birth.peer;
    let found = hub.sessions.find(&peer.name)?;
    let same = found.is_with(peer);
    if same && found.begin(link.birth.number) {
        return Some(found);
    }
    hub.finish(&found, if same { given_up() } else { CloseReason::Restarted });
    None
}

async fn exchange(own: &Resume, send: &mut SendStream, recv: &mut RecvStream) -> Option<Resume> {
    send.write_all(&own.encode()).await.ok()?;
    let mut bytes = [0; RESUME_BYTES];
    recv.read_exact(&mut bytes).await.ok()?;
    Some(Resume::decode(&bytes))
}

fn go_on(
    hub: &Arc<Hub>,
    link: &Arc<QuicLink>,
    session: &Arc<Session>,
    received: [u64; REPLAYED],
) -> Option<()> {
    match session.attach(link.clone(), received) {
        Ok(again) => {
            add(&hub.counters.connections, 1);
            add(&hub.counters.frames_replayed, usize::try_from(again?).unwrap_or(usize::MAX));
            hub.receiver.resumed(&session.handle());
            Some(())
        }
        Err(impossible) => {
            add(&hub.counters.violations, 1);
            hub.finish(session, CloseReason::Violation(impossible.to_string()));
            None
        }
    }
}

fn begin(
    hub: &Arc<Hub>,
    link: &Arc<QuicLink>,
    name: SessionName,
    received: [u64; REPLAYED],
) -> Option<Arc<Session>> {
    let (peer, id) = (link.birth.peer.clone(), link.birth.number);
    let closing = Arc::new(tokio::sync::Notify::new());
    let closed = closing.clone();
    let birth = Birth { peer, id, name, frame_max: link.birth.frame_max };
    let session = Arc::new(Session::new(birth, &hub.config, move || closed.notify_one()));
    session.begin(id);
    match session.attach(link.clone(), received) {
        Ok(_) => {}
        Err(impossible) => {
            add(&hub.counters.violations, 1);
            hub.end(link, CloseReason::Violation(impossible.to_string()));
            return None;
        }
    }
    hub.sessions.enter(&session);
    add(&hub.counters.connections, 1);
    add(&hub.counters.links_opened, 1);
    hub.receiver.connected(session.handle());
    hub.tasks.spawn(guard(hub.clone(), session.clone(), closing));
    Some(session)
}

/// Ends the session when this end closes it, or when its peer stays away for too long.
async fn guard(hub: Arc<Hub>, session: Arc<Session>, closing: Arc<tokio::sync::Notify>) {
    let reason = tokio::select! {
        biased;
        () = closing.notified() => session.closed_by_us(),
        reason = session.lapsed(hub.config.reconnect_window) => Some(reason),
        () = session.until_over() => None,
    };
    if let Some(reason) = reason {
        hub.finish(&session, reason);
    }
}
