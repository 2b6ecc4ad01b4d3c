//! The network of a run, and what cuts it: ranges after TigerBeetle's VOPR and FoundationDB's swizzling.
//!
//! Draws only; `inject.rs` carries it out. Chance per message stands in the network's settings, whole paths in the schedule.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::sim::draw::Draw;
use crate::sim::fault::Fault;
use crate::sim::links::LinkConfig;
use crate::sim::network::NetworkConfig;
use crate::sim::shape::Shape;
use crate::types::{NodeId, Timestamp};

/// How the sides of a partition are chosen.
#[derive(Clone, Copy)]
enum Division {
    /// Every size of the smaller side is equally likely.
    BySize,
    /// Every node throws a coin.
    ByCoin,
    /// One node stands alone.
    Single,
}

impl Draw {
    /// A network between a quiet room and a bad line: delays of up to 30 ms and 100 ms more, loss up to 30 %, copies up to 50 %.
    pub(super) fn network(&mut self) -> NetworkConfig {
        let mean = Duration::from_micros(50 << self.chance.below(12));
        let long = self.chance.chance(0.125);
        NetworkConfig {
            delay_min: if long { self.span(0, 30) } else { mean / 4 },
            delay_mean: mean,
            delay_max: mean * 20,
            loss: self.rate(0.3),
            duplicate: self.rate(0.5),
            reorder: self.rate(0.5),
            clog: self.rate(0.002),
            clog_max: self.span(10, 5_000),
            bandwidth: if self.coin() { 0 } else { 200_000 << self.chance.below(8) },
            capacity: if self.chance.chance(0.75) { 0 } else { self.chance.between(2, 20) as usize },
        }
    }

    /// When sessions are given up and made anew.
    pub(super) fn links(&mut self) -> LinkConfig {
        LinkConfig { idle_timeout: self.span(200, 3_000), reconnect: self.span(1, 300) }
    }

    /// Everything that cuts paths.
    pub(super) fn cuts(&mut self) {
        self.partitions();
        for (at, span) in self.times(4_000) {
            let (one, other) = self.two_nodes();
            self.cut(at, span, Fault::OneWayCut(one, other), one);
        }
        for (at, span) in self.times(4_000) {
            let (one, other) = self.two_nodes();
            self.cut(at, span, Fault::PartialCut(one, other), one);
        }
        for (at, span) in self.times(5_000) {
            self.pass(at, span, Fault::IsolateLeader, Fault::Heal);
        }
        for (at, span) in self.times(8_000) {
            let reach = self.span(1, 80);
            self.plan(at, Fault::Coups(span * 4, reach));
        }
        for (at, _) in self.times(15_000) {
            let (cut, heal) = (self.shuffled(), self.shuffled());
            let gap = self.span(20, 400);
            self.plan(at, Fault::Swizzle { cut, heal, gap });
        }
        if self.nodes >= 3 {
            for (at, span) in self.times(10_000) {
                let fault = self.shape();
                self.pass(at, span * 2, fault, Fault::Heal);
            }
        }
    }

    /// Partial connectivity of one kind after the other, each for some seconds, with moments of health between most of them; and
    /// when each begins and ends.
    pub(super) fn shapes(&mut self) -> Vec<(Timestamp, Timestamp)> {
        let mut spans = Vec::new();
        let mut at = Timestamp::ZERO.after(self.span(2_000, 4_000));
        loop {
            let end = at.after(self.span(7_000, 12_000));
            if end >= self.until {
                return spans;
            }
            let fault = self.shape();
            self.plan(at, fault);
            spans.push((at, end));
            at = end;
            if self.chance.chance(0.75) {
                self.plan(end, Fault::Heal);
                at = end.after(self.span(500, 3_000));
            }
        }
    }

    fn shape(&mut self) -> Fault {
        let shape = *self.chance.pick(&Shape::ALL).expect("there are shapes");
        Fault::Shape { shape, order: self.shuffled(), leader_first: self.chance.chance(0.75) }
    }

    /// Partitions of one mode and one symmetry a seed, each stable for a while.
    fn partitions(&mut self) {
        let both_ways = self.coin();
        let division = match self.chance.below(3) {
            0 => Division::BySize,
            1 => Division::ByCoin,
            _ => Division::Single,
        };
        for (at, span) in self.times(4_000) {
            let side = self.side(division);
            let fault = if both_ways { Fault::Partition(side) } else { Fault::OneWayPartition(side) };
            self.pass(at, span, fault, Fault::Heal);
        }
    }

    fn side(&mut self, division: Division) -> BTreeSet<NodeId> {
        match division {
            Division::BySize => self.some_nodes(),
            Division::ByCoin => {
                let coins: Vec<_> = (1..=self.nodes).map(|node| (NodeId(node), self.coin())).collect();
                coins.into_iter().filter(|(_, inside)| *inside).map(|(node, _)| node).collect()
            }
            Division::Single => BTreeSet::from([self.node()]),
        }
    }

    fn cut(&mut self, at: Timestamp, span: Duration, fault: Fault, node: NodeId) {
        let end = if self.coin() { Fault::HealNode(node) } else { Fault::Heal };
        self.pass(at, span, fault, end);
    }
}
