//! What Raft machines say, answer and write, in words. A position is written `index@term`.

use crate::log::{Body, Entry, Position};
use crate::raft::{AppendResult, Event, Membership, Message, Record, Reply};

/// The kinds of messages.
pub(super) const KINDS: &[&str] = &[
    "PreVote",
    "PreVoteReply",
    "Dismissed",
    "Vote",
    "VoteReply",
    "Append",
    "AppendReply",
    "Heartbeat",
    "HeartbeatReply",
    "Snapshot",
    "Lend",
    "Lent",
    "Anchor",
    "Ahead",
    "Pull",
    "PullReply",
    "Sleep",
    "SleepReply",
    "Canvass",
    "CanvassReply",
    "Claim",
    "TimeoutNow",
];

pub(super) fn kind(message: &Message) -> &'static str {
    match message {
        Message::PreVote { .. } => "PreVote",
        Message::PreVoteReply { .. } => "PreVoteReply",
        Message::Dismissed { .. } => "Dismissed",
        Message::Vote { .. } => "Vote",
        Message::VoteReply { .. } => "VoteReply",
        Message::Append { .. } => "Append",
        Message::AppendReply { .. } => "AppendReply",
        Message::Heartbeat { .. } => "Heartbeat",
        Message::HeartbeatReply { .. } => "HeartbeatReply",
        Message::Snapshot { .. } => "Snapshot",
        Message::Lend { .. } => "Lend",
        Message::Lent { .. } => "Lent",
        Message::Anchor { .. } => "Anchor",
        Message::Ahead { .. } => "Ahead",
        Message::Pull { .. } => "Pull",
        Message::PullReply { .. } => "PullReply",
        Message::Sleep { .. } => "Sleep",
        Message::SleepReply { .. } => "SleepReply",
        Message::Canvass { .. } => "Canvass",
        Message::CanvassReply { .. } => "CanvassReply",
        Message::Claim { .. } => "Claim",
        Message::TimeoutNow { .. } => "TimeoutNow",
    }
}

pub(super) fn message(message: &Message) -> String {
    let kind = kind(message);
    let granted = |granted: bool| if granted { "granted" } else { "refused" };
    match message {
        Message::PreVote { proposed, last, .. } => {
            format!("{kind} for term {proposed}, log ends {}", position(*last))
        }
        Message::PreVoteReply { term, proposed, granted: yes, .. } => {
            format!("{kind} for term {proposed}: {}, in term {term}", granted(*yes))
        }
        Message::Dismissed { index } => format!("{kind} since {index}"),
        Message::Vote { term, last, transfer, .. } => {
            let transfer = if *transfer { ", by transfer" } else { "" };
            format!("{kind} term {term}, log ends {}{transfer}", position(*last))
        }
        Message::VoteReply { term, granted: yes, .. } => format!("{kind} term {term}: {}", granted(*yes)),
        Message::Append { term, previous, commit, entries, .. } => {
            let entries: Vec<String> = entries.iter().map(entry).collect();
            format!(
                "{kind} term {term} after {} commit {commit} [{}]",
                position(*previous),
                entries.join(", ")
            )
        }
        Message::AppendReply { term, result, .. } => format!("{kind} term {term}: {}", appended(*result)),
        Message::Heartbeat { term, round, commit, probe, .. } => {
            let round = if *round > 0 { format!(" round {round}") } else { String::new() };
            let probe = probe.map_or(String::new(), |probe| format!(" probe {}", position(probe)));
            format!("{kind} term {term} commit {commit}{round}{probe}")
        }
        Message::HeartbeatReply { term, round, .. } => {
            let round = if *round > 0 { format!(" round {round}") } else { String::new() };
            format!("{kind} term {term}{round}")
        }
        Message::Snapshot { leader, term, .. } => format!("{kind} term {term} of {leader}"),
        Message::Lend { term, to, least, .. } => {
            format!("{kind} term {term}: a snapshot up to {least} or more to {to}")
        }
        Message::Lent { term, to, delivered, .. } => match delivered {
            Some(index) => format!("{kind} term {term}: {to} was sent a snapshot up to {index}"),
            None => format!("{kind} term {term}: {to} was sent none"),
        },
        Message::Anchor { term, meta, .. } => {
            format!("{kind} term {term}, log begins after {}", position(meta.position()))
        }
        Message::Ahead { term, proposed, last } => {
            format!("{kind} for term {proposed}, log ends {}, in term {term}", position(*last))
        }
        Message::Pull { term, after } => format!("{kind} term {term} after {}", position(*after)),
        Message::PullReply { term, previous, last, entries } => {
            let entries: Vec<String> = entries.iter().map(entry).collect();
            let (after, last) = (position(*previous), position(*last));
            format!("{kind} term {term} after {after}, log ends {last} [{}]", entries.join(", "))
        }
        Message::Sleep { term, last, .. } => format!("{kind} term {term}, log ends {}", position(*last)),
        Message::SleepReply { term, asleep, .. } => {
            format!("{kind} term {term}: {}", if *asleep { "asleep" } else { "awake" })
        }
        Message::Canvass { term, .. } => format!("{kind} term {term}"),
        Message::CanvassReply { term, priority, .. } | Message::Claim { term, priority } => {
            format!("{kind} term {term}, priority {priority}")
        }
        Message::TimeoutNow { term, last } => format!("{kind} term {term}, log ends {}", position(*last)),
    }
}

pub(super) fn position(position: Position) -> String {
    format!("{}@{}", position.index, position.term)
}

pub(super) fn entry(entry: &Entry) -> String {
    let body = match &entry.body {
        Body::Noop => "noop".to_owned(),
        Body::Command { payload, .. } => shown(payload),
        Body::Configuration(bytes) => {
            let membership = Membership::decode(bytes);
            membership
                .map_or_else(|| "unreadable configuration".to_owned(), |it| format!("configuration {it}"))
        }
        Body::Withheld => "withheld".to_owned(),
    };
    format!("{} {body}", position(entry.position()))
}

pub(super) fn record(record: &Record) -> String {
    match record {
        Record::Entry(it) => entry(it),
        Record::Ballot { term, vote: Some(vote) } => format!("ballot term {term} for {vote:?}"),
        Record::Ballot { term, vote: None } => format!("ballot term {term}"),
        Record::Founding(_) => "founding".to_owned(),
        Record::Anchor(meta) => format!("anchor {}", position(meta.position())),
    }
}

pub(super) fn reply(reply: &Reply) -> Option<String> {
    match reply {
        Reply::Applied { index, .. } => Some(format!("applied at {index}")),
        Reply::ReadReady { index } => Some(format!("ready at {index}")),
        Reply::Transferred { to } => Some(format!("{to:?} leads")),
        Reply::MembersChanged { index } => Some(format!("members changed at {index}")),
        Reply::SnapshotTaken { index } => Some(format!("snapshot of {index} taken")),
        Reply::Status(_) => None,
        Reply::Refused(refusal) => Some(format!("refused ({:?}), {refusal}", refusal.outcome())),
    }
}

pub(super) fn event(event: &Event) -> Option<String> {
    match event {
        // The glance tells it.
        Event::RoleChanged { .. } => None,
        Event::Reverted { last, acknowledged, .. } => {
            Some(format!("that its log ends at {last}, and it had acknowledged {acknowledged}"))
        }
        Event::Rejected { from, reason } => Some(format!("a message of {from:?} that was ignored: {reason}")),
        Event::MembershipChanged { index, membership } => Some(format!("members {membership} since {index}")),
        Event::Stranger { node, rejoin, .. } => {
            let wish = if *rejoin { ", asking to be taken in anew" } else { "" };
            Some(format!("{node:?} on another disk{wish}"))
        }
        Event::SnapshotInstalled { index } => Some(format!("snapshot {index} installed")),
    }
}

fn appended(result: AppendResult) -> String {
    match result {
        AppendResult::Matched(index) => format!("holds {index}"),
        AppendResult::Conflict { rejected, hint } => {
            format!("lacks {rejected}, may agree at {}", position(hint))
        }
        AppendResult::NoSpace(index) => format!("holds {index}, has no room for more"),
        AppendResult::Stale => "of an earlier term".to_owned(),
    }
}

/// A payload as text, the middle left out when it is long.
pub(super) fn shown(payload: &[u8]) -> String {
    const SHOWN: usize = 24;
    let text = String::from_utf8_lossy(payload);
    if text.chars().count() <= SHOWN {
        return text.into_owned();
    }
    let head: String = text.chars().take(8).collect();
    format!("{head}…({} bytes)", payload.len())
}
