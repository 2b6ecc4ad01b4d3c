//! Groups without anything to do: who sleeps, what wakes them, and that nothing is lost by it.

use std::time::Duration;

use super::harness::{Cluster, n};
use crate::log::Position;
use crate::protocol::{Input, Protocol};
use crate::raft::{Command, Message, Reply, Role};
use crate::types::{LogIndex, SessionId, Term};

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Three nodes that sleep after half a second, of whom the first leads.
fn asleep() -> Cluster {
    let mut cluster = awake();
    cluster.run(millis(1_000));
    assert!((1..=3).all(|node| cluster.raft(node).is_asleep()), "nothing kept them awake");
    cluster
}

fn awake() -> Cluster {
    let sleepy = |config| crate::raft::Config { hibernate_after: Some(millis(500)), ..config };
    Cluster::with(3, sleepy).elect(1)
}

fn sleepers(cluster: &Cluster) -> Vec<u64> {
    (1..=3).filter(|node| cluster.raft(*node).is_asleep()).collect()
}

#[test]
fn a_group_without_anything_to_do_says_nothing_and_wants_to_be_called_at_no_time() {
    let mut cluster = asleep();
    cluster.seen.clear();
    cluster.run(Duration::from_secs(30));
    assert_eq!(cluster.seen, []);
    for node in 1..=3 {
        assert_eq!(cluster.raft(node).next_deadline(), None, "node {node}");
    }
    assert_eq!(cluster.node(1).watched, [n(2), n(3)].into(), "a leader relies on all others");
    assert_eq!(cluster.node(2).watched, [n(1)].into(), "a follower relies on its leader");
    assert_eq!(cluster.raft(1).role(), Role::Leader);
}

#[test]
fn a_group_that_never_sleeps_does_not() {
    let mut cluster = Cluster::led_by(3, 1);
    cluster.run(Duration::from_secs(30));
    assert_eq!(sleepers(&cluster), [] as [u64; 0]);
}

#[test]
fn a_command_wakes_the_group_and_takes_effect() {
    let mut cluster = asleep();
    let token = cluster.propose(1, "x");
    cluster.settle();
    assert!(matches!(cluster.reply(1, token), Some(Reply::Applied { .. })), "within one round");
    assert_eq!(sleepers(&cluster), [] as [u64; 0]);
    assert!(cluster.node(1).watched.is_empty() && cluster.node(2).watched.is_empty());
    cluster.run(millis(1_000));
    assert_eq!(sleepers(&cluster), [1, 2, 3], "and it sleeps again");
    assert_eq!(cluster.agreed(), ["x"]);
}

#[test]
fn a_read_is_confirmed_by_a_round_although_the_leader_slept() {
    let mut cluster = asleep();
    cluster.cut_both(1, 2);
    cluster.cut_both(1, 3);
    let token = cluster.command(1, Command::Read);
    cluster.settle();
    assert_eq!(cluster.reply(1, token), None, "nobody has confirmed it");
    cluster.cut.clear();
    cluster.run(millis(200));
    assert!(matches!(cluster.reply(1, token), Some(Reply::ReadReady { .. })));
}

#[test]
fn a_sleeping_leader_that_was_replaced_answers_no_read() {
    let mut cluster = asleep();
    cluster.isolate(1);
    cluster.input(2, Input::Suspected { peer: n(1) });
    cluster.input(3, Input::Suspected { peer: n(1) });
    cluster.run(Duration::from_secs(3));
    assert!(cluster.raft(1).is_asleep(), "it has heard of nothing");
    let leader = (2..=3).find(|node| cluster.raft(*node).role() == Role::Leader).expect("elected");
    cluster.propose(leader, "new");
    cluster.settle();
    let token = cluster.command(1, Command::Read);
    cluster.run(Duration::from_secs(2));
    assert!(cluster.refusal(1, token).is_some(), "it found no quorum, and gave up office");
    assert_ne!(cluster.raft(1).role(), Role::Leader);
}

#[test]
fn followers_of_a_silent_leader_elect_another_within_an_election() {
    let mut cluster = asleep();
    cluster.node(1).down = true;
    let killed = cluster.now;
    cluster.input(2, Input::Suspected { peer: n(1) });
    cluster.input(3, Input::Suspected { peer: n(1) });
    let leader = cluster.run_until_led();
    let took = cluster.now.since(killed);
    let timeout = cluster.configs().election_timeout;
    assert!(took < timeout * 3, "node {leader} after {took:?}");
    assert!(cluster.raft(leader).term_at(LogIndex(2)) > Some(Term(1)));
}

#[test]
fn a_follower_whose_leader_lives_is_not_disturbed_by_the_silence_of_another() {
    let mut cluster = asleep();
    cluster.input(2, Input::Suspected { peer: n(3) });
    assert_eq!(sleepers(&cluster), [1, 2, 3]);
    // The leader is: whoever is gone has to hear of it when it is back.
    cluster.input(1, Input::Suspected { peer: n(3) });
    cluster.settle();
    assert_eq!(sleepers(&cluster), [] as [u64; 0]);
}

#[test]
fn a_member_that_is_away_keeps_the_group_awake_and_does_not_unseat_its_leader() {
    let mut cluster = asleep();
    cluster.isolate(3);
    cluster.input(1, Input::Suspected { peer: n(3) });
    cluster.input(3, Input::Suspected { peer: n(1) });
    cluster.run(Duration::from_secs(10));
    assert_eq!(sleepers(&cluster), [] as [u64; 0], "a leader sleeps only if all do");
    let term = cluster.raft(1).status().term;
    cluster.cut.clear();
    cluster.run(Duration::from_secs(3));
    assert_eq!((sleepers(&cluster), cluster.raft(1).role()), (vec![1, 2, 3], Role::Leader));
    assert_eq!(cluster.raft(3).status().term, term, "pre-vote");
}

#[test]
fn behind_a_one_way_cut_the_deaf_follower_wakes_and_the_leader_stays() {
    let mut cluster = asleep();
    cluster.cut.insert((n(1), n(3)));
    // The third node hears no beats of the first; the first hears those of the third.
    cluster.input(3, Input::Suspected { peer: n(1) });
    cluster.run(Duration::from_secs(5));
    assert_eq!((cluster.raft(1).role(), cluster.raft(1).status().term), (Role::Leader, Term(1)));
    let token = cluster.propose(1, "x");
    cluster.settle();
    assert!(cluster.reply(1, token).is_some());
    cluster.cut.clear();
    cluster.run(Duration::from_secs(3));
    assert_eq!(cluster.agreed(), ["x"]);
    assert_eq!(sleepers(&cluster), [1, 2, 3]);
}

#[test]
fn a_restarted_leader_is_followed_or_replaced_although_the_others_slept() {
    let mut cluster = asleep();
    cluster.restart(1);
    cluster.input(2, Input::Suspected { peer: n(1) });
    cluster.input(3, Input::Suspected { peer: n(1) });
    let leader = cluster.run_until_led();
    let token = cluster.propose(leader, "x");
    cluster.run(millis(300));
    assert!(matches!(cluster.reply(leader, token), Some(Reply::Applied { .. })));
    // And although nobody told them that it had been away.
    let mut cluster = asleep();
    cluster.restart(1);
    assert_eq!(sleepers(&cluster), [2, 3]);
    let leader = cluster.run_until_led();
    assert!(cluster.raft(leader).status().term > Term(1));
}

#[test]
fn a_word_of_somebody_who_does_not_hear_the_leader_costs_it_nothing() {
    let mut cluster = asleep();
    let (term, last) = (cluster.raft(2).status().term, Position { term: Term(9), index: LogIndex(99) });
    let question = Message::PreVote { proposed: term.next(), last, voice: cluster.raft(3).voice() };
    cluster.seen.clear();
    cluster.deliver(3, 2, question);
    cluster.settle();
    let refused = |message: &Message| matches!(message, Message::PreVoteReply { granted: false, .. });
    assert!(cluster.seen.iter().any(|(from, _, message)| *from == n(2) && refused(message)));
    assert_eq!(sleepers(&cluster), [1, 3], "but it is awake, in case it is true");
    cluster.run(Duration::from_secs(5));
    assert_eq!(cluster.raft(1).role(), Role::Leader);
    assert_eq!(sleepers(&cluster), [1, 2, 3]);
}

#[test]
fn an_echo_of_what_was_said_before_wakes_nobody() {
    let mut cluster = asleep();
    let (term, epoch) = (cluster.raft(1).status().term, cluster.epoch(1, 2));
    let (voice, rejoin) = (cluster.raft(2).voice(), false);
    cluster.deliver(
        2,
        1,
        Message::HeartbeatReply { term, epoch, round: 0, voice, rejoin, promise: Duration::ZERO },
    );
    cluster.deliver(2, 1, Message::SleepReply { term, epoch, lull: 1, asleep: false, voice, rejoin });
    cluster.deliver(1, 2, Message::Sleep { term, epoch, lull: 1, last: cluster.raft(1).log.last() });
    cluster.settle();
    assert_eq!(sleepers(&cluster), [1, 2, 3]);
    // But one of a later term does.
    cluster.deliver(
        2,
        1,
        Message::HeartbeatReply { term: Term(7), epoch, round: 0, voice, rejoin, promise: Duration::ZERO },
    );
    assert_eq!(sleepers(&cluster), [2, 3]);
    assert_eq!((cluster.raft(1).role(), cluster.raft(1).status().term), (Role::Follower, Term(7)));
}

#[test]
fn a_word_that_somebody_slept_in_an_earlier_lull_does_not_count_in_this_one() {
    let mut cluster = awake();
    cluster.run(millis(330));
    let (term, epoch) = (cluster.raft(1).status().term, cluster.epoch(1, 2));
    cluster.isolate(1);
    cluster.run(millis(80));
    for (peer, lull) in [(2, 0), (3, 0), (2, 1), (3, 1)] {
        let epoch = if peer == 2 { epoch } else { cluster.epoch(1, 3) };
        let (voice, rejoin) = (cluster.raft(peer).voice(), false);
        cluster.deliver(peer, 1, Message::SleepReply { term, epoch, lull, asleep: true, voice, rejoin });
    }
    let early = cluster.raft(1).is_asleep();
    let now = cluster.raft(1).hibernation.lull();
    assert!(now > 1 && !early, "lull {now}");
}

#[test]
fn who_lacks_something_does_not_sleep_and_so_nobody_does() {
    let mut cluster = awake();
    cluster.node(3).app_busy = true;
    cluster.propose(1, "x");
    cluster.run(Duration::from_secs(2));
    assert!(!cluster.raft(1).is_asleep() && !cluster.raft(3).is_asleep(), "one has not applied it");
    cluster.node(3).app_busy = false;
    cluster.sync(3);
    cluster.run(Duration::from_secs(2));
    assert_eq!(sleepers(&cluster), [1, 2, 3]);
}

#[test]
fn a_caller_who_could_not_reach_the_leader_wakes_a_follower() {
    let mut cluster = asleep();
    // The leader's machine has ended, and its node beats on.
    cluster.input(1, Input::WriteFailed);
    cluster.settle();
    let token = cluster.command(2, Command::Wake);
    assert!(matches!(cluster.reply(2, token), Some(Reply::Status(_))));
    cluster.run(Duration::from_secs(3));
    assert!((2..=3).any(|node| cluster.raft(node).role() == Role::Leader));
}

#[test]
fn a_roused_follower_that_learns_of_its_leaders_silence_is_loyal_no_longer() {
    let mut cluster = asleep();
    cluster.node(1).down = true;
    cluster.run(millis(2_000));
    // It is asked before its own node has noticed.
    let last = cluster.raft(2).log.last();
    let question = Message::PreVote { proposed: Term(2), last, voice: cluster.raft(3).voice() };
    let grants = |cluster: &mut Cluster| {
        cluster.seen.clear();
        cluster.deliver(3, 2, question.clone());
        let granted = |message: &Message| matches!(message, Message::PreVoteReply { granted: true, .. });
        cluster.seen.iter().any(|(_, _, message)| granted(message))
    };
    assert!(!grants(&mut cluster));
    assert_eq!(cluster.node(2).watched, [n(1)].into(), "it still wants to know");
    cluster.input(2, Input::Suspected { peer: n(1) });
    assert!(grants(&mut cluster));
}

#[test]
fn a_suspicion_right_after_the_leaders_last_word_waits_for_the_election_timeout() {
    // Whoever has heard the leader within an election timeout must not help another: leases rest on that.
    let mut cluster = asleep();
    let heard = cluster.now;
    let timeout = cluster.configs().election_timeout;
    let (term, epoch) = (cluster.raft(1).status().term, cluster.epoch(1, 2));
    let sleep = Message::Sleep { term, epoch, lull: 99, last: cluster.raft(1).log.last() };
    cluster.input(2, Input::Message { from: n(1), session: SessionId(1), message: sleep });
    cluster.input(2, Input::Suspected { peer: n(1) });
    let campaigns = cluster.raft(2).next_deadline().expect("it waits");
    assert!(campaigns.since(heard) >= timeout, "{:?}", campaigns.since(heard));
    assert!(campaigns.since(heard) <= timeout * 2);
}
