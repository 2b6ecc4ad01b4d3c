//! Partial connectivity, which no quorum notices as a whole: who must stay, who must go, and how soon (RT-30 to RT-34).
//!
//! Time is that of the settings: an election timeout is 300 ms, a heartbeat 60 ms, and messages take none.

use std::time::Duration;

use crate::raft::tests::harness::{Cluster, n};
use crate::raft::{Reply, Role};
use crate::types::{Term, Token};

/// The election timeout of the settings in use.
const TIMEOUT: Duration = Duration::from_millis(300);

/// Leaves only these links, in both directions.
fn only(cluster: &mut Cluster, links: &[(u64, u64)]) {
    let nodes = cluster.nodes.len() as u64;
    cluster.cut.clear();
    for a in 1..=nodes {
        for b in a + 1..=nodes {
            if !links.contains(&(a, b)) && !links.contains(&(b, a)) {
                cluster.cut_both(a, b);
            }
        }
    }
}

fn leaders(cluster: &Cluster) -> Vec<u64> {
    let leads = cluster.nodes.iter().filter(|(_, node)| node.raft.role() == Role::Leader);
    leads.map(|(id, _)| id.0).collect()
}

fn highest_term(cluster: &Cluster) -> Term {
    cluster.nodes.values().map(|node| node.raft.status().term).max().unwrap_or_default()
}

/// Runs until a leader has committed a write it was given after now; returns it and the time it took.
fn until_writes_go_on(cluster: &mut Cluster, limit: Duration) -> (u64, Duration) {
    let begun = cluster.now;
    let mut asked: Vec<(u64, Token)> = Vec::new();
    while cluster.now.since(begun) <= limit {
        let leaders = leaders(cluster);
        // What a deposed leader had passed on may be committed by its successor; that alone does not count.
        let done = |&(id, token): &(u64, Token)| {
            leaders.contains(&id) && matches!(cluster.reply(id, token), Some(Reply::Applied { .. }))
        };
        if let Some(&(leader, _)) = asked.iter().find(|it| done(it)) {
            return (leader, cluster.now.since(begun));
        }
        for leader in leaders {
            asked.push((leader, cluster.propose(leader, "x")));
        }
        cluster.run(Duration::from_millis(10));
    }
    panic!("nothing was committed within {limit:?}");
}

/// Writes every 100 ms for a while; every write has to be committed by `leader`, in the term it has.
fn nothing_stirs(cluster: &mut Cluster, leader: u64, time: Duration) {
    let terms: Vec<_> = cluster.nodes.values().map(|node| node.raft.status().term).collect();
    for _ in 0..time.as_millis() / 100 {
        let token = cluster.propose(leader, "x");
        cluster.run(Duration::from_millis(100));
        assert!(
            matches!(cluster.reply(leader, token), Some(Reply::Applied { .. })),
            "a write was not committed"
        );
    }
    let after: Vec<_> = cluster.nodes.values().map(|node| node.raft.status().term).collect();
    assert_eq!(after, terms, "a term rose for nothing");
    assert_eq!(cluster.raft(leader).role(), Role::Leader);
}

#[test]
fn rt_30_behind_a_bridge_writes_go_on_within_four_timeouts() {
    let mut cluster = Cluster::led_by(5, 1);
    let term = cluster.raft(1).status().term;
    only(&mut cluster, &[(1, 2), (2, 3), (2, 4), (3, 4)]);
    // The old leader takes proposals that it cannot commit until it has missed its quorum for a timeout.
    let (leader, time) = until_writes_go_on(&mut cluster, TIMEOUT * 4);
    assert!([2, 3, 4].contains(&leader), "{leader} leads after {time:?}");
    assert!(highest_term(&cluster) <= Term(term.0 + 2));
    nothing_stirs(&mut cluster, leader, Duration::from_secs(20));
}

#[test]
fn rt_31_with_two_leaves_leader_and_term_stay() {
    let mut cluster = Cluster::led_by(5, 1);
    only(&mut cluster, &[(1, 2), (1, 3), (2, 3), (2, 4), (1, 5)]);
    nothing_stirs(&mut cluster, 1, Duration::from_secs(20));
}

#[test]
fn rt_33_at_the_end_of_a_chain_a_leader_stays() {
    let mut cluster = Cluster::led_by(3, 1);
    only(&mut cluster, &[(1, 2), (2, 3)]);
    nothing_stirs(&mut cluster, 1, Duration::from_secs(20));
}

#[test]
fn rt_33_along_a_chain_of_five_one_leader_is_found_and_stays() {
    let mut cluster = Cluster::led_by(5, 1);
    let term = cluster.raft(1).status().term;
    only(&mut cluster, &[(1, 2), (2, 3), (3, 4), (4, 5)]);
    let (leader, time) = until_writes_go_on(&mut cluster, TIMEOUT * 5);
    assert!([2, 3, 4].contains(&leader), "{leader} leads after {time:?}");
    cluster.run(TIMEOUT * 4);
    nothing_stirs(&mut cluster, leader, Duration::from_secs(20));
    assert!(highest_term(&cluster) <= Term(term.0 + 3));
}

#[test]
fn rt_34_a_leader_that_is_heard_and_hears_nobody_is_replaced() {
    let mut cluster = Cluster::led_by(3, 1);
    let term = cluster.raft(1).status().term;
    cluster.cut.extend([(n(2), n(1)), (n(3), n(1))]);
    let (leader, _) = until_writes_go_on(&mut cluster, TIMEOUT * 5);
    assert_ne!(leader, 1);
    assert!(highest_term(&cluster) <= Term(term.0 + 2));
    nothing_stirs(&mut cluster, leader, Duration::from_secs(20));
}

#[test]
fn rt_34_a_leader_that_hears_and_is_heard_by_nobody_is_replaced() {
    let mut cluster = Cluster::led_by(3, 1);
    let term = cluster.raft(1).status().term;
    cluster.cut.extend([(n(1), n(2)), (n(1), n(3))]);
    let (leader, _) = until_writes_go_on(&mut cluster, TIMEOUT * 4);
    assert_ne!(leader, 1);
    assert!(highest_term(&cluster) <= Term(term.0 + 2));
    nothing_stirs(&mut cluster, leader, Duration::from_secs(20));
}

#[test]
fn rt_34_a_follower_behind_either_one_way_link_disturbs_nobody() {
    for outwards in [true, false] {
        let mut cluster = Cluster::led_by(3, 1);
        for other in [1, 2] {
            cluster.cut.insert(if outwards { (n(other), n(3)) } else { (n(3), n(other)) });
        }
        nothing_stirs(&mut cluster, 1, Duration::from_secs(20));
    }
}
