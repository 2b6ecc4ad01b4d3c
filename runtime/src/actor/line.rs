//! Those who wait for room, in the order in which they came. Knows neither what the room is nor how much of it there is: whoever
//! makes some says for how many it may do.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// The line.
#[derive(Debug, Default)]
pub(crate) struct Line {
    told: Notify,
    waiting: AtomicUsize,
}

impl Line {
    /// Completes with what `attempt` gives; it is tried at once, and again whenever there may be room.
    pub(crate) async fn wait<T>(&self, mut attempt: impl FnMut() -> Option<T>) -> T {
        // Counted before the attempt: whoever makes room afterwards sees that somebody waits.
        let _place = Place::take(self);
        loop {
            let told = self.told.notified();
            tokio::pin!(told);
            told.as_mut().enable();
            if let Some(value) = attempt() {
                return value;
            }
            told.await;
        }
    }

    /// Whether somebody waits: whoever comes now goes behind.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) == 0
    }

    /// Lets the first so many try.
    pub(crate) fn admit(&self, most: usize) {
        for _ in 0..most.min(self.waiting.load(Ordering::SeqCst)) {
            self.told.notify_one();
        }
    }

    /// Lets all of them try: there is nothing to wait for any longer.
    pub(crate) fn dismiss(&self) {
        self.told.notify_waiters();
    }
}

struct Place<'a>(&'a Line);

impl<'a> Place<'a> {
    fn take(line: &'a Line) -> Self {
        line.waiting.fetch_add(1, Ordering::SeqCst);
        Self(line)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn whoever_came_first_goes_first_and_one_that_leaves_passes_it_on() {
        let (line, room) = (Line::default(), Cell::new(0));
        let take = |name: u8| {
            let room = &room;
            line.wait(move || {
                let left = room.get();
                (left > 0).then(|| {
                    room.set(left - 1);
                    name
                })
            })
        };
        let (mut first, mut second, mut third) = (Box::pin(take(1)), Box::pin(take(2)), Box::pin(take(3)));
        for waiting in [&mut first, &mut second, &mut third] {
            assert_eq!(waiting.now_or_never(), None);
        }
        assert!(!line.is_empty());
        room.set(1);
        line.admit(1);
        assert_eq!((&mut third).now_or_never(), None, "it was not told, and nothing is left for it yet");
        drop(first);
        assert_eq!((&mut second).now_or_never(), Some(2));
        drop((second, third));
        assert!(line.is_empty());
    }
}
