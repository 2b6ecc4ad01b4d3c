//! A snapshot carries the configuration in force at its last index, and so does the anchor at which a witness's log begins: not the
//! newest one, and not one that was never committed (dissertation §5.1; RT-18, RT-19).
//!
//! What is committed is known as soon as one machine knows it; the founders' configuration is from the beginning.

use crate::log::SnapshotMeta;
use crate::protocol::Place;
use crate::raft::{Membership, Raft, Record};
use crate::sim::{Image, Invariant, Scene, Violation};
use crate::types::{LogIndex, StoreId};

/// Remembers every committed configuration, and what each disk's snapshot was when it was looked at last.
#[derive(Clone, Debug, Default)]
pub struct SnapshotConfiguration {
    commit: LogIndex,
    committed: Vec<(LogIndex, Membership)>,
    seen: Vec<(StoreId, LogIndex)>,
}

impl<A> Invariant<Raft, A> for SnapshotConfiguration {
    fn check(&mut self, scene: &Scene<'_, Raft, A>) -> Result<(), Violation> {
        self.seen.resize(scene.nodes.len(), (StoreId::ZERO, LogIndex::ZERO));
        if let Some(machine) = scene.node().machine() {
            self.learn(machine);
        }
        let newest = newest(scene.node().disk().durable());
        let present = (scene.node().store(), newest.map_or(LogIndex::ZERO, |meta| meta.index));
        if std::mem::replace(&mut self.seen[scene.actor], present) == present {
            return Ok(());
        }
        let Some(meta) = newest else { return Ok(()) };
        let carried = Membership::decode(&meta.configuration);
        let after = self.committed.partition_point(|(from, _)| *from <= meta.index);
        let owed = after.checked_sub(1).map(|position| &self.committed[position].1);
        if carried.as_ref() == owed {
            return Ok(());
        }
        let told = |it: Option<&Membership>| it.map_or_else(|| "none".to_owned(), ToString::to_string);
        let details = format!(
            "its disk begins with the configuration {} at {}, where {} is in force",
            told(carried.as_ref()),
            meta.index,
            told(owed)
        );
        Err(scene.violation("snapshot's configuration", details))
    }
}

impl SnapshotConfiguration {
    fn learn(&mut self, machine: &Raft) {
        if self.committed.is_empty() && !machine.config.voters.is_empty() {
            let founding = Membership::founding(&machine.config.voters, &machine.config.witnesses);
            self.committed.push((LogIndex::ZERO, founding));
        }
        if machine.commit <= self.commit {
            return;
        }
        let fresh = |index: LogIndex| self.commit < index && index <= machine.commit;
        let known = machine.configurations.all().filter(|(index, _)| fresh(*index));
        self.committed.extend(known.map(|(index, membership)| (index, membership.clone())));
        self.commit = machine.commit;
    }
}

/// What the newest snapshot on a disk says of itself, or a witness's anchor.
fn newest(image: &Image<Raft>) -> Option<&SnapshotMeta> {
    let anchor = match image.cell(Place::ANCHOR) {
        Some(Record::Anchor(meta)) => Some(meta),
        Some(Record::Entry(_) | Record::Ballot { .. } | Record::Founding(_)) | None => None,
    };
    anchor.or(image.snapshot().map(|snapshot| &snapshot.meta))
}
