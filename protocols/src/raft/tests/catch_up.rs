//! The constrained election (RT-32): only a hub reaches a quorum, and its log is behind.

use std::time::Duration;

use bytes::Bytes;

use crate::log::{Body, Entry, Position};
use crate::raft::tests::harness::{Cluster, n};
use crate::raft::{Config, Event, Message, Rejection, Reply, Role};
use crate::types::{LogIndex, LogTime, NodeId, Term};

const TIMEOUT: Duration = Duration::from_millis(300);
const HUB: u64 = 3;

fn catching_up(config: Config) -> Config {
    Config { catch_up: true, ..config }
}

/// Five nodes; the hub has led and has entries that nobody else has, then missed fifty that were committed; at last every link is
/// down but those of the hub.
fn constrained(tune: impl Fn(Config) -> Config) -> (Cluster, Vec<String>) {
    let mut cluster = Cluster::with(5, tune).elect(HUB);
    cluster.isolate(HUB);
    for name in ["lost", "as well"] {
        cluster.propose(HUB, name);
    }
    cluster.run(Duration::from_secs(2));
    let leader =
        (1..=5).find(|&id| cluster.raft(id).role() == Role::Leader).expect("the others have a leader");
    let mut committed = Vec::new();
    for number in 0..50 {
        let payload = format!("{number}");
        let token = cluster.propose(leader, &payload);
        cluster.run(Duration::from_millis(20));
        assert!(matches!(cluster.reply(leader, token), Some(Reply::Applied { .. })));
        committed.push(payload);
    }
    cluster.cut.clear();
    for a in 1..=5 {
        for b in a + 1..=5 {
            if a != HUB && b != HUB {
                cluster.cut_both(a, b);
            }
        }
    }
    // The hub hears of the leader no more than that it was there, and misses what it lacks.
    cluster.isolate(leader);
    (cluster, committed)
}

fn heal_hub(cluster: &mut Cluster) {
    for id in (1..=5).filter(|&id| id != HUB) {
        cluster.cut.remove(&(n(id), n(HUB)));
        cluster.cut.remove(&(n(HUB), n(id)));
    }
}

#[test]
fn rt_32_without_catch_up_nobody_is_elected() {
    let (mut cluster, _) = constrained(|config| config);
    cluster.run(TIMEOUT * 2);
    heal_hub(&mut cluster);
    cluster.run(Duration::from_secs(20));
    assert!((1..=5).all(|id| cluster.raft(id).role() != Role::Leader));
}

#[test]
fn rt_32_the_hub_catches_up_is_elected_and_commits() {
    let (mut cluster, committed) = constrained(catching_up);
    cluster.run(TIMEOUT * 2);
    heal_hub(&mut cluster);
    let begun = cluster.now;
    while cluster.raft(HUB).role() != Role::Leader {
        cluster.run(Duration::from_millis(10));
        assert!(cluster.now.since(begun) < TIMEOUT * 6, "the hub does not lead");
    }
    let token = cluster.propose(HUB, "after");
    cluster.run(Duration::from_millis(200));
    assert!(matches!(cluster.reply(HUB, token), Some(Reply::Applied { .. })));
    assert!(cluster.reached.contains("caught up before a campaign"));
    assert!(cluster.reached.contains("conflicting tail replaced"));
    let term = cluster.raft(HUB).status().term;
    cluster.run(Duration::from_secs(20));
    assert_eq!((cluster.raft(HUB).role(), cluster.raft(HUB).status().term), (Role::Leader, term));
    let state = cluster.agreed();
    assert!(committed.iter().all(|payload| state.contains(payload)), "something committed is gone");
    assert!(!state.contains(&"lost".to_owned()));
}

#[test]
fn who_is_behind_waits_for_who_is_not_where_that_one_can_win() {
    let mut cluster = Cluster::with(3, catching_up).elect(1);
    cluster.isolate(3);
    cluster.propose(1, "x");
    cluster.run(Duration::from_millis(100));
    cluster.cut.clear();
    cluster.node(1).down = true;
    assert_eq!(cluster.run_until_led(), 2);
    assert!(!cluster.reached.contains("caught up before a campaign"));
}

/// A node that has entered a term in order to catch up with node 2, and waits for a piece of its log.
fn waiting() -> Cluster {
    let mut cluster = Cluster::with(3, catching_up).elect(1);
    cluster.propose(1, "committed");
    cluster.run(Duration::from_millis(300));
    cluster.isolate(3);
    for _ in 0..1_000 {
        cluster.run(Duration::from_millis(1));
        let status = cluster.raft(3).status();
        if status.role == Role::PreCandidate {
            let ahead = Position { term: status.term, index: LogIndex(99) };
            let news = Message::Ahead { term: status.term, proposed: status.term.next(), last: ahead };
            cluster.deliver(2, 3, news);
        }
        if cluster.raft(3).status().term > status.term {
            return cluster;
        }
    }
    panic!("node 3 never enters a term to catch up");
}

fn piece(after: Position, last: Position, term: Term) -> Message {
    let body = Body::Command { session: None, payload: Bytes::from_static(b"theirs") };
    let entry = Entry { term, index: after.index.next(), time: LogTime(u64::MAX / 2), body };
    Message::PullReply { term, previous: after, last, entries: vec![entry].into() }
}

#[test]
fn a_piece_is_taken_only_of_a_log_that_is_ahead() {
    let mut cluster = waiting();
    let own = cluster.raft(3).log.last();
    let before = Position { index: own.index.previous(), ..own };
    // Its log ends where this one does, with another entry: whose is acknowledged?
    cluster.deliver(2, 3, piece(before, Position { term: own.term, index: own.index }, own.term));
    assert_eq!(cluster.raft(3).log.last(), own);
    let ahead = Position { term: own.term, index: own.index.next() };
    cluster.deliver(2, 3, piece(own, ahead, own.term));
    assert_eq!(cluster.raft(3).log.last(), ahead);
}

#[test]
fn what_is_committed_is_not_replaced() {
    let mut cluster = waiting();
    let (own, commit) = (cluster.raft(3).log.last(), cluster.raft(3).status().commit);
    assert_eq!(commit, own.index);
    let term = cluster.raft(3).status().term;
    let before = Position { index: own.index.previous(), ..own };
    cluster.deliver(2, 3, piece(before, Position { term, index: own.index }, term));
    assert_eq!(cluster.raft(3).log.last(), own);
    let accused = Event::Rejected { from: n(2), reason: Rejection::ContradictsCommit };
    cluster.settle();
    assert!(cluster.node(3).events.contains(&accused));
}

#[test]
fn nothing_is_taken_in_a_term_in_which_a_leader_was_heeded() {
    let mut cluster = waiting();
    let (own, term) = (cluster.raft(3).log.last(), cluster.raft(3).status().term);
    let beat = Message::Heartbeat {
        term,
        epoch: crate::raft::Epoch(1),
        round: 0,
        commit: LogIndex::ZERO,
        probe: None,
    };
    cluster.deliver(1, 3, beat);
    let ahead = Position { term: own.term, index: own.index.next() };
    cluster.deliver(2, 3, piece(own, ahead, own.term));
    assert_eq!(cluster.raft(3).log.last(), own);
    // Nor after that leader has fallen silent, in the same term.
    cluster.run(TIMEOUT * 2);
    assert_eq!((cluster.raft(3).status().leader, cluster.raft(3).status().term), (None, term));
    cluster.deliver(2, 3, piece(own, ahead, own.term));
    assert_eq!(cluster.raft(3).log.last(), own);
}

#[test]
fn a_piece_that_comes_twice_is_answered_by_one_question() {
    let mut cluster = waiting();
    cluster.settle();
    let own = cluster.raft(3).log.last();
    let last = Position { term: own.term, index: LogIndex(own.index.0 + 9) };
    let before = questions(&mut cluster);
    for _ in 0..5 {
        cluster.deliver(2, 3, piece(own, last, own.term));
    }
    assert_eq!(questions(&mut cluster) - before, 1);
    // Nor does an earlier piece beget another one when the next has come.
    let next = cluster.raft(3).log.last();
    for after in [next, own, own] {
        cluster.deliver(2, 3, piece(after, last, own.term));
    }
    assert_eq!(questions(&mut cluster) - before, 2);
}

#[test]
fn who_gets_no_answer_asks_again_in_the_term_that_it_has_entered() {
    let mut cluster = waiting();
    let (before, term) = (questions(&mut cluster), cluster.raft(3).status().term);
    for _ in 0..3_000 {
        cluster.run(Duration::from_millis(1));
        if cluster.raft(3).role() == Role::PreCandidate {
            let last = Position { term, index: LogIndex(99) };
            cluster.deliver(2, 3, Message::Ahead { term, proposed: term.next(), last });
        }
    }
    assert_eq!(cluster.raft(3).status().term, term, "who is ahead asks for votes in the next one");
    assert!(questions(&mut cluster) > before);
}

/// How often node 3 has asked for a piece of another log.
fn questions(cluster: &mut Cluster) -> usize {
    cluster.settle();
    let asked = |(from, _, message): &&(NodeId, NodeId, Message)| {
        *from == n(3) && matches!(message, Message::Pull { .. })
    };
    cluster.seen.iter().filter(asked).count()
}
