//! The rolling hashes of everything that happened in a simulation of nodes, one of its events and one of what its network carried:
//! same seed, same hashes, in any process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::address::stable_hash;

/// Two shared, growing hashes; clones add to the same ones.
#[derive(Clone)]
pub struct Trace {
    origin: Instant,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    events: Roll,
    packets: Roll,
    /// The last events in words, when words are asked for.
    words: Option<Vec<String>>,
}

/// A rolling hash, and how much went into it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roll {
    /// The hash.
    pub hash: u64,
    /// How many things were taken in.
    pub count: u64,
}

impl Roll {
    fn take(&mut self, words: &[u64]) {
        for word in words {
            self.hash = (self.hash ^ word).wrapping_mul(0x0100_0000_01B3).rotate_left(17);
        }
        self.count += 1;
    }
}

impl Trace {
    /// An empty trace that begins now; it keeps words only when asked to.
    pub(crate) fn new(words: bool) -> Self {
        let state = State { words: words.then(Vec::new), ..State::default() };
        Self { origin: Instant::now(), state: Arc::new(Mutex::new(state)) }
    }

    /// Takes an event in: the virtual time, a kind, and what tells this event from others of its kind.
    pub fn record(&self, kind: &'static str, details: &str) {
        let at = self.now();
        let mut state = self.state();
        state.events.take(&[at, stable_hash(kind.as_bytes()), stable_hash(details.as_bytes())]);
        if let Some(words) = &mut state.words {
            words.push(format!("{:>12.6} {kind} {details}", at as f64 / 1e9));
        }
    }

    /// Takes in what the network carries: the virtual time, and what tells this from all else that it carries.
    pub(crate) fn packet(&self, words: [u64; 5]) {
        let at = self.now();
        let packets = &mut self.state().packets;
        packets.take(&[at, words[0], words[1], words[2], words[3], words[4]]);
    }

    /// All events up to this one.
    #[must_use]
    pub fn events(&self) -> Roll {
        self.state().events
    }

    /// All that the network was given to carry: batches in memory, datagrams with QUIC.
    #[must_use]
    pub fn packets(&self) -> Roll {
        self.state().packets
    }

    /// The events in words since the last call; empty unless the simulation keeps words.
    #[must_use]
    pub fn take_words(&self) -> Vec<String> {
        self.state().words.as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn now(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
