//! Watching a prefix: a history bounded in entries and bytes, and streams that are closed rather than grow.
//!
//! Local to a node and no part of the replicated state: what a node applies is told to the watchers of that node.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};

use futures_util::Stream;
use futures_util::task::AtomicWaker;
use synod_protocols::LogIndex;

use crate::services::kv::error::{KvCause, KvError};
use crate::services::kv::model::{Event, EventKind};
use crate::services::kv::row::Row;

/// How much is held for watchers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WatchLimits {
    /// Events of the history. A watch may hold twice as many that its reader has not taken.
    pub(crate) events: usize,
    /// Bytes of the history. A watch may hold twice as many; most of them are shared with the history.
    pub(crate) bytes: usize,
}

impl Default for WatchLimits {
    fn default() -> Self {
        Self { events: 16_384, bytes: 16 << 20 }
    }
}

/// One change as it is remembered: the row that it made, which is the map's too.
#[derive(Clone, Debug)]
struct Change {
    row: Row,
    index: LogIndex,
    kind: EventKind,
}

/// The history and the watchers of one replica.
#[derive(Debug)]
pub(crate) struct Hub {
    limits: WatchLimits,
    history: VecDeque<Change>,
    history_bytes: usize,
    /// The last so many changes of the history have not been told.
    untold: usize,
    /// The first index of which, and after which, every event is in the history.
    oldest: LogIndex,
    watchers: Vec<Watcher>,
    stopped: bool,
}

#[derive(Debug)]
struct Watcher {
    prefix: String,
    from: LogIndex,
    queue: Weak<Queue>,
}

impl Hub {
    /// A history that begins at `oldest`.
    pub(crate) fn new(limits: WatchLimits, oldest: LogIndex) -> Self {
        Self {
            limits,
            history: VecDeque::new(),
            history_bytes: 0,
            untold: 0,
            oldest,
            watchers: Vec::new(),
            stopped: false,
        }
    }

    /// Takes up one change of the index that is told next. The row bears the key; of a key that is gone, nothing else.
    pub(crate) fn add(&mut self, row: Row, index: LogIndex, kind: EventKind) {
        let change = Change { row, index, kind };
        self.history_bytes += change.size();
        self.history.push_back(change);
        self.untold += 1;
    }

    /// Tells all changes of one index.
    pub(crate) fn publish(&mut self, index: LogIndex) {
        let untold = self.history.len() - std::mem::take(&mut self.untold);
        if !self.watchers.is_empty() {
            let news: Vec<Change> = self.history.range(untold..).cloned().collect();
            self.watchers.retain(|watcher| watcher.tell(index, &news, self.limits));
        }
        while self.history.len() > self.limits.events || self.history_bytes > self.limits.bytes {
            self.forget_oldest_index();
        }
    }

    /// Begins a watch at `from`, or at the next change.
    pub(crate) fn watch(&mut self, prefix: &str, from: Option<LogIndex>) -> Result<WatchStream, KvError> {
        if self.stopped {
            return Err(KvError::not_executed(KvCause::Stopped));
        }
        self.watchers.retain(|watcher| watcher.queue.strong_count() > 0);
        let queue = Arc::new(Queue::default());
        if let Some(from) = from {
            // Index 0 stands before the first entry.
            if from.max(LogIndex(1)) < self.oldest {
                return Err(KvError::not_executed(KvCause::Compacted { oldest: self.oldest }));
            }
            let mut waiting = queue.lock();
            for change in &self.history {
                if change.index >= from && change.concerns(prefix) {
                    waiting.push(change);
                }
            }
        }
        let from = from.unwrap_or(LogIndex::ZERO);
        self.watchers.push(Watcher { prefix: prefix.to_owned(), from, queue: Arc::downgrade(&queue) });
        Ok(WatchStream { queue })
    }

    /// Ends because the state leapt to before `oldest`: nobody was told what lay between, and the watchers hear that.
    pub(crate) fn leap(&mut self, oldest: LogIndex) {
        self.end_all(&KvError::not_executed(KvCause::Compacted { oldest }));
    }

    /// Ends all watches, for nothing will be told any more.
    pub(crate) fn stop(&mut self) {
        self.stopped = true;
        self.end_all(&KvError::not_executed(KvCause::Stopped));
    }

    /// The first index from which a watch can begin.
    pub(crate) fn oldest(&self) -> LogIndex {
        self.oldest
    }

    fn end_all(&mut self, error: &KvError) {
        for watcher in self.watchers.drain(..) {
            if let Some(queue) = watcher.queue.upgrade() {
                queue.end(error.clone());
            }
        }
    }

    /// An index is forgotten as a whole, so that a watch never begins in the middle of a transaction.
    fn forget_oldest_index(&mut self) {
        let Some(index) = self.history.front().map(|change| change.index) else { return };
        while let Some(change) = self.history.pop_front_if(|change| change.index == index) {
            self.history_bytes -= change.size();
        }
        self.oldest = index.next();
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.end_all(&KvError::not_executed(KvCause::Stopped));
    }
}

impl Watcher {
    /// Says whether the watch goes on.
    fn tell(&self, index: LogIndex, news: &[Change], limits: WatchLimits) -> bool {
        let Some(queue) = self.queue.upgrade() else { return false };
        if index < self.from {
            return true;
        }
        let mut waiting = queue.lock();
        let (count, bytes) = (waiting.changes.len(), waiting.bytes);
        for change in news.iter().filter(|change| change.concerns(&self.prefix)) {
            waiting.push(change);
        }
        let grown = waiting.changes.len() > count;
        let full = waiting.changes.len() > 2 * limits.events || waiting.bytes > 2 * limits.bytes;
        if grown && full {
            waiting.changes.truncate(count);
            waiting.bytes = bytes;
            drop(waiting);
            queue.end(KvError::not_executed(KvCause::Slow { last: index.previous() }));
            return false;
        }
        drop(waiting);
        if grown {
            queue.waker.wake();
        }
        true
    }
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    waker: AtomicWaker,
}

#[derive(Default)]
struct Waiting {
    changes: VecDeque<Change>,
    bytes: usize,
    end: Option<KvError>,
    ended: bool,
}

impl Queue {
    fn end(&self, error: KvError) {
        self.lock().end = Some(error);
        self.waker.wake();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn push(&mut self, change: &Change) {
        self.bytes += change.size();
        self.changes.push_back(change.clone());
    }

    fn pop(&mut self) -> Option<Result<Event, KvError>> {
        if let Some(change) = self.changes.pop_front() {
            self.bytes -= change.size();
            return Some(Ok(change.event()));
        }
        let end = self.end.take()?;
        self.ended = true;
        Some(Err(end))
    }
}

impl Change {
    fn concerns(&self, prefix: &str) -> bool {
        self.row.key_bytes().starts_with(prefix.as_bytes())
    }

    /// What a reader hears.
    fn event(&self) -> Event {
        let Self { row, index, kind } = self;
        let value = (*kind == EventKind::Put).then(|| row.shared_value());
        Event { key: row.key().to_owned(), value, index: *index, kind: *kind }
    }

    /// Bytes it counts for.
    fn size(&self) -> usize {
        const OVERHEAD: usize = 96;
        OVERHEAD + self.row.len()
    }
}

/// The changes of a prefix in order. After an error, which says why, the stream ends.
pub struct WatchStream {
    queue: Arc<Queue>,
}

impl Stream for WatchStream {
    type Item = Result<Event, KvError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // Registered first: an event that is told after the look at the queue wakes this task again.
        self.queue.waker.register(context.waker());
        let mut waiting = self.queue.lock();
        match waiting.pop() {
            Some(item) => Poll::Ready(Some(item)),
            None if waiting.ended => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

impl fmt::Debug for WatchStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WatchStream")
    }
}
impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Queue")
    }
}
