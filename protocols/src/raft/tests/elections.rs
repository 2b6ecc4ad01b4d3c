//! Elections: who may win, who may not, and who is left in peace.

use std::time::Duration;

use crate::log::Position;
use crate::protocol::Placed;
use crate::raft::Voice;
use crate::raft::tests::harness::{Cluster, config, n};
use crate::raft::{Command, Duty, Event, Member, Message, Record, Rejection, Reply, Role};
use crate::types::{LogIndex, Outcome, StoreId, Term};

const LONG: Duration = Duration::from_secs(3);

fn votes_granted(cluster: &Cluster) -> usize {
    cluster.seen.iter().filter(|(_, _, m)| matches!(m, Message::VoteReply { granted: true, .. })).count()
}

#[test]
fn a_group_elects_one_leader_by_itself_and_keeps_it() {
    for voters in 1..=5 {
        let mut cluster = Cluster::new(voters);
        let leader = cluster.run_until_led();
        let term = cluster.raft(leader).status().term;
        cluster.run(LONG);
        let status = cluster.raft(leader).status();
        assert_eq!((status.role, status.term), (Role::Leader, term), "{voters} voters");
    }
}

#[test]
fn rt_02_a_vote_that_is_not_on_disk_is_not_granted() {
    let mut cluster = Cluster::new(3);
    cluster.node(2).stalled = true;
    cluster.node(3).down = true;
    cluster.command(1, Command::Campaign);
    cluster.settle();
    assert_eq!(votes_granted(&cluster), 0);
    assert_eq!(cluster.raft(1).role(), Role::Candidate);
    cluster.sync(2);
    cluster.settle();
    assert_eq!(votes_granted(&cluster), 1);
    assert_eq!(cluster.raft(1).role(), Role::Leader);
    // After a crash the vote is remembered: another candidate of that term gets none.
    cluster.restart(2);
    cluster.seen.clear();
    let vote = Message::Vote {
        term: Term(1),
        last: Position { term: Term(9), index: LogIndex(9) },
        transfer: true,
        voice: Voice::default(),
    };
    cluster.deliver(3, 2, vote);
    assert_eq!(votes_granted(&cluster), 0);
}

#[test]
fn rt_02_a_candidate_asks_for_votes_only_once_its_own_is_on_disk() {
    let mut cluster = Cluster::new(3);
    cluster.node(1).stalled = true;
    cluster.command(1, Command::Campaign);
    cluster.settle();
    assert_eq!(cluster.raft(1).role(), Role::Candidate);
    assert!(!cluster.seen.iter().any(|(_, _, m)| matches!(m, Message::Vote { .. })));
}

#[test]
fn rt_03_whoever_voted_in_the_last_term_of_all_does_not_campaign_in_it() {
    let mut cluster = Cluster::new(3);
    let (term, last) = (Term(u64::MAX), Position { term: Term(9), index: LogIndex(9) });
    cluster.isolate(1);
    cluster.deliver(2, 1, Message::Vote { term: Term(1), last, transfer: true, voice: Voice::default() });
    assert_eq!(cluster.raft(1).status().vote, Some(n(2)));
    // No message leads there any longer; a disk may.
    let ballot = Record::Ballot { term, vote: Some(n(2)) };
    cluster.node(1).disk.cells.insert(ballot.place(), ballot);
    cluster.restart(1);
    assert_eq!((cluster.raft(1).status().term, cluster.raft(1).status().vote), (term, Some(n(2))));
    let heartbeat =
        Message::Heartbeat { term, epoch: Default::default(), round: 0, commit: LogIndex(0), probe: None };
    cluster.deliver(2, 1, heartbeat);
    cluster.deliver(2, 1, Message::TimeoutNow { term, last: Position::START });
    cluster.run(LONG);
    let status = cluster.raft(1).status();
    assert_eq!((status.term, status.vote), (term, Some(n(2))), "one vote in one term");
}

#[test]
fn rt_03_a_former_candidate_votes_for_nobody_else_in_its_term() {
    let mut cluster = Cluster::with(3, |c| crate::raft::Config { pre_vote: false, ..c });
    cluster.isolate(1);
    cluster.command(1, Command::Campaign);
    cluster.settle();
    assert_eq!(cluster.raft(1).status().term, Term(1));
    cluster.cut.clear();
    // It follows a leader of the same term, and then gets a delayed request for its vote.
    let heartbeat = Message::Heartbeat {
        term: Term(1),
        epoch: crate::raft::Epoch(1),
        round: 0,
        commit: LogIndex::ZERO,
        probe: None,
    };
    cluster.deliver(2, 1, heartbeat);
    assert_eq!(cluster.raft(1).role(), Role::Follower);
    let last = Position { term: Term(1), index: LogIndex(5) };
    cluster.deliver(3, 1, Message::Vote { term: Term(1), last, transfer: true, voice: Voice::default() });
    assert_eq!(votes_granted(&cluster), 0);
    assert_eq!(cluster.raft(1).status().vote, Some(n(1)));
}

#[test]
fn a_candidate_with_a_shorter_log_is_refused() {
    let mut cluster = Cluster::led_by(3, 1);
    cluster.isolate(3);
    cluster.propose(1, "a");
    cluster.run(Duration::from_millis(100));
    cluster.node(1).down = true;
    cluster.cut.clear();
    cluster.run(Duration::from_millis(700));
    let leader = cluster.run_until_led();
    assert_eq!(leader, 2, "only node 2 holds the committed entry");
}

#[test]
fn a_vote_goes_to_nobody_whose_log_is_behind_in_term_or_length() {
    let mut cluster = Cluster::led_by(3, 1);
    cluster.propose(1, "a");
    cluster.settle();
    let held = cluster.raft(2).log.last();
    let shorter = Position { index: held.index.previous(), ..held };
    let older = Position { term: held.term.previous(), index: LogIndex(99) };
    for (term, last, granted) in [(5, shorter, 0), (6, older, 0), (7, held, 1)] {
        cluster.seen.clear();
        cluster.deliver(
            3,
            2,
            Message::Vote { term: Term(term), last, transfer: true, voice: Voice::default() },
        );
        assert_eq!(votes_granted(&cluster), granted, "{last:?} against {held:?}");
    }
}

#[test]
fn rt_34_a_node_that_cannot_hear_disturbs_nobody_and_raises_no_term() {
    let mut cluster = Cluster::led_by(3, 1);
    let term = cluster.raft(1).status().term;
    cluster.cut.insert((n(1), n(3)));
    cluster.cut.insert((n(2), n(3)));
    cluster.run(LONG);
    assert_eq!(cluster.raft(1).role(), Role::Leader);
    assert_eq!(cluster.raft(3).status().term, term);
    cluster.cut.clear();
    cluster.run(Duration::from_millis(200));
    assert_eq!(cluster.raft(3).status().leader, Some(n(1)));
    assert_eq!(cluster.raft(1).status().term, term);
}

#[test]
fn a_leader_that_is_heard_but_hears_nobody_steps_down() {
    let mut cluster = Cluster::led_by(3, 1);
    cluster.cut.insert((n(2), n(1)));
    cluster.cut.insert((n(3), n(1)));
    let token = cluster.propose(1, "lost");
    cluster.run(Duration::from_millis(500));
    assert_ne!(cluster.raft(1).role(), Role::Leader);
    let leader = cluster.run_until_led();
    assert_ne!(leader, 1);
    // The followers took the entry, so that the next leader commits it and the former one learns of it.
    cluster.cut.clear();
    cluster.run(Duration::from_millis(300));
    assert!(matches!(cluster.reply(1, token), Some(Reply::Applied { .. })), "{:?}", cluster.reply(1, token));
}

#[test]
fn a_node_that_hears_the_leader_helps_nobody_to_unseat_it() {
    let mut cluster = Cluster::led_by(3, 1);
    cluster.seen.clear();
    let last = Position { term: Term(9), index: LogIndex(9) };
    cluster.deliver(3, 2, Message::Vote { term: Term(7), last, transfer: false, voice: Voice::default() });
    cluster.deliver(3, 2, Message::PreVote { proposed: Term(7), last, voice: Voice::default() });
    cluster.settle();
    assert_eq!(votes_granted(&cluster), 0);
    assert_eq!(cluster.raft(2).status().term, Term(1));
    let refused = |m: &Message| matches!(m, Message::PreVoteReply { granted: false, .. });
    assert!(cluster.seen.iter().any(|(_, _, m)| refused(m)));
}

#[test]
fn rt_30_a_leader_that_reaches_only_the_bridge_is_replaced() {
    let mut cluster = Cluster::led_by(5, 1);
    for other in [3, 4, 5] {
        cluster.cut_both(1, other);
    }
    cluster.isolate(5);
    cluster.run(LONG);
    let leader = cluster.run_until_led();
    assert!([2, 3, 4].contains(&leader), "{leader} leads");
    let token = cluster.propose(leader, "x");
    cluster.run(Duration::from_millis(100));
    assert!(matches!(cluster.reply(leader, token), Some(Reply::Applied { .. })));
}

#[test]
fn rt_35_a_longer_log_of_a_lower_term_and_a_shorter_log_of_a_higher_term_elect_a_leader() {
    let mut cluster = Cluster::led_by(3, 1);
    cluster.isolate(3);
    cluster.propose(1, "only 1 and 2 hold it");
    cluster.run(Duration::from_millis(100));
    cluster.node(2).down = true;
    // Node 3 is in a higher term, with the shorter log; node 1 has the longer one. Together they are a quorum.
    cluster.cut.clear();
    let last = Position { term: Term(9), index: LogIndex(99) };
    cluster.deliver(2, 3, Message::Vote { term: Term(8), last, transfer: true, voice: Voice::default() });
    assert_eq!(cluster.raft(3).status().term, Term(8));
    let leader = cluster.run_until_led();
    assert_eq!(leader, 1);
    assert!(cluster.raft(1).status().term > Term(8));
}

#[test]
fn rt_35_the_refusal_of_a_pre_vote_carries_a_term_that_is_adopted() {
    let mut cluster = Cluster::new(3);
    cluster.isolate(1);
    cluster.command(1, Command::Campaign);
    cluster.settle();
    assert_eq!(cluster.raft(1).role(), Role::PreCandidate);
    cluster.deliver(
        2,
        1,
        Message::PreVoteReply { term: Term(5), proposed: Term(1), granted: false, voice: Voice::default() },
    );
    assert_eq!((cluster.raft(1).role(), cluster.raft(1).status().term), (Role::Follower, Term(5)));
}

#[test]
fn rt_36_a_late_pre_vote_starts_no_campaign() {
    let mut cluster = Cluster::led_by(3, 1);
    let term = cluster.raft(1).status().term;
    for id in [2, 3] {
        let grant =
            Message::PreVoteReply { term, proposed: term.next(), granted: true, voice: Voice::default() };
        cluster.deliver(id, 1, grant.clone());
        cluster.deliver(1, id, grant);
    }
    cluster.settle();
    let status = cluster.raft(1).status();
    assert_eq!((status.role, status.term), (Role::Leader, term));
    // Nor does a grant of an earlier round, after the term has moved on.
    let mut cluster = Cluster::new(3);
    cluster.isolate(1);
    cluster.command(1, Command::Campaign);
    cluster.deliver(
        2,
        1,
        Message::PreVoteReply { term: Term(5), proposed: Term(1), granted: false, voice: Voice::default() },
    );
    cluster.command(1, Command::Campaign);
    cluster.deliver(
        2,
        1,
        Message::PreVoteReply { term: Term(0), proposed: Term(1), granted: true, voice: Voice::default() },
    );
    assert_eq!(cluster.raft(1).role(), Role::PreCandidate);
}

#[test]
fn rt_44_a_stalled_disk_neither_unseats_the_leader_nor_starts_a_storm() {
    let mut cluster = Cluster::led_by(3, 1);
    for id in [1, 2, 3] {
        cluster.node(id).stalled = true;
    }
    cluster.propose(1, "slow");
    cluster.run(LONG);
    assert_eq!(cluster.raft(1).role(), Role::Leader);
    let mut cluster = Cluster::with(3, |c| crate::raft::Config { pre_vote: false, ..c });
    cluster.isolate(1);
    cluster.node(1).stalled = true;
    cluster.run(LONG);
    assert_eq!(cluster.raft(1).status().term, Term(1), "one ballot at a time");
}

#[test]
fn rt_45_leadership_moves_to_a_peer_that_is_caught_up() {
    let mut cluster = Cluster::led_by(3, 1);
    let token = cluster.command(1, Command::Transfer { to: Some(n(3)) });
    let during = cluster.propose(1, "while moving");
    cluster.settle();
    assert_eq!(cluster.refusal(1, during).map(|r| r.outcome()), Some(Outcome::NotExecuted));
    assert_eq!(cluster.raft(3).role(), Role::Leader);
    cluster.run(Duration::from_millis(100));
    assert_eq!(cluster.reply(1, token), Some(&Reply::Transferred { to: n(3) }));
}

#[test]
fn rt_45_a_leader_whose_successor_is_gone_leads_on() {
    let mut cluster = Cluster::led_by(3, 1);
    cluster.isolate(3);
    cluster.propose(1, "behind");
    cluster.settle();
    let token = cluster.command(1, Command::Transfer { to: Some(n(3)) });
    cluster.run(Duration::from_millis(500));
    assert_eq!(cluster.refusal(1, token).map(|r| r.outcome()), Some(Outcome::Unknown));
    let token = cluster.propose(1, "again");
    cluster.run(Duration::from_millis(100));
    assert!(matches!(cluster.reply(1, token), Some(Reply::Applied { .. })));
}

#[test]
fn rt_45_a_successor_that_does_not_hold_the_log_does_not_campaign() {
    let mut cluster = Cluster::led_by(3, 1);
    let term = cluster.raft(1).status().term;
    let ahead = Position { term, index: LogIndex(99) };
    cluster.deliver(1, 3, Message::TimeoutNow { term, last: ahead });
    cluster.deliver(2, 3, Message::TimeoutNow { term, last: cluster.raft(3).log.last() });
    assert_eq!(cluster.raft(3).role(), Role::Follower);
}

#[test]
fn the_answer_of_a_stranger_and_a_second_leader_are_ignored() {
    let mut cluster = Cluster::led_by(3, 1);
    let before = cluster.raft(2).status();
    let voice = Voice::default();
    let round = 0;
    let epoch = crate::raft::Epoch(1);
    cluster.deliver(
        9,
        2,
        Message::HeartbeatReply {
            term: Term(9),
            epoch,
            round,
            voice,
            rejoin: false,
            promise: Duration::ZERO,
        },
    );
    let beat = Message::Heartbeat {
        term: before.term,
        epoch: crate::raft::Epoch(1),
        round: 0,
        commit: LogIndex(9),
        probe: None,
    };
    cluster.deliver(3, 2, beat);
    assert_eq!(cluster.raft(2).status(), before);
    let events = &cluster.node(2).events;
    assert!(events.contains(&Event::Rejected { from: n(3), reason: Rejection::SecondLeader }));
}

#[test]
fn a_config_with_which_no_group_would_work_is_refused() {
    let good = config(1, 3);
    assert_eq!(good.validate(), Ok(()));
    let hasty = crate::raft::Config { election_timeout: good.heartbeat_interval, ..good.clone() };
    assert!(hasty.validate().is_err());
    assert!(
        crate::raft::Config { witnesses: good.voters.clone(), witness: true, ..good.clone() }
            .validate()
            .is_err()
    );
    assert!(crate::raft::Config { max_append_bytes: 0, ..good }.validate().is_err());
}

#[test]
fn a_disk_in_the_place_of_a_lost_one_is_a_voter_only_where_it_is_named() {
    let renewed = Voice { store: StoreId(7), witness: false, renewed: true };
    let member = |duty, store| Member { duty, store };
    // A voter of whom no disk is known may have voted from another one.
    assert!(!member(Duty::Voter, None).recognises(renewed));
    assert!(!member(Duty::Voter, Some(StoreId(6))).recognises(renewed));
    assert!(member(Duty::Voter, Some(StoreId(7))).recognises(renewed));
    assert!(member(Duty::Voter, None).recognises(Voice { renewed: false, ..renewed }));
    // Who has no voice has promised nothing, and has to be heard to be given one.
    assert!(member(Duty::Learner, None).recognises(renewed));
    let witness = Voice { witness: true, ..renewed };
    assert!(member(Duty::JoiningWitness, None).recognises(witness));
    assert!(!member(Duty::JoiningWitness, None).recognises(renewed), "it would keep data");
    assert!(!member(Duty::Witness, None).recognises(witness));
}
