//! Which fault comes when: rounds of one or two acts, each kind as often as the others, drawn from the seed.

use std::time::Duration;

use synod::protocols::prng::Prng;

use super::act::Act;
use super::fault::Fault;

/// One act, perhaps with weather that begins while it lasts, and the quiet behind it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Round {
    pub(super) first: Act,
    /// How long it lasts.
    pub(super) lasts: Duration,
    /// Begins halfway, and ends half as long again after the first.
    pub(super) second: Option<Act>,
    /// The quiet behind.
    pub(super) quiet: Duration,
}

/// Rounds without end.
pub(super) struct Schedule {
    prng: Prng,
    nodes: usize,
    faults: Vec<Fault>,
    deck: Vec<Fault>,
}

impl Schedule {
    /// The rounds of a seed, of these kinds, for so many nodes.
    pub(super) fn new(seed: u64, faults: &[Fault], nodes: usize) -> Self {
        Self { prng: Prng::fork(seed, 0xFA17), nodes, faults: faults.to_vec(), deck: Vec::new() }
    }

    /// The next round; `None` when no kind was asked for.
    pub(super) fn next(&mut self) -> Option<Round> {
        if self.deck.is_empty() {
            self.deck.clone_from(&self.faults);
            shuffle(&mut self.deck, &mut self.prng);
        }
        let fault = self.deck.pop()?;
        let first = Act::draw(fault, self.nodes, &mut self.prng);
        let weather: Vec<Fault> = self.faults.iter().copied().filter(|fault| fault.is_weather()).collect();
        let joined = !fault.is_weather() && self.prng.chance(0.4);
        let second = if joined { self.prng.pick(&weather).copied() } else { None };
        let second = second.map(|fault| Act::draw(fault, self.nodes, &mut self.prng));
        let millis = |low, high| (Duration::from_millis(low), Duration::from_millis(high));
        let ((short, long), (least, most)) = (millis(800, 3_500), millis(500, 1_500));
        let lasts = self.prng.duration(short, long);
        let quiet = self.prng.duration(least, most);
        Some(Round { first, lasts, second, quiet })
    }
}

/// Brings items into an order that chance decides.
pub(super) fn shuffle<T>(items: &mut [T], prng: &mut Prng) {
    for last in (1..items.len()).rev() {
        items.swap(last, prng.below(last as u64 + 1) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_rounds_and_every_kind_has_its_turn() {
        let rounds = |seed| {
            let mut schedule = Schedule::new(seed, &Fault::ALL, 5);
            (0..14).map(|_| schedule.next().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(rounds(7), rounds(7));
        assert_ne!(rounds(7), rounds(8));
        for fault in Fault::ALL {
            let turns = rounds(7).iter().filter(|round| round.first.fault() == fault).count();
            assert_eq!(turns, 2, "{fault}");
        }
        assert!(rounds(7).iter().filter_map(|round| round.second).all(|act| act.fault().is_weather()));
    }

    #[test]
    fn without_kinds_there_are_no_rounds() {
        assert_eq!(Schedule::new(1, &[], 5).next(), None);
    }
}
