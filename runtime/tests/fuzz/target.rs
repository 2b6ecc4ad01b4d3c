//! What is fuzzed: a reader, what has to hold of it, and the bytes to begin with.

use synod::protocols::prng::Prng;

/// A reader of bytes from outside.
pub(crate) struct Target {
    /// Also the folder of its corpus.
    pub(crate) name: &'static str,
    /// What programs write, and cases that were hard for somebody, by name.
    pub(crate) seeds: fn() -> Vec<(&'static str, Vec<u8>)>,
    /// Makes checksums and counts right again, some or all of them, so that a change gets behind them.
    pub(crate) reseal: fn(&mut [u8], &mut Prng),
    /// Lets the reader read; panics when something does not hold.
    pub(crate) run: fn(&[u8]) -> Verdict,
    /// How many bytes a reading of so many may allocate, all allocations together.
    pub(crate) most: fn(usize) -> usize,
}

/// What a reader said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It took this many things, and what it took holds.
    Taken(usize),
    /// It refused, with these words.
    Refused(String),
}

/// For formats without checksums.
pub(crate) fn unsealed(_: &mut [u8], _: &mut Prng) {}
