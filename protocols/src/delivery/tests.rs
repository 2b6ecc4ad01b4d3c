//! Reliable delivery: many seeds under faults, and the rules that a seed might take long to meet.

mod study;

use bytes::Bytes;

use self::study::{Plan, Studied, Study};
use crate::delivery::{
    ChannelId, Command, Config, ConsumerId, ConsumerOptions, Delivery, Event, Message, Order, Position,
    ProducerOptions, Record, Refusal, Reply, Sequence, StreamId,
};
use crate::protocol::{Effect, Input, Outbox, Protocol, Recovered};
use crate::sim::FaultKind;
use crate::types::{NodeId, SessionId, Timestamp, Token, WriteId};

fn plan(seed: u64, order: Order, durable: bool) -> Plan {
    let in_hand = if order == Order::Sequential && !seed.is_multiple_of(4) { 1 } else { 3 };
    let (producers, consumers) = match seed % 3 {
        0 => (vec![1], vec![2, 3]),
        1 => (vec![1, 2], vec![2, 3]),
        _ => (vec![1], vec![1, 2, 3]),
    };
    Plan { order, durable, in_hand, producers, consumers, mortal: durable || seed.is_multiple_of(2) }
}

/// Runs a seed for each way to deliver; gives what all came to together.
fn studies(seeds: std::ops::Range<u64>) -> Studied {
    let mut sum = Studied::default();
    for seed in seeds {
        for (order, durable) in
            [(Order::Sequential, false), (Order::Sequential, true), (Order::Jobs, false), (Order::Jobs, true)]
        {
            let studied = Study::new(seed, plan(seed, order, durable)).run();
            sum.accepted += studied.accepted;
            sum.handed += studied.handed;
            sum.again += studied.again;
            sum.confirmed += studied.confirmed;
            sum.resent += studied.resent;
            sum.reassigned += studied.reassigned;
            sum.faults.merge(&studied.faults);
            for (path, count) in studied.reached {
                *sum.reached.entry(path).or_default() += count;
            }
        }
    }
    sum
}

/// `SYNOD_DELIVERY_SEEDS=A..B` runs others.
fn seeds() -> std::ops::Range<u64> {
    let given = std::env::var("SYNOD_DELIVERY_SEEDS").ok();
    let ends = given.as_deref().and_then(|given| given.split_once(".."));
    ends.map_or(0..8, |(first, end)| first.parse().expect("a number")..end.parse().expect("a number"))
}

#[test]
fn every_accepted_message_is_confirmed_whatever_strikes() {
    let sum = studies(seeds());
    println!("{sum:?}");
    assert!(sum.accepted > 8_000 && sum.handed >= sum.accepted, "{sum:?}");
    assert!(sum.again > 100 && sum.resent > 100 && sum.reassigned > 20, "{sum:?}");
    for kind in [
        FaultKind::Crash,
        FaultKind::Pause,
        FaultKind::Partition,
        FaultKind::OneWayPartition,
        FaultKind::Loss,
    ] {
        assert!(sum.faults.count(kind).injected > 0, "{kind} never struck");
    }
    for path in [
        "a message that had come before",
        "a message after a gap",
        "a message that was confirmed before",
        "a message that the handler has",
        "a message for a consumer that has gone",
        "a channel that the producer has given up",
        "a consumer was silent for too long",
        "another consumer on the same node",
    ] {
        assert!(sum.reached.contains_key(path), "never: {path}; {:?}", sum.reached);
    }
}

/// One machine, its time and what it wanted done since the last look.
struct Bench {
    machine: Delivery,
    now: Timestamp,
    token: Token,
}

const PEER: NodeId = NodeId(2);
const JOBS: ProducerOptions =
    ProducerOptions { order: Order::Jobs, durable: true, messages_max: 4, bytes_max: 100 };

impl Bench {
    fn new(recovered: Recovered<Record>) -> Self {
        let machine = Delivery::restore(Config::lan(NodeId(1)), 9, recovered);
        Self { machine, now: Timestamp(1_000), token: Token::ZERO }
    }

    fn step(&mut self, input: Input<Delivery>) -> Vec<Effect<Delivery>> {
        let mut out = Outbox::default();
        self.machine.handle(self.now, input, &mut out);
        out.take()
    }

    fn ask(&mut self, command: Command) -> Vec<Effect<Delivery>> {
        self.token = self.token.next();
        self.step(Input::Command { token: self.token, command })
    }

    fn reply(&mut self, command: Command) -> Reply {
        let effects = self.ask(command);
        let reply = effects.iter().find_map(|effect| match effect {
            Effect::Reply { reply, .. } => Some(*reply),
            _ => None,
        });
        reply.expect("every command is answered at once here")
    }

    fn hear(&mut self, message: Message) -> Vec<Effect<Delivery>> {
        self.step(Input::Message { from: PEER, session: SessionId(1), message })
    }
}

fn send(text: &'static [u8]) -> Command {
    Command::Send(Bytes::from_static(text))
}

fn said(effects: &[Effect<Delivery>]) -> Vec<Message> {
    let said = effects.iter().filter_map(|effect| match effect {
        Effect::Send { message, .. } => Some(message.clone()),
        _ => None,
    });
    said.collect()
}

#[test]
fn a_durable_message_is_neither_accepted_nor_delivered_before_it_is_on_the_disk() {
    let mut bench = Bench::new(Recovered::default());
    bench.ask(Command::Produce(JOBS));
    bench.hear(Message::Ready { consumer: ConsumerId(7), messages: 8, bytes: 1_000 });
    let effects = bench.ask(send(b"one"));
    let write = effects.iter().find_map(|effect| match effect {
        Effect::Persist { id, .. } => Some(*id),
        _ => None,
    });
    let write = write.expect("it is written");
    assert!(write > WriteId::ZERO);
    let mut waited = 0;
    for effect in &effects {
        match effect {
            Effect::Reply { after, reply, .. } => {
                assert_eq!((*after, *reply), (write, Reply::Accepted(Sequence(1))));
                waited += 1;
            }
            Effect::Send { after, message: Message::Deliver { .. }, .. } => {
                assert_eq!(*after, write);
                waited += 1;
            }
            _ => {}
        }
    }
    assert_eq!(waited, 2, "{effects:?}");
}

#[test]
fn what_is_confirmed_beyond_a_gap_is_not_sent_again_after_a_restart() {
    let accepted = |sequence: u64| Record::Accepted {
        sequence: Sequence(sequence),
        payload: Bytes::from(vec![sequence as u8]),
    };
    let settled = Record::Settled { stream: StreamId(5), upto: Sequence(3), beyond: vec![(5, 6), (8, 8)] };
    let recovered = Recovered { cells: vec![settled], snapshot: None, log: (2..=9).map(accepted).collect() };
    let mut bench = Bench::new(recovered.clone());
    let volatile = ProducerOptions { durable: false, ..JOBS };
    assert_eq!(bench.reply(Command::Produce(volatile)), Reply::Refused(Refusal::Durable));
    let reply = bench.reply(Command::Produce(JOBS));
    assert_eq!(reply, Reply::Producing { stream: StreamId(5), unconfirmed: 3, messages: 1, bytes: 97 });
    let effects = bench.hear(Message::Ready { consumer: ConsumerId(7), messages: 8, bytes: 1_000 });
    let sequences = said(&effects).into_iter().filter_map(|message| match message {
        Message::Deliver { sequence, payload, .. } => Some((sequence.0, payload[0])),
        _ => None,
    });
    assert_eq!(sequences.collect::<Vec<_>>(), [(4, 4), (7, 7), (9, 9)]);
    assert_eq!(bench.reply(send(b"ten")), Reply::Accepted(Sequence(10)));
    assert_eq!(bench.reply(send(b"eleven")), Reply::Refused(Refusal::Full));
    assert_eq!(bench.reply(Command::Produce(JOBS)), Reply::Refused(Refusal::Taken));
}

#[test]
fn room_is_refused_in_messages_bytes_and_on_the_disk() {
    let mut bench = Bench::new(Recovered::default());
    assert_eq!(bench.reply(send(b"none")), Reply::Refused(Refusal::Idle));
    bench.ask(Command::Produce(JOBS));
    assert_eq!(bench.reply(Command::Send(vec![0; 101].into())), Reply::Refused(Refusal::TooLarge));
    assert_eq!(bench.reply(Command::Send(vec![0; 60].into())), Reply::Accepted(Sequence(1)));
    assert_eq!(bench.reply(Command::Send(vec![0; 60].into())), Reply::Refused(Refusal::Full));
    bench.step(Input::Space { available: false });
    assert_eq!(bench.reply(send(b"small")), Reply::Refused(Refusal::NoSpace));
    bench.step(Input::Space { available: true });
    assert_eq!(bench.reply(send(b"small")), Reply::Accepted(Sequence(2)));
    assert_eq!(bench.reply(Command::Await(Sequence(3))), Reply::Refused(Refusal::Unknown));
    bench.step(Input::WriteFailed);
    assert_eq!(bench.reply(send(b"small")), Reply::Refused(Refusal::Failed));
}

#[test]
fn a_consumer_that_claims_what_was_never_sent_confirms_nothing() {
    let mut bench = Bench::new(Recovered::default());
    bench.ask(Command::Produce(ProducerOptions { durable: false, ..JOBS }));
    bench.hear(Message::Ready { consumer: ConsumerId(7), messages: u32::MAX, bytes: u32::MAX });
    let effects = bench.ask(send(b"one"));
    let channel = said(&effects).into_iter().find_map(|message| match message {
        Message::Deliver { channel, .. } => Some(channel),
        _ => None,
    });
    let channel = channel.expect("there is room for it");
    let state = |received: u64, confirmed: u64, beyond: &[(u64, u64)]| Message::State {
        channel,
        received: Position(received),
        confirmed: Position(confirmed),
        beyond: beyond.to_vec(),
        upto: Position(u64::MAX),
        missing: true,
    };
    for lie in [
        state(2, 2, &[]),
        state(0, 1, &[]),
        state(u64::MAX, u64::MAX, &[]),
        state(1, 0, &[(0, 1)]),
        state(1, 0, &[(1, 2)]),
        state(1, 0, &[(1, 1), (1, 1)]),
        state(1, 0, &[(1, 0)]),
    ] {
        bench.hear(lie.clone());
        assert_eq!(bench.machine.unconfirmed(), 1, "{lie:?}");
    }
    let other = Message::State {
        channel: ChannelId(channel.0 ^ 1),
        received: Position(1),
        confirmed: Position(1),
        beyond: Vec::new(),
        upto: Position(9),
        missing: false,
    };
    let effects = bench.hear(other);
    assert_eq!(said(&effects), [Message::Closed { channel: ChannelId(channel.0 ^ 1) }]);
    assert_eq!(bench.machine.unconfirmed(), 1);
    bench.hear(state(1, 0, &[(1, 1)]));
    assert_eq!(bench.machine.unconfirmed(), 0);
}

#[test]
fn a_producer_that_sends_more_than_it_may_or_over_a_channel_that_it_gave_up_is_not_heard() {
    let mut bench = Bench::new(Recovered::default());
    let options = ConsumerOptions { ahead: 2, bytes: 100, in_hand: 1 };
    let Reply::Consuming(consumer) = bench.reply(Command::Consume(options)) else { panic!("it consumes") };
    let deliver = |channel: u64, position: u64| Message::Deliver {
        stream: StreamId(1),
        consumer,
        channel: ChannelId(channel),
        position: Position(position),
        sequence: Sequence(position),
        payload: Bytes::from_static(b"word"),
    };
    let handed = |effects: &[Effect<Delivery>]| {
        let hands =
            effects.iter().filter(|effect| matches!(effect, Effect::Emit { event: Event::Hand { .. }, .. }));
        hands.count()
    };
    assert_eq!(handed(&bench.hear(deliver(1, 1))), 1);
    assert_eq!(handed(&bench.hear(deliver(1, 1))), 0, "once");
    bench.hear(deliver(1, 2));
    let effects = bench.hear(deliver(1, 3));
    assert_eq!(said(&effects), [], "beyond what it was granted");
    let asked = bench.hear(Message::Probe { stream: StreamId(1), consumer, channel: ChannelId(1) });
    let expected = Message::State {
        channel: ChannelId(1),
        received: Position(2),
        confirmed: Position(0),
        beyond: Vec::new(),
        upto: Position(2),
        missing: true,
    };
    assert_eq!(said(&asked), [expected]);
    // Another channel of the same stream: what the handler has is not handed out again, and the channel before is late.
    assert_eq!(handed(&bench.hear(deliver(2, 1))), 0);
    assert_eq!(said(&bench.hear(deliver(1, 2))), [Message::Gone { channel: ChannelId(1) }]);
    bench.hear(deliver(2, u64::MAX));
    // Other people's tickets are not this consumer's.
    let gone = bench.hear(Message::Probe {
        stream: StreamId(1),
        consumer: ConsumerId(consumer.0 ^ 1),
        channel: ChannelId(3),
    });
    assert_eq!(said(&gone)[0], Message::Gone { channel: ChannelId(3) });
}

#[test]
fn what_was_given_back_is_handed_out_in_time_also_when_something_comes_just_before() {
    let mut bench = Bench::new(Recovered::default());
    let options = ConsumerOptions { ahead: 2, bytes: 100, in_hand: 1 };
    let Reply::Consuming(consumer) = bench.reply(Command::Consume(options)) else { panic!("it consumes") };
    let (stream, channel) = (StreamId(1), ChannelId(1));
    let payload = Bytes::from_static(b"word");
    let (position, sequence) = (Position(1), Sequence(1));
    let effects = bench.hear(Message::Deliver { stream, consumer, channel, position, sequence, payload });
    let ticket = effects.iter().find_map(|effect| match effect {
        Effect::Emit { event: Event::Hand { ticket, .. }, .. } => Some(*ticket),
        _ => None,
    });
    bench.ask(Command::Return(ticket.expect("it is handed out")));
    let due = bench.machine.next_deadline().expect("it is handed out again");
    bench.now = due.after(std::time::Duration::from_secs(3));
    bench.hear(Message::Probe { stream, consumer, channel });
    assert_eq!(bench.machine.next_deadline(), Some(due), "the timer has not rung");
    let again = bench.step(Input::Timeout);
    let handed = |effect: &Effect<Delivery>| {
        matches!(effect, Effect::Emit { event: Event::Hand { attempt: 1, .. }, .. })
    };
    assert!(again.iter().any(handed), "{again:?}");
    assert_eq!(bench.machine.next_deadline(), None);
}
