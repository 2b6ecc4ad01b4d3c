//! Terms: in which an entry is written, whatever arrives between asking and writing.

use std::collections::BTreeSet;

use crate::raft::tests::harness::{Cluster, n};
use crate::raft::{Command, Duty, Epoch, Message, Refusal, Role};
use crate::types::{LogIndex, Outcome, Term};

#[test]
fn rt_04_what_a_leader_appends_bears_the_term_it_was_elected_in_or_is_not_appended() {
    let mut cluster = Cluster::led_by(3, 1);
    let last = cluster.raft(1).log.last();
    // Between the question and the write, which the driver's next drain brings, a leader of a later term is heard.
    let token = cluster.propose(1, "late");
    let heartbeat =
        Message::Heartbeat { term: Term(7), epoch: Epoch(1), round: 0, commit: LogIndex::ZERO, probe: None };
    cluster.deliver(2, 1, heartbeat);
    cluster.settle();
    assert_eq!((cluster.raft(1).role(), cluster.raft(1).status().term), (Role::Follower, Term(7)));
    assert_eq!(cluster.raft(1).log.last(), last, "nothing was appended in a term that node 1 does not lead");
    assert_eq!(cluster.refusal(1, token), Some(Refusal::NotLeader { leader: Some(n(2)) }));
    assert_eq!(cluster.refusal(1, token).map(|refusal| refusal.outcome()), Some(Outcome::NotExecuted));
}

#[test]
fn members_that_a_leader_takes_back_unsent_are_in_force_no_longer() {
    let mut cluster = Cluster::led_by(3, 1);
    let before = cluster.raft(1).membership().clone();
    let members = [1, 2].map(|id| (n(id), Duty::Voter)).into();
    cluster.command(1, Command::ChangeMembers { members, replace: BTreeSet::new() });
    assert_ne!(*cluster.raft(1).membership(), before, "in force on append");
    let heartbeat =
        Message::Heartbeat { term: Term(7), epoch: Epoch(1), round: 0, commit: LogIndex::ZERO, probe: None };
    cluster.deliver(2, 1, heartbeat);
    assert_eq!(*cluster.raft(1).membership(), before, "its entry is in no log");
}
