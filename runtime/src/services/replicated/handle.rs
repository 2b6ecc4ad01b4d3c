//! The typed handle of a replicated service: finds the leader, retries what is safe to retry, tells the truth about the rest.
//!
//! A retry is safe when the attempt before did not take effect, or when the request bears a tag by which the replicas recognise it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use synod_protocols::log::SessionTag;
use synod_protocols::prng::Prng;
use synod_protocols::raft::{Config, Raft, Status};
use synod_protocols::session::SessionLimits;
use synod_protocols::{LogIndex, NodeId, Outcome};
use tokio::time::{Instant, timeout_at};

use crate::driver::{CreateError, DriverHandle};
use crate::services::replicated::error::{ReplicaCause, ReplicaError};
use crate::services::replicated::forward::{Execute, Executed, Forward, Queried};
use crate::services::replicated::host::ReplicaHost;
use crate::services::replicated::lanes::Lanes;
use crate::services::replicated::names::Names;
use crate::services::replicated::payload::{Settled, pack, read};
use crate::services::replicated::replica::Replica;
use crate::services::replicated::search::Search;
use crate::services::replicated::shared::Shared;
use crate::services::state_machine::StateMachine;

/// How long a request may take unless its caller says otherwise.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// A replicated state machine, as its users hold it on any member; clones reach the same one.
pub struct Replicated<S> {
    me: NodeId,
    replica: Replica<S>,
    forward: Arc<dyn Forward>,
    lanes: Arc<Lanes>,
}

/// What it takes to start one replica.
pub struct Start<S> {
    /// The service's name, the same on every member.
    pub name: String,
    /// The driver of Raft machines on this node.
    pub driver: DriverHandle<Raft>,
    /// The machine's settings; its `id` is this node.
    pub config: Config,
    /// Never the same for two starts of any node: sessions follow from it.
    pub seed: u64,
    /// The way to the other members.
    pub forward: Arc<dyn Forward>,
    /// The state before the first command, the same on every member.
    pub initial: S,
    /// How much is remembered of sessions, the same on every member.
    pub sessions: SessionLimits,
    /// Who they are, for the log.
    pub names: Names,
}

impl<S: StateMachine> Replicated<S> {
    /// Starts this node's replica, with what its disk holds.
    ///
    /// # Errors
    /// [`CreateError`]; nothing runs then.
    pub async fn start(start: Start<S>) -> Result<Self, CreateError> {
        let Start { name, driver, config, seed, forward, initial, sessions, names } = start;
        let (me, shared) = (config.id, Arc::new(Shared::new(initial, sessions)));
        let hosted = Arc::clone(&shared);
        let machine = driver.create(&name, config, move || Box::new(ReplicaHost::new(hosted, names))).await?;
        let seed = Prng::fork(seed, machine.0 ^ me.0).next_u64();
        Ok(Self { me, replica: Replica::new(driver, machine, shared), forward, lanes: Lanes::new(seed) })
    }

    /// Lets a command take effect once, however often it has to be tried.
    ///
    /// # Errors
    /// [`ReplicaError`] says whether the command may have taken effect.
    pub async fn execute(&self, command: &S::Command, deadline: Duration) -> Result<S::Reply, ReplicaError> {
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

    /// Lets a command take effect once among all requests that bear the same tag, of this handle or another.
    ///
    /// # Errors
    /// [`ReplicaError`] says whether the command may have taken effect.
    pub async fn execute_once(
        &self,
        tag: SessionTag,
        command: &S::Command,
        deadline: Duration,
    ) -> Result<S::Reply, ReplicaError> {
        self.execute_by(Some(tag), &encode(command)?, Instant::now() + deadline).await
    }

    /// Lets a command take effect at most once, without a session: an attempt with an unknown outcome is not repeated.
    ///
    /// # Errors
    /// [`ReplicaError`] says whether the command may have taken effect.
    pub async fn execute_unsessioned(
        &self,
        command: &S::Command,
        deadline: Duration,
    ) -> Result<S::Reply, ReplicaError> {
        self.execute_by(None, &encode(command)?, Instant::now() + deadline).await
    }

    /// Answers a query from a state that reflects everything acknowledged before; with the last index it reflects.
    ///
    /// # Errors
    /// [`ReplicaError`]; a query changes nothing.
    pub async fn query(
        &self,
        query: &S::Query,
        deadline: Duration,
    ) -> Result<(S::Answer, LogIndex), ReplicaError> {
        let payload = encode(query)?;
        let mut search = self.search(Instant::now() + deadline);
        loop {
            let target = search.target();
            let (payload, patience) = (payload.clone(), search.patience());
            let attempt = async move {
                match target {
                    None => self.replica.ask(&payload).await,
                    Some(leader) => answered(self.forward.query(leader, payload, patience).await?),
                }
            };
            match search.attempt(target, attempt).await {
                Ok(answered) => return Ok(answered),
                Err(failure) if search.goes_on(target, &failure).await => {}
                Err(failure) => return Err(ReplicaError::not_executed(failure.cause)),
            }
        }
    }

    /// Answers a query from this node's state as it is; with the last index it reflects.
    #[must_use]
    pub fn query_stale(&self, query: S::Query) -> (S::Answer, LogIndex) {
        self.replica.ask_stale(query)
    }

    /// How this node's replica stands.
    ///
    /// # Errors
    /// [`ReplicaError`].
    pub async fn status(&self) -> Result<Status, ReplicaError> {
        self.replica.status().await
    }

    /// Hands leadership over, if this node leads; gives the new leader.
    ///
    /// # Errors
    /// [`ReplicaError`]; leadership may move all the same when its outcome is unknown.
    pub async fn transfer(&self, to: Option<NodeId>) -> Result<NodeId, ReplicaError> {
        self.replica.transfer(to).await
    }

    /// Lets this node's replica write a snapshot; gives the last index it contains.
    ///
    /// # Errors
    /// [`ReplicaError`].
    pub async fn snapshot(&self) -> Result<LogIndex, ReplicaError> {
        self.replica.snapshot().await
    }

    /// This node's replica, for whoever receives the requests of other members.
    #[must_use]
    pub fn replica(&self) -> &Replica<S> {
        &self.replica
    }

    /// Looks at this node's state, or at what is local to it. Nothing is applied meanwhile.
    pub(crate) fn inspect<T>(&self, look: impl FnOnce(&mut S) -> T) -> T {
        look(&mut self.replica.shared.state().machine)
    }

    /// Completes when a leader is known to this node; gives it.
    pub async fn leader(&self) -> NodeId {
        let mut standing = self.replica.shared.standing();
        loop {
            let known = standing.see().leader;
            if let Some(leader) = known {
                return leader;
            }
            // The sender lives as long as the replica this handle holds.
            standing.changed().await;
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
                match target {
                    None => self.replica.execute(request).await,
                    Some(leader) => self.forward.execute(leader, request, patience).await,
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
            if (uncertain && session.is_none()) || !search.goes_on(target, &failure).await {
                return Err(failure);
            }
        }
    }

    fn search(&self, until: Instant) -> Search {
        Search::new(self.me, until, self.replica.shared.standing())
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

impl<S> Clone for Replicated<S> {
    fn clone(&self) -> Self {
        Self {
            me: self.me,
            replica: self.replica.clone(),
            forward: Arc::clone(&self.forward),
            lanes: Arc::clone(&self.lanes),
        }
    }
}

impl<S> fmt::Debug for Replicated<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Replicated({})", std::any::type_name::<S>())
    }
}
