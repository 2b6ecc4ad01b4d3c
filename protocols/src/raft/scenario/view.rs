//! What can be printed of a Raft node, and what time can pass for.

use std::collections::BTreeSet;

use crate::raft::scenario::speech;
use crate::raft::state::Standing;
use crate::raft::{Raft, Record, Role};
use crate::sim::Node;
use crate::sim::scenario::{Misread, Page, Words};
use crate::types::{LogIndex, NodeId};

/// Something of a node that can be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Role, term, vote, and the indexes.
    Status,
    /// The log, entry by entry.
    Log,
    /// The configuration in force.
    Config,
    /// What a leader knows of its peers.
    Progress,
    /// The application's page.
    Page,
}

/// Something that time may pass for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aim {
    /// One of these nodes leads, nobody is in a later term, and it has committed an entry of its own.
    Leader(Option<BTreeSet<NodeId>>),
    /// These nodes have applied an entry; all that are up, when none is named.
    Applied(LogIndex, Option<BTreeSet<NodeId>>),
}

impl View {
    pub(super) fn parse(verb: &str) -> Option<Self> {
        match verb {
            "status" => Some(Self::Status),
            "log" => Some(Self::Log),
            "config" => Some(Self::Config),
            "progress" => Some(Self::Progress),
            "page" => Some(Self::Page),
            _ => None,
        }
    }

    pub(super) fn show(self, node: &Node<Raft, Page>) -> String {
        let Some(machine) = node.machine() else { return "is down".to_owned() };
        match self {
            Self::Status => status(machine),
            Self::Log => log(machine, node),
            Self::Config => config(machine),
            Self::Progress => progress(machine),
            Self::Page => {
                let lines = node.application().map(Page::lines).unwrap_or_default();
                let lines: Vec<String> = lines.iter().map(|line| speech::shown(line.as_bytes())).collect();
                format!("page [{}]", lines.join(", "))
            }
        }
    }
}

impl Aim {
    pub(super) fn parse(words: &mut Words<'_>) -> Result<Self, Misread> {
        match words.next("what to wait for (leader or applied)")? {
            "leader" => Ok(Self::Leader(words.maybe_nodes()?)),
            "applied" => Ok(Self::Applied(LogIndex(words.number()?), words.maybe_nodes()?)),
            word => Err(Misread::Not { wanted: "aim (leader or applied)", word: word.to_owned() }),
        }
    }

    pub(super) fn is_reached(&self, nodes: &[Node<Raft, Page>]) -> bool {
        let named = |node: &&Node<Raft, Page>, ids: &Option<BTreeSet<NodeId>>| {
            ids.as_ref().map_or(node.is_up(), |ids| ids.contains(&node.id()))
        };
        match self {
            Self::Leader(ids) => {
                let living = || nodes.iter().filter_map(Node::machine);
                let newest = living().map(|machine| machine.term).max().unwrap_or_default();
                nodes.iter().filter(|node| named(node, ids)).filter_map(Node::machine).any(|machine| {
                    let settled = machine.term_at(machine.commit) == Some(machine.term);
                    machine.role() == Role::Leader && machine.term == newest && settled
                })
            }
            Self::Applied(index, ids) => {
                nodes.iter().filter(|node| named(node, ids)).all(|node| node.applied() >= *index)
            }
        }
    }
}

fn status(machine: &Raft) -> String {
    let status = machine.status();
    let name = |node: Option<NodeId>| node.map_or("nobody".to_owned(), |node| format!("{node:?}"));
    let role = match status.role {
        Role::Follower => format!("follows {}", name(status.leader)),
        Role::PreCandidate => "asks".to_owned(),
        Role::Candidate => "campaigns".to_owned(),
        Role::Leader => "leads".to_owned(),
    };
    let durable = if status.durable_index == status.last_index {
        String::new()
    } else {
        format!(", durable {}", status.durable_index)
    };
    let snapshot = if status.snapshot_index == LogIndex::ZERO {
        String::new()
    } else {
        format!(", snapshot {}", status.snapshot_index)
    };
    format!(
        "{role} in term {}, vote {}, log {}..{}{durable}{snapshot}, commit {}, applied {}",
        status.term,
        name(status.vote),
        status.first_index,
        status.last_index,
        status.commit,
        status.applied
    )
}

/// The log as the machine has it, with contents as the disk has them.
fn log(machine: &Raft, node: &Node<Raft, Page>) -> String {
    let status = machine.status();
    let entries = (status.first_index.0..=status.last_index.0).map(LogIndex).map(|index| {
        let cached = machine.entry(index);
        let written = || match node.disk().written().entry(index) {
            Some(Record::Entry(entry)) => Some(entry),
            Some(Record::Ballot { .. } | Record::Founding(_) | Record::Anchor(_)) | None => None,
        };
        cached.or_else(written).map_or_else(|| format!("{index} not there"), speech::entry)
    });
    let entries: Vec<String> = entries.collect();
    let before = status.first_index.previous();
    let base = if before > LogIndex::ZERO { format!(" after {before}") } else { String::new() };
    format!("log{base} [{}]", entries.join(", "))
}

fn config(machine: &Raft) -> String {
    let index = machine.configurations.index();
    let open = if index > machine.commit { ", not committed" } else { "" };
    format!("has members {} since {index}{open}", machine.membership())
}

fn progress(machine: &Raft) -> String {
    let Standing::Leader(lead) = &machine.standing else { return "does not lead".to_owned() };
    let peers = lead.progress.iter().map(|(peer, progress)| {
        format!("{peer:?} matched {} next {} ({:?})", progress.matched, progress.next, progress.pace)
    });
    peers.collect::<Vec<_>>().join(", ")
}
