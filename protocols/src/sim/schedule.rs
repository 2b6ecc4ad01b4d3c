//! The circumstances of one run, drawn from a seed: its network, disks and clocks, what strikes when, and what is owed meanwhile.
//!
//! Swarm testing (Groce et al., ISSTA 2012): leaving whole kinds of faults out of a run finds more than always mixing all.
//! A schedule covers the safety phase; when it ends, a core of the nodes is made well and has to make progress.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::prng::Prng;
use crate::sim::disk::DiskConfig;
use crate::sim::draw::Draw;
use crate::sim::fault::Fault;
use crate::sim::heal::Fate;
use crate::sim::links::LinkConfig;
use crate::sim::network::NetworkConfig;
use crate::sim::profile::Profile;
use crate::sim::world::WorldConfig;
use crate::types::{NodeId, Timestamp};

/// A span of time in which a quorum hears each other and has to get on, whatever else is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// When the present shape of the network began.
    pub from: Timestamp,
    /// When it ends.
    pub until: Timestamp,
}

/// The circumstances of one run.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Network, disks and clocks.
    pub world: WorldConfig,
    /// What strikes, and when, in order.
    pub faults: Vec<(Timestamp, Fault)>,
    /// When progress is owed before the faults end, in order.
    pub demands: Vec<Demand>,
    /// Whether all nodes are made well when the safety phase ends, or only as many as have to be.
    pub heals_all: bool,
    /// In which order nodes are taken to be made well.
    pub order: Vec<NodeId>,
    /// What becomes of those that are not.
    pub fates: BTreeMap<NodeId, Fate>,
}

impl Schedule {
    /// Draws the circumstances of a run of `nodes` nodes whose safety phase ends at `until`.
    #[must_use]
    pub fn generate(seed: u64, profile: Profile, nodes: u64, until: Timestamp) -> Self {
        let (omit, haste) = if profile == Profile::Safety { (0.125, 2) } else { (0.5, 1) };
        let chance = Prng::fork(seed, 0x5C4E_D01E);
        let mut draw = Draw { chance, nodes, until, faults: Vec::new(), omit, haste };
        let mut world = WorldConfig::calm();
        world.grain = Duration::from_micros(1 << draw.chance.below(11));
        world.links = draw.links();
        let mut demands = Vec::new();
        match profile {
            Profile::Calm => {}
            Profile::Network => draw.storm(&mut world),
            Profile::Process => draw.misfortune(&mut world),
            Profile::Swarm | Profile::Safety => {
                draw.storm(&mut world);
                draw.misfortune(&mut world);
            }
            Profile::Liveness => demands = draw.partial_connectivity(&mut world),
            Profile::Wan => draw.continents(&mut world),
        }
        let apart = Prng::fork(seed, 0xC10C);
        drift_far(&mut world, profile, apart);
        let heals_all = profile == Profile::Calm || draw.coin();
        let order = draw.shuffled();
        let fates = order.iter().map(|&node| (node, draw.fate())).collect();
        let mut faults = draw.faults;
        faults.sort_by_key(|(at, _)| *at);
        Self { world, faults, demands, heals_all, order, fates }
    }
}

/// Lets the clocks of some runs drift further than any crystal does, so that whoever relies on them for longer than is stated is noticed.
fn drift_far(world: &mut WorldConfig, profile: Profile, mut chance: Prng) {
    let drifts = matches!(profile, Profile::Process | Profile::Swarm | Profile::Safety);
    if drifts && chance.chance(0.25) {
        world.drift_ppm = 1 << chance.between(15, 17);
    }
}

impl Draw {
    fn storm(&mut self, world: &mut WorldConfig) {
        world.network = self.network();
        self.cuts();
    }

    fn misfortune(&mut self, world: &mut WorldConfig) {
        world.disk = self.disk();
        world.job_max = Duration::from_micros(10 << self.chance.below(12));
        world.drift_ppm = if self.coin() { 0 } else { 1 << self.chance.below(16) };
        self.crashes();
        self.disk_faults();
    }

    /// Shapes of the network that stay, on a network that is otherwise nearly sound. Half of the seeds keep sessions for
    /// longer than most shapes stay, so that nobody is told that a path is cut.
    fn partial_connectivity(&mut self, world: &mut WorldConfig) -> Vec<Demand> {
        let mean = Duration::from_micros(100 << self.chance.below(6));
        world.network = NetworkConfig {
            delay_min: mean / 4,
            delay_mean: mean,
            delay_max: mean * 8,
            loss: self.rate(0.01),
            duplicate: self.rate(0.1),
            ..NetworkConfig::calm()
        };
        world.disk =
            DiskConfig { sync_max: Duration::from_micros(100 << self.chance.below(6)), ..DiskConfig::calm() };
        if self.coin() {
            world.links.idle_timeout = Duration::from_secs(8);
        }
        if self.nodes < 3 {
            return Vec::new();
        }
        self.shapes().into_iter().map(|(from, until)| Demand { from, until }).collect()
    }

    /// Three continents, 40 to 110 ms apart one way, each with its share of the nodes; lines between them fail, and so do machines.
    fn continents(&mut self, world: &mut WorldConfig) {
        const APART: [[u64; 3]; 3] = [[0, 40, 75], [40, 0, 110], [75, 110, 0]];
        for one in 1..=self.nodes {
            for other in one + 1..=self.nodes {
                let apart = Duration::from_millis(APART[one as usize % 3][other as usize % 3]);
                world.distances.push((NodeId(one), NodeId(other), apart));
            }
        }
        world.network = NetworkConfig {
            delay_mean: Duration::from_micros(500 << self.chance.below(4)),
            loss: self.rate(0.02),
            duplicate: self.rate(0.01),
            reorder: self.rate(0.1),
            bandwidth: if self.coin() { 0 } else { 1_000_000 << self.chance.below(5) },
            ..NetworkConfig::calm()
        };
        world.links = LinkConfig { idle_timeout: self.span(2_000, 6_000), reconnect: self.span(100, 500) };
        world.disk.sync_max = Duration::from_millis(8);
        for (at, span) in self.times(10_000) {
            let continent = self.chance.below(3);
            let side = (1..=self.nodes).filter(|node| node % 3 == continent).map(NodeId).collect();
            self.pass(at, span * 2, Fault::Partition(side), Fault::Heal);
        }
        for (at, span) in self.times(8_000) {
            let node = self.node();
            self.pass(at, span, Fault::Crash(node), Fault::Restart(node));
        }
        for (at, span) in self.times(8_000) {
            let node = self.node();
            self.plan(at, Fault::Pause(node, span));
        }
    }

    fn fate(&mut self) -> Fate {
        match self.chance.below(3) {
            0 => Fate::Dead,
            1 => Fate::Paused,
            _ => Fate::CutOff,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

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
    fn in_half_of_all_seeds_some_nodes_are_left_to_their_fates() {
        let mut fates = BTreeMap::new();
        let mut left = 0;
        for seed in 0..60 {
            let schedule = Schedule::generate(seed, Profile::Swarm, 5, UNTIL);
            assert_eq!(schedule.order.iter().collect::<BTreeSet<_>>().len(), 5);
            left += u64::from(!schedule.heals_all);
            for fate in schedule.fates.values() {
                *fates.entry(format!("{fate:?}")).or_insert(0) += 1;
            }
        }
        assert!((15..45).contains(&left), "{left}");
        assert_eq!(fates.len(), 3, "{fates:?}");
    }

    #[test]
    fn progress_is_owed_while_a_shape_stays_and_shapes_do_not_overlap() {
        for seed in 0..50 {
            let schedule = Schedule::generate(seed, Profile::Liveness, 5, UNTIL);
            assert!(schedule.demands.len() >= 2, "seed {seed}");
            assert!(schedule.demands.is_sorted_by(|one, next| one.until <= next.from));
            for demand in &schedule.demands {
                let between =
                    schedule.faults.iter().filter(|(at, _)| demand.from <= *at && *at < demand.until);
                assert_eq!(between.count(), 1, "only the shape strikes");
            }
        }
    }
}
