//! The connections of one station at work: what they carry, and what becomes of it when they break.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use super::conveyance::End;
use super::event::{Event, Told};
use super::link::{MemoryBulkReceiver, MemoryLink, RETRY};
use super::network::Routed;
use super::pipe::Pipe;
use super::station::Station;
use crate::batch::Taken;
use crate::contract::{CloseReason, Frames, Link};
use crate::lane::{Lane, REPLAYED};
use crate::metrics::add;
use crate::peer::{Peer, PeerName};
use crate::session::{ACK_DELAY, Birth, Carrier, Due, RESUME_BYTES, Resume, Session, SessionName, is_final};

impl Station {
    pub(super) fn opened(&mut self, peer: Peer, number: u64, frame_max: usize) {
        let before = self.ends.iter().find(|(_, end)| end.link.peer().name == peer.name);
        if let Some(before) = before.map(|(number, _)| *number) {
            self.end(before, CloseReason::Replaced, Told::Nobody);
        }
        let (place, config) = (self.shared.place.clone(), &self.shared.config);
        let now = Instant::now();
        place.inbox.post(now + config.keep_alive, Event::KeepAlive(number));
        place.inbox.post(now + config.idle_timeout, Event::IdleCheck(number));
        let held = self.hold(&peer, number);
        let mut end = End::new(MemoryLink::new(peer, number, &self.shared.config, place), frame_max);
        end.own = Some(match &held {
            Some(session) => Resume { session: session.name(), received: session.receipts.tell() },
            None => Resume { session: begun_by(number), received: [0; REPLAYED] },
        });
        end.held = held;
        self.ends.insert(number, end);
        self.propose(number);
    }

    /// The session with this very incarnation, kept from lapsing; one with another incarnation has ended.
    fn hold(&mut self, peer: &Peer, number: u64) -> Option<Arc<Session>> {
        let found = self.shared.sessions.find(&peer.name)?;
        let same = found.is_with(peer);
        if same && found.begin(number) {
            return Some(found);
        }
        let reason = if same { given_up() } else { CloseReason::Restarted };
        self.finish(&found, &reason, Told::Nobody);
        None
    }

    /// Says over a connection which session this end holds.
    pub(super) fn propose(&mut self, number: u64) {
        let Some(end) = self.ends.get_mut(&number) else { return };
        let (Some(own), None) = (end.own, end.said) else { return };
        let place = &self.shared.place;
        match place.hub.route(number, place.station, RESUME_BYTES) {
            Routed::Deliver(at, inbox) => {
                end.said = Some(at);
                inbox.post(at, Event::Resume(number, own));
                self.flush_all(number);
            }
            Routed::Held => place.inbox.post(Instant::now() + RETRY, Event::Propose(number)),
            Routed::Broken => {}
        }
    }

    /// The other end has said which session it holds: if it is the same one it goes on, if not both begin another.
    pub(super) fn resume(&mut self, number: u64, theirs: Resume) {
        let Some(end) = self.heard(number) else { return };
        let Some(own) = end.own.filter(|_| end.session.is_none()) else { return };
        let (link, frame_max) = (end.link.clone(), end.frame_max);
        let session = match end.held.take() {
            Some(session) if theirs.session == own.session => {
                match session.attach(link, theirs.received) {
                    Ok(Some(again)) => {
                        let again = usize::try_from(again).unwrap_or(usize::MAX);
                        add(&self.shared.place.counters.frames_replayed, again);
                    }
                    Ok(None) => return,
                    Err(impossible) => return self.violated(&session, impossible.to_string()),
                }
                self.carries(number, &session);
                self.receiver.resumed(&session.handle());
                session
            }
            held => {
                if let Some(session) = held {
                    session.interrupt(number, &given_up());
                    self.finish(&session, &given_up(), Told::Nobody);
                }
                let session = self.begin(&link, frame_max);
                let received =
                    if theirs.session == begun_by(number) { theirs.received } else { [0; REPLAYED] };
                if let Err(impossible) = session.attach(link, received) {
                    return self.end(number, CloseReason::Violation(impossible.to_string()), Told::Peer);
                }
                add(&self.shared.place.counters.links_opened, 1);
                self.shared.sessions.enter(&session);
                self.carries(number, &session);
                self.receiver.connected(session.handle());
                session
            }
        };
        add(&self.shared.place.counters.connections, 1);
        debug_assert_eq!(session.connection_in_use(), Some(number));
        self.flush_all(number);
    }

    /// The connection carries the session from here on.
    fn carries(&mut self, number: u64, session: &Arc<Session>) {
        if let Some(end) = self.ends.get_mut(&number) {
            end.session = Some(session.clone());
        }
    }

    fn begin(&self, link: &MemoryLink, frame_max: usize) -> Arc<Session> {
        let (peer, id) = (link.peer().clone(), link.number());
        let (inbox, name) = (self.shared.place.inbox.clone(), peer.name.clone());
        let birth = Birth { peer, id, name: begun_by(id), frame_max };
        let closer = move || inbox.post_now(Event::Close(name.clone(), id));
        let session = Arc::new(Session::new(birth, &self.shared.config, closer));
        session.begin(id);
        session
    }

    fn flush_all(&mut self, number: u64) {
        for lane in Lane::all() {
            self.shared.place.inbox.post_now(Event::Flush(number, lane));
        }
    }

    pub(super) fn flush(&mut self, number: u64, lane: Lane) {
        let Some(end) = self.ends.get_mut(&number) else { return };
        let (Some(session), Some(said)) = (&end.session, end.said) else { return };
        let place = &self.shared.place;
        let way = &mut end.lanes[usize::from(lane.number())];
        let batch = session.batch(lane);
        let (bytes, count) = match way.held.take() {
            Some(held) => held,
            // Like a congestion window: what is taken and has not arrived is bounded by the lane's limit.
            None if batch.leaving() >= self.shared.config.lane_bytes_max => return,
            None => match batch.take(number) {
                Taken::Frames(bytes, count) => {
                    add(&place.counters.frames_out, count);
                    (bytes, count)
                }
                Taken::Nothing | Taken::End => return,
            },
        };
        match place.hub.route(number, place.station, bytes.len()) {
            Routed::Deliver(at, inbox) => {
                end.link.measured(at.saturating_duration_since(Instant::now()));
                let at = at.max(way.last.unwrap_or(said)).max(said);
                way.last = Some(at);
                add(&place.counters.batches_out, 1);
                add(&place.counters.bytes_out, bytes.len());
                inbox.post(at, Event::Arrive(number, lane, bytes, count));
                // What was appended while this batch was held.
                place.inbox.post_now(Event::Flush(number, lane));
            }
            Routed::Held => {
                way.held = Some((bytes, count));
                place.inbox.post(Instant::now() + RETRY, Event::Flush(number, lane));
            }
            Routed::Broken => {}
        }
    }

    pub(super) fn arrive(&mut self, number: u64, lane: Lane, bytes: Bytes, count: usize) {
        let Some(session) = self.heard(number).and_then(|end| end.session.clone()) else { return };
        let size = bytes.len();
        add(&self.shared.place.counters.batches_in, 1);
        add(&self.shared.place.counters.bytes_in, size);
        self.receiver.frames(&session.handle(), lane, Frames::new(bytes));
        let place = &self.shared.place;
        place.hub.acknowledge(number, place.station, Event::Written(number, lane, size));
        match session.receipts.received(lane, count, size) {
            Due::Settled => {}
            Due::Soon => place.inbox.post(Instant::now() + ACK_DELAY, Event::Acknowledge(number)),
            Due::Now => self.acknowledge(number),
        }
    }

    pub(super) fn written(&mut self, number: u64, lane: Lane, bytes: usize) {
        // Not a sign of life: it came beside all conditions.
        if let Some(session) = self.ends.get(&number).and_then(|end| end.session.as_ref()) {
            session.batch(lane).written(number, bytes);
            self.flush(number, lane);
        }
    }

    /// Says what has been received, as soon as the network lets it through.
    pub(super) fn acknowledge(&mut self, number: u64) {
        let Some(end) = self.ends.get(&number) else { return };
        let (Some(session), Some(said)) = (&end.session, end.said) else { return };
        if !session.receipts.is_due() {
            return;
        }
        let place = &self.shared.place;
        match place.hub.route(number, place.station, 8 * REPLAYED) {
            Routed::Deliver(at, inbox) => {
                add(&place.counters.acks_out, 1);
                inbox.post(at.max(said), Event::Acknowledged(number, session.receipts.tell()));
            }
            Routed::Held => place.inbox.post(Instant::now() + RETRY, Event::Acknowledge(number)),
            Routed::Broken => {}
        }
    }

    pub(super) fn acknowledged(&mut self, number: u64, received: [u64; REPLAYED]) {
        let Some(session) = self.heard(number).and_then(|end| end.session.clone()) else { return };
        for (lane, received) in Lane::all().zip(received) {
            let batch = session.batch(lane);
            if let Err(impossible) = batch.acknowledge(received) {
                return self.violated(&session, impossible.to_string());
            }
            if batch.queued() > batch.leaving() {
                self.shared.place.inbox.post_now(Event::Flush(number, lane));
            }
        }
    }

    pub(super) fn datagram(&mut self, number: u64, payload: Bytes) {
        if let Some(session) = self.heard(number).and_then(|end| end.session.clone()) {
            add(&self.shared.place.counters.datagrams_in, 1);
            self.receiver.datagram(&session.handle(), payload);
        }
    }

    pub(super) fn bulk(&mut self, number: u64, header: Bytes, pipe: Arc<Pipe>) {
        let Some(end) = self.heard(number) else { return pipe.fail("the connection is gone") };
        let Some(session) = end.session.clone() else {
            // It came before the word about the session.
            return self.shared.place.inbox.post(Instant::now() + RETRY, Event::Bulk(number, header, pipe));
        };
        end.link.adopt(&pipe);
        add(&self.shared.place.counters.bulk_in, 1);
        self.receiver.bulk(&session.handle(), header, Box::new(MemoryBulkReceiver { pipe }));
    }

    pub(super) fn keep_alive(&mut self, number: u64) {
        let Some(end) = self.ends.get(&number) else { return };
        let place = &self.shared.place;
        let now = Instant::now();
        if let Routed::Deliver(at, inbox) = place.hub.route(number, place.station, 0) {
            end.link.measured(at.saturating_duration_since(now));
            inbox.post(at, Event::Heard(number));
        }
        place.inbox.post(now + self.shared.config.keep_alive, Event::KeepAlive(number));
    }

    pub(super) fn idle_check(&mut self, number: u64) {
        let Some(end) = self.ends.get(&number) else { return };
        let dead_at = end.heard + self.shared.config.idle_timeout;
        if dead_at <= Instant::now() {
            self.end(number, CloseReason::Idle, Told::Nobody);
        } else {
            self.shared.place.inbox.post(dead_at, Event::IdleCheck(number));
        }
    }

    /// Ends a connection. What it carried waits for another one, or ends with it.
    pub(super) fn end(&mut self, number: u64, reason: CloseReason, told: Told) {
        let Some(peer) = self.sever(number, &reason, told) else { return };
        let session = self.shared.sessions.find(&peer.name);
        let Some(session) = session.filter(|session| session.connection_in_use() == Some(number)) else {
            return;
        };
        let carried = session.interrupt(number, &reason);
        if is_final(&reason) {
            return self.finish(&session, &reason, Told::Nobody);
        }
        if let Some((since, _)) = session.interrupted() {
            let at = Instant::now().max(since + self.shared.config.reconnect_window);
            self.shared.place.inbox.post(at, Event::Lapse(peer.name, session.id()));
        }
        if carried {
            self.receiver.interrupted(&session.handle(), &reason);
        }
    }

    /// Ends a session: once, after everything else that the receiver hears of it.
    pub(super) fn finish(&mut self, session: &Arc<Session>, reason: &CloseReason, told: Told) {
        let connection = session.connection_in_use();
        if !session.finish() {
            return;
        }
        if let Some(number) = connection {
            self.sever(number, reason, told);
        }
        self.shared.sessions.remove(session);
        let counters = &self.shared.place.counters;
        add(&counters.links_closed, 1);
        session.give_back(&*self.receiver, counters, reason);
        self.receiver.disconnected(session.peer(), session.id(), reason.clone());
    }

    /// The user has closed a session.
    pub(super) fn close(&mut self, peer: &PeerName, id: u64) {
        let session = self.shared.sessions.find(peer).filter(|session| session.id() == id);
        if let Some((session, reason)) =
            session.and_then(|found| found.closed_by_us().map(|why| (found, why)))
        {
            self.finish(&session, &reason, Told::Peer);
        }
    }

    /// The user wants no link to a peer any longer.
    pub(super) fn forgotten(&mut self, peer: &PeerName) {
        if let Some(session) = self.shared.sessions.find(peer) {
            self.finish(&session, &CloseReason::Forgotten, Told::Peer);
        }
        let number =
            self.ends.iter().find(|(_, end)| end.link.peer().name == *peer).map(|(number, _)| *number);
        if let Some(number) = number {
            self.end(number, CloseReason::Forgotten, Told::Peer);
        }
    }

    /// Ends a session that nothing has carried for the reconnect window.
    pub(super) fn lapse(&mut self, peer: &PeerName, id: u64) {
        let session = self.shared.sessions.find(peer).filter(|session| session.id() == id);
        let Some((session, (since, reason))) =
            session.and_then(|found| found.interrupted().map(|state| (found, state)))
        else {
            return;
        };
        if since + self.shared.config.reconnect_window <= Instant::now() {
            self.finish(&session, &reason, Told::Nobody);
        }
    }

    fn violated(&mut self, session: &Arc<Session>, rule: String) {
        add(&self.shared.place.counters.violations, 1);
        self.finish(session, &CloseReason::Violation(rule), Told::Peer);
    }

    /// Takes a connection down; gives whom it led to, the first time.
    fn sever(&mut self, number: u64, reason: &CloseReason, told: Told) -> Option<Peer> {
        let end = self.ends.remove(&number)?;
        let peer = end.link.peer().clone();
        let place = &self.shared.place;
        if told == Told::Peer
            && let Routed::Deliver(at, inbox) = place.hub.route(number, place.station, 0)
        {
            inbox.post(at, Event::End(number, reason.clone(), Told::Nobody));
        }
        place.hub.end(number, place.station, &peer.name);
        end.link.cut("the connection is gone");
        self.dial_again(&peer.name);
        Some(peer)
    }

    /// The end of a connection that just gave a sign of life.
    pub(super) fn heard(&mut self, number: u64) -> Option<&mut End> {
        let end = self.ends.get_mut(&number)?;
        end.heard = Instant::now();
        Some(end)
    }
}

fn begun_by(connection: u64) -> SessionName {
    SessionName(0, connection)
}

fn given_up() -> CloseReason {
    CloseReason::Lost("the peer gave the session up".to_owned())
}
