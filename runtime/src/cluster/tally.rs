//! How much of something one peer makes this node keep. A peer has one link, so what is counted over the link is counted over the peer.

use std::sync::atomic::{AtomicUsize, Ordering};

/// What is counted.
#[derive(Default)]
pub(crate) struct Shares {
    /// Bytes of large messages that are not complete.
    pub(crate) bulk: Tally,
    /// Bytes of answers that wait for room.
    pub(crate) answers: Tally,
    /// Watches.
    pub(crate) watches: Tally,
    /// Asks whose answers actors give later.
    pub(crate) asks: Tally,
}

/// The bytes of one large message that is not complete; given back when dropped.
pub(crate) struct Held<'a> {
    tally: &'a Tally,
    bytes: usize,
}

/// A count with a limit that is told with each taking.
#[derive(Default)]
pub(crate) struct Tally(AtomicUsize);

impl Tally {
    /// Takes so much more, unless it would be more than `limit`.
    pub(crate) fn take(&self, amount: usize, limit: usize) -> bool {
        let before = self.0.fetch_add(amount, Ordering::Relaxed);
        let room = before.saturating_add(amount) <= limit;
        if !room {
            self.give(amount);
        }
        room
    }

    /// Takes so much more, whatever there is.
    pub(crate) fn add(&self, amount: usize) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    /// Gives so much back.
    pub(crate) fn give(&self, amount: usize) {
        self.0.fetch_sub(amount, Ordering::Relaxed);
    }

    /// Begins to count what one large message holds.
    pub(crate) fn hold(&self) -> Held<'_> {
        Held { tally: self, bytes: 0 }
    }

    /// Whether there is no more room under `limit`.
    pub(crate) fn is_full(&self, limit: usize) -> bool {
        self.0.load(Ordering::Relaxed) >= limit
    }
}

impl Held<'_> {
    /// Holds more bytes; `false` when all large messages of the link together would hold more than `limit`.
    pub(crate) fn more(&mut self, bytes: usize, limit: usize) -> bool {
        self.bytes += bytes;
        self.tally.0.fetch_add(bytes, Ordering::Relaxed) + bytes <= limit
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.tally.give(self.bytes);
    }
}
