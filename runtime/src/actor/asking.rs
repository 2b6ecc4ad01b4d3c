//! A request over a link whose caller may give it up: then nobody waits for its answer, and the peer is told not to begin with it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use synod_transport::Lane;

use crate::cluster::{Answer, Waiting};
use crate::wire::Head;

/// One request, while its caller waits.
pub(super) struct Asking {
    waiting: Waiting,
    target: u64,
    /// Whether it is on its way, or with the peer.
    sent: bool,
}

impl Asking {
    pub(super) fn new(waiting: Waiting, target: u64) -> Self {
        Self { waiting, target, sent: false }
    }

    pub(super) fn is_sent(&mut self) {
        self.sent = true;
    }
}

impl Future for Asking {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Answer> {
        Pin::new(&mut self.waiting).poll(task)
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if self.waiting.withdraw() && self.sent {
            let head = Head::Cancel { correlation: self.waiting.correlation(), target: self.target };
            let session = self.waiting.session();
            // In the request's own lane, so that it comes behind it.
            if let Err(error) = session.send(Lane::for_target(self.target), &head, &mut |_| Ok(())) {
                // A link that is gone has no request to cancel. Without room the peer does what it was asked for, and its answer is
                // dropped: what a cancel saves is work, never a promise.
                tracing::debug!(peer = %session.peer().name, target = self.target, ?error, "a cancel was not sent");
            }
        }
    }
}
