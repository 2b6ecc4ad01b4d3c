//! What happened in a run, as one rolling number and as the last few events.
//!
//! Formats nothing until asked; descriptions of inputs are kept only when a run is traced.

use std::collections::VecDeque;
use std::fmt;

use crate::types::{NodeId, Timestamp};

/// One event as the trace keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceLine {
    /// When, in virtual time.
    pub at: Timestamp,
    /// At which node; zero for the world.
    pub node: NodeId,
    /// What kind of event.
    pub kind: &'static str,
    /// Numbers that tell this event from others of its kind.
    pub digest: u64,
    /// The event in words, empty unless the run is traced.
    pub details: String,
}

impl fmt::Display for TraceLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.at.0 as f64 / 1e9;
        write!(f, "{seconds:>12.6} n{} {} {}", self.node, self.kind, self.details)
    }
}

/// The rolling hash of all events and the last few of them.
#[derive(Clone, Debug)]
pub struct Trace {
    hash: u64,
    events: u64,
    tail: VecDeque<TraceLine>,
    keep: usize,
}

impl Trace {
    /// A trace that keeps the last `keep` events.
    #[must_use]
    pub fn new(keep: usize) -> Self {
        Self { hash: 0xCBF2_9CE4_8422_2325, events: 0, tail: VecDeque::with_capacity(keep), keep }
    }

    /// Takes an event in.
    pub fn record(&mut self, line: TraceLine) {
        self.events += 1;
        let kind = line.kind.as_bytes();
        let kind = u64::from(kind[0]) << 8 | kind.len() as u64;
        for word in [line.at.0, line.node.0 << 32 | kind, line.digest] {
            self.hash = mix(self.hash, word);
        }
        if self.tail.len() == self.keep {
            self.tail.pop_front();
        }
        if self.keep > 0 {
            self.tail.push_back(line);
        }
    }

    /// The hash of every event taken in; equal runs have equal hashes.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// How many events were taken in.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The last events, oldest first.
    pub fn tail(&self) -> impl Iterator<Item = &TraceLine> {
        self.tail.iter()
    }
}

/// Something in words, cut where a line gets too long to be read.
pub(super) fn in_words(it: &impl fmt::Debug) -> String {
    const LONGEST: usize = 320;
    let mut words = format!("{it:?}");
    if let Some((cut, _)) = words.char_indices().nth(LONGEST) {
        words.truncate(cut);
        words.push('…');
    }
    words
}

/// Mixes a word into a rolling hash. Not cryptographic.
#[must_use]
pub fn mix(hash: u64, word: u64) -> u64 {
    let mixed = (hash ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ (mixed >> 29)
}

/// Mixes bytes into a rolling hash. Not cryptographic.
#[must_use]
pub fn mix_bytes(hash: u64, bytes: &[u8]) -> u64 {
    let mut hash = mix(hash, bytes.len() as u64);
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        hash = mix(hash, u64::from_le_bytes(word));
    }
    hash
}
