//! Putting a backup's state on the disk of one member of a new group.
//!
//! The state is not understood here, only carried: sessions and leases go along with it.

use std::collections::BTreeSet;
use std::io::{self, Read};

use synod_protocols::log::Position;
use synod_protocols::raft::{Raft, Restoration};
use synod_protocols::{NodeId, Protocol};
use tokio::sync::oneshot;

use crate::address::MachineId;
use crate::driver::encode_records;
use crate::services::offline::fault::OfflineFault;
use crate::storage::{BackupReader, Store, Write};

/// Puts the state on an empty disk. All members of the group get the same, and none starts before all have it.
///
/// # Errors
/// [`OfflineFault`]; the disk must not be used then.
pub async fn restore<R: Read + Send + 'static>(
    store: &Store,
    voters: BTreeSet<NodeId>,
    mut backup: BackupReader<R>,
) -> Result<(), OfflineFault> {
    let header = backup.header();
    let machine = MachineId::of(Raft::NAME, &header.service);
    let position = Position { term: header.term, index: header.index };
    let Restoration { meta, cells } = Restoration::new(voters, position, header.time);
    let (sender, taken) = oneshot::channel();
    let copy = move |out: &mut dyn io::Write| {
        while let Some(chunk) = backup.next_chunk().map_err(io::Error::other)? {
            out.write_all(&chunk)?;
        }
        Ok(())
    };
    // Whoever dropped the future does not want to know.
    store.snapshots().take(machine, meta, copy, move |result| drop(sender.send(result)));
    let (meta, _) = taken.await.map_err(|_| OfflineFault::Stopped)??;
    let mut writes = encode_records::<Raft>(&cells.into()).map_err(OfflineFault::Record)?;
    writes.push(Write::Compact { upto: meta.index });
    let (sender, written) = oneshot::channel();
    store.log().write(vec![(machine, writes)], move |result| drop(sender.send(result)));
    Ok(written.await.map_err(|_| OfflineFault::Stopped)??)
}
