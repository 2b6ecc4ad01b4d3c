//! What a role wants done, in order: said without knowing the machine whose role it is.

use crate::delivery::message::{Event, Message, Reply};
use crate::delivery::numbers::Sequence;
use crate::delivery::record::Record;
use crate::types::{NodeId, Token};

/// One thing to be done.
#[derive(Debug)]
pub(super) enum Act {
    /// Say something once all records before it are on the disk.
    Send(NodeId, Message),
    /// Say something at once: it promises nothing about the disk.
    SendEarly(NodeId, Message),
    /// Answer a command once all records before it are on the disk.
    Reply(Token, Reply),
    /// Tell this node.
    Emit(Event),
    /// Write.
    Keep(Record),
    /// Forget the messages up to this one.
    Forget(Sequence),
    /// A rare path was taken.
    Reached(&'static str),
}

/// Things to be done.
#[derive(Debug, Default)]
pub(super) struct Acts(pub(super) Vec<Act>);

impl Acts {
    /// Says something once all records before it are on the disk.
    pub(super) fn send(&mut self, to: NodeId, message: Message) {
        self.0.push(Act::Send(to, message));
    }

    /// Says something at once. Only for what promises nothing about the disk.
    pub(super) fn send_early(&mut self, to: NodeId, message: Message) {
        self.0.push(Act::SendEarly(to, message));
    }

    /// Answers a command.
    pub(super) fn reply(&mut self, token: Token, reply: Reply) {
        self.0.push(Act::Reply(token, reply));
    }

    /// Tells this node.
    pub(super) fn emit(&mut self, event: Event) {
        self.0.push(Act::Emit(event));
    }

    /// Says that a rare path was taken.
    pub(super) fn reached(&mut self, path: &'static str) {
        self.0.push(Act::Reached(path));
    }
}
