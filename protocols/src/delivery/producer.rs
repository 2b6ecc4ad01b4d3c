//! The producing role: it numbers messages, gives them to consumers, and knows what is confirmed.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::delivery::acts::{Act, Acts};
use crate::delivery::channel::{Channel, Ready, Report, Silence};
use crate::delivery::config::{Config, Order, ProducerOptions};
use crate::delivery::message::{Event, Message, Refusal, Reply};
use crate::delivery::numbers::{ChannelId, ConsumerId, Sequence, StreamId};
use crate::delivery::record::Record;
use crate::prng::Prng;
use crate::types::{NodeId, Timestamp, Token};

/// How many messages may lie between the first unconfirmed one and the last one accepted, as a multiple of how many may be unconfirmed:
/// what is confirmed behind one that is stuck stays on the disk.
const SPAN: usize = 16;
/// How many may wait to hear of confirmations.
const AWAITED_MAX: usize = 1 << 16;

/// What a durable producer finds on its disk.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) stream: StreamId,
    /// Everything up to here was forgotten.
    pub(super) upto: Sequence,
    /// The sequence of the last message that was ever accepted.
    pub(super) last: Sequence,
    pub(super) outstanding: BTreeMap<Sequence, Bytes>,
}

/// One node's producer of a queue.
#[derive(Clone, Debug)]
pub(super) struct Producer {
    config: Config,
    options: ProducerOptions,
    stream: StreamId,
    chance: Prng,
    /// The next message's place.
    next: Sequence,
    /// What was accepted and is not confirmed.
    outstanding: BTreeMap<Sequence, Bytes>,
    bytes: usize,
    /// What of it is on no channel.
    waiting: BTreeSet<Sequence>,
    /// Who would take messages and has no channel, whoever has waited longest first.
    ready: Vec<(NodeId, Ready)>,
    channels: BTreeMap<NodeId, Channel>,
    turns: u64,
    offer_at: Option<Timestamp>,
    /// For how much its user believes that there is room.
    room: (usize, usize),
    awaited: BTreeMap<Sequence, Vec<Token>>,
    awaiting: usize,
    /// Up to where the log was forgotten, and when what is confirmed beyond is to be written down.
    forgotten: Sequence,
    settle_at: Option<Timestamp>,
}

impl Producer {
    /// A producer with what it finds on its disk. One that is durable and finds nothing says first who it is.
    pub(super) fn new(
        config: Config,
        options: ProducerOptions,
        seed: u64,
        kept: Option<Kept>,
        acts: &mut Acts,
    ) -> Self {
        let mut chance = Prng::new(seed);
        let anew = kept.is_none();
        let stream = StreamId(chance.next_u64());
        let none = Kept { stream, upto: Sequence(0), last: Sequence(0), outstanding: BTreeMap::new() };
        let Kept { stream, upto, last, outstanding } = kept.unwrap_or(none);
        let mut producer = Self {
            config,
            options,
            stream,
            chance,
            next: last.next(),
            bytes: outstanding.values().map(Bytes::len).sum(),
            waiting: outstanding.keys().copied().collect(),
            outstanding,
            ready: Vec::new(),
            channels: BTreeMap::new(),
            turns: 0,
            offer_at: None,
            room: (0, 0),
            awaited: BTreeMap::new(),
            awaiting: 0,
            forgotten: upto,
            settle_at: None,
        };
        if options.durable && anew {
            producer.write_settled(acts);
        }
        producer.room = producer.real_room();
        producer
    }

    /// How many messages are accepted and not confirmed.
    pub(super) fn unconfirmed(&self) -> usize {
        self.outstanding.len()
    }

    /// The answer to who asked for it.
    pub(super) fn welcome(&self) -> Reply {
        let (messages, bytes) = self.room;
        let unconfirmed = self.outstanding.len();
        Reply::Producing { stream: self.stream, unconfirmed, messages, bytes }
    }

    /// Accepts a message, or says why not.
    pub(super) fn accept(
        &mut self,
        now: Timestamp,
        token: Token,
        payload: Bytes,
        has_space: bool,
        acts: &mut Acts,
    ) {
        let bytes = payload.len();
        let refusal = if bytes > self.options.bytes_max {
            Some(Refusal::TooLarge)
        } else if self.options.durable && !has_space {
            Some(Refusal::NoSpace)
        } else {
            (self.room.0 == 0 || self.room.1 < bytes).then_some(Refusal::Full)
        };
        if let Some(refusal) = refusal {
            return acts.reply(token, Reply::Refused(refusal));
        }
        let sequence = self.next;
        self.next = sequence.next();
        self.room = (self.room.0 - 1, self.room.1 - bytes);
        self.bytes += bytes;
        if self.options.durable {
            acts.0.push(Act::Keep(Record::Accepted { sequence, payload: payload.clone() }));
        }
        self.outstanding.insert(sequence, payload);
        self.waiting.insert(sequence);
        acts.reply(token, Reply::Accepted(sequence));
        acts.emit(Event::Accepted);
        self.go_on(now, acts);
    }

    /// Answers once a message is confirmed.
    pub(super) fn await_confirmation(&mut self, token: Token, sequence: Sequence, acts: &mut Acts) {
        if sequence >= self.next || self.awaiting >= AWAITED_MAX {
            acts.reply(token, Reply::Refused(Refusal::Unknown));
        } else if self.outstanding.contains_key(&sequence) {
            self.awaited.entry(sequence).or_default().push(token);
            self.awaiting += 1;
        } else {
            acts.reply(token, Reply::Done);
        }
    }

    /// A node can be reached: whoever consumes there may say so.
    pub(super) fn offer(&self, peer: NodeId, acts: &mut Acts) {
        acts.send_early(peer, Message::Offer);
    }

    /// A node cannot be reached. What it has is waited for.
    pub(super) fn lose(&mut self, now: Timestamp, peer: NodeId, acts: &mut Acts) {
        self.ready.retain(|(node, _)| *node != peer);
        if let Some(channel) = self.channels.get_mut(&peer) {
            channel.linked = false;
            if channel.load() == 0 {
                self.abandon(peer, acts);
            }
        }
        self.go_on(now, acts);
    }

    /// A consumer takes messages.
    pub(super) fn welcome_consumer(&mut self, now: Timestamp, from: NodeId, ready: Ready, acts: &mut Acts) {
        if let Some(channel) = self.channels.get_mut(&from) {
            if channel.consumer == ready.consumer {
                channel.linked = true;
                let (consumer, channel) = (channel.consumer, channel.id);
                acts.send_early(from, Message::Probe { stream: self.stream, consumer, channel });
                return self.go_on(now, acts);
            }
            acts.reached("another consumer on the same node");
            self.abandon(from, acts);
        }
        match self.ready.iter_mut().find(|(node, _)| *node == from) {
            Some((_, known)) => *known = ready,
            None => self.ready.push((from, ready)),
        }
        self.go_on(now, acts);
    }

    /// A consumer says where its channel stands.
    pub(super) fn hear(
        &mut self,
        now: Timestamp,
        from: NodeId,
        id: ChannelId,
        report: &Report,
        acts: &mut Acts,
    ) {
        let Some(channel) = self.channels.get_mut(&from).filter(|channel| channel.id == id) else {
            return acts.send_early(from, Message::Closed { channel: id });
        };
        let Some(done) = channel.hear(now, report, self.config.retry) else {
            return acts.reached("a consumer speaks of what was never sent");
        };
        channel.linked = true;
        let count = done.len() as u64;
        for sent in done {
            self.settle(sent.sequence, acts);
        }
        if count > 0 {
            acts.emit(Event::Confirmed(count));
            if self.options.durable {
                self.settle_at.get_or_insert(now.after(self.config.gather));
            }
        }
        if report.missing {
            self.send_again(from, acts);
        }
        self.go_on(now, acts);
    }

    /// A consumer does not serve a channel.
    pub(super) fn part(&mut self, now: Timestamp, from: NodeId, id: ChannelId, acts: &mut Acts) {
        if self.channels.get(&from).is_some_and(|channel| channel.id == id) {
            acts.reached("a consumer does not know its channel");
            self.abandon(from, acts);
            self.go_on(now, acts);
        }
    }

    /// A consumer has gone.
    pub(super) fn dismiss(&mut self, now: Timestamp, from: NodeId, consumer: ConsumerId, acts: &mut Acts) {
        self.ready.retain(|(node, ready)| *node != from || ready.consumer != consumer);
        if self.channels.get(&from).is_some_and(|channel| channel.consumer == consumer) {
            self.abandon(from, acts);
        }
        self.go_on(now, acts);
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: Timestamp, reachable: &BTreeSet<NodeId>, acts: &mut Acts) {
        if self.settle_at.take_if(|at| *at <= now).is_some() {
            self.write_settled(acts);
        }
        let patience = self.config.patience;
        let mut silent = Vec::new();
        for (&node, channel) in &mut self.channels {
            match channel.silence(now, patience) {
                Silence::Short => {}
                Silence::Long => {
                    let (consumer, channel) = (channel.consumer, channel.id);
                    acts.send_early(node, Message::Probe { stream: self.stream, consumer, channel });
                }
                Silence::TooLong => silent.push(node),
            }
        }
        for node in silent {
            acts.reached("a consumer was silent for too long");
            self.abandon(node, acts);
        }
        if self.offer_at.take_if(|at| *at <= now).is_some() {
            for &peer in reachable.iter().filter(|peer| !self.channels.contains_key(peer)) {
                self.offer(peer, acts);
            }
        }
        self.go_on(now, acts);
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let channels = self.channels.values().filter_map(|channel| channel.deadline(self.config.patience));
        channels.chain(self.settle_at).chain(self.offer_at).min()
    }

    /// Opens channels and sends what may be sent.
    fn go_on(&mut self, now: Timestamp, acts: &mut Acts) {
        while let Some((node, ready)) = self.next_consumer() {
            let id = ChannelId(self.chance.next_u64());
            self.channels.insert(node, Channel::new(now, id, ready, self.config.retry));
        }
        while let Some(&sequence) = self.waiting.first() {
            let bytes = self.outstanding[&sequence].len();
            let rested = |channel: &Channel| (channel.load(), channel.turn);
            let free = self.channels.iter_mut().filter(|(_, channel)| channel.has_room(bytes));
            let Some((&node, channel)) = free.min_by_key(|(_, channel)| rested(channel)) else { break };
            self.waiting.pop_first();
            self.turns += 1;
            channel.turn = self.turns;
            let position = channel.assign(now, sequence, bytes, self.config.retry);
            let (consumer, channel) = (channel.consumer, channel.id);
            let payload = self.outstanding[&sequence].clone();
            let stream = self.stream;
            acts.send(node, Message::Deliver { stream, consumer, channel, position, sequence, payload });
        }
        let lacks_consumers = match self.options.order {
            Order::Sequential => self.channels.is_empty(),
            Order::Jobs => true,
        };
        if self.waiting.is_empty() || !lacks_consumers {
            self.offer_at = None;
        } else {
            self.offer_at.get_or_insert(now.after(self.config.retry));
        }
        self.tell_room(acts);
    }

    /// Takes the next consumer that is to have a channel.
    fn next_consumer(&mut self) -> Option<(NodeId, Ready)> {
        let wanted = match self.options.order {
            Order::Sequential => self.channels.is_empty(),
            Order::Jobs => true,
        };
        (wanted && !self.ready.is_empty()).then(|| self.ready.remove(0))
    }

    /// Gives a channel up: what is unconfirmed on it waits again.
    fn abandon(&mut self, node: NodeId, acts: &mut Acts) {
        let Some(channel) = self.channels.remove(&node) else { return };
        let load = channel.load() as u64;
        self.waiting.extend(channel.into_unconfirmed());
        if load > 0 {
            acts.emit(Event::Reassigned(load));
        }
    }

    fn send_again(&mut self, node: NodeId, acts: &mut Acts) {
        let Some(channel) = self.channels.get(&node) else { return };
        let (stream, consumer, id) = (self.stream, channel.consumer, channel.id);
        let mut count = 0;
        for sent in channel.missing() {
            let payload = self.outstanding[&sent.sequence].clone();
            let (position, sequence) = (sent.position, sent.sequence);
            acts.send(node, Message::Deliver { stream, consumer, channel: id, position, sequence, payload });
            count += 1;
        }
        if count > 0 {
            acts.emit(Event::Resent(count));
        }
    }

    fn settle(&mut self, sequence: Sequence, acts: &mut Acts) {
        let Some(payload) = self.outstanding.remove(&sequence) else {
            unreachable!("what is on a channel is outstanding")
        };
        self.bytes -= payload.len();
        let awaited = self.awaited.remove(&sequence).unwrap_or_default();
        self.awaiting -= awaited.len();
        for token in awaited {
            acts.reply(token, Reply::Done);
        }
    }

    /// Everything up to here is confirmed.
    fn upto(&self) -> Sequence {
        self.outstanding.keys().next().map_or(self.next, |first| *first).previous()
    }

    fn write_settled(&mut self, acts: &mut Acts) {
        let upto = self.upto();
        let (mut beyond, mut after) = (Vec::new(), upto.next());
        for &sequence in self.outstanding.keys().chain([&self.next]) {
            if after < sequence {
                beyond.push((after.0, sequence.previous().0));
            }
            after = sequence.next();
        }
        acts.0.push(Act::Keep(Record::Settled { stream: self.stream, upto, beyond }));
        if upto > self.forgotten {
            self.forgotten = upto;
            acts.0.push(Act::Forget(upto));
        }
    }

    /// For how much there is room: in memory, and for numbers after the first unconfirmed one.
    fn real_room(&self) -> (usize, usize) {
        let ProducerOptions { messages_max, bytes_max, .. } = self.options;
        let span = usize::try_from(self.next.previous().0 - self.upto().0).unwrap_or(usize::MAX);
        let numbers = messages_max.saturating_mul(SPAN).saturating_sub(span);
        let messages = messages_max.saturating_sub(self.outstanding.len()).min(numbers);
        (messages, bytes_max.saturating_sub(self.bytes))
    }

    fn tell_room(&mut self, acts: &mut Acts) {
        let real = self.real_room();
        let more = (real.0.saturating_sub(self.room.0), real.1.saturating_sub(self.room.1));
        if more != (0, 0) {
            self.room = (self.room.0 + more.0, self.room.1 + more.1);
            acts.emit(Event::Room { messages: more.0, bytes: more.1 });
        }
    }
}
