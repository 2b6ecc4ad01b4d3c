//! A network as a value: for each message it decides, from a seed, whether it arrives, when, and how often.
//!
//! It carries nothing and knows no clock: whoever owns the messages asks [`Network::route`] and keeps the queue. Used by
//! the simulated world here and by simulations of whole nodes. Loss, clogging and asymmetric cuts follow the simulators of
//! FoundationDB (`sim2`, Zhou et al., SIGMOD 2021 §4) and TigerBeetle.

use std::collections::VecDeque;
use std::time::Duration;

use crate::prng::Prng;
use crate::sim::fault::{FaultKind, Tally};
use crate::types::{NodeId, Timestamp};

/// How a network behaves when nobody cuts it.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkConfig {
    /// The least one-way delay.
    pub delay_min: Duration,
    /// The mean of the delay above the least, with an exponential tail.
    pub delay_mean: Duration,
    /// The longest delay that chance may draw; clogging and bandwidth come on top.
    pub delay_max: Duration,
    /// The probability that a message vanishes.
    pub loss: f64,
    /// The probability that a message arrives twice.
    pub duplicate: f64,
    /// The probability that a message may overtake earlier ones of its path; all others keep their order.
    pub reorder: f64,
    /// The probability that a message finds its path clogged from then on.
    pub clog: f64,
    /// The longest time for which a path is clogged.
    pub clog_max: Duration,
    /// Bytes a second of one path; zero for no limit.
    pub bandwidth: u64,
    /// Messages that are on one path at a time at most, further ones vanish; zero for no limit.
    pub capacity: usize,
}

impl NetworkConfig {
    /// A local network without faults: a tenth of a millisecond and a short tail.
    #[must_use]
    pub const fn calm() -> Self {
        Self {
            delay_min: Duration::from_micros(100),
            delay_mean: Duration::from_micros(200),
            delay_max: Duration::from_millis(20),
            loss: 0.0,
            duplicate: 0.0,
            reorder: 0.0,
            clog: 0.0,
            clog_max: Duration::ZERO,
            bandwidth: 0,
            capacity: 0,
        }
    }
}

/// When the copies of one message arrive: none, one or two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Routes {
    delays: [Duration; 2],
    count: usize,
}

impl Routes {
    /// The delay of each copy that arrives, counted from the moment of sending.
    #[must_use]
    pub fn delays(&self) -> &[Duration] {
        &self.delays[..self.count]
    }

    fn add(&mut self, delay: Duration) {
        self.delays[self.count] = delay;
        self.count += 1;
    }
}

#[derive(Clone, Debug, Default)]
struct Path {
    cut: Option<usize>,
    clogged_until: Timestamp,
    busy_until: Timestamp,
    last_arrival: Timestamp,
    /// What the distance adds to every delay.
    distance: Duration,
    /// When what is on the path arrives; kept only where the capacity has a limit.
    travelling: VecDeque<Timestamp>,
}

#[derive(Clone, Debug)]
struct Cut {
    kind: FaultKind,
    effective: bool,
}

/// The paths between a fixed set of nodes, each with its own state.
#[derive(Clone, Debug)]
pub struct Network {
    config: NetworkConfig,
    nodes: Vec<NodeId>,
    paths: Vec<Path>,
    cuts: Vec<Cut>,
    chance: Prng,
    tally: Tally,
}

/// How often a stream sends what does not arrive, and after how long for the first time.
const SENDS: usize = 6;
const FIRST_RESEND: Duration = Duration::from_millis(50);

impl Network {
    /// A network between `nodes` that draws its chance from `seed`; nothing is cut.
    #[must_use]
    pub fn new(seed: u64, config: NetworkConfig, nodes: impl IntoIterator<Item = NodeId>) -> Self {
        let mut nodes: Vec<_> = nodes.into_iter().collect();
        nodes.sort_unstable();
        nodes.dedup();
        let paths = vec![Path::default(); nodes.len() * nodes.len()];
        Self { config, nodes, paths, cuts: Vec::new(), chance: Prng::new(seed), tally: Tally::default() }
    }

    /// Decides what becomes of one message of `bytes` bytes. A message between nodes the network does not know is lost.
    pub fn route(&mut self, now: Timestamp, from: NodeId, to: NodeId, bytes: usize) -> Routes {
        let mut routes = Routes::default();
        let Some(path) = self.path(from, to) else { return routes };
        if let Some(cut) = self.paths[path].cut {
            self.note_effect(cut);
            return routes;
        }
        if self.chance.chance(self.config.loss) {
            self.count(FaultKind::Loss);
            return routes;
        }
        if self.is_full(now, path) {
            self.count(FaultKind::Overflow);
            return routes;
        }
        routes.add(self.delay(now, path, bytes));
        if self.config.capacity > 0 {
            self.paths[path].travelling.push_back(now.after(routes.delays[0]));
        }
        if self.chance.chance(self.config.duplicate) {
            self.count(FaultKind::Duplicate);
            let spread = self.tail();
            routes.add(routes.delays[0] + spread);
        }
        routes
    }

    /// How long a stream takes to bring so much: what the path loses or has no room for is sent again, ever later. `None` when the path
    /// is cut, or lost it each time.
    pub fn stream(&mut self, now: Timestamp, from: NodeId, to: NodeId, bytes: usize) -> Option<Duration> {
        let (mut waited, mut pause) = (Duration::ZERO, FIRST_RESEND);
        for _ in 0..SENDS {
            if let Some(&delay) = self.route(now.after(waited), from, to, bytes).delays().first() {
                return Some(waited + delay);
            }
            if self.is_cut(from, to) {
                return None;
            }
            (waited, pause) = (waited + pause, pause * 2);
        }
        None
    }

    /// Cuts the given directed paths as one fault of `kind`, which counts as injected once it has swallowed a message.
    pub fn cut(&mut self, kind: FaultKind, paths: impl IntoIterator<Item = (NodeId, NodeId)>) {
        let cut = self.cuts.len();
        self.cuts.push(Cut { kind, effective: false });
        self.tally.request(kind);
        for (from, to) in paths {
            if let Some(path) = self.path(from, to) {
                self.paths[path].cut = Some(cut);
            }
        }
    }

    /// Ends the cut of one directed path.
    pub fn heal(&mut self, from: NodeId, to: NodeId) {
        if let Some(path) = self.path(from, to) {
            self.paths[path].cut = None;
        }
    }

    /// Ends every cut and every clog.
    pub fn heal_all(&mut self) {
        for path in &mut self.paths {
            path.cut = None;
            path.clogged_until = Timestamp::ZERO;
        }
    }

    /// Behaves as `config` says from here on; cuts stay as they are.
    pub fn configure(&mut self, config: NetworkConfig) {
        self.config = config;
    }

    /// Lets two nodes lie so far apart that every message between them takes this much longer, in either direction.
    pub fn part(&mut self, one: NodeId, other: NodeId, distance: Duration) {
        for (from, to) in [(one, other), (other, one)] {
            if let Some(path) = self.path(from, to) {
                self.paths[path].distance = distance;
            }
        }
    }

    /// Whether messages from one node to another vanish because of a cut.
    #[must_use]
    pub fn is_cut(&self, from: NodeId, to: NodeId) -> bool {
        self.path(from, to).is_some_and(|path| self.paths[path].cut.is_some())
    }

    /// The nodes, in ascending order.
    #[must_use]
    pub fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    /// The faults asked for and injected up to this moment.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    fn delay(&mut self, now: Timestamp, path: usize, bytes: usize) -> Duration {
        let mut delay =
            (self.config.delay_min + self.tail()).min(self.config.delay_max) + self.paths[path].distance;
        if self.chance.chance(self.config.clog) {
            self.tally.request(FaultKind::Clog);
            let span = self.chance.duration(Duration::ZERO, self.config.clog_max);
            let until = now.after(span);
            self.paths[path].clogged_until = self.paths[path].clogged_until.max(until);
            if span > Duration::ZERO {
                self.tally.inject(FaultKind::Clog);
            }
        }
        let overtakes = self.chance.chance(self.config.reorder);
        delay += self.paths[path].clogged_until.since(now) + self.queueing(now, path, bytes);
        let arrival = now.after(delay);
        let last = self.paths[path].last_arrival;
        if arrival >= last {
            self.paths[path].last_arrival = arrival;
            return delay;
        }
        if overtakes {
            self.count(FaultKind::Reorder);
            return delay;
        }
        last.since(now)
    }

    fn is_full(&mut self, now: Timestamp, path: usize) -> bool {
        if self.config.capacity == 0 {
            return false;
        }
        let travelling = &mut self.paths[path].travelling;
        travelling.retain(|&arrival| arrival > now);
        travelling.len() >= self.config.capacity
    }

    fn queueing(&mut self, now: Timestamp, path: usize, bytes: usize) -> Duration {
        if self.config.bandwidth == 0 {
            return Duration::ZERO;
        }
        let nanos = (bytes as u64).saturating_mul(1_000_000_000) / self.config.bandwidth;
        let path = &mut self.paths[path];
        path.busy_until = path.busy_until.max(now).after(Duration::from_nanos(nanos));
        path.busy_until.since(now)
    }

    /// An exponential tail from whole numbers only: leading zeros are geometric, and no platform's logarithm is asked.
    fn tail(&mut self) -> Duration {
        let bits = self.chance.next_u64();
        let halvings = u64::from(bits.leading_zeros());
        let fraction = bits & 0xFFFF;
        let mean = self.config.delay_mean.as_nanos() as u64;
        // Mean of (halvings + fraction) is 1.5.
        Duration::from_nanos((mean.saturating_mul((halvings << 16) + fraction) >> 16) * 2 / 3)
    }

    fn path(&self, from: NodeId, to: NodeId) -> Option<usize> {
        let from = self.nodes.binary_search(&from).ok()?;
        let to = self.nodes.binary_search(&to).ok()?;
        Some(from * self.nodes.len() + to)
    }

    fn note_effect(&mut self, cut: usize) {
        if !self.cuts[cut].effective {
            self.cuts[cut].effective = true;
            self.tally.inject(self.cuts[cut].kind);
        }
    }

    fn count(&mut self, kind: FaultKind) {
        self.tally.request(kind);
        self.tally.inject(kind);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: NodeId = NodeId(1);
    const B: NodeId = NodeId(2);

    fn network(config: NetworkConfig) -> Network {
        Network::new(7, config, [A, B])
    }

    #[test]
    fn a_one_way_cut_swallows_one_direction_and_counts_once() {
        let mut network = network(NetworkConfig::calm());
        network.cut(FaultKind::OneWayCut, [(A, B)]);
        assert_eq!(network.tally().count(FaultKind::OneWayCut).injected, 0);
        for _ in 0..3 {
            assert!(network.route(Timestamp(1), A, B, 10).delays().is_empty());
        }
        assert_eq!(network.route(Timestamp(1), B, A, 10).delays().len(), 1);
        assert_eq!(network.tally().count(FaultKind::OneWayCut).injected, 1);
        network.heal(A, B);
        assert_eq!(network.route(Timestamp(2), A, B, 10).delays().len(), 1);
    }

    #[test]
    fn a_stream_outlives_losses_and_not_a_cut() {
        let mut network = network(NetworkConfig { loss: 0.3, ..NetworkConfig::calm() });
        let brought: Vec<_> = (0..1_000)
            .filter_map(|step| network.stream(Timestamp(step * 10_000_000_000), A, B, 1_000))
            .collect();
        assert!(brought.len() > 990, "{} streams of 1,000 came", brought.len());
        let late = brought.iter().filter(|delay| **delay >= FIRST_RESEND).count();
        assert!((200..400).contains(&late), "{late} were sent again");
        network.cut(FaultKind::OneWayCut, [(A, B)]);
        assert_eq!(network.stream(Timestamp(1), A, B, 1_000), None);
        assert!(network.stream(Timestamp(1), B, A, 1_000).is_some());
    }

    #[test]
    fn messages_keep_their_order_unless_reordering_is_asked_for() {
        let arrivals = |reorder| {
            let mut network = network(NetworkConfig { reorder, ..NetworkConfig::calm() });
            let mut overtaken = 0;
            let mut last = Timestamp::ZERO;
            for at in (0..2_000).map(|step| Timestamp(step * 1_000)) {
                let arrival = at.after(network.route(at, A, B, 10).delays()[0]);
                overtaken += u64::from(arrival < last);
                last = last.max(arrival);
            }
            (overtaken, network.tally().count(FaultKind::Reorder).injected)
        };
        assert_eq!(arrivals(0.0), (0, 0));
        let (seen, counted) = arrivals(0.5);
        assert!(seen > 100 && seen == counted, "{seen} {counted}");
    }

    #[test]
    fn loss_and_duplication_come_at_the_rates_asked_for() {
        let mut network = network(NetworkConfig { loss: 0.2, duplicate: 0.1, ..NetworkConfig::calm() });
        let copies: Vec<_> =
            (0..20_000).map(|at| network.route(Timestamp(at), A, B, 10).delays().len()).collect();
        let lost = copies.iter().filter(|&&copies| copies == 0).count();
        let twice = copies.iter().filter(|&&copies| copies == 2).count();
        assert!((3_700..4_300).contains(&lost), "{lost}");
        assert!((1_400..1_800).contains(&twice), "{twice}");
    }

    #[test]
    fn a_full_path_swallows_what_is_more_than_it_carries_until_something_arrives() {
        let config = NetworkConfig { capacity: 2, delay_mean: Duration::ZERO, ..NetworkConfig::calm() };
        let mut network = network(config);
        let copies = |network: &mut Network, at| network.route(Timestamp(at), A, B, 10).delays().len();
        assert_eq!([0, 1, 2].map(|at| copies(&mut network, at)), [1, 1, 0]);
        assert_eq!(network.tally().count(FaultKind::Overflow).injected, 1);
        assert_eq!(
            [100_000, 100_000].map(|at| copies(&mut network, at)),
            [1, 0],
            "one of the two has arrived"
        );
    }

    #[test]
    fn a_distance_adds_to_both_directions() {
        let mut network = network(NetworkConfig { delay_mean: Duration::ZERO, ..NetworkConfig::calm() });
        network.part(A, B, Duration::from_millis(40));
        for (from, to) in [(A, B), (B, A)] {
            let delay = network.route(Timestamp(0), from, to, 10).delays()[0];
            assert_eq!(delay, Duration::from_micros(40_100));
        }
    }

    #[test]
    fn a_narrow_path_delays_in_proportion_to_bytes() {
        let mut network = network(NetworkConfig {
            bandwidth: 1_000_000,
            delay_mean: Duration::ZERO,
            ..NetworkConfig::calm()
        });
        let delay = network.route(Timestamp(0), A, B, 1_000_000).delays()[0];
        assert_eq!(delay, Duration::from_secs(1) + Duration::from_micros(100));
        let next = network.route(Timestamp(0), A, B, 1_000_000).delays()[0];
        assert_eq!(next, Duration::from_secs(2) + Duration::from_micros(100));
    }
}
