//! What a machine wants the world to hear once its writes are durable, held until they are.
//!
//! Rule 2 of the protocol contract: a send, a reply or an event waits for the write it names. Of what is to be sent to a peer after one
//! write, the protocol says what is left out, so that a disk that stands still does not let answers pile up.

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
        if self.is_crowded(after, &utterance) {
            return None;
        }
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

    /// Whether what waits for the same write says it already. What it says better itself goes.
    fn is_crowded(&mut self, after: WriteId, utterance: &Utterance<P>) -> bool {
        let Utterance::Send { to, message } = utterance else { return false };
        let first = self.waiting.partition_point(|(write, _)| *write < after);
        let mut at = first;
        while let Some((_, earlier)) = self.waiting.get(at) {
            match earlier {
                Utterance::Send { to: other, message: before } if other == to => {
                    if P::covers(before, message) {
                        return true;
                    }
                    if P::covers(message, before) {
                        self.waiting.remove(at);
                        continue;
                    }
                }
                Utterance::Send { .. } | Utterance::Reply { .. } | Utterance::Emit { .. } => {}
            }
            at += 1;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use synod_protocols::raft::{AppendResult, Epoch, Message, Raft, Voice};
    use synod_protocols::{LogIndex, Term};

    use super::*;

    fn to(node: u64, message: Message) -> Utterance<Raft> {
        Utterance::Send { to: NodeId(node), message }
    }

    fn holds(epoch: u64, index: u64) -> Message {
        let result = AppendResult::Matched(LogIndex(index));
        Message::AppendReply { term: Term(2), epoch: Epoch(epoch), result, voice: Voice::default() }
    }

    fn alive(round: u64) -> Message {
        let (term, epoch, voice) = (Term(2), Epoch(1), Voice::default());
        Message::HeartbeatReply { term, epoch, round, voice, rejoin: false, promise: Duration::ZERO }
    }

    #[test]
    fn answers_to_a_leader_do_not_pile_up_behind_a_disk_that_stands_still() {
        let mut gate = Gate::<Raft>::new();
        for round in 1..=1_000 {
            assert!(gate.pass(WriteId(1), to(1, alive(round))).is_none());
            assert!(gate.pass(WriteId(1), to(1, holds(1, 7 + round % 2))).is_none());
        }
        assert!(gate.waiting.len() == 2, "{}", gate.waiting.len());
        gate.open(WriteId(1));
        let said: Vec<_> = std::iter::from_fn(|| gate.released()).collect();
        let last = |message: &Message| {
            said.iter().any(|it| matches!(it, Utterance::Send { message: said, .. } if said == message))
        };
        assert!(last(&alive(1_000)) && last(&holds(1, 8)), "{said:?}");
    }

    #[test]
    fn what_says_something_else_waits_in_its_place() {
        let mut gate = Gate::<Raft>::new();
        let lines = [
            (1, to(1, holds(1, 7))),
            (1, to(2, holds(1, 8))),
            (1, to(1, holds(2, 8))),
            (2, to(1, holds(1, 8))),
        ];
        for (write, line) in lines {
            assert!(gate.pass(WriteId(write), line).is_none());
        }
        gate.open(WriteId(1));
        let of_first = std::iter::from_fn(|| gate.released()).count();
        assert_eq!(of_first, 3, "another peer, another replication, another write");
        gate.open(WriteId(2));
        assert!(gate.released().is_some() && gate.released().is_none());
    }
}
