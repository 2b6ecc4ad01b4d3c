//! One service's requests, from a member or a client: finds the leader, retries what is safe to retry, tells the truth about the rest.
//!
//! A retry is safe when the attempt before did not take effect, or when the request bears a tag by which the replicas recognise it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use synod_protocols::log::SessionTag;
use synod_protocols::{LogIndex, NodeId, Outcome};
use synod_transport::PeerName;
use tokio::time::{Instant, timeout_at};

use crate::services::replicated::change::Change;
use crate::services::replicated::error::{ReplicaCause, ReplicaError};
use crate::services::replicated::forward::{Ask, Execute, Executed, Forward, Queried};
use crate::services::replicated::guess::Guess;
use crate::services::replicated::lanes::Lanes;
use crate::services::replicated::payload::{Settled, pack, read};
use crate::services::replicated::proof::Proof;
use crate::services::replicated::replica::Replica;
use crate::services::replicated::search::{Others, Search};
use crate::services::state_machine::StateMachine;

/// Where requests go from here; clones share what they have learned.
pub(crate) struct Caller<S> {
    seat: Seat<S>,
    forward: Arc<dyn Forward>,
    lanes: Arc<Lanes>,
}

/// Where the caller is.
enum Seat<S> {
    /// On a node that has a replica of its own, and may be a member or not; and all who may be asked, this node among them.
    Member { me: NodeId, replica: Replica<S>, members: Arc<BTreeMap<NodeId, PeerName>> },
    /// Elsewhere.
    Client(Arc<Guess>),
}

impl<S: StateMachine> Caller<S> {
    /// Requests that start at this node's own replica, and go to other `members` when that one knows no leader.
    pub(crate) fn member(
        me: NodeId,
        replica: Replica<S>,
        members: Arc<BTreeMap<NodeId, PeerName>>,
        forward: Arc<dyn Forward>,
        seed: u64,
    ) -> Self {
        Self { seat: Seat::Member { me, replica, members }, forward, lanes: Lanes::new(seed) }
    }

    /// Requests of one who has no replica and knows who has. There has to be at least one member.
    pub(crate) fn client(members: Vec<NodeId>, forward: Arc<dyn Forward>, seed: u64) -> Self {
        Self { seat: Seat::Client(Arc::new(Guess::new(members))), forward, lanes: Lanes::new(seed) }
    }

    /// As `Replicated::execute`.
    pub(crate) async fn execute(
        &self,
        command: &S::Command,
        deadline: Duration,
    ) -> Result<S::Reply, ReplicaError> {
        let (payload, until) = (encode(command)?, Instant::now() + deadline);
        let Ok(mut lane) = timeout_at(until, self.lanes.take()).await else {
            return Err(ReplicaError::not_executed(ReplicaCause::Busy));
        };
        match self.execute_by(Some(lane.tag()), &payload, until).await {
            // The replicas have forgotten the lane before this request came: it goes on under another name.
            Err(ReplicaError { cause: ReplicaCause::SessionExpired, outcome: Outcome::NotExecuted }) => {
                lane.renew();
                self.execute_by(Some(lane.tag()), &payload, until).await
            }
            result => result,
        }
    }

    /// As `Replicated::execute_once`.
    pub(crate) async fn execute_once(
        &self,
        tag: SessionTag,
        command: &S::Command,
        deadline: Duration,
    ) -> Result<S::Reply, ReplicaError> {
        self.execute_by(Some(tag), &encode(command)?, Instant::now() + deadline).await
    }

    /// As `Replicated::execute_unsessioned`.
    pub(crate) async fn execute_unsessioned(
        &self,
        command: &S::Command,
        deadline: Duration,
    ) -> Result<S::Reply, ReplicaError> {
        self.execute_by(None, &encode(command)?, Instant::now() + deadline).await
    }

    /// As `Replicated::query_by`.
    pub(crate) async fn query(
        &self,
        proof: Proof,
        query: &S::Query,
        deadline: Duration,
    ) -> Result<(S::Answer, LogIndex), ReplicaError> {
        let ask = Ask { payload: encode(query)?, proof };
        let mut search = self.search(Instant::now() + deadline);
        loop {
            let target = search.target();
            let (ask, patience) = (ask.clone(), search.patience());
            let attempt = async move {
                match (target, self.replica()) {
                    (Some(leader), _) => answered(self.forward.query(leader, ask, patience).await?),
                    (None, Some(replica)) => replica.ask(&ask).await,
                    (None, None) => Err(ReplicaError::not_executed(ReplicaCause::NoLeader)),
                }
            };
            match search.attempt(target, attempt).await {
                Ok(answered) => return Ok(answered),
                Err(failure) if self.doubting(target, search.goes_on(target, &failure)).await => {}
                Err(failure) => return Err(ReplicaError::not_executed(failure.cause)),
            }
        }
    }

    /// As `Replicated::change_members`. What shall be is the same however often it is asked for.
    pub(crate) async fn change(&self, change: &Change, deadline: Duration) -> Result<LogIndex, ReplicaError> {
        let mut search = self.search(Instant::now() + deadline);
        let mut uncertain = false;
        loop {
            let (target, patience) = (search.target(), search.patience());
            let attempt = async move {
                match (target, self.replica()) {
                    (Some(leader), _) => self.forward.change(leader, change.clone(), patience).await,
                    (None, Some(replica)) => replica.change(change).await,
                    (None, None) => Err(ReplicaError::not_executed(ReplicaCause::NoLeader)),
                }
            };
            match search.attempt(target, attempt).await {
                Ok(index) => return Ok(index),
                Err(mut failure) => {
                    uncertain |= failure.outcome == Outcome::Unknown;
                    let goes_on = search.goes_on(target, &failure).await;
                    if uncertain {
                        failure.outcome = Outcome::Unknown;
                    }
                    if !goes_on {
                        return Err(failure);
                    }
                }
            }
        }
    }

    /// As `Replicated::transfer`. A leader that hands over takes no commands meanwhile, so it is asked once.
    pub(crate) async fn transfer(
        &self,
        to: Option<NodeId>,
        deadline: Duration,
    ) -> Result<NodeId, ReplicaError> {
        let mut search = self.search(Instant::now() + deadline);
        loop {
            let (target, patience) = (search.target(), search.patience());
            let attempt = async move {
                match (target, self.replica()) {
                    (Some(leader), _) => self.forward.transfer(leader, to, patience).await,
                    (None, Some(replica)) => replica.transfer(to).await,
                    (None, None) => Err(ReplicaError::not_executed(ReplicaCause::NoLeader)),
                }
            };
            let failure = match search.attempt(target, attempt).await {
                Ok(leader) => return Ok(leader),
                Err(failure) => failure,
            };
            if failure.outcome == Outcome::Unknown {
                // The new leader may have been heard here before the answer of the old one.
                let wanted = |leader: NodeId| to.map_or(Some(leader) != target, |to| leader == to);
                return search.leader().filter(|&leader| target.is_some() && wanted(leader)).ok_or(failure);
            }
            if !search.goes_on(target, &failure).await {
                return Err(failure);
            }
        }
    }

    /// An index that reflects everything acknowledged before, of whoever leads.
    pub(crate) async fn read_index(&self, proof: Proof, until: Instant) -> Result<LogIndex, ReplicaError> {
        let mut search = self.search(until);
        loop {
            let (target, patience) = (search.target(), search.patience());
            let attempt = async move {
                match (target, self.replica()) {
                    (Some(leader), _) => self.forward.read_index(leader, proof, patience).await,
                    (None, Some(replica)) => replica.read_index(proof).await,
                    (None, None) => Err(ReplicaError::not_executed(ReplicaCause::NoLeader)),
                }
            };
            match search.attempt(target, attempt).await {
                Ok(index) => return Ok(index),
                Err(failure) if search.goes_on(target, &failure).await => {}
                Err(failure) => return Err(ReplicaError::not_executed(failure.cause)),
            }
        }
    }

    async fn execute_by(
        &self,
        session: Option<SessionTag>,
        payload: &Bytes,
        until: Instant,
    ) -> Result<S::Reply, ReplicaError> {
        let mut search = self.search(until);
        let mut uncertain = false;
        loop {
            let target = search.target();
            let (request, patience) = (Execute { session, payload: payload.clone() }, search.patience());
            let attempt = async move {
                match (target, self.replica()) {
                    (Some(leader), _) => self.forward.execute(leader, request, patience).await,
                    (None, Some(replica)) => replica.execute(request).await,
                    (None, None) => Err(ReplicaError::not_executed(ReplicaCause::NoLeader)),
                }
            };
            let mut failure = match search.attempt(target, attempt).await {
                Ok(executed) => return settle(&executed, uncertain),
                Err(failure) => failure,
            };
            uncertain |= failure.outcome == Outcome::Unknown;
            if uncertain {
                failure.outcome = Outcome::Unknown;
            }
            if (uncertain && session.is_none())
                || !self.doubting(target, search.goes_on(target, &failure)).await
            {
                return Err(failure);
            }
        }
    }

    /// Waits as the search wants to, after this node's replica was told that the leader could not be reached: it may be asleep.
    async fn doubting(&self, leader: Option<NodeId>, goes_on: impl Future<Output = bool>) -> bool {
        if let (Some(_), Some(replica)) = (leader, self.replica()) {
            replica.wake();
        }
        goes_on.await
    }

    fn search(&self, until: Instant) -> Search {
        match &self.seat {
            Seat::Member { me, replica, members } => {
                let others = replica.shared.others(|| members.keys().copied().filter(|node| node != me));
                let others = others.map(|guess| Others::new(self.forward.clone(), guess));
                Search::at_member(*me, until, replica.shared.standing(), others)
            }
            Seat::Client(guess) => Search::at_client(guess.clone(), until),
        }
    }

    const fn replica(&self) -> Option<&Replica<S>> {
        match &self.seat {
            Seat::Member { replica, .. } => Some(replica),
            Seat::Client(_) => None,
        }
    }
}

fn encode<T: Serialize>(value: &T) -> Result<Bytes, ReplicaError> {
    pack(value).map_err(|error| {
        tracing::error!(%error, "a request cannot be encoded");
        ReplicaError::not_executed(ReplicaCause::Unsupported)
    })
}

fn answered<A: DeserializeOwned>(queried: Queried) -> Result<(A, LogIndex), ReplicaError> {
    let answer = read(&queried.answer).ok_or(ReplicaError::not_executed(ReplicaCause::Unsupported))?;
    Ok((answer, queried.index))
}

/// The reply of a command that stands in the log; `uncertain` says that an earlier attempt may stand there too.
fn settle<R: DeserializeOwned>(executed: &Executed, uncertain: bool) -> Result<R, ReplicaError> {
    match Settled::read(&executed.result) {
        Settled::Reply(reply) => read(&reply).ok_or(ReplicaError::unknown(ReplicaCause::Unsupported)),
        Settled::Unreadable => Err(ReplicaError::not_executed(ReplicaCause::Unsupported)),
        Settled::Expired if !uncertain => Err(ReplicaError::not_executed(ReplicaCause::SessionExpired)),
        Settled::Reused if !uncertain => Err(ReplicaError::not_executed(ReplicaCause::TagReused)),
        Settled::Reused => Err(ReplicaError::unknown(ReplicaCause::TagReused)),
        Settled::Stale | Settled::Expired => Err(ReplicaError::unknown(ReplicaCause::SessionExpired)),
    }
}

impl<S> Clone for Caller<S> {
    fn clone(&self) -> Self {
        let seat = match &self.seat {
            Seat::Member { me, replica, members } => {
                Seat::Member { me: *me, replica: replica.clone(), members: Arc::clone(members) }
            }
            Seat::Client(guess) => Seat::Client(guess.clone()),
        };
        Self { seat, forward: Arc::clone(&self.forward), lanes: Arc::clone(&self.lanes) }
    }
}
