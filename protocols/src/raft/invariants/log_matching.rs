//! Log matching: if two logs hold an entry of the same index and term, they are identical up to it (Raft §5.3, Figure 3).
//!
//! Looks at written logs, durable or not. Each entry has a hash of itself and of all before it; what a step wrote is compared
//! with what anybody ever wrote there in that term.

use crate::log::{Body, Entry};
use crate::raft::{Raft, Record};
use crate::sim::{Happening, Invariant, Node, Scene, Violation, entry_hash, mix};
use crate::types::{LogIndex, Term};

#[derive(Clone, Copy, Debug)]
struct Known {
    term: Term,
    entry: u64,
    chain: u64,
}

/// Remembers every entry ever written, and the chain of each node's log.
#[derive(Clone, Debug, Default)]
pub struct LogMatching {
    known: Vec<Vec<Known>>,
    nodes: Vec<Chain>,
}

#[derive(Clone, Debug, Default)]
struct Chain {
    life: u64,
    /// The hash of the log up to each index; zero where this node's log was never seen.
    upto: Vec<u64>,
}

impl<A> Invariant<Raft, A> for LogMatching {
    fn check(&mut self, scene: &Scene<'_, Raft, A>) -> Result<(), Violation> {
        self.nodes.resize_with(scene.nodes.len(), Chain::default);
        let node = scene.node();
        if !node.is_up() {
            return Ok(());
        }
        let chain = &mut self.nodes[scene.actor];
        let mut from = None;
        if chain.life != node.life() {
            chain.life = node.life();
            chain.upto.clear();
            from = Some(node.disk().written().base().next());
        }
        for happening in scene.happenings {
            match happening {
                Happening::LogWritten(index) => {
                    from = Some(from.map_or(*index, |from: LogIndex| from.min(*index)))
                }
                Happening::LogReplaced(_) => {
                    chain.upto.clear();
                    from = Some(node.disk().written().base().next());
                }
                _ => {}
            }
        }
        match from {
            Some(from) => self.compare(scene, from),
            None => Ok(()),
        }
    }
}

impl LogMatching {
    fn compare<A>(&mut self, scene: &Scene<'_, Raft, A>, from: LogIndex) -> Result<(), Violation> {
        let node = scene.node();
        let image = node.disk().written();
        let from = from.max(image.base().next());
        let witness = node.machine().is_some_and(Raft::is_witness);
        let mut before = self.chain_before(scene.actor, node, from);
        let mut upto = std::mem::take(&mut self.nodes[scene.actor].upto);
        upto.resize(from.0 as usize, 0);
        for index in from.0..=image.last_index().0 {
            let Some(Record::Entry(entry)) = image.entry(LogIndex(index)) else { continue };
            if entry.body == Body::Withheld || witness && before.is_none() {
                before = self.known_chain(entry);
                upto.push(before.unwrap_or(0));
                continue;
            }
            let chain = self.meet(entry, before).map_err(|what| {
                scene.violation("log matching", format!("entry {index} of term {}: {what}", entry.term))
            })?;
            upto.push(chain);
            before = Some(chain);
        }
        self.nodes[scene.actor].upto = upto;
        Ok(())
    }

    /// The hash of the log up to an entry of which a witness keeps the position only, if a log with the data was seen to hold it.
    fn known_chain(&self, entry: &Entry) -> Option<u64> {
        let known = self.known.get(entry.index.0 as usize)?;
        known.iter().find(|known| known.term == entry.term).map(|known| known.chain)
    }

    /// Compares one entry with what is known of its index and term; returns the hash of the log up to it.
    fn meet(&mut self, entry: &Entry, before: Option<u64>) -> Result<u64, &'static str> {
        let position = entry.index.0 as usize;
        if self.known.len() <= position {
            self.known.resize_with(position + 1, Vec::new);
        }
        let hash = entry_hash(entry);
        let chain = before.map(|before| mix(before, hash));
        let Some(known) = self.known[position].iter().find(|known| known.term == entry.term) else {
            let chain = chain.ok_or("it follows a snapshot of entries that nobody wrote")?;
            self.known[position].push(Known { term: entry.term, entry: hash, chain });
            return Ok(chain);
        };
        if known.entry != hash {
            return Err("another log holds other content there");
        }
        match chain {
            Some(chain) if chain != known.chain => Err("another log holds it after other entries"),
            _ => Ok(known.chain),
        }
    }

    fn chain_before<A>(&self, actor: usize, node: &Node<Raft, A>, from: LogIndex) -> Option<u64> {
        let before = from.previous();
        if before == LogIndex::ZERO {
            return Some(0);
        }
        let own = self.nodes[actor].upto.get(before.0 as usize).copied().filter(|&chain| chain != 0);
        own.or_else(|| {
            let meta =
                &node.disk().written().snapshot().filter(|snapshot| snapshot.meta.index == before)?.meta;
            let known = self.known.get(before.0 as usize)?;
            known.iter().find(|known| known.term == meta.term).map(|known| known.chain)
        })
    }
}
