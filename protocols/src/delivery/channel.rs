//! A channel at its producer: what was sent over it and is not confirmed, and how far it may run.

use std::collections::VecDeque;
use std::time::Duration;

use crate::delivery::numbers::{ChannelId, ConsumerId, Position, Sequence};
use crate::types::Timestamp;

/// A consumer that takes messages, and how many at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ready {
    pub(super) consumer: ConsumerId,
    pub(super) messages: u32,
    pub(super) bytes: u32,
}

/// What a consumer says of its channel.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) received: Position,
    pub(super) confirmed: Position,
    pub(super) beyond: Vec<(u64, u64)>,
    pub(super) upto: Position,
    pub(super) missing: bool,
}

/// A message that was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) position: Position,
    pub(super) sequence: Sequence,
    pub(super) bytes: usize,
}

/// One way to one consumer.
#[derive(Clone, Debug)]
pub(super) struct Channel {
    pub(super) id: ChannelId,
    pub(super) consumer: ConsumerId,
    /// Whether there is a link to the consumer's node.
    pub(super) linked: bool,
    /// When something was sent over it last, as a count: what has rested longest comes first.
    pub(super) turn: u64,
    next: Position,
    sent: VecDeque<Sent>,
    bytes: usize,
    received: Position,
    upto: Position,
    bytes_max: usize,
    heard: Timestamp,
    /// When to ask for news next, and how long after that.
    probe_at: Option<Timestamp>,
    pause: Duration,
}

/// What is to be done about a consumer's silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// Nothing yet.
    Short,
    /// Ask.
    Long,
    /// Give it up.
    TooLong,
}

/// Further than this nobody lets a channel run: who says so lies.
const AHEAD_MAX: u64 = 1 << 16;

impl Channel {
    pub(super) fn new(now: Timestamp, id: ChannelId, ready: Ready, retry: Duration) -> Self {
        Self {
            id,
            consumer: ready.consumer,
            linked: true,
            turn: 0,
            next: Position(1),
            sent: VecDeque::new(),
            bytes: 0,
            received: Position(0),
            upto: Position(u64::from(ready.messages).min(AHEAD_MAX)),
            bytes_max: ready.bytes as usize,
            heard: now,
            probe_at: None,
            pause: retry,
        }
    }

    /// Whether a message of so many bytes may be sent. One message may, whatever its size.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.linked
            && self.next <= self.upto
            && (self.sent.is_empty() || self.bytes + bytes <= self.bytes_max)
    }

    /// Gives a message its place.
    pub(super) fn assign(
        &mut self,
        now: Timestamp,
        sequence: Sequence,
        bytes: usize,
        retry: Duration,
    ) -> Position {
        let position = self.next;
        self.next = position.next();
        if self.sent.is_empty() {
            // The consumer had nothing to say before.
            self.heard = now;
            (self.probe_at, self.pause) = (Some(now.after(retry)), retry);
        }
        self.sent.push_back(Sent { position, sequence, bytes });
        self.bytes += bytes;
        position
    }

    /// Takes a consumer's word into account; gives what it confirms. `None` when it speaks of what was never sent.
    pub(super) fn hear(
        &mut self,
        now: Timestamp,
        report: &Report,
        retry: Duration,
    ) -> Option<VecDeque<Sent>> {
        let Report { received, confirmed, beyond, upto, .. } = report;
        let last = self.next.previous();
        let ascending = beyond.windows(2).all(|two| two[0].1 < two[1].0);
        let inside =
            beyond.iter().all(|&(first, end)| confirmed.0 < first && first <= end && end <= received.0);
        if *received > last || confirmed > received || !ascending || !inside {
            return None;
        }
        self.heard = now;
        self.received = self.received.max(*received);
        self.upto = self.upto.max(Position(upto.0.min(confirmed.0.saturating_add(AHEAD_MAX))));
        let is_confirmed = |position: Position| {
            let run = beyond.partition_point(|&(_, end)| end < position.0);
            position <= *confirmed || beyond.get(run).is_some_and(|&(first, _)| first <= position.0)
        };
        let (done, left): (VecDeque<_>, _) =
            std::mem::take(&mut self.sent).into_iter().partition(|sent| is_confirmed(sent.position));
        self.sent = left;
        self.bytes -= done.iter().map(|sent| sent.bytes).sum::<usize>();
        if self.sent.is_empty() {
            self.probe_at = None;
        } else if !done.is_empty() {
            (self.probe_at, self.pause) = (Some(now.after(retry)), retry);
        }
        Some(done)
    }

    /// What was sent and had not come when the consumer spoke last.
    pub(super) fn missing(&self) -> impl Iterator<Item = Sent> {
        let first = self.sent.partition_point(|sent| sent.position <= self.received);
        self.sent.range(first..).copied()
    }

    /// What a consumer's silence calls for by now.
    pub(super) fn silence(&mut self, now: Timestamp, patience: Duration) -> Silence {
        if self.sent.is_empty() {
            return Silence::Short;
        }
        if now.since(self.heard) >= patience {
            return Silence::TooLong;
        }
        let Some(_due) = self.probe_at.take_if(|at| *at <= now) else { return Silence::Short };
        self.pause = (self.pause * 2).min(patience / 4);
        self.probe_at = Some(now.after(self.pause));
        Silence::Long
    }

    /// When to look at its silence again.
    pub(super) fn deadline(&self, patience: Duration) -> Option<Timestamp> {
        self.probe_at.map(|at| at.min(self.heard.after(patience)))
    }

    /// How much is unconfirmed.
    pub(super) fn load(&self) -> usize {
        self.sent.len()
    }

    /// What is unconfirmed, of a channel that is given up.
    pub(super) fn into_unconfirmed(self) -> impl Iterator<Item = Sequence> {
        self.sent.into_iter().map(|sent| sent.sequence)
    }
}
