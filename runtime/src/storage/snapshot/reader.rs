//! Reading the newest snapshot for a peer.

use bytes::Bytes;
use synod_protocols::log::SnapshotMeta;

use crate::storage::snapshot::fault::SnapshotFault;

/// Gives a snapshot piece by piece, each verified, as [`crate::storage::SnapshotReceiver`] takes them. A newer snapshot does not disturb it.
pub struct SnapshotReader {
    meta: SnapshotMeta,
}

impl SnapshotReader {
    /// What the snapshot says of itself.
    #[must_use]
    pub fn meta(&self) -> &SnapshotMeta {
        &self.meta
    }

    /// The next piece of the stream; `None` after the last.
    ///
    /// # Errors
    /// The snapshot is damaged or cannot be read; nothing changed.
    pub async fn next(&mut self) -> Result<Option<Bytes>, SnapshotFault> {
        todo!()
    }
}
