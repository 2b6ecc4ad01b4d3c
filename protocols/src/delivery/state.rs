//! What a machine of reliable delivery holds: its roles, what it found on its disk, and what its two roles say to each other.

use std::collections::{BTreeSet, VecDeque};

use crate::delivery::acts::{Act, Acts};
use crate::delivery::config::Config;
use crate::delivery::consumer::Consumer;
use crate::delivery::message::Message;
use crate::delivery::numbers::Sequence;
use crate::delivery::producer::{Kept, Producer};
use crate::delivery::record::Record;
use crate::prng::Prng;
use crate::protocol::{Outbox, Recovered};
use crate::types::{LogIndex, NodeId, Timestamp, WriteId};

/// One node's end of one queue.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub(super) config: Config,
    pub(super) chance: Prng,
    /// This node, and those to which there is a link.
    pub(super) reachable: BTreeSet<NodeId>,
    pub(super) producer: Option<Producer>,
    pub(super) consumer: Option<Consumer>,
    /// What the disk holds of a queue to which nobody has sent since the start.
    pub(super) kept: Option<Kept>,
    /// What one role says to the other on the same node, and the write that has to be durable before.
    local: VecDeque<(WriteId, Message)>,
    pub(super) durable: WriteId,
    pub(super) has_failed: bool,
    pub(super) has_space: bool,
    /// The time of the last input.
    pub(super) now: Timestamp,
}

impl Delivery {
    /// How many messages this node's producer has accepted that are not confirmed.
    #[must_use]
    pub fn unconfirmed(&self) -> usize {
        self.producer.as_ref().map_or(0, Producer::unconfirmed)
    }

    pub(super) fn recover(config: Config, seed: u64, recovered: Recovered<Record>) -> Self {
        Self {
            config,
            chance: Prng::new(seed),
            reachable: BTreeSet::from([config.id]),
            producer: None,
            consumer: None,
            kept: keep(recovered),
            local: VecDeque::new(),
            durable: WriteId::ZERO,
            has_failed: false,
            has_space: true,
            now: Timestamp::ZERO,
        }
    }

    /// Does what a role wants done. What it says to its own node is heard there once what it waits for is durable.
    pub(super) fn carry_out(&mut self, acts: Acts, out: &mut Outbox<Self>) {
        let me = self.config.id;
        for act in acts.0 {
            match act {
                Act::Send(to, message) if to == me => self.local.push_back((out.last_write(), message)),
                Act::SendEarly(to, message) if to == me => self.local.push_back((WriteId::ZERO, message)),
                Act::Send(to, message) => out.send(to, message),
                Act::SendEarly(to, message) => out.send_early(to, message),
                Act::Reply(token, reply) => out.reply(token, reply),
                Act::Emit(event) => out.emit(event),
                Act::Keep(record) => {
                    out.persist(vec![record]);
                }
                Act::Forget(Sequence(upto)) => {
                    out.compact(LogIndex(upto));
                }
                Act::Reached(path) => out.reached(path),
            }
        }
    }

    /// The next word of one role to the other that may be heard.
    pub(super) fn overhear(&mut self) -> Option<Message> {
        let durable = self.durable;
        self.local.pop_front_if(|(after, _)| *after <= durable).map(|(_, message)| message)
    }
}

/// What the disk holds of a durable queue; `None` when there never was one.
fn keep(recovered: Recovered<Record>) -> Option<Kept> {
    let settled = recovered.cells.into_iter().find_map(|record| match record {
        Record::Settled { stream, upto, beyond } => Some((stream, upto, beyond)),
        Record::Accepted { .. } => None,
    });
    let (stream, upto, beyond) = settled?;
    let is_settled = |sequence: Sequence| {
        let run = beyond.partition_point(|&(_, last)| last < sequence.0);
        sequence <= upto || beyond.get(run).is_some_and(|&(first, _)| first <= sequence.0)
    };
    let mut kept = Kept { stream, upto, last: upto, outstanding: Default::default() };
    for record in recovered.log.into_whole() {
        let Record::Accepted { sequence, payload } = record else { continue };
        kept.last = kept.last.max(sequence);
        if !is_settled(sequence) {
            kept.outstanding.insert(sequence, payload);
        }
    }
    Some(kept)
}
