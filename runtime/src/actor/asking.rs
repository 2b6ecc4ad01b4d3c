//! A request over a link whose caller may give it up: then nobody waits for its answer, and the peer is told not to begin with it.

use std::sync::Arc;

use synod_transport::Lane;

use crate::cluster::Session;
use crate::wire::Head;

/// One request, while its caller waits.
pub(super) struct Asking<'a> {
    session: &'a Arc<Session>,
    correlation: u64,
    target: u64,
    stage: Stage,
}

/// How far it has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It waits for room.
    Here,
    /// It is on its way, or with the peer.
    Sent,
    /// It was answered.
    Over,
}

impl<'a> Asking<'a> {
    pub(super) fn new(session: &'a Arc<Session>, correlation: u64, target: u64) -> Self {
        Self { session, correlation, target, stage: Stage::Here }
    }

    pub(super) fn is_sent(&mut self) {
        self.stage = Stage::Sent;
    }

    pub(super) fn is_over(&mut self) {
        self.stage = Stage::Over;
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if self.stage == Stage::Over || !self.session.pending.withdraw(self.correlation) {
            return;
        }
        if self.stage == Stage::Sent {
            // In the request's own lane, so that it comes behind it. Without room the peer does what it was asked for.
            let head = Head::Cancel { correlation: self.correlation, target: self.target };
            let _ = self.session.send(Lane::for_target(self.target), &head, &mut |_| Ok(()));
        }
    }
}
