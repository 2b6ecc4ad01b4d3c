//! A replica's state on its way to a file: a snapshot that contains everything acknowledged before, with a header before it.
//!
//! The snapshot is the node's own, written beside apply, and read from its file: a slow taker keeps nobody and nothing waiting. What
//! the bytes are stands in the storage room.

use std::time::Duration;

use bytes::Bytes;
use synod_protocols::LogIndex;
use synod_protocols::log::SnapshotMeta;
use tokio::time::{Instant, sleep, timeout_at};

use crate::services::replicated::error::{ReplicaCause, ReplicaError};
use crate::services::replicated::names::Names;
use crate::services::replicated::replica::Replica;
use crate::services::state_machine::StateMachine;
use crate::storage::{BackupHeader, SnapshotFault, SnapshotReader};

/// How often a replica that is behind is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// A backup that is being taken.
pub struct Backup {
    header: Option<Bytes>,
    length: u64,
    reader: SnapshotReader,
}

impl Backup {
    /// A backup of the state that `replica` has once it reflects the entry at `seen`.
    pub(crate) async fn of<S: StateMachine>(
        replica: &Replica<S>,
        seen: LogIndex,
        cluster: &str,
        names: &Names,
        deadline: Duration,
    ) -> Result<Self, ReplicaError> {
        let reached = timeout_at(Instant::now() + deadline, async {
            while replica.applied() < seen {
                sleep(LOOK).await;
            }
            replica.snapshot().await
        });
        let reached = reached.await.unwrap_or(Err(ReplicaError::not_executed(ReplicaCause::Timeout)))?;
        debug_assert!(reached >= seen, "a snapshot contains everything applied");
        let reader = replica.read_snapshot().await.map_err(|fault| {
            tracing::error!(%fault, "a snapshot cannot be read for a backup");
            ReplicaError::not_executed(ReplicaCause::Stopped)
        })?;
        let SnapshotMeta { index, term, time, .. } = *reader.meta();
        let header = BackupHeader {
            cluster: cluster.to_owned(),
            service: names.service.to_string(),
            node: names.node.to_string(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            members: names.members.values().map(ToString::to_string).collect(),
            machine: reader.machine(),
            index,
            term,
            time,
        };
        let header = header.encode();
        Ok(Self { length: header.len() as u64 + reader.length(), header: Some(header), reader })
    }

    /// The last entry whose effect the backup contains.
    #[must_use]
    pub fn index(&self) -> LogIndex {
        self.reader.meta().index
    }

    /// How many bytes it will have.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The next piece; `None` after the last.
    ///
    /// # Errors
    /// The node's snapshot cannot be read; what was given is no backup.
    pub async fn next(&mut self) -> Result<Option<Bytes>, SnapshotFault> {
        match self.header.take() {
            Some(header) => Ok(Some(header)),
            None => self.reader.next().await,
        }
    }
}
