//! One request's search for the leader: whom to ask, when to stop waiting, when and whom to ask again.
//!
//! Does not judge whether asking again is safe; that is the handle's business.

use std::future::Future;
use std::time::Duration;

use synod_protocols::NodeId;
use tokio::time::{Instant, sleep_until};

use crate::services::replicated::error::{ReplicaCause, ReplicaError};
use crate::services::replicated::shared::Standing;
use crate::services::replicated::watched::Watcher;

/// The first and the longest wait between two attempts when nothing else happens.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(200));
/// How many hints in a row are followed without a wait: nodes that take each other for the leader must not make a storm.
const HOPS: u32 = 3;

/// The state of one search.
pub(crate) struct Search {
    me: NodeId,
    until: Instant,
    standing: Watcher<Standing>,
    /// Whom the last node asked takes for the leader.
    hint: Option<NodeId>,
    hops: u32,
    pause: Duration,
}

impl Search {
    pub(crate) fn new(me: NodeId, until: Instant, standing: Watcher<Standing>) -> Self {
        Self { me, until, standing, hint: None, hops: 0, pause: PAUSES.0 }
    }

    /// The other node to ask; `None` for this one, which also answers while nobody is known to lead.
    pub(crate) fn target(&self) -> Option<NodeId> {
        self.hint.or(self.standing.get().leader).filter(|&leader| leader != self.me)
    }

    /// How long an attempt may take.
    pub(crate) fn patience(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// Waits for an attempt to ask `target`, until the deadline, or until another node is known to lead instead.
    pub(crate) async fn attempt<T>(
        &mut self,
        target: Option<NodeId>,
        attempt: impl Future<Output = Result<T, ReplicaError>>,
    ) -> Result<T, ReplicaError> {
        let mut standing = self.standing.clone();
        standing.see();
        tokio::select! {
            biased;
            result = attempt => result,
            () = replaced(target, standing) => Err(ReplicaError::unknown(ReplicaCause::LeadershipMoves)),
            () = sleep_until(self.until) => Err(ReplicaError::unknown(ReplicaCause::Timeout)),
        }
    }

    /// Waits until another attempt is worth while; says whether there is time for one, and any sense in it.
    pub(crate) async fn goes_on(&mut self, target: Option<NodeId>, failure: &ReplicaError) -> bool {
        // Another node that has stopped is replaced by its neighbours; this one is not.
        let elsewhere = failure.cause == ReplicaCause::Stopped && target.is_some();
        if !failure.is_passing() && !elsewhere {
            return false;
        }
        let asked = target.unwrap_or(self.me);
        if let ReplicaCause::NotLeader { leader: Some(leader) } = failure.cause
            && leader != asked
            && self.hops < HOPS
        {
            (self.hint, self.hops) = (Some(leader), self.hops + 1);
            return Instant::now() < self.until;
        }
        (self.hint, self.hops) = (None, 0);
        let wake = (Instant::now() + self.pause).min(self.until);
        self.pause = (self.pause * 2).min(PAUSES.1);
        tokio::select! {
            biased;
            () = self.standing.changed() => {}
            () = sleep_until(wake) => {}
        }
        Instant::now() < self.until
    }
}

/// Completes when another node than the one asked is known to lead. An attempt at this node hears of that by itself.
async fn replaced(target: Option<NodeId>, mut standing: Watcher<Standing>) {
    let Some(target) = target else { return std::future::pending().await };
    loop {
        standing.changed().await;
        if standing.see().leader.is_some_and(|leader| leader != target) {
            return;
        }
    }
}
