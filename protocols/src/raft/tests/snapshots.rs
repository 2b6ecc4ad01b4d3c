//! Snapshots: taken, sent, taken over, and refused.

use std::time::Duration;

use bytes::Bytes;

use crate::log::{Position, SnapshotMeta};
use crate::protocol::Input;
use crate::raft::Voice;
use crate::raft::tests::harness::{Cluster, founding, n};
use crate::raft::{AppendResult, Command, Config, Epoch, Event, Message, Rejection, Reply};
use crate::types::{LogIndex, LogTime, Term};

/// Snapshots every ten entries, of which two are kept.
fn eager(config: Config) -> Config {
    Config { snapshot_entries: 10, keep_entries: 2, ..config }
}

fn fill(cluster: &mut Cluster, leader: u64, count: usize) {
    for i in 0..count {
        cluster.propose(leader, &format!("{i}"));
        cluster.settle();
    }
}

fn meta(index: u64, term: u64) -> SnapshotMeta {
    let configuration = founding([n(1), n(2), n(3)]).encode();
    SnapshotMeta { index: LogIndex(index), term: Term(term), time: LogTime(1), configuration }
}

/// Hands a snapshot to a node as its driver would.
fn receive(cluster: &mut Cluster, from: u64, to: u64, term: u64, meta: &SnapshotMeta) {
    let state = vec![Bytes::new(); meta.index.0 as usize];
    cluster.node(to).received.insert(n(from), (meta.clone(), state));
    let message = Message::Snapshot { leader: n(1), term: Term(term), epoch: Epoch(1) };
    cluster
        .input(to, Input::SnapshotReceived { from: n(from), message: Box::new(message), meta: meta.clone() });
}

fn results(cluster: &Cluster, from: u64) -> Vec<AppendResult> {
    let of = |(f, _, m): &(_, _, Message)| match m {
        Message::AppendReply { result, .. } if *f == n(from) => Some(*result),
        _ => None,
    };
    cluster.seen.iter().filter_map(of).collect()
}

#[test]
fn the_log_is_compacted_by_policy_and_a_tail_is_kept() {
    let mut cluster = Cluster::with(3, eager).elect(1);
    fill(&mut cluster, 1, 35);
    let status = cluster.raft(1).status();
    assert!(status.snapshot_index >= LogIndex(30), "{status:?}");
    assert_eq!(status.first_index.0, status.snapshot_index.0 - 1);
    let first_on_disk = *cluster.node(1).disk.entries.first_key_value().expect("a tail").0;
    assert_eq!(first_on_disk, status.first_index);
}

#[test]
fn log_time_alone_makes_a_snapshot_due() {
    let every = Duration::from_secs(10);
    let patient = |config| Config { snapshot_entries: 1 << 40, snapshot_interval: every, ..config };
    let mut cluster = Cluster::with(3, patient).elect(1);
    fill(&mut cluster, 1, 5);
    cluster.run(every + Duration::from_secs(1));
    assert_eq!(cluster.raft(1).status().snapshot_index, LogIndex::ZERO, "nothing was applied since");
    fill(&mut cluster, 1, 1);
    let first = cluster.raft(1).status();
    assert_eq!(first.snapshot_index, first.applied);
    fill(&mut cluster, 1, 20);
    assert_eq!(cluster.raft(1).status().snapshot_index, first.snapshot_index, "no time has passed");
    cluster.run(every);
    fill(&mut cluster, 1, 1);
    assert!(cluster.raft(1).status().snapshot_index > first.snapshot_index);
}

#[test]
fn a_large_state_is_not_written_again_for_a_few_entries() {
    let often = |config| Config { snapshot_entries: 10, ..config };
    let taken = |cluster: &Cluster| cluster.raft(1).status().snapshot_index.0;
    let mut cluster = Cluster::with(1, often);
    cluster.settle();
    cluster.node(1).snapshot_bytes = 1 << 40;
    fill(&mut cluster, 1, 12);
    let first = taken(&cluster);
    assert!(first > 0, "nothing is known of the size before the first one");
    fill(&mut cluster, 1, 95);
    assert_eq!(taken(&cluster), first);
    cluster.node(1).snapshot_bytes = 1;
    fill(&mut cluster, 1, 6);
    let second = taken(&cluster);
    assert!(second >= first + 100, "{second}: however large it is, after ten times as many");
    fill(&mut cluster, 1, 4);
    assert_eq!(taken(&cluster), second);
    fill(&mut cluster, 1, 8);
    assert!(taken(&cluster) > second, "a small one pays at once");
}

#[test]
fn rt_39_a_peer_behind_a_compacted_log_gets_a_snapshot_without_any_new_write() {
    let mut cluster = Cluster::with(3, eager).elect(1);
    cluster.isolate(3);
    fill(&mut cluster, 1, 40);
    cluster.node(1).disk.entries.clear();
    let last = cluster.raft(1).log.last();
    cluster.cut.clear();
    cluster.run(Duration::from_secs(2));
    assert_eq!(cluster.raft(3).log.last(), last);
    assert_eq!(cluster.agreed().len(), 40);
    assert!(cluster.node(3).events.iter().any(|e| matches!(e, Event::SnapshotInstalled { .. })));
}

#[test]
fn rt_39_a_leader_that_restarted_with_nothing_but_a_snapshot_brings_a_peer_up() {
    let keep_none = |c| Config { keep_entries: 0, ..eager(c) };
    let mut cluster = Cluster::with(3, keep_none).elect(1);
    cluster.isolate(3);
    fill(&mut cluster, 1, 30);
    for id in [1, 2] {
        let token = cluster.command(id, Command::Snapshot);
        cluster.settle();
        assert!(matches!(cluster.reply(id, token), Some(Reply::SnapshotTaken { .. })));
        cluster.restart(id);
    }
    cluster.cut.clear();
    let leader = cluster.run_until_led();
    cluster.run(Duration::from_secs(1));
    assert_ne!(leader, 3);
    assert_eq!(cluster.agreed().len(), 30);
}

#[test]
fn rt_40_a_trigger_met_while_a_snapshot_is_written_fires_afterwards() {
    let mut cluster = Cluster::with(1, eager);
    cluster.settle();
    cluster.node(1).snapshots_slow = true;
    fill(&mut cluster, 1, 50);
    assert_eq!(cluster.raft(1).status().snapshot_index, LogIndex::ZERO);
    let asked = cluster.command(1, Command::Snapshot);
    cluster.node(1).snapshots_slow = false;
    cluster.sync(1);
    let status = cluster.raft(1).status();
    assert_eq!(status.snapshot_index, status.applied, "the second one contains the rest");
    assert_eq!(cluster.reply(1, asked), Some(&Reply::SnapshotTaken { index: status.applied }));
}

#[test]
fn a_snapshot_that_fails_is_refused_and_tried_again_later() {
    let mut cluster = Cluster::led_by(1, 1);
    cluster.node(1).snapshots_slow = true;
    fill(&mut cluster, 1, 3);
    let token = cluster.command(1, Command::Snapshot);
    cluster.node(1).drop_snapshot_report();
    cluster.input(1, Input::SnapshotFailed);
    assert_eq!(cluster.refusal(1, token), Some(crate::raft::Refusal::SnapshotFailed));
    cluster.node(1).snapshots_slow = false;
    let token = cluster.command(1, Command::Snapshot);
    cluster.settle();
    assert!(matches!(cluster.reply(1, token), Some(Reply::SnapshotTaken { .. })));
}

#[test]
fn rt_41_a_snapshot_of_a_past_leader_is_dropped() {
    let mut cluster = Cluster::led_by(3, 1);
    cluster.deliver(
        2,
        3,
        Message::Vote {
            term: Term(8),
            last: Position { term: Term(9), index: LogIndex(9) },
            transfer: true,
            voice: Voice::default(),
        },
    );
    let before = cluster.raft(3).status();
    cluster.seen.clear();
    receive(&mut cluster, 1, 3, 1, &meta(50, 1));
    assert_eq!(cluster.raft(3).status(), before);
    assert!(cluster.node(3).received.is_empty(), "it is dropped, not kept");
    assert_eq!(results(&cluster, 3), [AppendResult::Stale]);
}

#[test]
fn rt_41_a_transfer_that_ends_after_a_re_election_moves_nothing() {
    let mut cluster = Cluster::led_by(3, 1);
    let before = cluster.raft(1).status();
    cluster.input(1, Input::SnapshotSent { to: n(3), index: LogIndex(99), delivered: true });
    cluster.input(1, Input::SnapshotSent { to: n(3), index: LogIndex(99), delivered: false });
    assert_eq!(cluster.raft(1).status(), before);
    let token = cluster.propose(1, "a");
    cluster.run(Duration::from_millis(130));
    assert!(matches!(cluster.reply(1, token), Some(Reply::Applied { .. })));
    assert_eq!(cluster.agreed(), ["a"]);
}

#[test]
fn rt_20_a_snapshot_replaces_an_uncommitted_tail_that_contradicts_it() {
    let mut cluster = Cluster::new(3);
    let tail = |index| crate::log::Entry {
        term: Term(1),
        index: LogIndex(index),
        time: LogTime(0),
        body: crate::log::Body::Noop,
    };
    let entries = (1..=9).map(tail).collect();
    let message = Message::Append {
        term: Term(1),
        epoch: Epoch(1),
        previous: Position::START,
        commit: LogIndex(2),
        entries,
    };
    cluster.deliver(1, 3, message);
    receive(&mut cluster, 2, 3, 2, &meta(5, 2));
    let status = cluster.raft(3).status();
    assert_eq!((status.last_index, status.commit, status.applied), (LogIndex(5), LogIndex(5), LogIndex(5)));
    assert_eq!(cluster.raft(3).log.last(), Position { term: Term(2), index: LogIndex(5) });
    assert!(cluster.node(3).disk.entries.is_empty());
    // The one that arrives late, behind what is committed, changes nothing; whatever it says of the past.
    receive(&mut cluster, 2, 3, 2, &meta(4, 1));
    assert_eq!(cluster.raft(3).status(), status);
    assert_eq!(results(&cluster, 3).last(), Some(&AppendResult::Matched(LogIndex(5))));
}

#[test]
fn rt_42_a_snapshot_of_entries_that_are_held_only_commits_them() {
    let mut cluster = Cluster::new(3);
    let entry = |index| crate::log::Entry {
        term: Term(1),
        index: LogIndex(index),
        time: LogTime(0),
        body: crate::log::Body::Noop,
    };
    let entries: Vec<_> = (1..=9).map(entry).collect();
    let previous = Position::START;
    let append = Message::Append {
        term: Term(1),
        epoch: Epoch(1),
        previous,
        commit: LogIndex(0),
        entries: entries.into(),
    };
    cluster.deliver(1, 3, append);
    receive(&mut cluster, 1, 3, 1, &meta(5, 1));
    let status = cluster.raft(3).status();
    assert_eq!((status.last_index, status.commit, status.applied), (LogIndex(9), LogIndex(5), LogIndex(5)));
    assert_eq!(status.snapshot_index, LogIndex::ZERO);
}

#[test]
fn rt_42_a_peer_that_takes_no_snapshot_holds_nobody_up() {
    let mut cluster = Cluster::with(3, eager).elect(1);
    cluster.node(3).down = true;
    fill(&mut cluster, 1, 30);
    cluster.run(Duration::from_secs(1));
    let token = cluster.propose(1, "on");
    cluster.settle();
    assert!(matches!(cluster.reply(1, token), Some(Reply::Applied { .. })));
    cluster.restart(3);
    cluster.run(Duration::from_secs(1));
    assert_eq!(cluster.agreed().len(), 31);
}

#[test]
fn entries_after_a_snapshot_are_taken_while_it_is_being_installed() {
    let mut cluster = Cluster::with(3, eager).elect(1);
    cluster.isolate(3);
    fill(&mut cluster, 1, 30);
    cluster.cut.clear();
    cluster.node(3).stalled = true;
    cluster.run(Duration::from_millis(200));
    let before = cluster.raft(1).status().match_index[&n(3)];
    fill(&mut cluster, 1, 5);
    assert_eq!(
        cluster.raft(1).status().match_index[&n(3)],
        before,
        "nothing is acknowledged before it is durable"
    );
    cluster.sync(3);
    cluster.run(Duration::from_millis(500));
    assert_eq!(cluster.agreed().len(), 35);
}

#[test]
fn a_snapshot_with_an_unreadable_configuration_is_reported_and_dropped() {
    let mut cluster = Cluster::new(3);
    let meta = SnapshotMeta { configuration: Bytes::from_static(b"\x09nonsense"), ..meta(5, 1) };
    receive(&mut cluster, 1, 3, 1, &meta);
    assert_eq!(cluster.raft(3).status().last_index, LogIndex::ZERO);
    assert!(cluster.node(3).received.is_empty());
    let rejected = Event::Rejected { from: n(1), reason: Rejection::BadSnapshot };
    assert!(cluster.node(3).events.contains(&rejected));
}
