//! What the network between simulated nodes suffers: chance and cuts are `synod_protocols::sim::Network`'s, for batches in memory and
//! for datagrams; what can only happen to datagrams is added here.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use synod_protocols::prng::Prng;
use synod_protocols::sim::{FaultKind, Network as Chance, NetworkConfig, Tally};
use synod_protocols::{NodeId, Timestamp};
use synod_transport::PeerName;
use tokio::time::Instant;

use crate::address::node_id;

/// The datagrams that paths of the simulated network carry, one of them drawn for each simulation: the least that QUIC asks for (RFC
/// 9000 §14), IPv6 without more, Ethernet, and more than the transport ever tries.
const PATHS: [usize; 4] = [1_200, 1_232, 1_452, 9_000];

/// What happens to datagrams beyond what a [`NetworkConfig`] says. The network in memory carries none, and nothing of it happens there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Datagrams {
    /// The probability that a datagram arrives with other bytes than it was sent with.
    pub corruption: f64,
    /// The largest datagram that gets through, in bytes; `None` for what the paths carry without faults.
    pub largest: Option<usize>,
}

/// The weather, shared by whoever makes it and the network that suffers it.
#[derive(Clone)]
pub(crate) struct Weather {
    origin: Instant,
    sky: Arc<Mutex<Sky>>,
}

struct Sky {
    chance: Chance,
    datagrams: Datagrams,
    /// What paths carry without faults.
    path: usize,
    /// Whether the narrowness of paths has had an effect.
    narrow: bool,
    dice: Prng,
    tally: Tally,
}

impl Datagrams {
    /// Datagrams arrive as they were sent.
    #[must_use]
    pub const fn calm() -> Self {
        Self { corruption: 0.0, largest: None }
    }
}

impl Weather {
    /// Weather for these nodes, calm until told otherwise.
    pub(crate) fn new(seed: u64, names: &[PeerName]) -> Self {
        let mut dice = Prng::fork(seed, 1);
        let chance = Chance::new(seed, NetworkConfig::calm(), names.iter().map(node_id));
        let path = *dice.pick(&PATHS).expect("there are some");
        let sky =
            Sky { chance, datagrams: Datagrams::calm(), path, narrow: false, dice, tally: Tally::default() };
        Self { origin: Instant::now(), sky: Arc::new(Mutex::new(sky)) }
    }

    /// Cuts directed paths as one fault.
    pub(crate) fn cut(&self, kind: FaultKind, paths: &[(NodeId, NodeId)]) {
        self.sky().chance.cut(kind, paths.iter().copied());
    }

    /// Ends every cut and all that happens to datagrams, and behaves as `config` says from here on.
    pub(crate) fn heal(&self, config: NetworkConfig) {
        let mut sky = self.sky();
        sky.chance.heal_all();
        sky.chance.configure(config);
        sky.datagrams = Datagrams::calm();
    }

    /// Lets this happen to datagrams from here on.
    pub(crate) fn strike_datagrams(&self, datagrams: Datagrams) {
        let mut sky = self.sky();
        if datagrams.largest.is_some_and(|largest| largest < sky.path) {
            sky.tally.request(FaultKind::NarrowPath);
            sky.narrow = false;
        }
        sky.datagrams = datagrams;
    }

    /// The faults asked for and injected.
    pub(crate) fn tally(&self) -> Tally {
        let sky = self.sky();
        let mut all = sky.chance.tally().clone();
        all.merge(&sky.tally);
        all
    }

    /// When a batch arrives, if it gets through.
    pub(crate) fn batch(&self, from: NodeId, to: NodeId, bytes: usize) -> Option<Duration> {
        let now = self.now();
        self.sky().chance.route(now, from, to, bytes).delays().first().copied()
    }

    /// When which copies of a datagram arrive.
    pub(crate) fn datagram(
        &self,
        from: NodeId,
        to: NodeId,
        datagram: &[u8],
        deliver: &mut dyn FnMut(Duration, &[u8]),
    ) {
        let now = self.now();
        let sky = &mut *self.sky();
        if !sky.fits(datagram.len()) {
            return;
        }
        for &delay in sky.chance.route(now, from, to, datagram.len()).delays() {
            match sky.corrupted(datagram) {
                None => deliver(delay, datagram),
                Some(changed) => deliver(delay, &changed),
            }
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp(u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    fn sky(&self) -> MutexGuard<'_, Sky> {
        self.sky.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sky {
    /// Whether the paths carry so many bytes.
    fn fits(&mut self, bytes: usize) -> bool {
        if bytes > self.path {
            // No fault: who looks for the largest datagram has to find out so.
            return false;
        }
        let fits = self.datagrams.largest.is_none_or(|largest| bytes <= largest);
        if !fits && !self.narrow {
            self.narrow = true;
            self.tally.inject(FaultKind::NarrowPath);
        }
        fits
    }

    /// The datagram with other bytes, if chance wants it so: one byte changed, or its end missing.
    fn corrupted(&mut self, datagram: &[u8]) -> Option<Vec<u8>> {
        if self.datagrams.corruption <= 0.0 || datagram.is_empty() {
            return None;
        }
        if !self.dice.chance(self.datagrams.corruption) {
            return None;
        }
        let mut changed = datagram.to_vec();
        let at = self.dice.below(datagram.len() as u64) as usize;
        if self.dice.chance(0.1) {
            changed.truncate(at);
        } else {
            changed[at] ^= self.dice.between(1, 255) as u8;
        }
        self.tally.request(FaultKind::Corruption);
        self.tally.inject(FaultKind::Corruption);
        Some(changed)
    }
}
