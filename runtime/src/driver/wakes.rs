//! When a driver takes a turn: something has arrived, or the earliest deadline has passed.
//!
//! The driver's one timer lives here; it is armed again only when it has to ring earlier or has rung.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use synod_protocols::{Protocol, Timestamp};
use tokio::time::{Instant, Sleep};

use crate::driver::feed::Feed;
use crate::env::Clock;

/// It is time for a turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wake;

/// The stream of wakes of one driver; does not end.
pub(crate) struct Wakes<P: Protocol> {
    feed: Arc<Feed<P>>,
    clock: Arc<dyn Clock>,
    /// The earliest deadline, as the driver left it after its last turn.
    deadline: Rc<Cell<Timestamp>>,
    armed: Timestamp,
    timer: Pin<Box<Sleep>>,
}

impl<P: Protocol> Wakes<P> {
    pub(crate) fn new(feed: Arc<Feed<P>>, clock: Arc<dyn Clock>, deadline: Rc<Cell<Timestamp>>) -> Self {
        let timer = Box::pin(tokio::time::sleep(Duration::ZERO));
        Self { feed, clock, deadline, armed: Timestamp::ZERO, timer }
    }
}

impl<P: Protocol> Stream for Wakes<P> {
    type Item = Wake;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Wake>> {
        if self.feed.poll(context.waker()) {
            return Poll::Ready(Some(Wake));
        }
        loop {
            let deadline = self.deadline.get();
            if deadline == Timestamp::NEVER {
                return Poll::Pending;
            }
            let now = self.clock.now();
            if deadline <= now {
                return Poll::Ready(Some(Wake));
            }
            if deadline < self.armed || self.timer.is_elapsed() {
                self.armed = deadline;
                // The timer's steps are milliseconds: less than one would make it ring at once, and again.
                let delay = deadline.since(now).max(Duration::from_millis(1));
                self.timer.as_mut().reset(Instant::now() + delay);
            }
            if self.timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
    }
}
