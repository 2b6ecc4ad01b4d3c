//! Quorum arithmetic against an oracle that tries every subset of the voters (RT-15).

use std::collections::BTreeMap;

use crate::prng::Prng;
use crate::quorum::{Majority, Tally};
use crate::types::NodeId;

/// The greatest value held by all of some subset with more than half of the voters.
fn oracle(held: &[Option<u64>]) -> Option<u64> {
    (0u32..1 << held.len())
        .filter(|subset| subset.count_ones() as usize * 2 > held.len())
        .filter_map(|subset| {
            let members = (0..held.len()).filter(|&voter| subset & (1 << voter) != 0);
            members.map(|voter| held[voter]).try_fold(u64::MAX, |least, value| value.map(|v| least.min(v)))
        })
        .max()
}

fn majority(voters: usize) -> Majority {
    Majority::new((0..voters as u64).map(NodeId).collect())
}

#[test]
fn rt_15_the_reached_value_is_the_brute_force_one_after_every_single_acknowledgement() {
    let mut prng = Prng::new(15);
    for round in 0..2_000 {
        let voters = 1 + round % 7;
        let majority = majority(voters);
        let mut held = vec![None; voters];
        for _ in 0..12 {
            let voter = prng.below(voters as u64) as usize;
            let more = prng.below(4);
            held[voter] = Some(held[voter].unwrap_or(0) + more);
            let reached = majority.reached(|node| held[node.0 as usize]);
            assert_eq!(reached, oracle(&held), "round {round}: {held:?}");
        }
    }
}

#[test]
fn rt_15_a_vote_is_won_or_lost_exactly_when_no_further_voice_can_change_it() {
    for voters in 1..=5usize {
        let majority = majority(voters);
        for code in 0..3usize.pow(voters as u32) {
            let said: BTreeMap<u64, Option<bool>> = (0..voters)
                .map(|voter| {
                    (voter as u64, [None, Some(false), Some(true)][code / 3usize.pow(voter as u32) % 3])
                })
                .collect();
            let yes = said.values().filter(|vote| **vote == Some(true)).count();
            let open = said.values().filter(|vote| vote.is_none()).count();
            let expected = if yes * 2 > voters {
                Tally::Won
            } else if (yes + open) * 2 <= voters {
                Tally::Lost
            } else {
                Tally::Pending
            };
            assert_eq!(majority.tally(|node| said[&node.0]), expected, "{said:?}");
        }
    }
}

#[test]
fn a_node_that_is_no_voter_counts_for_nothing() {
    let majority = majority(3);
    assert_eq!(majority.reached(|node| (node.0 > 5).then_some(9u64)), None);
}

#[test]
fn rt_15_a_joint_quorum_is_the_brute_force_one_after_every_single_acknowledgement() {
    let mut prng = Prng::new(151);
    for round in 0..2_000 {
        let set = |prng: &mut Prng| -> std::collections::BTreeSet<NodeId> {
            (0..6).map(NodeId).filter(|_| prng.chance(0.5)).collect()
        };
        let (incoming, outgoing) = (set(&mut prng), set(&mut prng));
        let joint = crate::quorum::Joint::new(incoming.clone(), Some(outgoing.clone()));
        let mut held = [None; 6];
        for _ in 0..10 {
            let voter = prng.below(6) as usize;
            held[voter] = Some(held[voter].unwrap_or(0) + prng.below(4));
            let of = |set: &std::collections::BTreeSet<NodeId>| {
                oracle(&set.iter().map(|node| held[node.0 as usize]).collect::<Vec<_>>())
            };
            let expected = of(&incoming).and_then(|one| of(&outgoing).map(|other| one.min(other)));
            assert_eq!(
                joint.reached(|node| held[node.0 as usize]),
                expected,
                "round {round}: {joint:?} {held:?}"
            );
            let won = joint.tally(|node| held[node.0 as usize].map(|value| value > 2)) == Tally::Won;
            let more = |set: &std::collections::BTreeSet<NodeId>| {
                let yes = set.iter().filter(|node| held[node.0 as usize].is_some_and(|value| value > 2));
                yes.count() * 2 > set.len()
            };
            assert_eq!(won, more(&incoming) && more(&outgoing), "round {round}: {joint:?} {held:?}");
        }
    }
}
