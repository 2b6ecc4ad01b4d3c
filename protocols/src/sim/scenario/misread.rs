//! What is wrong with a scenario script: a sentence, and the line it is about.

use thiserror::Error;

use crate::types::NodeId;

/// Why a command cannot be understood or cannot be done.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Misread {
    /// A word is missing at the end of a command.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A word is not what has to stand in its place.
    #[error("{word:?} is no {wanted}")]
    Not {
        /// What has to stand there.
        wanted: &'static str,
        /// What stands there.
        word: String,
    },
    /// A word too many, or an option that the command does not have.
    #[error("{0:?} is not understood here")]
    Surplus(String),
    /// A command needs the line `----` and its output after it.
    #[error("the command is not followed by a line ----")]
    NoOutput,
    /// A line `----` needs commands before it.
    #[error("no command stands before this line")]
    NoCommand,
    /// The settings of a node contradict each other.
    #[error("node {node} cannot have these settings: {reason}")]
    Settings {
        /// The node.
        node: NodeId,
        /// What its configuration says.
        reason: String,
    },
    /// The first command of a script starts the nodes.
    #[error("no nodes were started: the first command is start")]
    NotStarted,
    /// Nodes are started once.
    #[error("the nodes were started before")]
    StartedBefore,
    /// A node that does not exist.
    #[error("there is no node {0}")]
    NoNode(NodeId),
    /// Only a living process can do this.
    #[error("node {0} is down")]
    Down(NodeId),
    /// A process that is paused does nothing.
    #[error("node {0} is paused: resume it first")]
    Paused(NodeId),
    /// Only a node without a process can do this.
    #[error("node {0} is up: crash it first")]
    Up(NodeId),
    /// Messages beget messages at one instant.
    #[error("the nodes do not come to rest: something goes back and forth without end")]
    Endless,
}

/// A script that cannot be played: nothing of it counts.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}: {reason}")]
pub struct Fault {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: Misread,
}
