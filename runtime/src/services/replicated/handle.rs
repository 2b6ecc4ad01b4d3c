//! The typed handle of a replicated service on a member: its requests, and its own replica.
//!
//! How requests find the leader stands in `caller`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use synod_protocols::log::SessionTag;
use synod_protocols::prng::Prng;
use synod_protocols::raft::{Config, Raft, Status};
use synod_protocols::session::SessionLimits;
use synod_protocols::{LogIndex, NodeId};
use tokio::time::{Instant, sleep, timeout_at};

use crate::driver::{CreateError, DriverHandle};
use crate::services::replicated::backup::Backup;
use crate::services::replicated::caller::Caller;
use crate::services::replicated::change::Change;
use crate::services::replicated::error::{ReplicaCause, ReplicaError};
use crate::services::replicated::forward::Forward;
use crate::services::replicated::host::ReplicaHost;
use crate::services::replicated::names::Names;
use crate::services::replicated::proof::Proof;
use crate::services::replicated::replica::Replica;
use crate::services::replicated::shared::Shared;
use crate::services::state_machine::StateMachine;

/// How often a replica that is behind is looked at.
const LOOK: Duration = Duration::from_millis(1);

/// How long a request may take unless its caller says otherwise.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// A replicated state machine, as its users hold it on any member; clones reach the same one.
pub struct Replicated<S> {
    caller: Caller<S>,
    replica: Replica<S>,
    names: Arc<Names>,
}

/// What it takes to start one replica.
pub struct Start<S> {
    /// The service's name, the same on every member.
    pub name: Arc<str>,
    /// The driver of Raft machines on this node.
    pub driver: DriverHandle<Raft>,
    /// The machine's settings; its `id` is this node. Services with the same settings do well to share them.
    pub config: Arc<Config>,
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
        let names = Arc::new(names);
        let known = Arc::clone(&names);
        let (me, shared) = (config.id, Arc::new(Shared::new(initial, sessions)));
        let hosted = Arc::clone(&shared);
        let machine = driver.create(name, config, move || Box::new(ReplicaHost::new(hosted, names))).await?;
        let seed = Prng::fork(seed, machine.0 ^ me.0).next_u64();
        let replica = Replica::new(driver, machine, shared);
        let members = Arc::clone(&known.members);
        Ok(Self {
            caller: Caller::member(me, replica.clone(), members, forward, seed),
            replica,
            names: known,
        })
    }

    /// Lets a command take effect once, however often it has to be tried.
    ///
    /// # Errors
    /// [`ReplicaError`] says whether the command may have taken effect.
    pub async fn execute(&self, command: &S::Command, deadline: Duration) -> Result<S::Reply, ReplicaError> {
        self.caller.execute(command, deadline).await
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
        self.caller.execute_once(tag, command, deadline).await
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
        self.caller.execute_unsessioned(command, deadline).await
    }

    /// Answers a query from a state that reflects everything acknowledged before; with the last index it reflects. What shows
    /// that is a lease where there is one, otherwise a round of messages.
    ///
    /// # Errors
    /// [`ReplicaError`]; a query changes nothing.
    pub async fn query(
        &self,
        query: &S::Query,
        deadline: Duration,
    ) -> Result<(S::Answer, LogIndex), ReplicaError> {
        self.query_by(Proof::Either, query, deadline).await
    }

    /// As `query`, with the caller's choice of what shows that the answer misses nothing.
    ///
    /// # Errors
    /// [`ReplicaError`]; a query changes nothing.
    pub async fn query_by(
        &self,
        proof: Proof,
        query: &S::Query,
        deadline: Duration,
    ) -> Result<(S::Answer, LogIndex), ReplicaError> {
        self.caller.query(proof, query, deadline).await
    }

    /// Answers a query from this node's state as it is; with the last index it reflects.
    #[must_use]
    pub fn query_stale(&self, query: S::Query) -> (S::Answer, LogIndex) {
        self.replica.ask_stale(query)
    }

    /// Answers a query from this node's own state, once it reflects everything acknowledged before; with the last index it reflects.
    /// The leader only says how far that is: its state is not read, and nothing but a number travels.
    ///
    /// # Errors
    /// [`ReplicaError`]; a query changes nothing.
    pub async fn query_here(
        &self,
        query: S::Query,
        deadline: Duration,
    ) -> Result<(S::Answer, LogIndex), ReplicaError> {
        self.query_here_by(Proof::Either, query, deadline).await
    }

    /// As [`Replicated::query_here`], with the caller's choice of what shows that the answer misses nothing.
    ///
    /// # Errors
    /// [`ReplicaError`]; a query changes nothing.
    pub async fn query_here_by(
        &self,
        proof: Proof,
        query: S::Query,
        deadline: Duration,
    ) -> Result<(S::Answer, LogIndex), ReplicaError> {
        let until = Instant::now() + deadline;
        let seen = self.caller.read_index(proof, until).await?;
        let reached = timeout_at(until, async {
            while self.replica.applied() < seen {
                sleep(LOOK).await;
            }
        });
        reached.await.map_err(|_late| ReplicaError::not_executed(ReplicaCause::Timeout))?;
        Ok(self.replica.ask_stale(query))
    }

    /// Leads the group to other members, any set to any set: learners are added and catch up, then both sets decide together, then the
    /// new one alone (joint consensus, Raft §6). Gives the index from which it is done; asking again does no harm. Every node
    /// that is to be a member has to host the service already.
    ///
    /// # Errors
    /// [`ReplicaError`]; the group may be on its way, and go on, when the outcome is unknown.
    pub async fn change_members(
        &self,
        change: &Change,
        deadline: Duration,
    ) -> Result<LogIndex, ReplicaError> {
        self.caller.change(change, deadline).await
    }

    /// How this node's replica stands.
    ///
    /// # Errors
    /// [`ReplicaError`].
    pub async fn status(&self) -> Result<Status, ReplicaError> {
        self.replica.status().await
    }

    /// Lets whoever leads hand leadership over, to the voter `to` or to the one that is furthest along; gives the new leader. Asked of a
    /// leader at most once, for it takes no commands meanwhile.
    ///
    /// # Errors
    /// [`ReplicaError`], with the cause `Successor` when nobody like that can lead; leadership may move all the same when its outcome is
    /// unknown.
    pub async fn transfer(&self, to: Option<NodeId>, deadline: Duration) -> Result<NodeId, ReplicaError> {
        self.caller.transfer(to, deadline).await
    }

    /// Lets this node's replica write a snapshot; gives the last index it contains.
    ///
    /// # Errors
    /// [`ReplicaError`].
    pub async fn snapshot(&self) -> Result<LogIndex, ReplicaError> {
        self.replica.snapshot().await
    }

    /// A backup of this node's state once it reflects the entry at `seen`, which a query has told: then it contains everything that
    /// was acknowledged before that query began. `cluster` stands in the backup's header.
    ///
    /// # Errors
    /// [`ReplicaError`]; its cause is `Timeout` when this node does not get that far in time.
    pub async fn backup(
        &self,
        seen: LogIndex,
        cluster: &str,
        deadline: Duration,
    ) -> Result<Backup, ReplicaError> {
        Backup::of(&self.replica, seen, cluster, &self.names, deadline).await
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
}

impl<S> Clone for Replicated<S> {
    fn clone(&self) -> Self {
        Self { caller: self.caller.clone(), replica: self.replica.clone(), names: Arc::clone(&self.names) }
    }
}

impl<S> fmt::Debug for Replicated<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Replicated({})", std::any::type_name::<S>())
    }
}
