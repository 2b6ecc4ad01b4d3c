//! What a protocol adds to the language: its commands, its settings, and its words for what happens.
//!
//! Words only; the stage decides when something happens, the machine what.

use std::fmt::Debug;

use crate::sim::invariant::Invariant;
use crate::sim::node::Node;
use crate::sim::scenario::misread::Misread;
use crate::sim::scenario::page::Page;
use crate::sim::scenario::words::Words;
use crate::sim::subject::Subject;
use crate::types::NodeId;

/// A question to a node's machine.
#[derive(Clone, Debug)]
pub struct Ask<P: Subject> {
    /// Whose machine.
    pub node: NodeId,
    /// What the output calls it.
    pub label: String,
    /// The question.
    pub command: P::Command,
}

/// A protocol that scenarios can be written for.
pub trait Dialect: Subject {
    /// What has to hold after every step.
    type Law: Invariant<Self, Page> + Default + Debug;
    /// Something of a node that can be printed.
    type View: Clone + Debug;
    /// Something that time may pass for.
    type Aim: Clone + Debug;
    /// What of a machine is compared before and after each step.
    type Glance: Clone + Debug + PartialEq;

    /// The kinds of messages, as [`Dialect::kind`] names them.
    const KINDS: &'static [&'static str];

    /// The settings of every node, the first node's first; reads what stands after `start`.
    ///
    /// # Errors
    /// A word is wrong or missing.
    fn start(words: &mut Words<'_>) -> Result<Vec<Self::Config>, Misread>;

    /// Changes the settings of a node that starts again.
    ///
    /// # Errors
    /// There is no such setting, or not with this value.
    fn tune(config: &mut Self::Config, name: &str, value: &str) -> Result<(), Misread>;

    /// Reads a command that asks machines something; `None` when the verb is none.
    ///
    /// # Errors
    /// A word is wrong or missing.
    fn ask(verb: &str, words: &mut Words<'_>) -> Result<Option<Vec<Ask<Self>>>, Misread>;

    /// Reads a command that prints something of nodes; `None` when the verb is none.
    fn view(verb: &str) -> Option<Self::View>;

    /// Reads what time is to pass for.
    ///
    /// # Errors
    /// A word is wrong or missing.
    fn aim(words: &mut Words<'_>) -> Result<Self::Aim, Misread>;

    /// Whether that has come about.
    fn is_reached(aim: &Self::Aim, nodes: &[Node<Self, Page>]) -> bool;

    /// One line about a node.
    fn show(view: &Self::View, node: &Node<Self, Page>) -> String;

    /// The kind of a message.
    fn kind(message: &Self::Message) -> &'static str;

    /// A message in words; its kind comes first.
    fn say(message: &Self::Message) -> String;

    /// An answer in words; `None` when it says nothing that a view would not.
    fn answer(reply: &Self::Reply) -> Option<String>;

    /// An event in words; `None` when the glance says it already.
    fn event(event: &Self::Event) -> Option<String>;

    /// A record in words.
    fn record(record: &Self::Record) -> String;

    /// What of a machine is compared.
    fn glance(&self) -> Self::Glance;

    /// What has changed since the last step, or how a machine starts, each as the end of a sentence about the node.
    fn changes(before: Option<&Self::Glance>, after: &Self::Glance) -> Vec<String>;
}
