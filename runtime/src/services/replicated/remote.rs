//! The typed handle of a replicated service for those who have no replica: clients of the cluster, and nodes that are no members.
//!
//! Everything it does goes over the network. How requests find the leader stands in `caller`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use synod_protocols::log::SessionTag;
use synod_protocols::{LogIndex, NodeId};

use crate::services::replicated::caller::Caller;
use crate::services::replicated::error::ReplicaError;
use crate::services::replicated::forward::Forward;
use crate::services::replicated::proof::Proof;
use crate::services::state_machine::StateMachine;

/// A replicated state machine as it is used from afar; clones share what they have learned of the leader.
pub struct Remote<S> {
    caller: Caller<S>,
}

impl<S: StateMachine> Remote<S> {
    /// The service of `members`, who are reached by `forward`. No two handles in the cluster may ever have the same `seed`:
    /// sessions follow from it. `None` without members.
    #[must_use]
    pub fn new(
        members: impl IntoIterator<Item = NodeId>,
        forward: Arc<dyn Forward>,
        seed: u64,
    ) -> Option<Self> {
        let members: Vec<NodeId> = members.into_iter().collect();
        (!members.is_empty()).then(|| Self { caller: Caller::client(members, forward, seed) })
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

    /// Answers a query from a state that reflects everything acknowledged before; with the last index it reflects.
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
}

impl<S> Clone for Remote<S> {
    fn clone(&self) -> Self {
        Self { caller: self.caller.clone() }
    }
}

impl<S> fmt::Debug for Remote<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Remote({})", std::any::type_name::<S>())
    }
}
