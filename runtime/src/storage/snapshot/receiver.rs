//! Receiving a snapshot from a peer.

use bytes::Bytes;
use synod_protocols::log::SnapshotMeta;

use crate::storage::snapshot::fault::SnapshotFault;

/// Takes a peer's snapshot piece by piece, however the stream was cut, and verifies it. Dropping it forgets what came.
pub struct SnapshotReceiver {}

impl SnapshotReceiver {
    /// Takes the next bytes of the stream.
    ///
    /// # Errors
    /// The bytes are not those of a snapshot, or the disk refused them; nothing can be received here any more.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), SnapshotFault> {
        todo!()
    }

    /// Makes what came durable, to be installed or dropped; replaces what was received from that peer before.
    ///
    /// # Errors
    /// The stream was not whole, or the disk refused; what came is forgotten.
    pub async fn finish(self) -> Result<SnapshotMeta, SnapshotFault> {
        todo!()
    }
}
