//! Replication: what is committed, what is replaced, what is sent, and who is answered.

use std::time::Duration;

use bytes::Bytes;

use crate::log::{Body, Entry, Position};
use crate::protocol::Input;
use crate::raft::Voice;
use crate::raft::tests::harness::{Cluster, n};
use crate::raft::{AppendResult, Command, Config, Epoch, Event, Message, Refusal, Rejection, Reply, Role};
use crate::types::{LogIndex, LogTime, Outcome, SessionId, Term};

fn entry(index: u64, term: u64, payload: &'static str) -> Entry {
    let body = Body::Command { session: None, payload: Bytes::from_static(payload.as_bytes()) };
    Entry { term: Term(term), index: LogIndex(index), time: LogTime(0), body }
}

fn append(term: u64, previous: (u64, u64), commit: u64, entries: &[Entry]) -> Message {
    Message::Append {
        term: Term(term),
        epoch: Epoch(1),
        previous: Position { index: LogIndex(previous.0), term: Term(previous.1) },
        commit: LogIndex(commit),
        entries: entries.to_vec().into(),
    }
}

fn appends(cluster: &Cluster, to: u64) -> usize {
    cluster.seen.iter().filter(|(_, t, m)| *t == n(to) && matches!(m, Message::Append { .. })).count()
}

fn last_result(cluster: &Cluster, from: u64) -> AppendResult {
    let of = |(f, _, m): &(_, _, Message)| match m {
        Message::AppendReply { result, .. } if *f == n(from) => Some(*result),
        _ => None,
    };
    cluster.seen.iter().rev().find_map(of).expect("an answer")
}

#[test]
fn commands_are_applied_in_order_on_every_node_and_answered_once() {
    let mut cluster = Cluster::led_by(3, 1);
    let tokens: Vec<_> = (0..200).map(|i| cluster.propose(1, &format!("{i}"))).collect();
    cluster.run(Duration::from_millis(200));
    let expected: Vec<String> = (0..200).map(|i| format!("{i}")).collect();
    assert_eq!(cluster.agreed(), expected);
    for (i, token) in tokens.into_iter().enumerate() {
        let Some(Reply::Applied { result, .. }) = cluster.reply(1, token) else { panic!("{i} unanswered") };
        assert_eq!(result, &format!("{i}"));
    }
}

#[test]
fn what_is_proposed_between_two_drains_is_one_write_and_one_append_to_each_peer() {
    let mut cluster = Cluster::led_by(3, 1);
    cluster.seen.clear();
    cluster.node(1).persists = 0;
    for i in 0..20 {
        cluster.propose(1, &format!("{i}"));
    }
    assert_eq!((cluster.node(1).persists, appends(&cluster, 2)), (0, 0));
    cluster.flush();
    assert_eq!((cluster.node(1).persists, appends(&cluster, 2), appends(&cluster, 3)), (1, 1, 1));
}

#[test]
fn rt_01_an_entry_of_an_earlier_term_is_not_committed_by_counting() {
    let mut cluster = Cluster::led_by(3, 1);
    cluster.isolate(1);
    cluster.propose(1, "old");
    cluster.settle();
    let old = cluster.raft(1).log.last();
    cluster.forged = true;
    // Node 1 leads again in a later term; its peers acknowledge the old entry, but not the one of the later term.
    cluster.deliver(
        2,
        1,
        Message::HeartbeatReply {
            term: Term(2),
            epoch: Epoch(9),
            round: 0,
            voice: Voice::default(),
            rejoin: false,
            promise: Duration::ZERO,
        },
    );
    cluster.command(1, Command::Campaign);
    cluster.deliver(
        2,
        1,
        Message::PreVoteReply { term: Term(2), proposed: Term(3), granted: true, voice: Voice::default() },
    );
    cluster.deliver(2, 1, Message::VoteReply { term: Term(3), granted: true, voice: Voice::default() });
    assert_eq!(cluster.raft(1).role(), Role::Leader);
    cluster.settle();
    let before = cluster.raft(1).status().commit;
    assert!(before < old.index);
    for peer in [2, 3] {
        let epoch = cluster.epoch(1, peer);
        let result = AppendResult::Matched(old.index);
        cluster.deliver(
            peer,
            1,
            Message::AppendReply { term: Term(3), epoch, result, voice: Voice::default() },
        );
    }
    assert_eq!(cluster.raft(1).status().commit, before);
    let epoch = cluster.epoch(1, 2);
    let result = AppendResult::Matched(old.index.next());
    cluster.deliver(2, 1, Message::AppendReply { term: Term(3), epoch, result, voice: Voice::default() });
    assert_eq!(cluster.raft(1).status().commit, old.index.next(), "with an entry of its own term, both are");
}

#[test]
fn a_quorum_of_others_commits_while_the_leaders_disk_is_at_work() {
    let mut cluster = Cluster::led_by(3, 1);
    cluster.node(1).stalled = true;
    let token = cluster.propose(1, "a");
    cluster.settle();
    assert!(matches!(cluster.reply(1, token), Some(Reply::Applied { .. })));
    assert!(cluster.raft(1).status().durable_index < cluster.raft(1).status().commit);
}

#[test]
fn rt_10_the_leaders_own_disk_counts_only_once_it_is_done() {
    let mut cluster = Cluster::led_by(3, 1);
    cluster.isolate(3);
    cluster.node(1).stalled = true;
    let token = cluster.propose(1, "a");
    cluster.settle();
    assert_eq!(cluster.reply(1, token), None, "one disk of three has it");
    cluster.sync(1);
    assert!(matches!(cluster.reply(1, token), Some(Reply::Applied { .. })));
}

#[test]
fn a_follower_acknowledges_what_is_on_its_disk_and_nothing_before() {
    let mut cluster = Cluster::led_by(3, 1);
    cluster.isolate(3);
    cluster.node(2).stalled = true;
    let token = cluster.propose(1, "a");
    cluster.run(Duration::from_millis(200));
    assert_eq!(cluster.reply(1, token), None);
    cluster.sync(2);
    cluster.settle();
    assert!(matches!(cluster.reply(1, token), Some(Reply::Applied { .. })));
}

#[test]
fn rt_21_a_late_short_append_removes_nothing_after_a_prefix_that_agrees() {
    let mut cluster = Cluster::new(3);
    let all = [entry(1, 1, "a"), entry(2, 1, "b"), entry(3, 1, "c")];
    cluster.deliver(1, 2, append(1, (0, 0), 3, &all));
    cluster.deliver(1, 2, append(1, (0, 0), 0, &all[..1]));
    assert_eq!(cluster.raft(2).status().last_index, LogIndex(3));
    assert_eq!(last_result(&cluster, 2), AppendResult::Matched(LogIndex(1)));
    assert_eq!(cluster.raft(2).status().commit, LogIndex(3));
}

#[test]
fn a_conflicting_tail_is_replaced_on_disk_as_in_memory() {
    let mut cluster = Cluster::new(3);
    cluster.deliver(1, 2, append(1, (0, 0), 1, &[entry(1, 1, "a"), entry(2, 1, "b"), entry(3, 1, "c")]));
    cluster.deliver(3, 2, append(2, (1, 1), 1, &[entry(2, 2, "B")]));
    assert_eq!(cluster.raft(2).log.last(), Position { term: Term(2), index: LogIndex(2) });
    let on_disk: Vec<_> = cluster.node(2).disk.entries.values().map(Entry::position).collect();
    assert_eq!(on_disk.len(), 2);
    assert_eq!(on_disk[1].term, Term(2));
}

#[test]
fn an_append_that_contradicts_a_committed_entry_is_reported_and_ignored() {
    let mut cluster = Cluster::new(3);
    cluster.deliver(1, 2, append(1, (0, 0), 2, &[entry(1, 1, "a"), entry(2, 1, "b")]));
    cluster.deliver(3, 2, append(2, (1, 1), 2, &[entry(2, 2, "B")]));
    assert_eq!(cluster.raft(2).term_at(LogIndex(2)), Some(Term(1)));
    let events = &cluster.node(2).events;
    assert!(events.contains(&Event::Rejected { from: n(3), reason: Rejection::ContradictsCommit }));
}

#[test]
fn rt_24_entries_with_a_hole_or_a_term_out_of_order_are_refused() {
    let mut cluster = Cluster::new(3);
    let huge = Position { index: LogIndex(u64::MAX), term: Term(1) };
    let bad = [
        append(1, (0, 0), 0, &[entry(2, 1, "hole at the start")]),
        append(1, (0, 0), 0, &[entry(1, 1, "a"), entry(3, 1, "hole")]),
        append(2, (0, 0), 0, &[entry(1, 2, "a"), entry(2, 1, "term falls")]),
        append(2, (0, 0), 0, &[entry(1, 3, "term of the future")]),
    ];
    for message in bad {
        cluster.deliver(1, 2, message);
        assert_eq!(cluster.raft(2).status().last_index, LogIndex::ZERO);
    }
    assert_eq!(cluster.node(2).events.iter().filter(|e| matches!(e, Event::Rejected { .. })).count(), 4);
    let overflow = Message::Append {
        term: Term(3),
        epoch: Epoch(1),
        previous: huge,
        commit: LogIndex(u64::MAX),
        entries: vec![entry(0, 1, "wraps")].into(),
    };
    cluster.deliver(1, 2, overflow);
    assert_eq!(cluster.raft(2).status().last_index, LogIndex::ZERO);
}

#[test]
fn rt_26_a_commit_index_beyond_the_log_is_clamped_and_none_is_sent_beyond_what_the_peer_holds() {
    let mut cluster = Cluster::new(3);
    cluster.deliver(1, 2, append(1, (0, 0), 0, &[entry(1, 1, "a")]));
    let beat =
        Message::Heartbeat { term: Term(1), epoch: Epoch(1), round: 0, commit: LogIndex(99), probe: None };
    cluster.deliver(1, 2, beat);
    assert_eq!(cluster.raft(2).status().commit, LogIndex(1));

    let mut cluster = Cluster::led_by(3, 1);
    cluster.isolate(3);
    let held = cluster.raft(1).status().match_index[&n(3)];
    for i in 0..5 {
        cluster.propose(1, &format!("{i}"));
    }
    cluster.seen.clear();
    cluster.run(Duration::from_millis(200));
    assert!(cluster.raft(1).status().commit > held);
    for (_, to, message) in &cluster.seen {
        if let Message::Heartbeat { commit, .. } = message {
            assert!(*to != n(3) || *commit <= held);
        }
    }
}

#[test]
fn rt_23_a_disk_that_forgot_what_it_had_acknowledged_is_noticed_once_and_a_shorter_log_is_not() {
    let mut cluster = Cluster::led_by(3, 1);
    cluster.isolate(3);
    for i in 0..5 {
        cluster.propose(1, &format!("{i}"));
    }
    cluster.run(Duration::from_millis(200));
    cluster.cut.clear();
    cluster.run(Duration::from_millis(500));
    cluster.restart(2);
    cluster.run(Duration::from_millis(500));
    let told = |cluster: &mut Cluster, id| {
        cluster.node(id).events.iter().filter(|event| matches!(event, Event::Reverted { .. })).count()
    };
    assert_eq!((told(&mut cluster, 2), told(&mut cluster, 3)), (0, 0), "late, or back with its disk");
    assert_eq!(cluster.raft(1).role(), Role::Leader);
    // The disk is not what the leader was told, which the harness would notice.
    cluster.forged = true;
    cluster.node(2).disk = Default::default();
    cluster.restart(2);
    cluster.run(Duration::from_millis(500));
    assert_eq!((told(&mut cluster, 2), told(&mut cluster, 3)), (1, 0));
    let events = &cluster.node(2).events;
    let replaced = events.iter().any(|event| matches!(event, Event::Reverted { named: false, .. }));
    assert!(replaced, "the disk is another one, as far as its node can tell");
}

#[test]
fn rt_22_an_answer_to_an_earlier_replication_moves_nothing() {
    let mut cluster = Cluster::led_by(3, 1);
    cluster.isolate(3);
    cluster.propose(1, "a");
    cluster.settle();
    let before = cluster.raft(1).status();
    let last = before.last_index;
    let message = |result| Message::AppendReply {
        term: before.term,
        epoch: Epoch(99),
        result,
        voice: Voice::default(),
    };
    cluster.deliver(3, 1, message(AppendResult::Matched(last)));
    cluster.deliver(3, 1, message(AppendResult::Conflict { rejected: last, hint: Position::START }));
    assert_eq!(cluster.raft(1).status().match_index, before.match_index);
}

#[test]
fn a_peer_that_acknowledges_what_was_never_sent_is_reported() {
    let mut cluster = Cluster::led_by(3, 1);
    let status = cluster.raft(1).status();
    let epoch = cluster.epoch(1, 2);
    let result = AppendResult::Matched(LogIndex(999));
    cluster.deliver(2, 1, Message::AppendReply { term: status.term, epoch, result, voice: Voice::default() });
    assert_eq!(cluster.raft(1).status(), status);
    assert!(cluster.node(1).events.contains(&Event::Rejected { from: n(2), reason: Rejection::Unsent }));
}

#[test]
fn rt_43_long_divergent_tails_converge_while_heartbeats_race() {
    for seed in 0..20u64 {
        let mut cluster = Cluster::led_by(3, 1);
        // Node 3 gathers a tail of many terms that nobody else has.
        let base = cluster.raft(3).log.last();
        let tail: Vec<Entry> = (0..60).map(|i| entry(base.index.0 + 1 + i, 2 + i / 7, "junk")).collect();
        cluster.isolate(3);
        cluster.deliver(2, 3, append(20, (base.index.0, base.term.0), 0, &tail));
        cluster.deliver(
            3,
            1,
            Message::HeartbeatReply {
                term: Term(20),
                epoch: Epoch(1),
                round: 0,
                voice: Voice::default(),
                rejoin: false,
                promise: Duration::ZERO,
            },
        );
        let leader = cluster.run_until_led();
        for i in 0..60 + seed {
            cluster.propose(leader, &format!("{i}"));
            cluster.settle();
        }
        cluster.cut.clear();
        cluster.run(Duration::from_secs(2));
        let leader = cluster.run_until_led();
        cluster.propose(leader, "end");
        cluster.run(Duration::from_millis(300));
        assert_eq!(cluster.raft(3).log.last(), cluster.raft(leader).log.last(), "seed {seed}");
        assert_eq!(cluster.agreed().last().map(String::as_str), Some("end"));
    }
}

#[test]
fn conflicts_are_settled_in_a_round_trip_for_each_term_and_not_for_each_entry() {
    let mut cluster = Cluster::led_by(3, 1);
    let base = cluster.raft(3).log.last();
    let tail: Vec<Entry> = (0..200).map(|i| entry(base.index.0 + 1 + i, 1, "junk")).collect();
    cluster.isolate(3);
    cluster.deliver(1, 3, append(1, (base.index.0, base.term.0), 0, &tail));
    cluster.node(1).down = true;
    cluster.node(3).down = true;
    cluster.cut.clear();
    cluster.node(1).down = false;
    // Node 1 gets a log of a later term and then leads node 3, whose tail diverges.
    let later: Vec<Entry> = (0..30).map(|i| entry(base.index.0 + 1 + i, 2, "right")).collect();
    cluster.deliver(2, 1, append(2, (base.index.0, base.term.0), 0, &later));
    cluster.node(2).down = true;
    cluster.node(3).down = false;
    cluster.seen.clear();
    cluster.run_until_led();
    let conflict =
        |m: &Message| matches!(m, Message::AppendReply { result: AppendResult::Conflict { .. }, .. });
    let conflicts = cluster.seen.iter().filter(|(_, _, m)| conflict(m)).count();
    assert!((1..=3).contains(&conflicts), "{conflicts} conflicts");
    assert_eq!(cluster.raft(3).log.last(), cluster.raft(1).log.last());
}

#[test]
fn windows_in_appends_and_bytes_bound_what_is_under_way() {
    let mut cluster = Cluster::led_by(3, 1);
    let limit = cluster.raft(1).config.max_inflight_bytes + cluster.raft(1).config.max_append_bytes;
    cluster.node(3).stalled = true;
    cluster.seen.clear();
    for i in 0..50 {
        cluster.propose(1, &format!("{i:01000}"));
        cluster.settle();
    }
    let sent: usize = cluster
        .seen
        .iter()
        .filter_map(|(_, to, m)| match m {
            Message::Append { entries, .. } if *to == n(3) => Some(entries),
            _ => None,
        })
        .flatten()
        .map(Entry::size)
        .sum();
    assert!(sent > 0 && sent <= limit, "{sent} bytes to a peer that acknowledges nothing");
    cluster.sync(3);
    cluster.run(Duration::from_millis(200));
    assert_eq!(cluster.agreed().len(), 50);
}

#[test]
fn a_lost_append_or_a_lost_answer_is_made_up_for_by_the_next_heartbeat() {
    for towards_leader in [false, true] {
        let mut cluster = Cluster::led_by(3, 1);
        cluster.isolate(3);
        let token = cluster.propose(1, "a");
        cluster.cut.insert(if towards_leader { (n(2), n(1)) } else { (n(1), n(2)) });
        cluster.settle();
        cluster.cut.remove(&(n(1), n(2)));
        cluster.cut.remove(&(n(2), n(1)));
        assert_eq!(cluster.reply(1, token), None);
        cluster.run(Duration::from_millis(130));
        assert!(matches!(cluster.reply(1, token), Some(Reply::Applied { .. })));
    }
}

#[test]
fn more_than_may_wait_is_refused_and_room_comes_back() {
    let mut cluster = Cluster::led_by(3, 1);
    cluster.isolate(1);
    let limit = cluster.raft(1).config.max_uncommitted_bytes;
    let payload = "x".repeat(limit / 4);
    let tokens: Vec<_> = (0..6).map(|_| cluster.propose(1, &payload)).collect();
    let busy = tokens.iter().filter(|&&t| cluster.refusal(1, t) == Some(Refusal::Busy)).count();
    assert_eq!(busy, 3);
    let huge = cluster.propose(1, &"x".repeat(limit));
    assert_eq!(cluster.refusal(1, huge), Some(Refusal::TooLarge { limit }));
    cluster.cut.clear();
    cluster.run(Duration::from_millis(200));
    let token = cluster.propose(1, &payload);
    cluster.run(Duration::from_millis(10));
    assert!(matches!(cluster.reply(1, token), Some(Reply::Applied { .. })));
}

#[test]
fn an_entry_that_no_peer_could_receive_is_refused_and_stands_in_nobodys_way() {
    let mut cluster =
        Cluster::with(3, |config| crate::raft::Config { max_entry_bytes: 1000, ..config }).elect(1);
    let huge = cluster.propose(1, &"x".repeat(1000));
    assert_eq!(cluster.refusal(1, huge), Some(Refusal::TooLarge { limit: 1000 }));
    let token = cluster.propose(1, &"x".repeat(900));
    cluster.run(Duration::from_millis(10));
    assert!(matches!(cluster.reply(1, token), Some(Reply::Applied { .. })));
}

#[test]
fn a_leader_whose_disk_stalls_does_not_gather_entries_without_end() {
    let mut cluster = Cluster::led_by(3, 1);
    let most = cluster.raft(1).config.cache_bytes + 2 * cluster.raft(1).config.max_uncommitted_bytes;
    cluster.node(1).stalled = true;
    let payload = "x".repeat(4 << 10);
    let tokens: Vec<_> = (0..100)
        .map(|_| {
            let token = cluster.propose(1, &payload);
            cluster.settle();
            token
        })
        .collect();
    assert!(cluster.raft(1).log.cached_bytes() <= most);
    assert!(matches!(cluster.reply(1, tokens[0]), Some(Reply::Applied { .. })), "the others commit it");
    assert_eq!(cluster.refusal(1, tokens[99]), Some(Refusal::Busy));
    cluster.sync(1);
    let token = cluster.propose(1, "on");
    cluster.settle();
    assert!(matches!(cluster.reply(1, token), Some(Reply::Applied { .. })));
}

#[test]
fn rt_27_what_never_left_the_leader_is_refused_as_not_executed() {
    let mut cluster = Cluster::led_by(3, 1);
    let before = cluster.raft(1).log.last();
    let token = cluster.propose(1, "never sent");
    let read = cluster.command(1, Command::Read);
    let term = Term(5);
    cluster.deliver(2, 1, append(5, (0, 0), 0, &[]));
    assert_eq!(cluster.raft(1).status().term, term);
    assert_eq!(cluster.raft(1).log.last(), before, "no later term of this node can bring it back");
    assert_eq!(cluster.refusal(1, token), Some(Refusal::NotLeader { leader: Some(n(2)) }));
    assert_eq!(cluster.refusal(1, read).map(|r| r.outcome()), Some(Outcome::NotExecuted));
    cluster.settle();
    assert!(!cluster.agreed().contains(&"never sent".to_owned()));
}

#[test]
fn rt_27_what_was_sent_and_lost_is_answered_as_unknown_once() {
    let mut cluster = Cluster::led_by(3, 1);
    cluster.isolate(1);
    let token = cluster.propose(1, "lost");
    cluster.run(Duration::from_millis(100));
    cluster.run(Duration::from_secs(2));
    assert_eq!(cluster.refusal(1, token), Some(Refusal::LeadershipLost));
    let leader = cluster.run_until_led();
    assert_ne!(leader, 1);
    cluster.cut.clear();
    let kept = cluster.propose(leader, "kept");
    cluster.run(Duration::from_millis(500));
    assert!(matches!(cluster.reply(leader, kept), Some(Reply::Applied { .. })));
    assert_eq!(cluster.agreed(), ["kept"]);
}

#[test]
fn log_time_never_falls_from_leader_to_leader_and_passes_while_one_leads() {
    let mut cluster = Cluster::led_by(3, 1);
    let time = |cluster: &mut Cluster, id| {
        let token = cluster.propose(id, "t");
        cluster.run(Duration::from_millis(50));
        let Some(Reply::Applied { time, .. }) = cluster.reply(id, token) else { panic!("unanswered") };
        *time
    };
    let first = time(&mut cluster, 1);
    cluster.run(Duration::from_millis(500));
    let second = time(&mut cluster, 1);
    assert!(second.0 - first.0 >= 500_000_000);
    cluster.node(1).down = true;
    let leader = cluster.run_until_led();
    cluster.run(Duration::from_millis(500));
    let third = time(&mut cluster, leader);
    assert!(third.0 - second.0 >= 500_000_000, "local time since the last entry counts");
    for id in [2, 3] {
        cluster.restart(id);
    }
    let leader = cluster.run_until_led();
    assert!(time(&mut cluster, leader) >= third);
}

#[test]
fn the_leader_appends_a_tick_when_log_time_reaches_what_the_application_waits_for() {
    let mut cluster = Cluster::led_by(3, 1);
    cluster.node(1).app_busy = true;
    cluster.propose(1, "lease");
    cluster.settle();
    let status = cluster.raft(1).status();
    let wake = cluster.raft(1).log.last_time().after(Duration::from_millis(400));
    cluster.input(1, Input::Applied { upto: status.commit, results: Vec::new(), wake: Some(wake) });
    cluster.run(Duration::from_millis(390));
    assert_eq!(cluster.raft(1).status().last_index, status.last_index);
    cluster.run(Duration::from_millis(20));
    assert_eq!(cluster.raft(1).status().last_index, status.last_index.next());
    assert!(cluster.raft(1).log.last_time() >= wake);
    cluster.run(Duration::from_millis(600));
    assert_eq!(cluster.raft(1).status().last_index, status.last_index.next(), "one tick for one wake");
}

#[test]
fn entries_that_left_memory_are_read_back_for_a_slow_peer_and_for_applying() {
    let tune = |c| Config {
        max_append_entries: 7,
        cache_bytes: 0,
        snapshot_entries: 1 << 40,
        snapshot_bytes: 1 << 40,
        ..c
    };
    let mut cluster = Cluster::with(3, tune).elect(1);
    cluster.isolate(3);
    cluster.node(2).app_busy = true;
    for i in 0..100 {
        cluster.propose(1, &format!("{i}"));
        cluster.settle();
    }
    assert_eq!(cluster.raft(1).log.cached_bytes(), 0);
    cluster.cut.clear();
    cluster.node(2).app_busy = false;
    cluster.run(Duration::from_millis(400));
    assert_eq!(cluster.agreed().len(), 100);
    assert!(cluster.reached.contains("committed entries read back"));
    let held = |(_, _, message): &(_, _, Message)| match message {
        Message::Append { entries, .. } => entries.len(),
        _ => 0,
    };
    assert_eq!(cluster.seen.iter().map(held).max(), Some(7), "an append is no longer for being read back");
}

#[test]
fn a_link_that_came_back_is_used_at_once() {
    let mut cluster = Cluster::led_by(3, 1);
    cluster.isolate(3);
    cluster.input(1, Input::Unreachable { peer: n(3) });
    cluster.propose(1, "a");
    cluster.settle();
    cluster.cut.clear();
    cluster.input(1, Input::Reachable { peer: n(3), session: SessionId(2) });
    cluster.settle();
    assert_eq!(cluster.raft(3).log.last(), cluster.raft(1).log.last(), "without waiting for a heartbeat");
}
