//! What must hold in every state, and what must come about in some, lest the check be about nothing.

use std::collections::BTreeMap;

use stateright::{Expectation, Property};
use synod_protocols::log::Position;
use synod_protocols::raft::{Message, Role};
use synod_protocols::{LogIndex, NodeId, Term};

use crate::group::{Group, State};
use crate::node::{Disk, Node};

/// Two nodes led one term.
pub(crate) const SECOND_LEADER: &str = "second leader";
/// A disk took back a term or a vote.
pub(crate) const VOTE_CHANGED: &str = "vote changed";
/// A vote was told that is not on the disk.
pub(crate) const VOTE_TOLD_EARLY: &str = "vote told early";

/// Figure 3 of the Raft paper, what disks owe, and what shows that the bounds let enough happen.
pub(crate) fn all() -> Vec<Property<Group>> {
    vec![
        Property::always("election safety", |_, state: &State| state.breach != Some(SECOND_LEADER)),
        Property::always("log matching", |_, state| log_matching(state)),
        Property::always("leader completeness", |_, state| leader_completeness(state)),
        Property::always("state machine safety", |_, state| state_machine_safety(state)),
        Property::always("durable quorum", durable_quorum),
        Property::always("a vote is not changed", |_, state: &State| state.breach != Some(VOTE_CHANGED)),
        Property::always("a vote is durable before it is told", |_, state: &State| {
            state.breach != Some(VOTE_TOLD_EARLY)
        }),
        Property::always("no machine breaks down", |_, state: &State| state.panic.is_none()),
        Property::always("no member is accused", |_, state: &State| {
            state.each().all(|node| node.complaint.is_none())
        }),
        Property::sometimes("somebody leads", |_, state| leaders(state).next().is_some()),
        Property::sometimes("a command is committed", |_, state: &State| state.committed.len() > 1),
        Property::sometimes("a later leader follows a commit", |_, state| {
            leaders(state).any(|(_, term)| state.committed.first().is_some_and(|(_, known)| term > *known))
        }),
        Property::sometimes("a later leader commits an earlier term's entry", |_, state: &State| {
            state.committed.iter().any(|(position, known)| position.term < *known)
        }),
        Property::sometimes("a log is taken over", |_, state: &State| {
            state.network.said().iter().any(|it| matches!(it.message, Message::PullReply { .. }))
        }),
        Property::sometimes("logs part", |_, state| logs_part(state)),
    ]
}

/// What must come about.
pub(crate) fn sights() -> impl Iterator<Item = &'static str> {
    let sight = |property: &Property<Group>| property.expectation == Expectation::Sometimes;
    all().into_iter().filter(sight).map(|property| property.name)
}

fn leaders(state: &State) -> impl Iterator<Item = (&Node, Term)> {
    state.each().filter_map(|node| {
        let status = node.raft.status();
        (status.role == Role::Leader).then_some((node, status.term))
    })
}

/// Two logs that hold the same entry agree on everything before.
fn log_matching(state: &State) -> bool {
    let logs: Vec<&Node> = state.each().collect();
    logs.iter().enumerate().all(|(i, one)| {
        logs[i + 1..].iter().all(|other| {
            let (mut agreed, mut index) = (true, LogIndex(1));
            while let (Some(mine), Some(theirs)) = (one.entry(index), other.entry(index)) {
                if mine.term == theirs.term && (!agreed || mine != theirs) {
                    return false;
                }
                agreed = mine.term == theirs.term;
                index = index.next();
            }
            true
        })
    })
}

/// Who leads a later term holds what was committed before.
fn leader_completeness(state: &State) -> bool {
    leaders(state).all(|(node, term)| {
        let owed = state.committed.iter().filter(|(_, known)| *known <= term);
        owed.into_iter().all(|(position, _)| holds(node, *position))
    })
}

/// What one node takes for committed, every other does too, as far as it goes.
fn state_machine_safety(state: &State) -> bool {
    state.each().all(|node| {
        let commit = node.raft.status().commit;
        let known = state.committed.iter().filter(|(position, _)| position.index <= commit);
        known.into_iter().all(|(position, _)| holds(node, *position))
    })
}

/// What was committed is on the disks of a quorum, whatever crashes.
fn durable_quorum(group: &Group, state: &State) -> bool {
    state.committed.iter().all(|(position, _)| {
        state.each().filter(|node| node.disk.holds(*position)).count() >= group.bounds.quorum()
    })
}

/// Whether a disk keeps its word from one state to the next: terms do not fall, and a vote given in a term stays.
pub(crate) fn keeps_ballot(before: &Disk, after: &Disk) -> bool {
    match (before.ballot, after.ballot) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some((old, vote)), Some((new, given))) => {
            old < new || old == new && (vote.is_none() || vote == given)
        }
    }
}

/// Whether what is said about a vote stands on the disk: one's own as a candidate, and one given to a candidate.
pub(crate) fn is_covered(disk: &Disk, to: NodeId, message: &Message) -> bool {
    match message {
        Message::VoteReply { term, granted: true, .. } => {
            disk.term() > *term || disk.ballot == Some((*term, Some(to)))
        }
        Message::Vote { term, .. } => {
            disk.term() > *term || disk.ballot.is_some_and(|(own, vote)| own == *term && vote.is_some())
        }
        _ => true,
    }
}

/// Two nodes hold different entries at one index.
fn logs_part(state: &State) -> bool {
    let mut at: BTreeMap<LogIndex, Term> = BTreeMap::new();
    state.each().any(|node| {
        (1..=node.raft.status().last_index.0).any(|index| {
            let term = node.raft.term_at(LogIndex(index)).unwrap_or_default();
            *at.entry(LogIndex(index)).or_insert(term) != term
        })
    })
}

fn holds(node: &Node, position: Position) -> bool {
    node.raft.term_at(position.index) == Some(position.term)
}
