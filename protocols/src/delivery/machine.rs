//! The one `match` over what a machine of reliable delivery hears.

use crate::delivery::acts::Acts;
use crate::delivery::channel::{Ready, Report};
use crate::delivery::config::{Config, ProducerOptions};
use crate::delivery::consumer::{Consumer, Delivered};
use crate::delivery::message::{Command, Event, Message, Refusal, Reply};
use crate::delivery::numbers::{ChannelId, ConsumerId};
use crate::delivery::producer::Producer;
use crate::delivery::record::Record;
use crate::delivery::state::Delivery;
use crate::protocol::{Input, Outbox, Protocol, Recovered};
use crate::types::{NodeId, Timestamp, Token};

impl Protocol for Delivery {
    const NAME: &'static str = "delivery";

    type Config = Config;
    type Message = Message;
    type Command = Command;
    type Reply = Reply;
    type Event = Event;
    type Record = Record;

    fn restore(config: Config, seed: u64, recovered: Recovered<Record>) -> Self {
        Self::recover(config, seed, recovered)
    }

    fn handle(&mut self, now: Timestamp, input: Input<Self>, out: &mut Outbox<Self>) {
        self.now = now;
        let mut acts = Acts::default();
        match input {
            Input::Message { from, message, .. } => self.hear(from, message, &mut acts),
            Input::Command { token, command } => self.obey(token, command, &mut acts),
            Input::Timeout => self.tick(&mut acts),
            Input::Persisted(id) => self.durable = self.durable.max(id),
            Input::WriteFailed => self.has_failed = true,
            Input::Space { available } => self.has_space = available,
            Input::Reachable { peer, .. } => {
                self.reachable.insert(peer);
                if let Some(producer) = &self.producer {
                    producer.offer(peer, &mut acts);
                }
            }
            Input::Unreachable { peer } => {
                self.reachable.remove(&peer);
                if let Some(producer) = &mut self.producer {
                    producer.lose(now, peer, &mut acts);
                }
            }
            // It applies nothing, has no snapshots, reads nothing back and watches by itself.
            Input::Suspected { .. }
            | Input::Loaded { .. }
            | Input::Applied { .. }
            | Input::SnapshotTaken { .. }
            | Input::SnapshotFailed
            | Input::SnapshotSent { .. }
            | Input::SnapshotReceived { .. }
            | Input::SnapshotInstalled(_) => {}
        }
        self.carry_out(acts, out);
        while let Some(message) = self.overhear() {
            let mut acts = Acts::default();
            self.hear(self.config.id, message, &mut acts);
            self.carry_out(acts, out);
        }
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        let producer = self.producer.as_ref().and_then(Producer::deadline);
        let consumer = self.consumer.as_ref().and_then(Consumer::deadline);
        producer.into_iter().chain(consumer).min()
    }
}

impl Delivery {
    fn hear(&mut self, from: NodeId, message: Message, acts: &mut Acts) {
        let now = self.now;
        match message {
            Message::Offer => {
                if let Some(consumer) = &self.consumer {
                    consumer.volunteer(from, acts);
                }
            }
            Message::Deliver { stream, consumer, channel, position, sequence, payload } => {
                let delivered = Delivered { stream, channel, position, sequence, payload };
                if let Some(consumer) = self.consumer_of(from, consumer, channel, acts) {
                    consumer.take(now, from, delivered, acts);
                }
            }
            Message::Probe { stream, consumer, channel } => {
                if let Some(consumer) = self.consumer_of(from, consumer, channel, acts) {
                    consumer.answer(from, stream, channel, acts);
                }
            }
            Message::Closed { channel } => {
                if let Some(consumer) = &mut self.consumer {
                    consumer.closed(from, channel, acts);
                }
            }
            Message::Ready { .. } | Message::State { .. } | Message::Gone { .. } | Message::Leave { .. } => {
                if let Some(producer) = &mut self.producer {
                    listen(now, producer, from, message, acts);
                }
            }
        }
    }

    /// The consumer for whom a message is; who sent it to another one is told that that one has gone.
    fn consumer_of(
        &mut self,
        from: NodeId,
        wanted: ConsumerId,
        channel: ChannelId,
        acts: &mut Acts,
    ) -> Option<&mut Consumer> {
        let present = self.consumer.as_mut();
        if present.as_ref().is_none_or(|consumer| consumer.id != wanted) {
            acts.reached("a message for a consumer that has gone");
            acts.send_early(from, Message::Gone { channel });
            if let Some(consumer) = present {
                consumer.volunteer(from, acts);
            }
            return None;
        }
        present
    }

    fn obey(&mut self, token: Token, command: Command, acts: &mut Acts) {
        let now = self.now;
        let reply = match command {
            Command::Produce(options) => self.produce(options, acts),
            Command::Send(_) if self.has_failed => Reply::Refused(Refusal::Failed),
            Command::Send(payload) => match &mut self.producer {
                Some(producer) => return producer.accept(now, token, payload, self.has_space, acts),
                None => Reply::Refused(Refusal::Idle),
            },
            Command::Await(sequence) => match &mut self.producer {
                Some(producer) => return producer.await_confirmation(token, sequence, acts),
                None => Reply::Refused(Refusal::Idle),
            },
            Command::Consume(_) if self.consumer.is_some() => Reply::Refused(Refusal::Taken),
            Command::Consume(options) => {
                let id = ConsumerId(self.chance.next_u64());
                let consumer = self.consumer.insert(Consumer::new(self.config, options, id));
                for &peer in &self.reachable {
                    consumer.volunteer(peer, acts);
                }
                Reply::Consuming(id)
            }
            Command::Retire => {
                if let Some(consumer) = self.consumer.take() {
                    consumer.leave(&self.reachable, acts);
                }
                Reply::Done
            }
            Command::Confirm(ticket) => self.with_consumer(|consumer| consumer.confirm(now, ticket, acts)),
            Command::Return(ticket) => self.with_consumer(|consumer| consumer.take_back(now, ticket, acts)),
        };
        acts.reply(token, reply);
    }

    fn produce(&mut self, options: ProducerOptions, acts: &mut Acts) -> Reply {
        if self.producer.is_some() {
            return Reply::Refused(Refusal::Taken);
        }
        if self.kept.is_some() && !options.durable {
            return Reply::Refused(Refusal::Durable);
        }
        let seed = self.chance.next_u64();
        let producer = Producer::new(self.config, options, seed, self.kept.take(), acts);
        for &peer in &self.reachable {
            producer.offer(peer, acts);
        }
        self.producer.insert(producer).welcome()
    }

    fn with_consumer(&mut self, deed: impl FnOnce(&mut Consumer)) -> Reply {
        match &mut self.consumer {
            Some(consumer) => {
                deed(consumer);
                Reply::Done
            }
            None => Reply::Refused(Refusal::Idle),
        }
    }

    fn tick(&mut self, acts: &mut Acts) {
        if let Some(producer) = &mut self.producer {
            producer.tick(self.now, &self.reachable, acts);
        }
        if let Some(consumer) = &mut self.consumer {
            consumer.tick(self.now, acts);
        }
    }
}

/// Lets a producer hear what a consumer says.
fn listen(now: Timestamp, producer: &mut Producer, from: NodeId, message: Message, acts: &mut Acts) {
    match message {
        Message::Ready { consumer, messages, bytes } => {
            producer.welcome_consumer(now, from, Ready { consumer, messages, bytes }, acts);
        }
        Message::State { channel, received, confirmed, beyond, upto, missing } => {
            let report = Report { received, confirmed, beyond, upto, missing };
            producer.hear(now, from, channel, &report, acts);
        }
        Message::Gone { channel } => producer.part(now, from, channel, acts),
        Message::Leave { consumer } => producer.dismiss(now, from, consumer, acts),
        // What producers say is not for them.
        Message::Offer | Message::Deliver { .. } | Message::Probe { .. } | Message::Closed { .. } => {}
    }
}
