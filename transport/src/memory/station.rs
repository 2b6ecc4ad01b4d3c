//! One node of the simulated network at work: takes its events in order and tells its receiver.
//!
//! One task, no thread; between two events it sleeps. All calls of the receiver come from here.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::event::{Event, Told};
use super::link::{MemoryBulkReceiver, MemoryLink, Place, RETRY};
use super::network::Routed;
use crate::backoff::{Backoff, seed_for};
use crate::batch::Taken;
use crate::config::Config;
use crate::contract::{CloseReason, Frames, Link, Receiver, Refusal, TransportError};
use crate::lane::{LANES, Lane};
use crate::metrics::add;
use crate::peer::{Address, Peer, PeerName};

/// What the station and its users' handle share.
pub(crate) struct Shared {
    pub(crate) place: Place,
    pub(crate) config: Config,
    pub(crate) links: Mutex<BTreeMap<PeerName, Arc<MemoryLink>>>,
    /// Whether the station has ended.
    pub(crate) ended: watch::Sender<bool>,
}

pub(crate) struct Station {
    shared: Arc<Shared>,
    receiver: Arc<dyn Receiver>,
    seed: u64,
    ends: BTreeMap<u64, End>,
    dials: BTreeMap<u64, Dial>,
    births: u64,
}

struct End {
    link: Arc<MemoryLink>,
    heard: Instant,
    lanes: [Way; LANES],
}

/// One lane on its way out.
#[derive(Default)]
struct Way {
    last: Option<Instant>,
    held: Option<Bytes>,
}

struct Dial {
    address: Address,
    peer: Option<PeerName>,
    backoff: Backoff,
    under_way: bool,
}

impl Station {
    pub(crate) fn new(shared: Arc<Shared>, receiver: Arc<dyn Receiver>, seed: u64) -> Self {
        Self { shared, receiver, seed, ends: BTreeMap::new(), dials: BTreeMap::new(), births: 0 }
    }

    /// Works until the transport is closed or killed.
    pub(crate) async fn run(mut self) {
        let inbox = self.shared.place.inbox.clone();
        while !inbox.is_shut() {
            match inbox.next(Instant::now()) {
                Ok(event) => self.handle(event),
                Err(Some(at)) => {
                    tokio::select! { biased; () = inbox.wake.notified() => {}, () = sleep_until(at) => {} }
                }
                Err(None) => inbox.wake.notified().await,
            }
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Connect(address) => self.connect(address),
            Event::Forget(address) => self.forget(&address),
            Event::Dial(id) => self.dial(id),
            Event::DialArrives(id) => self.dial_arrives(id),
            Event::DialFails(id, why) => self.dial_failed(id, TransportError::Unreachable(why)),
            Event::Refused(refusal) => self.refused(refusal),
            Event::Opened(peer, session, frame_max) => self.opened(peer, session, frame_max),
            Event::Flush(session, lane) => self.flush(session, lane),
            Event::Arrive(session, lane, bytes) => self.arrive(session, lane, bytes),
            Event::Written(session, lane, bytes) => self.written(session, lane, bytes),
            Event::Datagram(session, payload) => {
                if let Some(end) = self.heard(session) {
                    let link: Arc<dyn Link> = end.link.clone();
                    add(&self.shared.place.counters.datagrams_in, 1);
                    self.receiver.datagram(&link, payload);
                }
            }
            Event::Bulk(session, header, pipe) => match self.heard(session) {
                Some(end) => {
                    end.link.adopt(&pipe);
                    let link: Arc<dyn Link> = end.link.clone();
                    add(&self.shared.place.counters.bulk_in, 1);
                    self.receiver.bulk(&link, header, Box::new(MemoryBulkReceiver { pipe }));
                }
                None => pipe.fail("the link is gone"),
            },
            Event::Heard(session) => {
                self.heard(session);
            }
            Event::KeepAlive(session) => self.keep_alive(session),
            Event::IdleCheck(session) => self.idle_check(session),
            Event::End(session, reason, told) => self.end(session, reason, told),
            Event::Retire => self.dials.clear(),
            Event::Stop(reason) => self.stop(reason),
        }
    }

    fn connect(&mut self, address: Address) {
        if self.dials.values().any(|dial| dial.address == address) {
            return;
        }
        let config = &self.shared.config;
        let seed = seed_for(self.seed, &address.endpoint);
        let backoff = Backoff::new(config.backoff_min, config.backoff_max, seed);
        self.births += 1;
        let peer = address.name.clone();
        self.dials.insert(self.births, Dial { address, peer, backoff, under_way: true });
        self.dial(self.births);
    }

    fn forget(&mut self, address: &Address) {
        let mut peer = address.name.clone();
        self.dials.retain(|_, dial| {
            let forgotten = dial.address == *address;
            if forgotten && peer.is_none() {
                peer = dial.peer.take();
            }
            !forgotten
        });
        let session = peer.and_then(|name| self.links().get(&name).map(|link| link.session()));
        if let Some(session) = session {
            self.end(session, CloseReason::Forgotten, Told::Peer);
        }
    }

    fn dial(&mut self, id: u64) {
        let Some(dial) = self.dials.get_mut(&id) else { return };
        let linked = |name: &PeerName| {
            self.shared.links.lock().unwrap_or_else(PoisonError::into_inner).contains_key(name)
        };
        if dial.peer.as_ref().is_some_and(linked) {
            dial.under_way = false;
            return;
        }
        dial.under_way = true;
        let Place { hub, station, inbox, counters } = &self.shared.place;
        add(&counters.dials, 1);
        let timeout = self.shared.config.connect_timeout;
        let now = Instant::now();
        match hub.reach(*station, &dial.address.endpoint) {
            Ok(delay) if delay <= timeout => inbox.post(now + delay, Event::DialArrives(id)),
            Ok(_) => inbox.post(now + timeout, Event::DialFails(id, "no answer in time".to_owned())),
            Err(why) => inbox.post(now + timeout, Event::DialFails(id, why)),
        }
    }

    fn dial_arrives(&mut self, id: u64) {
        let Some(dial) = self.dials.get_mut(&id) else { return };
        match self.shared.place.hub.establish(self.shared.place.station, &dial.address) {
            Ok(name) => {
                dial.peer = Some(name);
                dial.under_way = false;
                dial.backoff.reset();
            }
            Err(error) => self.dial_failed(id, error),
        }
    }

    fn dial_failed(&mut self, id: u64, error: TransportError) {
        let Some(dial) = self.dials.get_mut(&id) else { return };
        let wait = dial.backoff.next_wait();
        let refusal =
            Refusal { endpoint: dial.address.endpoint.clone(), expected: dial.address.name.clone(), error };
        self.shared.place.inbox.post(Instant::now() + wait, Event::Dial(id));
        self.refused(refusal);
    }

    fn refused(&self, refusal: Refusal) {
        self.shared.place.counters.refused(refusal.error.kind());
        self.receiver.refused(refusal);
    }

    fn opened(&mut self, peer: Peer, session: u64, frame_max: usize) {
        let place = self.shared.place.clone();
        let now = Instant::now();
        place.inbox.post(now + self.shared.config.keep_alive, Event::KeepAlive(session));
        place.inbox.post(now + self.shared.config.idle_timeout, Event::IdleCheck(session));
        add(&place.counters.links_opened, 1);
        let name = peer.name.clone();
        let link = Arc::new(MemoryLink::new(peer, session, frame_max, &self.shared.config, place));
        self.links().insert(name, link.clone());
        self.ends.insert(session, End { link: link.clone(), heard: now, lanes: Default::default() });
        self.receiver.connected(link);
    }

    fn flush(&mut self, session: u64, lane: Lane) {
        let Some(end) = self.ends.get_mut(&session) else { return };
        let place = &self.shared.place;
        let way = &mut end.lanes[usize::from(lane.number())];
        let bytes = match way.held.take() {
            Some(bytes) => bytes,
            // Like a congestion window: what is taken and has not arrived is bounded by the lane's limit.
            None if end.link.batch(lane).leaving() >= self.shared.config.lane_bytes_max => return,
            None => match end.link.batch(lane).take() {
                Taken::Frames(bytes, count) => {
                    add(&place.counters.frames_out, count);
                    bytes
                }
                Taken::Nothing | Taken::End => return,
            },
        };
        match place.hub.route(session, place.station, bytes.len()) {
            Routed::Deliver(at, inbox) => {
                end.link.measured(at.saturating_duration_since(Instant::now()));
                let at = way.last.map_or(at, |last| last.max(at));
                way.last = Some(at);
                add(&place.counters.batches_out, 1);
                add(&place.counters.bytes_out, bytes.len());
                inbox.post(at, Event::Arrive(session, lane, bytes));
                // What was appended while this batch was held.
                place.inbox.post_now(Event::Flush(session, lane));
            }
            Routed::Held => {
                way.held = Some(bytes);
                place.inbox.post(Instant::now() + RETRY, Event::Flush(session, lane));
            }
            Routed::Broken => {}
        }
    }

    fn arrive(&mut self, session: u64, lane: Lane, bytes: Bytes) {
        let Some(end) = self.heard(session) else { return };
        let link: Arc<dyn Link> = end.link.clone();
        let place = &self.shared.place;
        add(&place.counters.batches_in, 1);
        add(&place.counters.bytes_in, bytes.len());
        let arrived = Event::Written(session, lane, bytes.len());
        self.receiver.frames(&link, lane, Frames::new(bytes));
        place.hub.acknowledge(session, place.station, arrived);
    }

    fn written(&mut self, session: u64, lane: Lane, bytes: usize) {
        // Not a sign of life: it came beside all conditions.
        if let Some(end) = self.ends.get(&session) {
            end.link.batch(lane).written(bytes);
            self.flush(session, lane);
        }
    }

    fn keep_alive(&mut self, session: u64) {
        let Some(end) = self.ends.get(&session) else { return };
        let place = &self.shared.place;
        let now = Instant::now();
        if let Routed::Deliver(at, inbox) = place.hub.route(session, place.station, 0) {
            end.link.measured(at.saturating_duration_since(now));
            inbox.post(at, Event::Heard(session));
        }
        place.inbox.post(now + self.shared.config.keep_alive, Event::KeepAlive(session));
    }

    fn idle_check(&mut self, session: u64) {
        let Some(end) = self.ends.get(&session) else { return };
        let dead_at = end.heard + self.shared.config.idle_timeout;
        if dead_at <= Instant::now() {
            self.end(session, CloseReason::Idle, Told::Nobody);
        } else {
            self.shared.place.inbox.post(dead_at, Event::IdleCheck(session));
        }
    }

    fn end(&mut self, session: u64, reason: CloseReason, told: Told) {
        let Some(end) = self.ends.remove(&session) else { return };
        let peer = end.link.peer().clone();
        let place = self.shared.place.clone();
        if told == Told::Peer
            && let Routed::Deliver(at, inbox) = place.hub.route(session, place.station, 0)
        {
            inbox.post(at, Event::End(session, reason.clone(), Told::Nobody));
        }
        place.hub.end(session, place.station, &peer.name);
        end.link.cut("the link is gone");
        {
            let mut links = self.links();
            if links.get(&peer.name).is_some_and(|link| link.session() == session) {
                links.remove(&peer.name);
            }
        }
        add(&place.counters.links_closed, 1);
        for (id, dial) in &mut self.dials {
            if dial.peer.as_ref() == Some(&peer.name) && !dial.under_way {
                dial.under_way = true;
                place.inbox.post(Instant::now() + dial.backoff.next_wait(), Event::Dial(*id));
            }
        }
        self.receiver.disconnected(&peer, session, reason);
    }

    fn stop(&mut self, reason: CloseReason) {
        let sessions: Vec<u64> = self.ends.keys().copied().collect();
        for session in sessions {
            self.end(session, reason.clone(), Told::Peer);
        }
        self.shared.place.hub.remove(self.shared.place.station);
    }

    /// The end of a link that just gave a sign of life.
    fn heard(&mut self, session: u64) -> Option<&mut End> {
        let end = self.ends.get_mut(&session)?;
        end.heard = Instant::now();
        Some(end)
    }

    fn links(&self) -> MutexGuard<'_, BTreeMap<PeerName, Arc<MemoryLink>>> {
        self.shared.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Station {
    /// Whatever ended the task, also the end of its executor: the process is off the network.
    fn drop(&mut self) {
        self.shared.place.hub.remove(self.shared.place.station);
        for end in self.ends.values() {
            end.link.cut("the process ended");
        }
        self.links().clear();
        self.shared.ended.send_replace(true);
    }
}

/// Never completes while the station works.
pub(crate) async fn ended(shared: &Shared) {
    let mut ended = shared.ended.subscribe();
    if ended.wait_for(|ended| *ended).await.is_err() {
        pending::<()>().await;
    }
}
