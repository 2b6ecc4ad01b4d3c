//! The simulated network as a value: the hosts, and the conditions between them. Holds no task.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::crypto::CryptoProvider;

use super::conditions::Conditions;
use super::crypto::provider;
use super::host::{Datagram, Host};
use super::identity::Identities;
use crate::error::StartError;
use crate::peer::PeerName;

/// A network of datagrams in memory. Clones are the same network.
#[derive(Clone)]
pub struct Network {
    inner: Arc<Inner>,
}

struct Inner {
    provider: Arc<CryptoProvider>,
    state: Mutex<State>,
}

struct State {
    conditions: Box<dyn Conditions>,
    identities: Identities,
    names: BTreeMap<PeerName, IpAddr>,
    hosts: BTreeMap<SocketAddr, (PeerName, Arc<Host>)>,
    tickets: u64,
}

/// A place on the network that a process has taken.
pub(crate) struct Place {
    pub(crate) address: SocketAddr,
    pub(crate) host: Arc<Host>,
    pub(crate) ticket: u64,
}

impl Network {
    /// A network under these conditions, whose keys, certificates and chance come from the seed.
    #[must_use]
    pub fn new(seed: u64, conditions: impl Conditions) -> Self {
        let state = State {
            conditions: Box::new(conditions),
            identities: Identities::new(seed),
            names: BTreeMap::new(),
            hosts: BTreeMap::new(),
            tickets: 0,
        };
        Self { inner: Arc::new(Inner { provider: Arc::new(provider(seed)), state: Mutex::new(state) }) }
    }

    /// Ends a process as `kill -9` does: it hears nothing more and says nothing more. What it sent before is still on its way. Gives
    /// whether there was such a process.
    pub fn kill(&self, name: &PeerName) -> bool {
        let state = self.lock();
        let own = state.hosts.values().filter(|(owner, _)| owner == name);
        own.fold(false, |found, (_, host)| host.silence() || found)
    }

    /// The address of a name's host, at which its process listens on `port`: the same over restarts.
    #[must_use]
    pub fn host(&self, name: &PeerName) -> IpAddr {
        self.lock().host(name)
    }

    /// Gives a process its place; port 0 and an address that is nobody's own become those of the name's host.
    pub(crate) fn occupy(
        &self,
        name: &PeerName,
        bind: SocketAddr,
        buffer: usize,
    ) -> Result<Place, StartError> {
        let mut state = self.lock();
        let ip = if bind.ip().is_unspecified() || bind.ip().is_loopback() {
            state.host(name)
        } else {
            state.names.insert(name.clone(), bind.ip());
            bind.ip()
        };
        let address = SocketAddr::new(ip, if bind.port() == 0 { 7400 } else { bind.port() });
        state.tickets += 1;
        let ticket = state.tickets;
        let (owner, host) = state.hosts.entry(address).or_insert_with(|| (name.clone(), Host::new()));
        if !host.listen(ticket, buffer) {
            return Err(StartError::Bind { address, source: io::Error::from(io::ErrorKind::AddrInUse) });
        }
        owner.clone_from(name);
        Ok(Place { address, host: host.clone(), ticket })
    }

    /// Sends a datagram on its way.
    pub(crate) fn send(&self, from: &Place, to: SocketAddr, datagram: &Datagram) {
        let state = &mut *self.lock();
        if !from.host.is_listening(from.ticket) {
            return;
        }
        let (Some((sender, _)), Some((receiver, host))) =
            (state.hosts.get(&from.address), state.hosts.get(&to))
        else {
            return;
        };
        state.conditions.carry(sender, receiver, &datagram.bytes, &mut |delay, bytes| {
            host.post(delay, Datagram { from: datagram.from, bytes: bytes.into(), ecn: datagram.ecn });
        });
    }

    /// The identities of this network's processes.
    pub(crate) fn with_identities<T>(&self, ask: impl FnOnce(&mut Identities) -> T) -> T {
        ask(&mut self.lock().identities)
    }

    /// What TLS computes with on this network.
    pub(crate) fn provider(&self) -> Arc<CryptoProvider> {
        self.inner.provider.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn host(&mut self, name: &PeerName) -> IpAddr {
        let ordinal = self.names.len() as u32 + 1;
        *self.names.entry(name.clone()).or_insert(IpAddr::V4(Ipv4Addr::from_bits(0x0A00_0000 + ordinal)))
    }
}
