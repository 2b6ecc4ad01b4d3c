//! The rolling hash of everything that happened in a simulation of nodes: same seed, same hash, in any process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::address::stable_hash;

/// A shared, growing hash; clones add to the same one.
#[derive(Clone)]
pub struct Trace {
    origin: Instant,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    hash: u64,
    events: u64,
    /// The last events in words, when words are asked for.
    words: Option<Vec<String>>,
}

impl Trace {
    /// An empty trace that begins now; it keeps words only when asked to.
    pub(crate) fn new(words: bool) -> Self {
        let state = State { words: words.then(Vec::new), ..State::default() };
        Self { origin: Instant::now(), state: Arc::new(Mutex::new(state)) }
    }

    /// Takes an event in: the virtual time, a kind, and what tells this event from others of its kind.
    pub fn record(&self, kind: &'static str, details: &str) {
        let at = u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let mut state = self.state();
        for word in [at, stable_hash(kind.as_bytes()), stable_hash(details.as_bytes())] {
            state.hash = (state.hash ^ word).wrapping_mul(0x0100_0000_01B3).rotate_left(17);
        }
        state.events += 1;
        if let Some(words) = &mut state.words {
            words.push(format!("{:>12.6} {kind} {details}", at as f64 / 1e9));
        }
    }

    /// The hash of all events up to this one.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.state().hash
    }

    /// How many events there were.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.state().events
    }

    /// The events in words since the last call; empty unless the simulation keeps words.
    #[must_use]
    pub fn take_words(&self) -> Vec<String> {
        self.state().words.as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
