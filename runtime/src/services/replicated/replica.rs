//! One replica as its own node asks it: one attempt, no forwarding, no retry.
//!
//! Serves the handles of its node and, through whoever receives for it, those of others.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use synod_protocols::log::SessionTag;
use synod_protocols::raft::{Command, Raft, Reply, Status};
use synod_protocols::{LogIndex, NodeId};

use crate::address::MachineId;
use crate::driver::DriverHandle;
use crate::services::replicated::change::Change;
use crate::services::replicated::error::{ReplicaCause, ReplicaError};
use crate::services::replicated::forward::{Ask, Execute, Executed, Queried};
use crate::services::replicated::payload::unpack;
use crate::services::replicated::proof::Proof;
use crate::services::replicated::shared::Shared;
use crate::services::replicated::unfit::Unfit;
use crate::services::state_machine::StateMachine;
use crate::storage::{SnapshotFault, SnapshotReader};
use crate::wire::{Form, encode};

/// The replica of a service on this node; clones are the same replica.
pub struct Replica<S> {
    driver: DriverHandle<Raft>,
    machine: MachineId,
    pub(crate) shared: Arc<Shared<S>>,
}

impl<S: StateMachine> Replica<S> {
    pub(crate) fn new(driver: DriverHandle<Raft>, machine: MachineId, shared: Arc<Shared<S>>) -> Self {
        Self { driver, machine, shared }
    }

    /// Proposes a command, if this node leads, and waits until it has taken effect.
    ///
    /// # Errors
    /// [`ReplicaError`].
    pub async fn execute(&self, request: Execute) -> Result<Executed, ReplicaError> {
        let Execute { session, payload } = request;
        self.propose(session, payload).await
    }

    /// Answers a query from a state that reflects everything acknowledged before, if this node leads.
    ///
    /// # Errors
    /// [`ReplicaError`]; a query changes nothing.
    pub async fn query(&self, query: &Ask) -> Result<Queried, ReplicaError> {
        let (answer, index) = self.ask(query).await?;
        let mut out = BytesMut::new();
        encode(&answer, Form::Compact, &mut out).map_err(|error| {
            tracing::error!(%error, "an answer cannot be encoded");
            ReplicaError::not_executed(ReplicaCause::Unsupported)
        })?;
        Ok(Queried { index, answer: out.freeze() })
    }

    /// As [`Replica::query`], with the answer as it is.
    pub(crate) async fn ask(&self, query: &Ask) -> Result<(S::Answer, LogIndex), ReplicaError> {
        let unreadable = ReplicaError::not_executed(ReplicaCause::Unsupported);
        let asked = unpack::<S::Query>(&query.payload).ok_or(unreadable)?;
        match self.command(query.proof.command(), 0).await? {
            Reply::ReadReady { .. } => Ok(self.ask_stale(asked)),
            reply => Err(unexpected(&reply)),
        }
    }

    /// Leads the group to other members, if this node leads it; gives the index from which they are the members.
    ///
    /// # Errors
    /// [`ReplicaError`]; steps may have been taken when the outcome is unknown.
    pub async fn change(&self, change: &Change) -> Result<LogIndex, ReplicaError> {
        if let Some(node) = change.listed_twice() {
            return Err(ReplicaError::not_executed(ReplicaCause::Members(Unfit::ListedTwice(node))));
        }
        match self.command(change.command(), 0).await? {
            Reply::MembersChanged { index } => Ok(index),
            reply => Err(unexpected(&reply)),
        }
    }

    /// An index that reflects everything acknowledged before, if this node leads.
    ///
    /// # Errors
    /// [`ReplicaError`]; nothing changes.
    pub async fn read_index(&self, proof: Proof) -> Result<LogIndex, ReplicaError> {
        match self.command(proof.command(), 0).await? {
            Reply::ReadReady { index } => Ok(index),
            reply => Err(unexpected(&reply)),
        }
    }

    /// Answers from the state as it is.
    pub(crate) fn ask_stale(&self, query: S::Query) -> (S::Answer, LogIndex) {
        let state = self.shared.state();
        (state.machine.query(query), state.applied)
    }

    /// How this replica stands.
    ///
    /// # Errors
    /// [`ReplicaError`].
    pub async fn status(&self) -> Result<Status, ReplicaError> {
        match self.command(Command::Status, 0).await? {
            Reply::Status(status) => Ok(*status),
            reply => Err(unexpected(&reply)),
        }
    }

    /// Hands leadership over, if this node leads; gives the new leader.
    ///
    /// # Errors
    /// [`ReplicaError`]; leadership may move all the same when its outcome is unknown.
    pub async fn transfer(&self, to: Option<NodeId>) -> Result<NodeId, ReplicaError> {
        match self.command(Command::Transfer { to }, 0).await? {
            Reply::Transferred { to } => Ok(to),
            reply => Err(unexpected(&reply)),
        }
    }

    /// Lets this replica look for a leader, if it sleeps.
    pub(crate) fn wake(&self) {
        self.driver.tell(self.machine, Command::Wake);
    }

    pub(crate) async fn snapshot(&self) -> Result<LogIndex, ReplicaError> {
        match self.command(Command::Snapshot, 0).await? {
            Reply::SnapshotTaken { index } => Ok(index),
            reply => Err(unexpected(&reply)),
        }
    }

    /// The last entry whose effect this replica's state contains.
    pub(crate) fn applied(&self) -> LogIndex {
        self.shared.state().applied
    }

    /// Opens the newest snapshot of this replica.
    pub(crate) async fn read_snapshot(&self) -> Result<SnapshotReader, SnapshotFault> {
        self.driver.read_snapshot(self.machine).await
    }

    async fn propose(&self, session: Option<SessionTag>, payload: Bytes) -> Result<Executed, ReplicaError> {
        let size = payload.len();
        match self.command(Command::Propose { session, payload }, size).await? {
            Reply::Applied { index, result, .. } => Ok(Executed { index, result }),
            reply => Err(unexpected(&reply)),
        }
    }

    async fn command(&self, command: Command, size: usize) -> Result<Reply, ReplicaError> {
        match self.driver.command(self.machine, command, size).await {
            Ok(Reply::Refused(refusal)) => Err(ReplicaError::refused(refusal, size)),
            Ok(reply) => Ok(reply),
            Err(error) => Err(ReplicaError::undriven(error)),
        }
    }
}

impl<S> Clone for Replica<S> {
    fn clone(&self) -> Self {
        Self { driver: self.driver.clone(), machine: self.machine, shared: Arc::clone(&self.shared) }
    }
}

/// The machine broke its contract; what it did is not known.
fn unexpected(reply: &Reply) -> ReplicaError {
    debug_assert!(false, "a reply of another kind than the command: {reply:?}");
    tracing::error!(?reply, "a reply of another kind than the command");
    ReplicaError::unknown(ReplicaCause::Stopped)
}
