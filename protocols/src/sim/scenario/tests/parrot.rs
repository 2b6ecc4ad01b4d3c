//! A protocol of a few lines: each node tells its peers what it was told, once that is on its disk.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::log::SnapshotMeta;
use crate::protocol::{Input, Outbox, Place, Placed, Protocol, Recovered};
use crate::sim::invariant::{Invariant, Scene};
use crate::sim::node::Node;
use crate::sim::scenario::dialect::{Ask, Dialect};
use crate::sim::scenario::misread::Misread;
use crate::sim::scenario::page::Page;
use crate::sim::scenario::words::Words;
use crate::sim::subject::Subject;
use crate::sim::violation::Violation;
use crate::types::{NodeId, Timestamp};

/// What was told last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Word(String);

impl Placed for Word {
    fn place(&self) -> Place {
        Place::Cell(0)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Parrot {
    peers: BTreeSet<NodeId>,
    word: String,
}

impl Protocol for Parrot {
    const NAME: &'static str = "parrot";

    type Config = BTreeSet<NodeId>;
    type Message = Word;
    type Command = Word;
    type Reply = Word;
    type Event = Word;
    type Record = Word;

    fn restore(peers: BTreeSet<NodeId>, _seed: u64, recovered: Recovered<Word>) -> Self {
        let word = recovered.cells.into_iter().next_back().map_or(String::new(), |word| word.0);
        Self { peers, word }
    }

    fn handle(&mut self, _now: Timestamp, input: Input<Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Command { token, command } => {
                self.word = command.0.clone();
                out.persist(vec![command.clone()]);
                self.peers.iter().for_each(|&peer| out.send(peer, command.clone()));
                out.reply(token, command);
            }
            Input::Message { message, .. } => self.word = message.0,
            _ => {}
        }
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        None
    }
}

impl Subject for Parrot {
    fn leads(&self) -> bool {
        false
    }

    fn message_size(message: &Word) -> usize {
        message.0.len()
    }

    fn record_size(record: &Word) -> usize {
        record.0.len()
    }

    fn ends_at(_record: &Word, _snapshot: &SnapshotMeta) -> bool {
        false
    }
}

/// Nobody says `lie`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Honesty;

impl Invariant<Parrot, Page> for Honesty {
    fn check(&mut self, scene: &Scene<'_, Parrot, Page>) -> Result<(), Violation> {
        match scene.node().machine().filter(|machine| machine.word == "lie") {
            Some(machine) => Err(scene.violation("honesty", format!("says {}", machine.word))),
            None => Ok(()),
        }
    }
}

impl Dialect for Parrot {
    type Law = Honesty;
    type View = ();
    type Aim = ();
    type Glance = String;

    const KINDS: &'static [&'static str] = &["Word"];

    fn start(words: &mut Words<'_>) -> Result<Vec<BTreeSet<NodeId>>, Misread> {
        let ids: Vec<NodeId> = (1..=words.number()?).map(NodeId).collect();
        let others = |id: &NodeId| ids.iter().copied().filter(|other| other != id).collect();
        Ok(ids.iter().map(others).collect())
    }

    fn tune(_config: &mut BTreeSet<NodeId>, name: &str, _value: &str) -> Result<(), Misread> {
        Err(Misread::Not { wanted: "setting", word: name.to_owned() })
    }

    fn ask(verb: &str, words: &mut Words<'_>) -> Result<Option<Vec<Ask<Self>>>, Misread> {
        if verb != "tell" {
            return Ok(None);
        }
        let (node, word) = (words.node()?, words.next("a word")?.to_owned());
        Ok(Some(vec![Ask { node, label: "tell".to_owned(), command: Word(word) }]))
    }

    fn view(verb: &str) -> Option<()> {
        (verb == "word").then_some(())
    }

    fn aim(words: &mut Words<'_>) -> Result<(), Misread> {
        words.end()
    }

    fn is_reached(_aim: &(), _nodes: &[Node<Self, Page>]) -> bool {
        false
    }

    fn show(_view: &(), node: &Node<Self, Page>) -> String {
        node.machine().map_or("is down".to_owned(), |machine| format!("knows {:?}", machine.word))
    }

    fn kind(_message: &Word) -> &'static str {
        "Word"
    }

    fn say(message: &Word) -> String {
        format!("Word {}", message.0)
    }

    fn answer(reply: &Word) -> Option<String> {
        Some(reply.0.clone())
    }

    fn event(_event: &Word) -> Option<String> {
        None
    }

    fn record(record: &Word) -> String {
        format!("word {}", record.0)
    }

    fn glance(&self) -> String {
        self.word.clone()
    }

    fn changes(_before: Option<&String>, after: &String) -> Vec<String> {
        vec![format!("says {after}")]
    }
}
