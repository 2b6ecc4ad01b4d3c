//! The scenes are what they claim to be, and the figures are near those published already after few trials.

use std::time::Duration;

use super::*;
use crate::types::LogIndex;

fn rate(nodes: u64, alive: u64, latency: f64, trials: u64) -> f64 {
    let group = SplitVote::new(nodes, alive, Rules::Plain);
    let latency = Latency::Fixed(split_vote::TIMEOUT.mul_f64(latency));
    let split = (0..trials).filter(|&seed| play_vote(&group, seed, latency).split).count();
    split as f64 / trials as f64
}

#[test]
fn the_closed_form_gives_the_published_rates() {
    for (nodes, alive, latency, percent) in [
        (3, 2, 0.01, 1.99),
        (5, 4, 0.1, 5.23),
        (5, 3, 0.5, 87.5),
        (7, 5, 0.3, 47.18),
        (9, 8, 0.2, 5.63),
        (9, 5, 0.5, 96.88),
    ] {
        let found = closed_form(nodes, alive, latency) * 100.0;
        assert!((found - percent).abs() < 0.01, "{nodes}/{alive} at {latency}: {found}");
    }
    for (nodes, alive, range, latencies) in
        [(5, 4, 5.0, 8.3), (5, 3, 10.0, 17.0), (3, 2, 20.0, 26.7), (9, 5, 15.0, 23.4)]
    {
        let found = mean_election_time(nodes, alive, 1.0 / range) * range;
        assert!((found - latencies).abs() < 0.06, "{nodes}/{alive} at {range}: {found}");
    }
}

#[test]
fn votes_split_as_often_as_the_closed_form_says() {
    for (nodes, alive, latency) in [(3, 2, 0.2), (5, 4, 0.3), (5, 3, 0.1), (9, 5, 0.3)] {
        let (found, expected) = (rate(nodes, alive, latency, 3_000), closed_form(nodes, alive, latency));
        assert!(
            (found - expected).abs() < 0.03,
            "{nodes}/{alive} at {latency}: {found}, expected {expected}"
        );
    }
}

#[test]
fn two_of_those_left_are_behind_and_the_leader_is_replaced() {
    let millis = Duration::from_millis;
    let group = Replacement::new(millis(150), millis(150), Rules::Plain);
    assert!(group.stage().commit() >= LogIndex(2));
    let limit = Duration::from_secs(10);
    let mut sum = Duration::ZERO;
    for seed in 0..50 {
        let took = replace_leader(&group, seed, Latency::Fixed(millis(2)), Duration::ZERO, limit);
        assert!(took >= millis(75) && took < limit, "{took:?}");
        sum += took;
    }
    assert!(sum / 50 < millis(300), "{:?} on average", sum / 50);
}

#[test]
fn partitions_end_as_published_for_raft_and_catch_up_ends_the_one_that_raft_does_not() {
    let timeout = Duration::from_millis(100);
    let latency = Latency::Uniform(Duration::from_micros(200), Duration::from_micros(400));
    for rules in [Rules::Plain, Rules::Sticky, Rules::CatchUp] {
        for seed in 0..5 {
            let recovers =
                |partition| play_partition(partition, seed, timeout, rules, latency, 40).down.is_some();
            assert!(recovers(Partition::QuorumLoss), "{rules:?}, seed {seed}");
            let alone = rules == Rules::CatchUp;
            assert_eq!(recovers(Partition::Constrained), alone, "{rules:?}, seed {seed}");
            assert!(recovers(Partition::Chained), "{rules:?}, seed {seed}");
            assert!(recovers(Partition::Isolated), "{rules:?}, seed {seed}");
        }
    }
}
