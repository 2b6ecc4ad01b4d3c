//! One node of the simulated network at work: takes its events in order and tells its receiver.
//!
//! One task, no thread; between two events it sleeps. All calls of the receiver come from here.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::conveyance::End;
use super::event::{Event, Told};
use super::link::Place;
use crate::backoff::{Backoff, seed_for};
use crate::config::Config;
use crate::contract::{CloseReason, Receiver, Refusal, TransportError};
use crate::metrics::add;
use crate::peer::{Address, PeerName};
use crate::session::Sessions;

/// What the station and its users' handle share.
pub(crate) struct Shared {
    pub(crate) place: Place,
    pub(crate) config: Config,
    pub(crate) sessions: Sessions,
    /// Whether the station has ended.
    pub(crate) ended: watch::Sender<bool>,
}

pub(crate) struct Station {
    pub(super) shared: Arc<Shared>,
    pub(super) receiver: Arc<dyn Receiver>,
    seed: u64,
    /// The living connections, by number.
    pub(super) ends: BTreeMap<u64, End>,
    dials: BTreeMap<u64, Dial>,
    births: u64,
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
            Event::Opened(peer, number, frame_max) => self.opened(peer, number, frame_max),
            Event::Propose(number) => self.propose(number),
            Event::Resume(number, theirs) => self.resume(number, theirs),
            Event::Flush(number, lane) => self.flush(number, lane),
            Event::Arrive(number, lane, bytes, count) => self.arrive(number, lane, bytes, count),
            Event::Written(number, lane, bytes) => self.written(number, lane, bytes),
            Event::Acknowledge(number) => self.acknowledge(number),
            Event::Acknowledged(number, received) => self.acknowledged(number, received),
            Event::Datagram(number, payload) => self.datagram(number, payload),
            Event::Bulk(number, header, pipe) => self.bulk(number, header, pipe),
            Event::Heard(number) => {
                self.heard(number);
            }
            Event::KeepAlive(number) => self.keep_alive(number),
            Event::IdleCheck(number) => self.idle_check(number),
            Event::End(number, reason, told) => self.end(number, reason, told),
            Event::Close(peer, session) => self.close(&peer, session),
            Event::Lapse(peer, session) => self.lapse(&peer, session),
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
        if let Some(name) = peer {
            self.forgotten(&name);
        }
    }

    fn dial(&mut self, id: u64) {
        let Some(dial) = self.dials.get_mut(&id) else { return };
        let linked = |name: &PeerName| self.ends.values().any(|end| end.link.peer().name == *name);
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

    /// The connection to a peer is gone: whoever keeps one dials again.
    pub(super) fn dial_again(&mut self, name: &PeerName) {
        for (id, dial) in &mut self.dials {
            if dial.peer.as_ref() == Some(name) && !dial.under_way {
                dial.under_way = true;
                let at = Instant::now() + dial.backoff.next_wait();
                self.shared.place.inbox.post(at, Event::Dial(*id));
            }
        }
    }

    fn stop(&mut self, reason: CloseReason) {
        for session in self.shared.sessions.all() {
            self.finish(&session, &reason, Told::Peer);
        }
        let numbers: Vec<u64> = self.ends.keys().copied().collect();
        for number in numbers {
            self.end(number, reason.clone(), Told::Peer);
        }
        self.shared.place.hub.remove(self.shared.place.station);
    }
}

impl Drop for Station {
    /// Whatever ended the task, also the end of its executor: the process is off the network.
    fn drop(&mut self) {
        self.shared.place.hub.remove(self.shared.place.station);
        for end in self.ends.values() {
            end.link.cut("the process ended");
        }
        for session in self.shared.sessions.all() {
            session.finish();
            self.shared.sessions.remove(&session);
        }
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
