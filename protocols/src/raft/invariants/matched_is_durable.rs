//! What a leader believes of its peers is on their disks: an acknowledgement is sent only when the write it waits for is durable, and
//! counted only for the log it speaks of (Raft §5.3; RT-22, RT-23).
//!
//! Holds as long as the peer's disk has not gone on to a later term, whose leader may replace what was acknowledged.

use std::collections::BTreeMap;

use crate::raft::Raft;
use crate::raft::invariants::durable_ballot::ballot;
use crate::raft::invariants::durable_quorum::holds;
use crate::raft::state::Standing;
use crate::sim::{Invariant, Scene, Violation};
use crate::types::{LogIndex, NodeId, Term};

/// Remembers what each leader believed of each peer in which term.
#[derive(Clone, Debug, Default)]
pub struct MatchedIsDurable {
    believed: Vec<BTreeMap<NodeId, (Term, LogIndex)>>,
}

impl<A> Invariant<Raft, A> for MatchedIsDurable {
    fn check(&mut self, scene: &Scene<'_, Raft, A>) -> Result<(), Violation> {
        self.believed.resize_with(scene.nodes.len(), BTreeMap::new);
        let Some(machine) = scene.node().machine() else { return Ok(()) };
        let Standing::Leader(lead) = &machine.standing else { return Ok(()) };
        let believed = &mut self.believed[scene.actor];
        for (&peer, progress) in &lead.progress {
            let belief = (machine.term, progress.matched);
            if progress.matched == LogIndex::ZERO || believed.insert(peer, belief) == Some(belief) {
                continue;
            }
            let Some(node) = scene.nodes.iter().find(|node| node.id() == peer) else { continue };
            let known = progress.member.store.or(progress.heard);
            let (Some(image), Some(term)) = (node.durable_on(known), machine.term_at(progress.matched))
            else {
                continue;
            };
            if ballot(image).0 <= machine.term && !holds(image, progress.matched, term) {
                let details = format!(
                    "believes that {peer} holds {} of term {term}, whose disk holds {} to {}",
                    progress.matched,
                    image.base().next(),
                    image.last_index(),
                );
                return Err(scene.violation("acknowledged is durable", details));
            }
        }
        Ok(())
    }
}
