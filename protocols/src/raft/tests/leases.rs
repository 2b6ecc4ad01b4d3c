//! Reads under a lease: when there is one, on whose promises it rests, and that those are kept.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::harness::{Cluster, n};
use crate::raft::{Command, Config, ConfigError, Duty, Message, Reply, Role, Voice};
use crate::types::{Term, Token};

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn with_leases(config: Config) -> Config {
    Config { lease_reads: true, ..config }
}

/// A group that is led by the first of its nodes, which has a lease if `tune` lets it have one.
fn led(nodes: u64, tune: impl Fn(Config) -> Config) -> Cluster {
    let mut cluster = Cluster::with(nodes, |config| tune(with_leases(config)));
    cluster.run(millis(299));
    // What a start binds nodes to is over with the next millisecond, and nobody has drawn so short a wait.
    cluster.now = cluster.now.after(millis(1));
    cluster.elect(1)
}

fn has_lease(cluster: &Cluster, node: u64) -> bool {
    cluster.raft(node).has_lease(cluster.now)
}

fn is_ready(cluster: &Cluster, token: Token) -> bool {
    matches!(cluster.reply(1, token), Some(Reply::ReadReady { .. }))
}

#[test]
fn a_read_under_a_lease_asks_nobody_and_a_confirmed_one_does() {
    let mut cluster = led(3, |config| config);
    cluster.seen.clear();
    let read = cluster.command(1, Command::Read);
    cluster.flush();
    assert!(is_ready(&cluster, read) && cluster.seen.is_empty(), "{:?}", cluster.seen);
    let confirmed = cluster.command(1, Command::ReadConfirmed);
    cluster.flush();
    assert!(!is_ready(&cluster, confirmed));
    cluster.settle();
    assert!(is_ready(&cluster, confirmed));
}

#[test]
fn no_lease_without_the_switch_nor_on_the_word_of_voters_without_it() {
    let off = led(3, |config| Config { lease_reads: false, ..config });
    assert!(!has_lease(&off, 1));
    let alone = led(3, |config| Config { lease_reads: config.id == n(1), ..config });
    assert!(!has_lease(&alone, 1), "nobody has promised anything");
    let both = led(3, |config| Config { lease_reads: config.id != n(3), ..config });
    assert!(has_lease(&both, 1), "two of three");
}

#[test]
fn a_lease_is_as_long_as_the_promises_of_a_quorum_whatever_the_leader_would_promise() {
    let mut cluster = led(3, |config| config);
    Arc::make_mut(&mut cluster.node(1).raft.config).election_timeout = millis(900);
    cluster.run(millis(120));
    cluster.isolate(1);
    cluster.run(millis(230));
    assert!(has_lease(&cluster, 1));
    cluster.run(millis(70));
    assert!(!has_lease(&cluster, 1) && cluster.raft(1).role() == Role::Leader);
}

#[test]
fn a_leader_that_is_heard_by_less_than_a_quorum_loses_its_lease() {
    let mut cluster = led(5, |config| config);
    for peer in [3, 4, 5] {
        cluster.cut_both(1, peer);
    }
    assert!(has_lease(&cluster, 1));
    cluster.run(millis(297));
    assert!(!has_lease(&cluster, 1), "node 2 alone keeps its promise");
}

#[test]
fn a_promise_binds_in_later_terms_too() {
    let mut cluster = led(3, |config| config);
    cluster.isolate(1);
    cluster.isolate(2);
    // From somebody who campaigned by what was granted before, node 2 hears of a later term, and is asked for its vote in it.
    let (term, voice) = (Term(9), Voice::default());
    cluster.deliver(3, 2, Message::VoteReply { term, granted: false, voice });
    assert_eq!((cluster.raft(2).status().term, cluster.raft(2).status().leader), (term, None));
    let last = cluster.raft(2).log.last();
    let vote = |transfer| Message::Vote { term, last, transfer, voice };
    let granted = |cluster: &mut Cluster, message: Message| {
        cluster.seen.clear();
        cluster.deliver(3, 2, message);
        cluster.seen.iter().any(|(_, _, m)| matches!(m, Message::VoteReply { granted: true, .. }))
    };
    assert!(has_lease(&cluster, 1) && !granted(&mut cluster, vote(false)));
    cluster.run(millis(299));
    assert!(!has_lease(&cluster, 1));
    cluster.run(millis(1));
    assert!(granted(&mut cluster, vote(false)));
}

#[test]
fn a_promise_does_not_bind_against_the_wish_of_the_leader_it_was_given_to() {
    let mut cluster = led(3, |config| config);
    let transfer = cluster.command(1, Command::Transfer { to: Some(n(2)) });
    assert!(!has_lease(&cluster, 1), "given up before anybody is asked");
    cluster.settle();
    assert_eq!(cluster.reply(1, transfer), Some(&Reply::Transferred { to: n(2) }));
    cluster.run(millis(70));
    assert!(has_lease(&cluster, 2), "the next term has its own");
}

#[test]
fn nobody_campaigns_against_its_own_promise() {
    let mut cluster = led(3, |config| config);
    cluster.command(2, Command::Campaign);
    assert_eq!(cluster.raft(2).role(), Role::Follower);
    // A voter that starts anew does not know what it has promised, be it alone in its configuration.
    cluster.restart(2);
    cluster.command(2, Command::Campaign);
    assert_eq!(cluster.raft(2).role(), Role::Follower);
    let mut single = Cluster::with(1, with_leases);
    single.run(millis(299));
    assert_eq!(single.raft(1).role(), Role::Follower);
    single.run(millis(301));
    assert!(has_lease(&single, 1), "it needs nobody's promise");
}

#[test]
fn a_joint_configuration_needs_the_promises_of_both_its_sets() {
    let founders: BTreeSet<_> = (1..=3).map(n).collect();
    let mut cluster = led(5, |config| {
        let voters = if config.id <= n(3) { founders.clone() } else { BTreeSet::new() };
        Config { voters, clock_drift_ppm: 100_000, ..config }
    });
    let members = [1, 4, 5].map(|id| (n(id), Duty::Voter)).into();
    cluster.command(1, Command::ChangeMembers { members, replace: BTreeSet::new() });
    while !cluster.raft(1).membership().is_joint() {
        if !cluster.deliver_next() && !cluster.flush() {
            cluster.now = cluster.now.after(millis(1));
        }
    }
    // They take nothing any more, and are heard all the same.
    for node in [4, 5] {
        cluster.node(node).stalled = true;
    }
    cluster.run(millis(130));
    assert!(cluster.raft(1).membership().is_joint() && has_lease(&cluster, 1));
    cluster.isolate(4);
    cluster.isolate(5);
    cluster.run(millis(170));
    assert!(has_lease(&cluster, 1));
    // 300 ms * 0.9 / 1.1 after the last heartbeat that nodes 4 and 5 have answered, though 2 and 3 answer still.
    cluster.run(millis(80));
    assert!(!has_lease(&cluster, 1) && cluster.raft(1).role() == Role::Leader);
}

#[test]
fn a_group_at_rest_has_no_lease_and_gets_one_when_it_wakes() {
    let mut cluster = led(3, |config| Config { hibernate_after: Some(millis(500)), ..config });
    cluster.run(millis(560));
    while !cluster.raft(1).is_asleep() {
        cluster.run(millis(1));
    }
    assert!(!has_lease(&cluster, 1));
    let read = cluster.command(1, Command::Read);
    cluster.flush();
    assert!(!is_ready(&cluster, read), "by a round");
    cluster.settle();
    assert!(is_ready(&cluster, read));
    cluster.run(millis(70));
    assert!(has_lease(&cluster, 1));
}

#[test]
fn clocks_of_which_nothing_is_known_bear_no_lease() {
    let config = |clock_drift_ppm| Config { clock_drift_ppm, ..with_leases(super::harness::config(1, 3)) };
    assert_eq!(config(1_000_000).validate(), Err(ConfigError::Drift(1_000_000)));
    assert_eq!(config(999_999).validate(), Ok(()));
}
