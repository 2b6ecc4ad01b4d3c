//! A protocol that can be simulated: what a world has to know of it beyond the contract of the driver.
//!
//! Nothing here changes what a machine does; it sizes messages, compares entries and finds the leader to pick on.

use crate::log::SnapshotMeta;
use crate::protocol::Protocol;
use crate::types::{NodeId, StoreId};

/// A node as far as its disk matters.
#[derive(Clone, Debug)]
pub struct Holder<P> {
    /// The node.
    pub node: NodeId,
    /// The identity of its disk.
    pub store: StoreId,
    /// Whether it ever lost its disk, so that this is not its first one.
    pub lost: bool,
    /// Its machine; of a dead node, the one that would start.
    pub machine: P,
    /// The machine that would start from what is on the disk by now: it may know less than one that lives.
    pub stored: P,
}

/// What a simulated world asks of a protocol.
pub trait Subject: Protocol {
    /// Tells a machine that starts which disk it is on, and whether that is known not to be the one it was. A protocol without
    /// identities of disks has nothing to note.
    fn situate(_config: &mut Self::Config, _store: StoreId, _rejoin: bool) {}

    /// Whether the group can go on without what is on a node's disk. The fault model of a protocol that survives no loss says no.
    fn can_spare(_node: NodeId, _holders: &[Holder<Self>]) -> bool {
        false
    }

    /// Whether the machine believes that it leads; a protocol without leaders says no.
    fn leads(&self) -> bool;

    /// The bytes a message takes on the wire, roughly. It also tells messages apart in the event hash.
    fn message_size(message: &Self::Message) -> usize;

    /// The bytes a record counts for when it is loaded.
    fn record_size(record: &Self::Record) -> usize;

    /// Whether a record is the last entry that a snapshot contains.
    fn ends_at(record: &Self::Record, snapshot: &SnapshotMeta) -> bool;
}
