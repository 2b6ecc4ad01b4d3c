//! The state that a stopped replica would have if all of its log took effect.
//!
//! Whether the last entries of a log were committed, the disk does not say. What this gives contains everything that was acknowledged
//! while this node had it, and may contain the last requests whose outcome was unknown.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use synod_protocols::log::{Entry, SnapshotMeta};
use synod_protocols::raft::{Raft, Record};
use synod_protocols::session::SessionLimits;
use synod_protocols::{LogIndex, LogTime, Protocol, Term};
use tokio::sync::oneshot;

use crate::address::MachineId;
use crate::driver::{Frozen, Host};
use crate::services::offline::fault::OfflineFault;
use crate::services::replicated::{ReplicaHost, Shared};
use crate::services::state_machine::StateMachine;
use crate::storage::{RecoveredMachine, Store};
use crate::wire::decode;

/// How many bytes of entries take effect at a time.
const BATCH_BYTES: usize = 4 << 20;
/// The longest record that is read, in bytes: the log writes none above its segment size.
const RECORD_BYTES: usize = 1 << 30;

/// A state, and where in the log it stands.
pub struct AtRest {
    /// Whose state it is.
    pub machine: MachineId,
    /// What a snapshot of it says of itself.
    pub meta: SnapshotMeta,
    /// The state, to be written out.
    pub state: Frozen,
}

/// Reads the state of a service from the store of a stopped node; `initial` is the state before the first command.
///
/// # Errors
/// [`OfflineFault`]; nothing changed.
pub async fn state_at_rest<S: StateMachine>(
    store: &Store,
    service: &str,
    initial: S,
    sessions: SessionLimits,
) -> Result<AtRest, OfflineFault> {
    let machine = MachineId::of(Raft::NAME, service);
    let RecoveredMachine { snapshot, after, last, .. } = store.recover(machine)?;
    if snapshot.is_none() && last == after {
        return Err(OfflineFault::Nothing(service.to_owned()));
    }
    let mut host = ReplicaHost::new(Arc::new(Shared::new(initial, sessions)), Arc::default());
    let mut meta = SnapshotMeta {
        index: LogIndex::ZERO,
        term: Term::ZERO,
        time: LogTime::ZERO,
        configuration: Bytes::new(),
    };
    if snapshot.is_some() {
        let (sender, loaded) = oneshot::channel();
        // Whoever dropped the future does not want to know.
        store.snapshots().load(machine, move |result| drop(sender.send(result)));
        let (found, mut body) = loaded.await.map_err(|_| OfflineFault::Stopped)??;
        host.thaw().read(&found, &mut body).map_err(OfflineFault::Application)?.put();
        meta = found;
    }
    let mut next = after.next();
    while next <= last {
        let batch = store.entries(machine, next, last, BATCH_BYTES).await?;
        let batch = batch.iter().map(|(_, record)| entry(record)).collect::<Result<Vec<_>, _>>()?;
        let Some(end) = batch.last() else {
            return Err(OfflineFault::Record(format!("entry {next} is missing")));
        };
        (meta.index, meta.term, meta.time) = (end.index, end.term, end.time);
        next = end.index.next();
        host.apply(batch.into());
    }
    Ok(AtRest { machine, meta, state: host.snapshot() })
}

fn entry(record: &[u8]) -> Result<Entry, OfflineFault> {
    match decode::<Record>(record, RECORD_BYTES) {
        Ok(Record::Entry(entry)) => Ok(entry),
        Ok(other) => Err(OfflineFault::Record(format!("{other:?} stands where an entry should"))),
        Err(error) => Err(OfflineFault::Record(error.to_string())),
    }
}

impl fmt::Debug for AtRest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AtRest").field("machine", &self.machine).field("meta", &self.meta).finish()
    }
}
