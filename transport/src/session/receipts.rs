//! What one end has received of each lane, and when the other has to hear of it.
//!
//! Counts and decides; who sends the word, and how, is the implementation's business.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::lane::{Lane, REPLAYED};

/// So many bytes of frames are acknowledged at once.
const ACK_BYTES: usize = 256 << 10;

/// How long the word about fewer may wait for more.
pub(crate) const ACK_DELAY: Duration = Duration::from_millis(20);

/// The counts of one session, written by the transport's thread alone.
#[derive(Debug, Default)]
pub(crate) struct Receipts {
    counts: [AtomicU64; REPLAYED],
    /// Bytes received since the peer was told.
    untold: AtomicUsize,
    /// Told when there is something to say, and when it is pressing.
    pub(crate) due: Notify,
}

/// When the peer has to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Somebody sees to it already, or there is nothing to tell.
    Settled,
    /// Within [`ACK_DELAY`].
    Soon,
    /// At once.
    Now,
}

impl Receipts {
    /// Counts frames that were handed to the receiver; `bytes` with their lengths.
    pub(crate) fn received(&self, lane: Lane, frames: usize, bytes: usize) -> Due {
        let Some(count) = self.counts.get(usize::from(lane.number())) else { return Due::Settled };
        count.fetch_add(frames as u64, Ordering::Relaxed);
        let before = self.untold.fetch_add(bytes, Ordering::Relaxed);
        let due = match before {
            0 if bytes >= ACK_BYTES => Due::Now,
            0 => Due::Soon,
            _ if before < ACK_BYTES && before + bytes >= ACK_BYTES => Due::Now,
            _ => Due::Settled,
        };
        if due != Due::Settled {
            self.due.notify_one();
        }
        due
    }

    /// What is to be told is to be told at once: the peer waits for it.
    pub(crate) fn press(&self) {
        if self.untold.load(Ordering::Relaxed) > 0 {
            self.untold.fetch_add(ACK_BYTES, Ordering::Relaxed);
            self.due.notify_one();
        }
    }

    /// Whether there is something to tell.
    pub(crate) fn is_due(&self) -> bool {
        self.untold.load(Ordering::Relaxed) > 0
    }

    /// Whether it should not wait.
    pub(crate) fn is_pressing(&self) -> bool {
        self.untold.load(Ordering::Relaxed) >= ACK_BYTES
    }

    /// The counts as they are, which the peer is told.
    pub(crate) fn tell(&self) -> [u64; REPLAYED] {
        self.untold.store(0, Ordering::Relaxed);
        std::array::from_fn(|lane| self.counts[lane].load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_waits_for_more_until_there_is_enough() {
        let receipts = Receipts::default();
        assert_eq!(receipts.received(Lane::Control, 1, 10), Due::Soon);
        assert_eq!(receipts.received(Lane::Ordered(0), 2, 20), Due::Settled);
        assert!(receipts.is_due() && !receipts.is_pressing());
        assert_eq!(receipts.received(Lane::Ordered(3), 1, ACK_BYTES), Due::Now);
        assert_eq!(receipts.received(Lane::Ordered(3), 1, ACK_BYTES), Due::Settled);
        assert!(receipts.is_pressing());
        assert_eq!(receipts.tell(), [1, 2, 0, 0, 2]);
        assert!(!receipts.is_due());
        assert_eq!(receipts.received(Lane::Control, 1, ACK_BYTES), Due::Now);
        assert_eq!(receipts.tell(), [2, 2, 0, 0, 2]);
        receipts.press();
        assert!(!receipts.is_due(), "there is nothing to tell");
        assert_eq!(
            receipts.received(Lane::Fleeting, 1, 10),
            Due::Settled,
            "nobody waits for a word about it"
        );
    }
}
