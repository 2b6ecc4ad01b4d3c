//! One request's search for the leader: whom to ask, when to stop waiting, when and whom to ask again.
//!
//! Does not judge whether asking again is safe; that is the caller's business.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use synod_protocols::NodeId;
use tokio::time::{Instant, sleep_until};

use crate::services::replicated::error::{ReplicaCause, ReplicaError};
use crate::services::replicated::forward::Forward;
use crate::services::replicated::guess::Guess;
use crate::services::replicated::proof::Proof;
use crate::services::replicated::standing::Standing;
use crate::services::replicated::watched::Watcher;

/// The first and the longest wait between two attempts when nothing else happens.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(200));
/// How many hints in a row are followed without a wait: nodes that take each other for the leader must not make a storm.
const HOPS: u32 = 3;
/// How often in a row a node's own replica knows no leader before others are asked: an election is over by then, most of the time.
const LOST: u32 = 3;
/// How long a client waits for the first silent node before it asks others, and how long it leaves that one alone. A client has no
/// replica that would tell it of an election. Longer than a disk takes to flush, and than an election.
const SILENCE: Duration = Duration::from_millis(500);

/// The state of one search.
pub(crate) struct Search {
    seat: Seat,
    until: Instant,
    standing: Watcher<Standing>,
    /// Whom the last node asked takes for the leader.
    hint: Option<NodeId>,
    hops: u32,
    pause: Duration,
}

/// From where the search starts.
enum Seat {
    /// From a node with a replica, which knows what that one knows. It may know no leader, as it is no member or hears nobody: then
    /// others are asked for one.
    Member { me: NodeId, others: Option<Others> },
    /// From a client, which knows what it was told.
    Client { guess: Arc<Guess>, round: usize, silence: Duration, suspects: BTreeMap<NodeId, Instant> },
}

/// Those whom a node asks for a leader that its own replica does not know. They are asked for a read, which does nothing, so that
/// the request itself only goes to whom a quorum follows.
pub(crate) struct Others {
    forward: Arc<dyn Forward>,
    guess: Arc<Guess>,
    round: usize,
    lost: u32,
}

impl Others {
    pub(crate) fn new(forward: Arc<dyn Forward>, guess: Arc<Guess>) -> Self {
        Self { forward, guess, round: 0, lost: 0 }
    }

    /// Asks the next one, and whom that one takes for the leader.
    async fn find(&mut self, me: NodeId, until: Instant) {
        let mut node = self.guess.next(&mut self.round, |_| false);
        for _ in 0..=HOPS {
            let patience = until.saturating_duration_since(Instant::now());
            match self
                .forward
                .read_index(node, Proof::Either, patience)
                .await
                .map_err(|failure| failure.cause)
            {
                Ok(_) => return self.guess.learn(node),
                Err(ReplicaCause::NotLeader { leader: Some(leader) }) if leader != me && leader != node => {
                    node = leader;
                }
                Err(_) => return,
            }
        }
    }
}

impl Search {
    pub(crate) fn at_member(
        me: NodeId,
        until: Instant,
        standing: Watcher<Standing>,
        others: Option<Others>,
    ) -> Self {
        Self::new(Seat::Member { me, others }, until, standing)
    }

    pub(crate) fn at_client(guess: Arc<Guess>, until: Instant) -> Self {
        let standing = guess.standing();
        Self::new(
            Seat::Client { guess, round: 0, silence: SILENCE, suspects: BTreeMap::new() },
            until,
            standing,
        )
    }

    fn new(seat: Seat, until: Instant, standing: Watcher<Standing>) -> Self {
        Self { seat, until, standing, hint: None, hops: 0, pause: PAUSES.0 }
    }

    /// The other node to ask; `None` for this one, which also answers while nobody is known to lead.
    pub(crate) fn target(&mut self) -> Option<NodeId> {
        let leader = self.hint.or(self.standing.get().leader);
        match &mut self.seat {
            Seat::Member { me, others } => {
                let found = || others.as_ref()?.guess.leader();
                leader.or_else(found).filter(|leader| leader != me)
            }
            Seat::Client { guess, round, suspects, .. } => {
                let now = Instant::now();
                suspects.retain(|_, until| now < *until);
                let trusted = leader.filter(|leader| !suspects.contains_key(leader));
                Some(trusted.unwrap_or_else(|| guess.next(round, |node| suspects.contains_key(&node))))
            }
        }
    }

    /// Who leads, as far as is known here.
    pub(crate) fn leader(&self) -> Option<NodeId> {
        self.standing.get().leader
    }

    /// How long an attempt may take.
    pub(crate) fn patience(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// Waits for an attempt to ask `target`, until the deadline, until another node is known to lead instead, or, at a client, until
    /// the silence is too long.
    pub(crate) async fn attempt<T>(
        &mut self,
        target: Option<NodeId>,
        attempt: impl Future<Output = Result<T, ReplicaError>>,
    ) -> Result<T, ReplicaError> {
        let mut standing = self.standing.clone();
        standing.see();
        let silent = match &self.seat {
            Seat::Member { .. } => self.until,
            Seat::Client { silence, .. } => (Instant::now() + *silence).min(self.until),
        };
        let result = tokio::select! {
            biased;
            result = attempt => result,
            () = replaced(target, standing) => return Err(ReplicaError::unknown(ReplicaCause::LeadershipMoves)),
            () = sleep_until(silent) => {
                let late = Instant::now() >= self.until;
                let cause = if late { ReplicaCause::Timeout } else { ReplicaCause::LeadershipMoves };
                self.suspect(target);
                self.bear_more();
                return Err(ReplicaError::unknown(cause));
            }
        };
        if let (Ok(_), Seat::Client { guess, .. }, Some(leader)) = (&result, &self.seat, target) {
            guess.learn(leader);
        }
        result
    }

    /// Waits until another attempt is worth while; says whether there is time for one, and any sense in it.
    pub(crate) async fn goes_on(&mut self, target: Option<NodeId>, failure: &ReplicaError) -> bool {
        self.disbelieve(target, failure);
        // Another node that has stopped is replaced by its neighbours; this one is not.
        let elsewhere = failure.cause == ReplicaCause::Stopped && target.is_some();
        if !failure.is_passing() && !elsewhere {
            return false;
        }
        if elsewhere || matches!(failure.cause, ReplicaCause::Link(_)) {
            self.suspect(target);
        }
        if let ReplicaCause::NotLeader { leader: Some(leader) } = failure.cause
            && self.is_worth_a_hop(target, leader)
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
        self.inquire().await;
        Instant::now() < self.until
    }

    /// Asks others for the leader when this node's replica has not known one for a while.
    async fn inquire(&mut self) {
        let led = self.standing.get().leader.is_some();
        let Seat::Member { me, others: Some(others) } = &mut self.seat else { return };
        others.lost = if led { 0 } else { others.lost + 1 };
        if led {
            others.guess.forget();
        } else if others.lost >= LOST && others.guess.leader().is_none() {
            let silent = (Instant::now() + SILENCE).min(self.until);
            tokio::select! {
                biased;
                () = others.find(*me, silent) => {}
                () = self.standing.changed() => {}
                () = sleep_until(silent) => {}
            }
        }
    }

    /// Whether the node that `target` takes for the leader is to be asked at once.
    fn is_worth_a_hop(&self, target: Option<NodeId>, leader: NodeId) -> bool {
        let asked = match &self.seat {
            Seat::Member { me, .. } => Some(target.unwrap_or(*me)),
            Seat::Client { .. } => target,
        };
        Some(leader) != asked && !self.is_suspect(leader) && self.hops < HOPS
    }

    /// Leaves a node alone for a while that a client could not reach.
    fn suspect(&mut self, target: Option<NodeId>) {
        if let (Seat::Client { guess, suspects, .. }, Some(node)) = (&mut self.seat, target) {
            suspects.insert(node, Instant::now() + SILENCE);
            guess.doubt(node);
        }
    }

    /// Takes a node for the leader no longer that others had taken for it, and which does not answer as one.
    fn disbelieve(&self, target: Option<NodeId>, failure: &ReplicaError) {
        let fails = matches!(
            failure.cause,
            ReplicaCause::NotLeader { .. } | ReplicaCause::Link(_) | ReplicaCause::Stopped
        );
        if let (Seat::Member { others: Some(others), .. }, Some(node), true) = (&self.seat, target, fails) {
            others.guess.doubt(node);
        }
    }

    /// Waits longer for the next silent node: this one may have been busy, and asking again makes it no less so.
    fn bear_more(&mut self) {
        if let Seat::Client { silence, .. } = &mut self.seat {
            *silence = (*silence * 2).min(SILENCE * 4);
        }
    }

    fn is_suspect(&self, node: NodeId) -> bool {
        match &self.seat {
            Seat::Member { .. } => false,
            Seat::Client { suspects, .. } => suspects.get(&node).is_some_and(|until| Instant::now() < *until),
        }
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
