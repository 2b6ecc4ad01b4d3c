//! Which feeds hold asks whose deadlines will pass, and when the next one does: what the node's sweeper goes by.
//!
//! Moments may be too early, never too late: a feed says when its next deadline is, and is asked again then.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use synod_protocols::Timestamp;

use super::feed::Feed;

/// The feeds, by moment and actor.
#[derive(Default)]
pub(crate) struct Patience {
    feeds: Mutex<BTreeMap<(Timestamp, u64), Weak<Feed>>>,
}

impl Patience {
    /// A feed holds an ask that is due then; `true` when nothing is due before.
    pub(crate) fn enter(&self, due: Timestamp, feed: &Arc<Feed>) -> bool {
        let mut feeds = self.lock();
        let sooner = feeds.first_key_value().is_none_or(|((first, _), _)| due < *first);
        // Whoever asked holds the feed.
        feeds.insert((due, feed.actor), Arc::downgrade(feed));
        sooner
    }

    /// When to call [`Patience::expire`].
    pub(crate) fn due(&self) -> Option<Timestamp> {
        self.lock().first_key_value().map(|((due, _), _)| *due)
    }

    /// Tells those who have waited for too long, in all feeds.
    pub(crate) fn expire(&self, now: Timestamp) {
        while let Some(feed) = self.next(now) {
            let Some(feed) = feed.upgrade() else { continue };
            if let Some(due) = feed.expire(now) {
                self.enter(due, &feed);
            }
        }
    }

    fn next(&self, now: Timestamp) -> Option<Weak<Feed>> {
        let mut feeds = self.lock();
        let first = feeds.first_entry().filter(|first| first.key().0 <= now)?;
        Some(first.remove())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(Timestamp, u64), Weak<Feed>>> {
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
