//! Who watches the nodes of peers for a driver's machines, and which machines want to know of whom.
//!
//! Watches nobody itself: whoever does is a [`Vigil`], shared by all drivers of a node.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use synod_protocols::NodeId;

use crate::address::MachineId;

/// Says when the nodes of peers fall silent.
pub trait Vigil: Send + Sync + 'static {
    /// Watches a peer, once more than before.
    fn watch(&self, peer: NodeId);

    /// Watches a peer once less than before.
    fn release(&self, peer: NodeId);

    /// Lets `listener` hear of each watched peer that falls silent, on any thread; it must not block.
    fn subscribe(&self, listener: Box<dyn Fn(NodeId) + Send + Sync>);
}

/// The watches of one driver's machines; a peer is watched while one of them wants to know.
pub(crate) struct Watches {
    vigil: Option<Arc<dyn Vigil>>,
    machines: BTreeMap<NodeId, BTreeSet<MachineId>>,
}

impl Watches {
    /// No watches yet. Where there is no vigil, every peer is taken for silent: nobody relies on what nobody watches.
    pub(crate) fn new(vigil: Option<Arc<dyn Vigil>>) -> Self {
        Self { vigil, machines: BTreeMap::new() }
    }

    /// Lets a machine watch these peers and no others. Gives those of whom nobody would say that they are silent.
    pub(crate) fn set(&mut self, machine: MachineId, peers: BTreeSet<NodeId>) -> BTreeSet<NodeId> {
        let vigil = self.vigil.as_ref();
        self.machines.retain(|peer, machines| {
            if !peers.contains(peer) && machines.remove(&machine) && machines.is_empty() {
                vigil.inspect(|vigil| vigil.release(*peer));
            }
            !machines.is_empty()
        });
        for &peer in &peers {
            let machines = self.machines.entry(peer).or_default();
            if machines.is_empty() {
                vigil.inspect(|vigil| vigil.watch(peer));
            }
            machines.insert(machine);
        }
        if vigil.is_some() { BTreeSet::new() } else { peers }
    }

    /// A peer has fallen silent: gives the machines that want to know, which have to ask again to hear of it again.
    pub(crate) fn silent(&mut self, peer: NodeId) -> BTreeSet<MachineId> {
        let told = self.machines.remove(&peer).unwrap_or_default();
        if let Some(vigil) = self.vigil.as_ref().filter(|_| !told.is_empty()) {
            vigil.release(peer);
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Book(Mutex<Vec<(&'static str, u64)>>);

    impl Vigil for Book {
        fn watch(&self, peer: NodeId) {
            self.0.lock().unwrap().push(("watch", peer.0));
        }
        fn release(&self, peer: NodeId) {
            self.0.lock().unwrap().push(("release", peer.0));
        }
        fn subscribe(&self, _listener: Box<dyn Fn(NodeId) + Send + Sync>) {}
    }

    fn peers<const N: usize>(peers: [u64; N]) -> BTreeSet<NodeId> {
        peers.map(NodeId).into()
    }

    #[test]
    fn a_peer_is_watched_once_for_all_machines_and_released_with_the_last() {
        let book = Arc::new(Book::default());
        let mut watches = Watches::new(Some(book.clone()));
        for machine in 1..=1_000 {
            assert_eq!(watches.set(MachineId(machine), peers([2, 3])), peers([]));
        }
        assert_eq!(*book.0.lock().unwrap(), [("watch", 2), ("watch", 3)]);
        for machine in 1..=1_000 {
            watches.set(MachineId(machine), peers([3]));
        }
        assert_eq!(book.0.lock().unwrap()[2..], [("release", 2)]);
        assert_eq!(watches.silent(NodeId(2)), BTreeSet::new());
        assert_eq!(watches.silent(NodeId(3)).len(), 1_000);
        assert_eq!(book.0.lock().unwrap()[3..], [("release", 3)]);
        assert_eq!(watches.silent(NodeId(3)), BTreeSet::new(), "told once");
    }

    #[test]
    fn without_a_vigil_nobody_is_taken_for_watched() {
        let mut watches = Watches::new(None);
        assert_eq!(watches.set(MachineId(1), peers([2, 3])), peers([2, 3]));
        assert_eq!(watches.silent(NodeId(2)), [MachineId(1)].into());
    }
}
