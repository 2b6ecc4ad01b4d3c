//! What a machine wants the world to hear once its writes are durable, held until they are.
//!
//! Rule 2 of the protocol contract: a send, a reply or an event waits for the write it names.

use std::collections::VecDeque;

use synod_protocols::{NodeId, Protocol, Token, WriteId};

/// Something for the world to hear.
#[derive(Debug)]
pub(crate) enum Utterance<P: Protocol> {
    /// A message to a peer.
    Send { to: NodeId, message: P::Message },
    /// An answer to a user.
    Reply { token: Token, reply: P::Reply },
    /// News for observers.
    Emit { event: P::Event },
}

/// The utterances of one machine that wait, in the order in which they were made.
#[derive(Debug)]
pub(crate) struct Gate<P: Protocol> {
    durable: WriteId,
    waiting: VecDeque<(WriteId, Utterance<P>)>,
}

impl<P: Protocol> Gate<P> {
    pub(crate) fn new() -> Self {
        Self { durable: WriteId::ZERO, waiting: VecDeque::new() }
    }

    /// Gives the utterance back if it need not wait, and keeps it otherwise.
    pub(crate) fn pass(&mut self, after: WriteId, utterance: Utterance<P>) -> Option<Utterance<P>> {
        if after <= self.durable {
            return Some(utterance);
        }
        debug_assert!(
            self.waiting.back().is_none_or(|(last, _)| *last <= after),
            "an outbox numbers its writes upwards"
        );
        self.waiting.push_back((after, utterance));
        None
    }

    /// Every write up to `id` is durable.
    pub(crate) fn open(&mut self, id: WriteId) {
        self.durable = self.durable.max(id);
    }

    /// Takes the next utterance that need not wait any more.
    pub(crate) fn released(&mut self) -> Option<Utterance<P>> {
        if self.waiting.front()?.0 > self.durable {
            return None;
        }
        self.waiting.pop_front().map(|(_, utterance)| utterance)
    }

    /// Gives back room that is not used.
    pub(crate) fn shrink(&mut self) {
        self.waiting.shrink_to_fit();
    }

    /// The last write known to be durable.
    pub(crate) fn durable(&self) -> WriteId {
        self.durable
    }
}
