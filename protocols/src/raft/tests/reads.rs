//! Reads that reflect every write acknowledged before them.

use std::time::Duration;

use crate::raft::Voice;
use crate::raft::tests::harness::{Cluster, n};
use crate::raft::{Command, Message, Refusal, Reply};
use crate::types::LogIndex;

fn rounds_sent(cluster: &Cluster, to: u64) -> usize {
    let asks = |m: &Message| matches!(m, Message::Heartbeat { round, .. } if *round > 0);
    cluster.seen.iter().filter(|(_, t, m)| *t == n(to) && asks(m)).count()
}

#[test]
fn reads_that_wait_together_share_one_round() {
    let mut cluster = Cluster::led_by(3, 1);
    cluster.seen.clear();
    let tokens: Vec<_> = (0..10).map(|_| cluster.command(1, Command::Read)).collect();
    cluster.settle();
    let commit = cluster.raft(1).status().commit;
    for token in tokens {
        assert_eq!(cluster.reply(1, token), Some(&Reply::ReadReady { index: commit }));
    }
    assert_eq!(rounds_sent(&cluster, 2), 1);
}

#[test]
fn a_single_voter_reads_and_writes_alone() {
    let mut cluster = Cluster::new(1);
    cluster.settle();
    let token = cluster.propose(1, "a");
    let read = cluster.command(1, Command::Read);
    cluster.settle();
    assert!(matches!(cluster.reply(1, token), Some(Reply::Applied { index: LogIndex(2), .. })));
    assert!(matches!(cluster.reply(1, read), Some(Reply::ReadReady { .. })));
}

#[test]
fn rt_11_a_read_waits_until_the_leader_has_committed_in_its_term() {
    let mut cluster = Cluster::new(3);
    cluster.command(1, Command::Campaign);
    while cluster.raft(1).role() != crate::raft::Role::Leader {
        assert!(cluster.deliver_next() || cluster.flush());
    }
    // The peers' disks hold the leader's first entry back, but not their heartbeats.
    cluster.node(2).stalled = true;
    cluster.node(3).stalled = true;
    let read = cluster.command(1, Command::Read);
    cluster.run(Duration::from_millis(200));
    assert_eq!(cluster.reply(1, read), None);
    cluster.sync(2);
    cluster.settle();
    assert_eq!(cluster.reply(1, read), Some(&Reply::ReadReady { index: LogIndex(1) }));
}

#[test]
fn rt_12_a_confirmation_from_before_the_read_confirms_nothing() {
    let mut cluster = Cluster::led_by(3, 1);
    let first = cluster.command(1, Command::Read);
    cluster.settle();
    assert!(cluster.reply(1, first).is_some());
    let term = cluster.raft(1).status().term;
    let epoch = cluster.epoch(1, 2);
    cluster.isolate(1);
    let second = cluster.command(1, Command::Read);
    cluster.settle();
    // The answer to the first round comes a second time; the second read was not in it.
    cluster.deliver(
        2,
        1,
        Message::HeartbeatReply {
            term,
            epoch,
            round: 1,
            voice: Voice::default(),
            rejoin: false,
            promise: Duration::ZERO,
        },
    );
    assert_eq!(cluster.reply(1, second), None);
    // Nor does an answer count that names a round of the future.
    cluster.deliver(
        3,
        1,
        Message::HeartbeatReply {
            term,
            epoch: cluster.epoch(1, 3),
            round: 99,
            voice: Voice::default(),
            rejoin: false,
            promise: Duration::ZERO,
        },
    );
    assert_eq!(cluster.reply(1, second), None);
    cluster.run(Duration::from_secs(1));
    assert_eq!(cluster.refusal(1, second), Some(Refusal::NotLeader { leader: None }));
}

#[test]
fn a_deposed_leader_answers_no_read() {
    let mut cluster = Cluster::led_by(3, 1);
    cluster.isolate(1);
    cluster.command(2, Command::Campaign);
    let read = cluster.command(1, Command::Read);
    cluster.run(Duration::from_secs(1));
    assert!(cluster.refusal(1, read).is_some());
}

#[test]
fn a_read_is_answered_when_the_application_is_that_far() {
    let mut cluster = Cluster::led_by(3, 1);
    cluster.node(1).app_busy = true;
    let write = cluster.propose(1, "a");
    cluster.settle();
    let read = cluster.command(1, Command::Read);
    cluster.settle();
    assert_eq!((cluster.reply(1, write), cluster.reply(1, read)), (None, None));
    cluster.node(1).app_busy = false;
    cluster.sync(1);
    let commit = cluster.raft(1).status().commit;
    assert_eq!(cluster.reply(1, read), Some(&Reply::ReadReady { index: commit }));
}

#[test]
fn a_lost_confirmation_is_asked_for_again() {
    let mut cluster = Cluster::led_by(3, 1);
    cluster.isolate(1);
    let read = cluster.command(1, Command::Read);
    cluster.settle();
    cluster.cut.clear();
    cluster.run(Duration::from_millis(70));
    assert!(matches!(cluster.reply(1, read), Some(Reply::ReadReady { .. })));
}

#[test]
fn a_follower_names_the_leader_instead_of_reading() {
    let mut cluster = Cluster::led_by(3, 1);
    let read = cluster.command(2, Command::Read);
    assert_eq!(cluster.refusal(2, read), Some(Refusal::NotLeader { leader: Some(n(1)) }));
}
