//! One request over a link, as whoever asked holds it: a future that gives the answer.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use synod_protocols::Timestamp;

use super::answer::Answer;
use super::session::Session;

/// The request; dropped, it is withdrawn.
pub(crate) struct Waiting {
    session: Arc<Session>,
    correlation: u64,
    over: bool,
}

impl Waiting {
    /// Enters a request; gives whether it has the earliest deadline of all. `None` when the link is gone.
    pub(crate) fn enter(session: &Arc<Session>, deadline: Timestamp) -> Option<(Self, bool)> {
        let (correlation, sooner) = session.pending.enter(deadline)?;
        Some((Self { session: session.clone(), correlation, over: false }, sooner))
    }

    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// What the peer calls the request.
    pub(crate) fn correlation(&self) -> u64 {
        self.correlation
    }

    /// Takes the request back; `true` when it had not been answered.
    pub(crate) fn withdraw(&mut self) -> bool {
        let over = std::mem::replace(&mut self.over, true);
        !over && self.session.pending.withdraw(self.correlation)
    }
}

impl Future for Waiting {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Answer> {
        let polled = self.session.pending.poll(self.correlation, task);
        self.over = polled.is_ready();
        polled
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.withdraw();
    }
}
