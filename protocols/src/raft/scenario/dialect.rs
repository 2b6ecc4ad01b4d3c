//! Raft as a language of scenarios: which words mean what; each answer stands in the file it concerns.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

use crate::raft::invariants::Suite;
use crate::raft::scenario::glance::Glance;
use crate::raft::scenario::view::{Aim, View};
use crate::raft::scenario::{settings, speech};
use crate::raft::{Command, Config, Duty, Event, Message, Raft, Record, Reply};
use crate::sim::Node;
use crate::sim::scenario::{Ask, Dialect, Misread, Page, Words};
use crate::types::NodeId;

impl Dialect for Raft {
    type Law = Suite;
    type View = View;
    type Aim = Aim;
    type Glance = Glance;

    const KINDS: &'static [&'static str] = speech::KINDS;

    fn start(words: &mut Words<'_>) -> Result<Vec<Arc<Config>>, Misread> {
        Ok(settings::parse(words)?.into_iter().map(Arc::new).collect())
    }

    fn tune(config: &mut Arc<Config>, name: &str, value: &str) -> Result<(), Misread> {
        settings::tune(Arc::make_mut(config), name, value)
    }

    fn ask(verb: &str, words: &mut Words<'_>) -> Result<Option<Vec<Ask<Self>>>, Misread> {
        let one =
            |node: NodeId, label: String, command: Command| Ok(Some(vec![Ask { node, label, command }]));
        match verb {
            "campaign" => one(words.node()?, "campaign".to_owned(), Command::Campaign),
            "propose" => proposals(words).map(Some),
            "read" => {
                let node = words.node()?;
                if words.take("confirmed") {
                    return one(node, "confirmed read".to_owned(), Command::ReadConfirmed);
                }
                one(node, "read".to_owned(), Command::Read)
            }
            "members" => one(words.node()?, "members".to_owned(), members(words)?),
            "snapshot" => one(words.node()?, "snapshot".to_owned(), Command::Snapshot),
            "transfer" => {
                let node = words.node()?;
                let to = words.maybe_nodes()?.and_then(|nodes| nodes.into_iter().next());
                let label = to.map_or("transfer".to_owned(), |to| format!("transfer to {to:?}"));
                one(node, label, Command::Transfer { to })
            }
            _ => Ok(None),
        }
    }

    fn view(verb: &str) -> Option<View> {
        View::parse(verb)
    }

    fn aim(words: &mut Words<'_>) -> Result<Aim, Misread> {
        Aim::parse(words)
    }

    fn is_reached(aim: &Aim, nodes: &[Node<Self, Page>]) -> bool {
        aim.is_reached(nodes)
    }

    fn show(view: &View, node: &Node<Self, Page>) -> String {
        view.show(node)
    }

    fn kind(message: &Message) -> &'static str {
        speech::kind(message)
    }

    fn say(message: &Message) -> String {
        speech::message(message)
    }

    fn answer(reply: &Reply) -> Option<String> {
        speech::reply(reply)
    }

    fn event(event: &Event) -> Option<String> {
        speech::event(event)
    }

    fn record(record: &Record) -> String {
        speech::record(record)
    }

    fn glance(&self) -> Glance {
        Glance::of(self)
    }

    fn changes(before: Option<&Glance>, after: &Glance) -> Vec<String> {
        Glance::changes(before, after)
    }
}

/// The members there shall be: `voters=1-3 witnesses=4 learners=5`, and `replace=2` for those on another disk than before.
fn members(words: &mut Words<'_>) -> Result<Command, Misread> {
    let (mut members, mut replace) = (BTreeMap::new(), BTreeSet::new());
    while let Some((name, value)) = words.option() {
        let duty = match name {
            "voters" => Duty::Voter,
            "witnesses" => Duty::Witness,
            "learners" => Duty::Learner,
            "replace" => {
                replace = Words::parse_nodes(value)?;
                continue;
            }
            _ => return Err(Misread::Surplus(format!("{name}={value}"))),
        };
        members.extend(Words::parse_nodes(value)?.into_iter().map(|node| (node, duty)));
    }
    Ok(Command::ChangeMembers { members, replace })
}

/// Payloads: a word each; `v1..9` stands for `v1` to `v9`, and `x*200` for two hundred times `x`.
fn proposals(words: &mut Words<'_>) -> Result<Vec<Ask<Raft>>, Misread> {
    let node = words.node()?;
    let mut payloads = Vec::new();
    while let Some(word) = words.maybe() {
        match (word.split_once(".."), word.split_once('*')) {
            (Some((first, last)), _) => {
                let digits = first.trim_end_matches(|c: char| c.is_ascii_digit()).len();
                let (name, first) = first.split_at(digits);
                let (first, last) = (Words::parse_number(first)?, Words::parse_number(last)?);
                payloads.extend((first..=last).map(|number| format!("{name}{number}")));
            }
            (None, Some((text, times))) => payloads.push(text.repeat(Words::parse_number(times)? as usize)),
            (None, None) => payloads.push(word.to_owned()),
        }
    }
    if payloads.is_empty() {
        return Err(Misread::Missing("a payload"));
    }
    let asks = payloads.into_iter().map(|payload| Ask {
        node,
        label: format!("propose {}", speech::shown(payload.as_bytes())),
        command: Command::Propose { session: None, payload: Bytes::from(payload.into_bytes()) },
    });
    Ok(asks.collect())
}
