//! A schedule of faults drawn from a seed: each seed has its own mix of faults, and its own network, disks and clocks.
//!
//! Swarm testing (Groce et al., ISSTA 2012): leaving whole kinds of faults out of a run finds more than always mixing all.
//! A schedule covers the safety phase; when it ends, `core` is made well and has to make progress.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::prng::Prng;
use crate::sim::disk::DiskConfig;
use crate::sim::fault::Fault;
use crate::sim::links::LinkConfig;
use crate::sim::network::NetworkConfig;
use crate::sim::world::WorldConfig;
use crate::types::{NodeId, Timestamp};

/// Which kinds of faults a schedule may draw from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// None: what must hold on a good day.
    Calm,
    /// Messages and paths only.
    Network,
    /// Processes and disks only.
    Process,
    /// Every kind, each seed with its own mix.
    Swarm,
}

/// The circumstances of one run.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Network, disks and clocks.
    pub world: WorldConfig,
    /// What strikes, and when, in order.
    pub faults: Vec<(Timestamp, Fault)>,
    /// The nodes that are made well when the safety phase ends: all, or only a quorum.
    pub core: BTreeSet<NodeId>,
}

impl Schedule {
    /// Draws the circumstances of a run of `nodes` nodes whose safety phase ends at `until`.
    #[must_use]
    pub fn generate(seed: u64, profile: Profile, nodes: u64, until: Timestamp) -> Self {
        let mut draw = Draw { chance: Prng::fork(seed, 0x5C4E_D01E), nodes, until, faults: Vec::new() };
        let (network, process) = match profile {
            Profile::Calm => (false, false),
            Profile::Network => (true, false),
            Profile::Process => (false, true),
            Profile::Swarm => (true, true),
        };
        let mut world = WorldConfig::calm();
        world.grain = Duration::from_micros(1 << draw.chance.below(11));
        if network {
            world.network = draw.network();
            draw.cuts();
        }
        if process {
            world.disk = draw.disk();
            world.job_max = Duration::from_micros(10 << draw.chance.below(12));
            world.drift_ppm = if draw.coin() { 0 } else { 1 << draw.chance.below(16) };
            draw.crashes();
            draw.disk_faults();
        }
        world.links = draw.links();
        let core = draw.core(profile);
        let mut faults = draw.faults;
        faults.sort_by_key(|(at, _)| *at);
        Self { world, faults, core }
    }
}

struct Draw {
    chance: Prng,
    nodes: u64,
    until: Timestamp,
    faults: Vec<(Timestamp, Fault)>,
}

impl Draw {
    fn network(&mut self) -> NetworkConfig {
        let mean = Duration::from_micros(50 << self.chance.below(10));
        NetworkConfig {
            delay_min: mean / 4,
            delay_mean: mean,
            delay_max: mean * 20,
            loss: self.rate(0.1),
            duplicate: self.rate(0.1),
            reorder: self.rate(0.3),
            clog: self.rate(0.002),
            clog_max: self.span(10, 2_000),
            bandwidth: if self.coin() { 0 } else { 200_000 << self.chance.below(8) },
        }
    }

    fn disk(&mut self) -> DiskConfig {
        let sync_max = Duration::from_micros(50 << self.chance.below(11));
        DiskConfig {
            sync_min: sync_max / 10,
            sync_max,
            stall: self.rate(0.01),
            stall_max: self.span(10, 1_000),
            lose: self.chance.unit(),
            tear: self.chance.unit(),
            ..DiskConfig::calm()
        }
    }

    fn links(&mut self) -> LinkConfig {
        LinkConfig { idle_timeout: self.span(200, 3_000), reconnect: self.span(1, 300) }
    }

    fn cuts(&mut self) {
        for (at, span) in self.times(4_000) {
            let side = self.some_nodes();
            self.cut(at, span, Fault::Partition(side));
        }
        for (at, span) in self.times(4_000) {
            let (one, other) = self.two_nodes();
            self.cut(at, span, Fault::OneWayCut(one, other));
        }
        for (at, span) in self.times(4_000) {
            let (one, other) = self.two_nodes();
            self.cut(at, span, Fault::PartialCut(one, other));
        }
        for (at, span) in self.times(5_000) {
            self.cut(at, span, Fault::IsolateLeader);
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
    }

    fn crashes(&mut self) {
        for (at, span) in self.times(2_500) {
            let node = self.node();
            self.plan(at, Fault::Crash(node));
            self.plan(at.after(span), Fault::Restart(node));
        }
        for (at, span) in self.times(2_500) {
            let node = self.node();
            self.plan(at, Fault::CrashInWrite(node, span));
        }
        for (at, _) in self.times(20_000) {
            self.plan(at, Fault::PowerCut);
            for node in 1..=self.nodes {
                let down = self.span(1, 1_500);
                self.plan(at.after(down), Fault::Restart(NodeId(node)));
            }
        }
        for (at, span) in self.times(3_000) {
            let node = self.node();
            self.plan(at, Fault::Pause(node, span));
        }
    }

    fn disk_faults(&mut self) {
        for (at, span) in self.times(4_000) {
            let node = self.node();
            self.plan(at, Fault::Stall(node, span / 2));
        }
        for (at, span) in self.times(10_000) {
            let node = self.node();
            self.plan(at, Fault::FailWrite(node));
            self.plan(at.after(span), Fault::Crash(node));
            self.plan(at.after(span * 2), Fault::Restart(node));
        }
        for (at, span) in self.times(8_000) {
            let node = self.node();
            self.plan(at, Fault::FillDisk(node, span * 2));
        }
        for (at, span) in self.times(8_000) {
            let node = self.node();
            self.plan(at, Fault::FailSnapshots(node, span * 4));
        }
    }

    /// All nodes, or some quorum of them.
    fn core(&mut self, profile: Profile) -> BTreeSet<NodeId> {
        let mut order = self.shuffled();
        if profile != Profile::Calm && self.coin() {
            order.truncate(self.nodes as usize / 2 + 1);
        }
        order.into_iter().collect()
    }

    /// When one kind of fault strikes, and for how long: never in half of all seeds, else about every `mean` ms, up to four times
    /// as often or up to eight times as rarely.
    fn times(&mut self, mean: u64) -> Vec<(Timestamp, Duration)> {
        if self.coin() {
            return Vec::new();
        }
        let mean = (mean >> 2) << self.chance.below(6);
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

    fn cut(&mut self, at: Timestamp, span: Duration, fault: Fault) {
        let healing = match &fault {
            Fault::OneWayCut(node, _) | Fault::PartialCut(node, _) if self.coin() => Fault::HealNode(*node),
            _ => Fault::Heal,
        };
        self.plan(at, fault);
        self.plan(at.after(span), healing);
    }

    fn plan(&mut self, at: Timestamp, fault: Fault) {
        if at < self.until {
            self.faults.push((at, fault));
        }
    }

    fn rate(&mut self, most: f64) -> f64 {
        if self.coin() { 0.0 } else { most * self.chance.unit() * self.chance.unit() }
    }

    fn span(&mut self, low: u64, high: u64) -> Duration {
        self.chance.duration(Duration::from_millis(low), Duration::from_millis(high))
    }

    fn coin(&mut self) -> bool {
        self.chance.chance(0.5)
    }

    fn node(&mut self) -> NodeId {
        NodeId(self.chance.between(1, self.nodes))
    }

    fn two_nodes(&mut self) -> (NodeId, NodeId) {
        let one = self.node();
        let step = self.chance.between(1, self.nodes.saturating_sub(1).max(1));
        (one, NodeId((one.0 - 1 + step) % self.nodes + 1))
    }

    fn some_nodes(&mut self) -> BTreeSet<NodeId> {
        let count = self.chance.between(1, self.nodes.saturating_sub(1).max(1)) as usize;
        self.shuffled().into_iter().take(count).collect()
    }

    fn shuffled(&mut self) -> Vec<NodeId> {
        let mut order: Vec<_> = (1..=self.nodes).map(NodeId).collect();
        for last in (1..order.len()).rev() {
            order.swap(last, self.chance.below(last as u64 + 1) as usize);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNTIL: Timestamp = Timestamp(40_000_000_000);

    #[test]
    fn a_seed_always_draws_the_same_and_seeds_leave_kinds_out() {
        let draw = |seed| Schedule::generate(seed, Profile::Swarm, 5, UNTIL).faults;
        assert_eq!(draw(9), draw(9));
        let power_cuts = |seed| draw(seed).iter().any(|(_, fault)| *fault == Fault::PowerCut);
        let with = (0..100).filter(|&seed| power_cuts(seed)).count();
        assert!((10..90).contains(&with), "{with} of 100 seeds cut the power");
    }

    #[test]
    fn a_profile_draws_only_its_own_kinds_and_only_before_the_end() {
        for seed in 0..50 {
            let faults = Schedule::generate(seed, Profile::Network, 5, UNTIL).faults;
            assert!(faults.iter().all(|(at, _)| *at < UNTIL));
            assert!(!faults.iter().any(|(_, fault)| matches!(fault, Fault::Crash(_) | Fault::Pause(..))));
            assert!(Schedule::generate(seed, Profile::Calm, 5, UNTIL).faults.is_empty());
        }
    }

    #[test]
    fn a_core_is_at_least_a_quorum() {
        let sizes: BTreeSet<_> =
            (0..50).map(|seed| Schedule::generate(seed, Profile::Swarm, 5, UNTIL).core.len()).collect();
        assert_eq!(sizes, BTreeSet::from([3, 5]));
    }
}
