//! The simulated network as a value: who listens where, which links exist, and the conditions between them.
//!
//! Holds no task: nodes post events into each other's inboxes through it.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::conditions::{Conditions, DialVerdict, Verdict};
use super::event::{Event, Inbox, Told};
use crate::contract::{CloseReason, Refusal, TransportError};
use crate::error::StartError;
use crate::peer::{Address, Peer, PeerName, Role};
use crate::pool::{Admission, admit};

/// A network in memory. Clones are the same network.
#[derive(Clone)]
pub struct Network {
    pub(crate) hub: Arc<Hub>,
}

impl Network {
    /// A network under these conditions.
    #[must_use]
    pub fn new(conditions: impl Conditions) -> Self {
        let state = State {
            conditions: Box::new(conditions),
            stations: BTreeMap::new(),
            addresses: BTreeMap::new(),
            hosts: BTreeMap::new(),
            links: BTreeMap::new(),
            births: 0,
        };
        Self { hub: Arc::new(Hub { state: Mutex::new(state) }) }
    }

    /// Ends a process as `kill -9` does: it hears nothing more, says nothing more, and its peers notice after their idle timeout.
    /// What it sent before is still on its way. Gives whether there was such a process.
    pub fn kill(&self, name: &PeerName) -> bool {
        let found: Vec<u64> = {
            let state = self.hub.lock();
            state.stations.iter().filter(|(_, entry)| entry.peer.name == *name).map(|(id, _)| *id).collect()
        };
        for &station in &found {
            self.hub.remove(station);
        }
        !found.is_empty()
    }

    /// The address of a name's host, at which its process listens on `port`: the same over restarts.
    #[must_use]
    pub fn host(&self, name: &PeerName) -> IpAddr {
        self.hub.lock().host(name)
    }
}

pub(crate) struct Hub {
    state: Mutex<State>,
}

struct State {
    conditions: Box<dyn Conditions>,
    stations: BTreeMap<u64, Entry>,
    addresses: BTreeMap<SocketAddr, u64>,
    hosts: BTreeMap<PeerName, IpAddr>,
    links: BTreeMap<u64, [End; 2]>,
    births: u64,
}

/// One living process.
pub(crate) struct Entry {
    pub(crate) peer: Peer,
    pub(crate) cluster: String,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) frame_max: usize,
    pub(crate) address: SocketAddr,
    /// The living end of a link to each name, and the peer it is with.
    pub(crate) links: BTreeMap<PeerName, (u64, Peer)>,
}

struct End {
    station: u64,
    name: PeerName,
    live: bool,
}

/// What the network does with something sent over a link.
pub(crate) enum Routed {
    /// It arrives then, in that inbox.
    Deliver(Instant, Arc<Inbox>),
    Held,
    /// Both ends have been told that the link broke.
    Broken,
}

impl Hub {
    /// Gives a process its place; port 0 and an address that is nobody's own become those of the name's host.
    pub(crate) fn register(
        &self,
        bind: SocketAddr,
        mut entry: Entry,
    ) -> Result<(u64, SocketAddr), StartError> {
        let mut state = self.lock();
        let ip = if bind.ip().is_unspecified() || bind.ip().is_loopback() {
            state.host(&entry.peer.name)
        } else {
            state.hosts.insert(entry.peer.name.clone(), bind.ip());
            bind.ip()
        };
        let address = SocketAddr::new(ip, if bind.port() == 0 { 7400 } else { bind.port() });
        if state.addresses.contains_key(&address) {
            return Err(StartError::Bind { address, source: io::Error::from(io::ErrorKind::AddrInUse) });
        }
        entry.address = address;
        let station = state.birth();
        state.addresses.insert(address, station);
        state.stations.insert(station, entry);
        Ok((station, address))
    }

    /// Nobody can dial the process any longer; its links stay.
    pub(crate) fn deafen(&self, station: u64) {
        self.lock().addresses.retain(|_, id| *id != station);
    }

    /// Takes the process off the network; its peers are not told.
    pub(crate) fn remove(&self, station: u64) {
        let entry = {
            let mut state = self.lock();
            state.addresses.retain(|_, id| *id != station);
            state.stations.remove(&station)
        };
        if let Some(entry) = entry {
            entry.inbox.shut();
        }
    }

    /// How long a dial takes to be answered; an error when it is not.
    pub(crate) fn reach(&self, station: u64, endpoint: &str) -> Result<Duration, String> {
        let mut state = self.lock();
        let target = state.resolve(endpoint)?;
        let (Some(from), Some(to)) = (state.stations.get(&station), state.stations.get(&target)) else {
            return Err("nobody listens there".to_owned());
        };
        let (from, to) = (from.peer.name.clone(), to.peer.name.clone());
        if from == to {
            return Ok(Duration::ZERO);
        }
        match state.conditions.dial(&from, &to) {
            DialVerdict::Reachable(delay) => Ok(delay),
            DialVerdict::Unreachable => Err("no answer".to_owned()),
        }
    }

    /// Lets a dial come about: checks both identities, settles which link survives, and tells both ends. Gives the peer's name.
    pub(crate) fn establish(&self, station: u64, address: &Address) -> Result<PeerName, TransportError> {
        let mut state = self.lock();
        let target = state.resolve(&address.endpoint).map_err(TransportError::Unreachable)?;
        if target == station {
            return Err(TransportError::Myself);
        }
        state.authenticate(station, target, address)?;
        let name = state.entry(target)?.peer.name.clone();
        if state.settle(station, target)? {
            state.open(station, target)?;
        }
        Ok(name)
    }

    /// What happens to `bytes` sent over a link by one of its ends.
    pub(crate) fn route(&self, session: u64, station: u64, bytes: usize) -> Routed {
        let mut state = self.lock();
        let Some([own, peer]) = state.ends(session, station) else { return Routed::Held };
        if !state.stations.contains_key(&own.station) || !state.stations.contains_key(&peer.station) {
            return Routed::Held;
        }
        let verdict = match state.conditions.route(&own.name, &peer.name, bytes) {
            // A process that no longer knows the link says so, as a stateless reset does (RFC 9000 §10.3), if the answer gets through.
            Verdict::Deliver(_) if !peer.live => match state.conditions.route(&peer.name, &own.name, 0) {
                Verdict::Deliver(_) => Verdict::Broken,
                other => other,
            },
            other => other,
        };
        match verdict {
            Verdict::Deliver(delay) => {
                let inbox = state.stations[&peer.station].inbox.clone();
                Routed::Deliver(Instant::now() + delay, inbox)
            }
            Verdict::Held => Routed::Held,
            Verdict::Broken => {
                let reason = CloseReason::Lost("the link broke".to_owned());
                for id in [own.station, peer.station] {
                    state.stations[&id].inbox.post_now(Event::End(session, reason.clone(), Told::Nobody));
                }
                Routed::Broken
            }
        }
    }

    /// Tells the other end that bytes have arrived, beside all conditions: they only free its window.
    pub(crate) fn acknowledge(&self, session: u64, station: u64, event: Event) {
        let state = self.lock();
        if let Some([_, peer]) = state.ends(session, station)
            && let Some(entry) = state.stations.get(&peer.station)
        {
            entry.inbox.post_now(event);
        }
    }

    /// One end of a link is gone.
    pub(crate) fn end(&self, session: u64, station: u64, peer: &PeerName) {
        let mut state = self.lock();
        if let Some(entry) = state.stations.get_mut(&station)
            && entry.links.get(peer).is_some_and(|(id, _)| *id == session)
        {
            entry.links.remove(peer);
        }
        let Some(ends) = state.links.get_mut(&session) else { return };
        ends.iter_mut().filter(|end| end.station == station).for_each(|end| end.live = false);
        if ends.iter().all(|end| !end.live) {
            state.links.remove(&session);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn birth(&mut self) -> u64 {
        self.births += 1;
        self.births
    }

    fn host(&mut self, name: &PeerName) -> IpAddr {
        let ordinal = self.hosts.len() as u32 + 1;
        *self.hosts.entry(name.clone()).or_insert(IpAddr::V4(Ipv4Addr::from_bits(0x0A00_0000 + ordinal)))
    }

    /// The process at `address:port` or `name:port`.
    fn resolve(&self, endpoint: &str) -> Result<u64, String> {
        let address = endpoint.parse::<SocketAddr>().ok().or_else(|| {
            let (host, port) = endpoint.rsplit_once(':')?;
            Some(SocketAddr::new(*self.hosts.get(&PeerName::new(host)?)?, port.parse().ok()?))
        });
        let address = address.ok_or_else(|| "no such host".to_owned())?;
        self.addresses.get(&address).copied().ok_or_else(|| "nobody listens there".to_owned())
    }

    fn entry(&self, station: u64) -> Result<&Entry, TransportError> {
        self.stations.get(&station).ok_or_else(|| TransportError::Unreachable("it stopped".to_owned()))
    }

    fn authenticate(&self, station: u64, target: u64, address: &Address) -> Result<(), TransportError> {
        let (own, other) = (self.entry(station)?, self.entry(target)?);
        if own.cluster != other.cluster {
            let wrong = |expected: &Entry, found: &Entry| TransportError::WrongCluster {
                expected: expected.cluster.clone(),
                found: found.cluster.clone(),
            };
            other.refuse(own, wrong(other, own));
            return Err(wrong(own, other));
        }
        let name = &other.peer.name;
        if let Some(expected) = address.name.as_ref().filter(|expected| *expected != name) {
            return Err(TransportError::WrongNode { expected: expected.clone(), found: name.clone() });
        }
        if other.peer.role == Role::Client {
            return Err(TransportError::WrongRole { name: name.clone(), found: Role::Client });
        }
        if *name == own.peer.name {
            return Err(TransportError::Handshake("another process bears this node's own name".to_owned()));
        }
        Ok(())
    }

    /// Whether a link has to be opened; ends the links that it replaces.
    fn settle(&mut self, station: u64, target: u64) -> Result<bool, TransportError> {
        let at_target = self.judge(target, station)?;
        let at_dialer = self.judge(station, target)?;
        if let Admission::Refuse(error) = at_target {
            self.entry(target)?.refuse(self.entry(station)?, error.clone());
            return Err(TransportError::RefusedByPeer(error.to_string()));
        }
        if let Admission::Refuse(error) = at_dialer {
            return Err(error);
        }
        if at_target == Admission::Duplicate || at_dialer == Admission::Duplicate {
            return Ok(false);
        }
        for (own, other, admission) in [(target, station, at_target), (station, target, at_dialer)] {
            if let Admission::Replace(reason) = admission {
                let name = self.entry(other)?.peer.name.clone();
                let entry = self.entry(own)?;
                if let Some((session, _)) = entry.links.get(&name) {
                    entry.inbox.post_now(Event::End(*session, reason, Told::Peer));
                }
            }
        }
        Ok(true)
    }

    fn judge(&self, at: u64, newcomer: u64) -> Result<Admission, TransportError> {
        let peer = &self.entry(newcomer)?.peer;
        let present = self.entry(at)?.links.get(&peer.name);
        let lost = present
            .and_then(|(session, _)| self.links.get(session))
            .is_some_and(|ends| ends.iter().any(|end| end.station != at && !end.live));
        Ok(admit(present.map(|(_, peer)| peer), peer, lost))
    }

    fn open(&mut self, station: u64, target: u64) -> Result<(), TransportError> {
        let session = self.birth();
        let (one, two) = (self.entry(station)?.peer.clone(), self.entry(target)?.peer.clone());
        let end = |station, peer: &Peer| End { station, name: peer.name.clone(), live: true };
        self.links.insert(session, [end(station, &one), end(target, &two)]);
        let frame_max = self.entry(station)?.frame_max.min(self.entry(target)?.frame_max);
        for (own, peer) in [(target, one), (station, two)] {
            if let Some(entry) = self.stations.get_mut(&own) {
                entry.links.insert(peer.name.clone(), (session, peer.clone()));
                entry.inbox.post_now(Event::Opened(peer, session, frame_max));
            }
        }
        Ok(())
    }

    /// This end and the other one.
    fn ends(&self, session: u64, station: u64) -> Option<[End; 2]> {
        let copy = |end: &End| End { station: end.station, name: end.name.clone(), live: end.live };
        let [one, two] = self.links.get(&session)?;
        Some(if one.station == station { [copy(one), copy(two)] } else { [copy(two), copy(one)] })
    }
}

impl Entry {
    fn refuse(&self, who: &Self, error: TransportError) {
        let refusal = Refusal { endpoint: who.address.to_string(), expected: None, error };
        self.inbox.post_now(Event::Refused(refusal));
    }
}
