//! Drawing from a seed: moments, spans, rates and nodes for a schedule of faults.
//!
//! No kind of fault stands here: `weather.rs` draws those of the network, `mishaps.rs` those of processes and disks.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::prng::Prng;
use crate::sim::fault::Fault;
use crate::types::{NodeId, Timestamp};

/// A schedule that is being drawn.
pub(super) struct Draw {
    pub(super) chance: Prng,
    pub(super) nodes: u64,
    /// No fault is planned at or after this instant.
    pub(super) until: Timestamp,
    pub(super) faults: Vec<(Timestamp, Fault)>,
    /// The probability that a kind of fault is left out of the run (Groce et al., ISSTA 2012).
    pub(super) omit: f64,
    /// How many times as often faults strike as they usually do.
    pub(super) haste: u64,
}

impl Draw {
    /// When one kind of fault strikes, and for how long: never where the kind is left out, else about every `mean` ms, up to four
    /// times as often or up to eight times as rarely.
    pub(super) fn times(&mut self, mean: u64) -> Vec<(Timestamp, Duration)> {
        if self.omits() {
            return Vec::new();
        }
        let mean = ((mean >> 2) << self.chance.below(6)) / self.haste;
        let longest = 100 << self.chance.below(8);
        let mut times = Vec::new();
        let mut at = Timestamp::ZERO;
        loop {
            at = at.after(self.span(1, 2 * mean));
            if at >= self.until {
                return times;
            }
            times.push((at, self.span(1, longest)));
        }
    }

    /// Plans a fault that a later one ends.
    pub(super) fn pass(&mut self, at: Timestamp, span: Duration, fault: Fault, end: Fault) {
        self.plan(at, fault);
        self.plan(at.after(span), end);
    }

    pub(super) fn plan(&mut self, at: Timestamp, fault: Fault) {
        if at < self.until {
            self.faults.push((at, fault));
        }
    }

    /// A probability up to `most`, small ones more often than large ones; zero where the kind is left out.
    pub(super) fn rate(&mut self, most: f64) -> f64 {
        if self.omits() { 0.0 } else { most * self.chance.unit() * self.chance.unit() }
    }

    /// A span between two numbers of milliseconds.
    pub(super) fn span(&mut self, low: u64, high: u64) -> Duration {
        self.chance.duration(Duration::from_millis(low), Duration::from_millis(high))
    }

    pub(super) fn coin(&mut self) -> bool {
        self.chance.chance(0.5)
    }

    pub(super) fn omits(&mut self) -> bool {
        self.chance.chance(self.omit)
    }

    pub(super) fn node(&mut self) -> NodeId {
        NodeId(self.chance.between(1, self.nodes))
    }

    /// Two nodes, the same one twice where there is only one.
    pub(super) fn two_nodes(&mut self) -> (NodeId, NodeId) {
        let one = self.node();
        let step = self.chance.between(1, self.nodes.saturating_sub(1).max(1));
        (one, NodeId((one.0 - 1 + step) % self.nodes + 1))
    }

    /// At least one node, and not all of them if there are several.
    pub(super) fn some_nodes(&mut self) -> BTreeSet<NodeId> {
        let count = self.chance.between(1, self.nodes.saturating_sub(1).max(1)) as usize;
        self.shuffled().into_iter().take(count).collect()
    }

    pub(super) fn shuffled(&mut self) -> Vec<NodeId> {
        let mut order: Vec<_> = (1..=self.nodes).map(NodeId).collect();
        for last in (1..order.len()).rev() {
            order.swap(last, self.chance.below(last as u64 + 1) as usize);
        }
        order
    }
}
