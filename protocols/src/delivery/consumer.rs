//! The consuming role: it puts what comes into order, hands it out, and tells producers what is confirmed.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::delivery::acts::Acts;
use crate::delivery::config::{Config, ConsumerOptions};
use crate::delivery::inlet::{Slot, Stage};
use crate::delivery::message::{Event, Message, Ticket};
use crate::delivery::numbers::{ChannelId, ConsumerId, Position, Sequence, StreamId};
use crate::delivery::stream::Stream;
use crate::types::{NodeId, Timestamp};

/// One node's consumer of a queue.
#[derive(Clone, Debug)]
pub(super) struct Consumer {
    pub(super) id: ConsumerId,
    config: Config,
    options: ConsumerOptions,
    streams: BTreeMap<NodeId, Stream>,
    /// What the handler has.
    in_hand: BTreeSet<Ticket>,
    /// Whose message was handed out last: the others come first.
    served: NodeId,
    /// When producers are told of confirmations at the latest.
    tell_at: Option<Timestamp>,
}

/// A message on its way to a consumer.
#[derive(Debug)]
pub(super) struct Delivered {
    pub(super) stream: StreamId,
    pub(super) channel: ChannelId,
    pub(super) position: Position,
    pub(super) sequence: Sequence,
    pub(super) payload: Bytes,
}

impl Consumer {
    pub(super) fn new(config: Config, options: ConsumerOptions, id: ConsumerId) -> Self {
        let (streams, in_hand) = (BTreeMap::new(), BTreeSet::new());
        Self { id, config, options, streams, in_hand, served: NodeId::ZERO, tell_at: None }
    }

    /// Says to a producer, or who may be one, that it takes messages.
    pub(super) fn volunteer(&self, to: NodeId, acts: &mut Acts) {
        let ConsumerOptions { ahead: messages, bytes, .. } = self.options;
        acts.send_early(to, Message::Ready { consumer: self.id, messages, bytes });
    }

    /// Says that it takes nothing any more.
    pub(super) fn leave(&self, reachable: &BTreeSet<NodeId>, acts: &mut Acts) {
        for &peer in reachable {
            acts.send_early(peer, Message::Leave { consumer: self.id });
        }
    }

    /// Takes a message.
    pub(super) fn take(&mut self, now: Timestamp, from: NodeId, delivered: Delivered, acts: &mut Acts) {
        let Delivered { stream: id, channel, position, sequence, payload } = delivered;
        let stream = self.streams.entry(from).or_default();
        if stream.has_retired(channel) {
            acts.reached("a message over a channel that was given up");
            return acts.send_early(from, Message::Gone { channel });
        }
        let inlet = stream.enter(id, channel, self.options.ahead);
        if position < inlet.next() {
            acts.reached("a message that had come before");
            acts.emit(Event::Repeated);
            return self.report(from, false, acts);
        }
        if position > inlet.next() {
            if !std::mem::replace(&mut inlet.complained, true) {
                acts.reached("a message after a gap");
                self.report(from, true, acts);
            }
            return;
        }
        if !inlet.allows(position) {
            return acts.reached("a producer sends more than it may");
        }
        let ticket = Ticket { consumer: self.id, producer: from, stream: id, sequence };
        let is_done = stream.done.contains(sequence.0);
        let stage = if is_done {
            acts.reached("a message that was confirmed before");
            acts.emit(Event::Repeated);
            Stage::Done
        } else if self.in_hand.contains(&ticket) {
            acts.reached("a message that the handler has");
            acts.emit(Event::Repeated);
            Stage::InHand
        } else {
            Stage::Waiting(now)
        };
        let Some(inlet) = &mut stream.inlet else { unreachable!("it was entered above") };
        inlet.push(Slot { sequence, payload, attempt: 0, stage });
        if stage == Stage::Done {
            self.owe(now, from, acts);
        }
        self.hand_out(now, acts);
    }

    /// Answers who asks where a channel stands.
    pub(super) fn answer(&mut self, from: NodeId, id: StreamId, channel: ChannelId, acts: &mut Acts) {
        let stream = self.streams.entry(from).or_default();
        if stream.has_retired(channel) {
            return acts.send_early(from, Message::Gone { channel });
        }
        stream.enter(id, channel, self.options.ahead);
        self.report(from, true, acts);
    }

    /// A producer has given a channel up.
    pub(super) fn closed(&mut self, from: NodeId, channel: ChannelId, acts: &mut Acts) {
        let Some(stream) = self.streams.get_mut(&from) else { return };
        if stream.inlet.as_ref().is_some_and(|inlet| inlet.id == channel) {
            acts.reached("a channel that the producer has given up");
            stream.retire();
            self.volunteer(from, acts);
        }
    }

    /// What was handed out is done.
    pub(super) fn confirm(&mut self, now: Timestamp, ticket: Ticket, acts: &mut Acts) {
        if !self.in_hand.remove(&ticket) {
            return acts.reached("confirmed what is not in hand");
        }
        let Ticket { producer, stream: id, sequence, .. } = ticket;
        if let Some(stream) = self.streams.get_mut(&producer).filter(|stream| stream.id == id) {
            stream.done.insert(sequence.0);
            if let Some(inlet) = &mut stream.inlet
                && let Some(slot) = inlet.slot(sequence)
            {
                slot.stage = Stage::Done;
                inlet.advance();
                self.owe(now, producer, acts);
            }
        }
        self.hand_out(now, acts);
    }

    /// What was handed out is not done.
    pub(super) fn take_back(&mut self, now: Timestamp, ticket: Ticket, acts: &mut Acts) {
        if !self.in_hand.remove(&ticket) {
            return acts.reached("given back what is not in hand");
        }
        acts.emit(Event::Returned);
        let Ticket { producer, stream: id, sequence, .. } = ticket;
        let stream = self.streams.get_mut(&producer).filter(|stream| stream.id == id);
        if let Some(slot) = stream.and_then(|stream| stream.inlet.as_mut()?.slot(sequence)) {
            slot.attempt = slot.attempt.saturating_add(1);
            slot.stage = Stage::Waiting(now.after(self.config.redeliver_after));
        }
        self.hand_out(now, acts);
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: Timestamp, acts: &mut Acts) {
        if self.tell_at.take_if(|at| *at <= now).is_some() {
            let owed = |stream: &Stream| stream.inlet.as_ref().is_some_and(|inlet| inlet.owed);
            let owed = self.streams.iter().filter(|(_, stream)| owed(stream)).map(|(&producer, _)| producer);
            for producer in owed.collect::<Vec<_>>() {
                self.report(producer, false, acts);
            }
        }
        self.hand_out(now, acts);
    }

    /// When something is due: it may have been, where an input came before the timer.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let has_room = self.in_hand.len() < self.options.in_hand as usize;
        let inlets = self.streams.values().filter_map(|stream| stream.inlet.as_ref()).filter(|_| has_room);
        inlets.filter_map(|inlet| inlet.deadline(self.is_in_order())).chain(self.tell_at).min()
    }

    fn is_in_order(&self) -> bool {
        self.options.in_hand == 1
    }

    /// Hands out what may be handed out, of each producer in turn.
    fn hand_out(&mut self, now: Timestamp, acts: &mut Acts) {
        let in_order = self.is_in_order();
        while self.in_hand.len() < self.options.in_hand as usize {
            let after = self.streams.range(self.served.next()..).map(|(&producer, _)| producer);
            let before = self.streams.range(..=self.served).map(|(&producer, _)| producer);
            let turns: Vec<NodeId> = after.chain(before).collect();
            let handed = turns.into_iter().find_map(|producer| {
                let stream = self.streams.get_mut(&producer)?;
                let slot = stream.inlet.as_mut()?.due(now, in_order)?;
                slot.stage = Stage::InHand;
                let (sequence, stream) = (slot.sequence, stream.id);
                let ticket = Ticket { consumer: self.id, producer, stream, sequence };
                Some((ticket, slot.attempt, slot.payload.clone()))
            });
            let Some((ticket, attempt, payload)) = handed else { return };
            self.served = ticket.producer;
            self.in_hand.insert(ticket);
            acts.emit(Event::Hand { ticket, attempt, payload });
        }
    }

    /// Lets a producer hear of confirmations, soon.
    fn owe(&mut self, now: Timestamp, producer: NodeId, acts: &mut Acts) {
        let stream = self.streams.get_mut(&producer);
        let Some(inlet) = stream.and_then(|stream| stream.inlet.as_mut()) else { return };
        inlet.owed = true;
        if inlet.is_pressing(self.options.ahead) {
            self.report(producer, false, acts);
        } else {
            self.tell_at.get_or_insert(now.after(self.config.gather));
        }
    }

    fn report(&mut self, producer: NodeId, missing: bool, acts: &mut Acts) {
        let stream = self.streams.get_mut(&producer);
        let Some(inlet) = stream.and_then(|stream| stream.inlet.as_mut()) else { return };
        let (received, confirmed, beyond, upto) = inlet.report(self.options.ahead);
        let channel = inlet.id;
        acts.send_early(producer, Message::State { channel, received, confirmed, beyond, upto, missing });
    }
}
