//! What is done to whom: one fault with its targets and strength, drawn from the seed. Does nothing itself.

use std::fmt;
use std::time::Duration;

use synod::protocols::prng::Prng;

use super::fault::Fault;
use super::weather::Weather;

/// Whom a fault of processes strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    /// The node that leads at that moment.
    Leader,
    /// So many nodes.
    Some(usize),
    /// Every node.
    All,
}

/// Which ways between nodes are struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ways {
    /// The leader is alone.
    Around(Side),
    /// So many nodes are apart from the rest.
    Split(usize),
    /// Two halves that only one node connects.
    Bridge,
    /// The ways of one node, both directions.
    One,
    /// All ways.
    All,
}

/// Which direction of the leader's ways is struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Both.
    Both,
    /// Nobody hears it.
    Outgoing,
    /// It hears nobody.
    Incoming,
}

/// One fault with its targets and strength.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Act {
    /// Kills these, and starts them again.
    Kill(Aim),
    /// Lets these stand still.
    Pause(Aim),
    /// Gives these ways this weather.
    Weather(Fault, Ways, Weather),
    /// Lets the node on the small disk come back when it has no room.
    DiskFull,
    /// Damages the log of a follower.
    Corrupt,
}

impl Act {
    /// Draws an act of this kind for a cluster of so many nodes.
    pub(super) fn draw(fault: Fault, nodes: usize, prng: &mut Prng) -> Self {
        match fault {
            Fault::Kill => Self::Kill(aim(nodes, prng)),
            Fault::Pause => Self::Pause(aim(nodes, prng)),
            Fault::Cut => {
                let ways = match prng.below(6) {
                    0 => Ways::Around(Side::Both),
                    1 => Ways::Around(Side::Outgoing),
                    2 => Ways::Around(Side::Incoming),
                    3 if nodes > 3 => Ways::Bridge,
                    _ => Ways::Split(prng.between(1, (nodes as u64 / 2).max(1)) as usize),
                };
                Self::Weather(fault, ways, Weather { cut: true, ..Weather::default() })
            }
            Fault::Delay => {
                let millis = |low, high, prng: &mut Prng| Duration::from_millis(prng.between(low, high));
                let (delay, jitter) = (millis(5, 100, prng), millis(5, 100, prng));
                Self::Weather(fault, many(prng), Weather { delay, jitter, ..Weather::default() })
            }
            Fault::Loss => {
                let loss = 0.05 + 0.45 * prng.unit();
                Self::Weather(fault, many(prng), Weather { loss, ..Weather::default() })
            }
            Fault::DiskFull => Self::DiskFull,
            Fault::Corrupt => Self::Corrupt,
        }
    }

    /// Its kind.
    pub(super) fn fault(&self) -> Fault {
        match self {
            Self::Kill(_) => Fault::Kill,
            Self::Pause(_) => Fault::Pause,
            Self::Weather(fault, ..) => *fault,
            Self::DiskFull => Fault::DiskFull,
            Self::Corrupt => Fault::Corrupt,
        }
    }
}

fn aim(nodes: usize, prng: &mut Prng) -> Aim {
    let minority = (nodes.saturating_sub(1) / 2).max(1);
    match prng.below(8) {
        0..4 => Aim::Leader,
        4..6 => Aim::Some(prng.between(1, minority as u64) as usize),
        6 => Aim::Some(nodes / 2 + 1),
        _ => Aim::All,
    }
}

fn many(prng: &mut Prng) -> Ways {
    match prng.below(3) {
        0 => Ways::One,
        1 => Ways::Around(Side::Both),
        _ => Ways::All,
    }
}

impl Ways {
    /// The directed ways, by numbers of nodes; the first of `shuffled` are struck where chance decides.
    pub(super) fn pairs(self, shuffled: &[usize], leader: Option<usize>) -> Vec<(usize, usize)> {
        let all = || shuffled.iter().flat_map(|&from| shuffled.iter().map(move |&to| (from, to)));
        let one = leader.unwrap_or(shuffled[0]);
        let struck = |from: usize, to: usize| match self {
            Self::All => true,
            Self::One => from == shuffled[0] || to == shuffled[0],
            Self::Around(Side::Both) => from == one || to == one,
            Self::Around(Side::Outgoing) => from == one,
            Self::Around(Side::Incoming) => to == one,
            Self::Split(count) => shuffled[..count].contains(&from) != shuffled[..count].contains(&to),
            Self::Bridge => {
                // The first is the bridge; of the others, one half does not reach the other.
                let half = &shuffled[1..=shuffled.len() / 2];
                from != shuffled[0] && to != shuffled[0] && half.contains(&from) != half.contains(&to)
            }
        };
        all().filter(|&(from, to)| from != to && struck(from, to)).collect()
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(aim) => write!(f, "kill {aim}"),
            Self::Pause(aim) => write!(f, "pause {aim}"),
            Self::Weather(Fault::Delay, ways, Weather { delay, jitter, .. }) => {
                write!(f, "delay {ways} by {} to {} ms", delay.as_millis(), (*delay + *jitter).as_millis())
            }
            Self::Weather(Fault::Loss, ways, weather) => {
                write!(f, "lose {:.0} % {ways}", weather.loss * 100.0)
            }
            Self::Weather(_, ways, _) => write!(f, "cut {ways}"),
            Self::DiskFull => f.write_str("no room on the small disk"),
            Self::Corrupt => f.write_str("change a byte of a killed follower's log"),
        }
    }
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leader => f.write_str("the leader"),
            Self::Some(count) => write!(f, "{count} {}", if *count == 1 { "node" } else { "nodes" }),
            Self::All => f.write_str("all nodes"),
        }
    }
}

impl fmt::Display for Ways {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Around(Side::Both) => f.write_str("to and from the leader"),
            Self::Around(Side::Outgoing) => f.write_str("from the leader"),
            Self::Around(Side::Incoming) => f.write_str("to the leader"),
            Self::Split(count) => write!(f, "between {count} and the rest"),
            Self::Bridge => f.write_str("between two halves that one node connects"),
            Self::One => f.write_str("to and from one node"),
            Self::All => f.write_str("between all nodes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE: [usize; 5] = [3, 0, 4, 1, 2];

    #[test]
    fn a_cut_leader_is_alone_in_the_direction_that_was_asked_for() {
        let pairs = |side| Ways::Around(side).pairs(&FIVE, Some(1));
        assert_eq!(pairs(Side::Both).len(), 8);
        assert!(pairs(Side::Outgoing).iter().all(|&(from, to)| from == 1 && to != 1));
        assert!(pairs(Side::Incoming).iter().all(|&(from, to)| from != 1 && to == 1));
    }

    #[test]
    fn a_split_leaves_each_side_whole() {
        let pairs = Ways::Split(2).pairs(&FIVE, None);
        assert_eq!(pairs.len(), 2 * 2 * 3);
        assert!(!pairs.contains(&(3, 0)) && pairs.contains(&(3, 4)) && pairs.contains(&(4, 3)));
    }

    #[test]
    fn a_bridge_reaches_everybody_and_the_halves_only_it() {
        let pairs = Ways::Bridge.pairs(&FIVE, None);
        assert!(pairs.iter().all(|&(from, to)| from != 3 && to != 3));
        assert_eq!(pairs.len(), 8, "two and two, both directions");
        assert!(!pairs.contains(&(0, 4)) && pairs.contains(&(0, 1)));
    }

    #[test]
    fn every_kind_is_drawn_as_itself_and_differs_with_the_seed() {
        for fault in Fault::ALL {
            let acts: Vec<Act> = (0..50).map(|seed| Act::draw(fault, 5, &mut Prng::new(seed))).collect();
            assert!(acts.iter().all(|act| act.fault() == fault), "{fault}");
            let differ = acts.iter().any(|act| act != &acts[0]);
            assert_eq!(differ, !matches!(fault, Fault::DiskFull | Fault::Corrupt), "{fault}");
        }
    }
}
