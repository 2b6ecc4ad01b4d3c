//! A channel at its consumer: what has come over it in order, and what of that is done.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::delivery::numbers::{ChannelId, Position, Sequence};
use crate::types::Timestamp;

/// A message that has come.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) sequence: Sequence,
    pub(super) payload: Bytes,
    pub(super) attempt: u32,
    pub(super) stage: Stage,
}

/// How far a message has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It is to be handed out, not before this.
    Waiting(Timestamp),
    /// The handler has it.
    InHand,
    /// It is confirmed.
    Done,
}

/// One way from a producer.
#[derive(Clone, Debug)]
pub(super) struct Inlet {
    pub(super) id: ChannelId,
    /// Everything up to here is confirmed.
    confirmed: Position,
    /// What came after that, without a gap.
    slots: VecDeque<Slot>,
    /// Whether the producer was told that something is missing, since something came.
    pub(super) complained: bool,
    /// How far it was told that it may send.
    told: Position,
    /// Whether it is to hear of a confirmation.
    pub(super) owed: bool,
}

impl Inlet {
    pub(super) fn new(id: ChannelId, ahead: u32) -> Self {
        Self {
            id,
            confirmed: Position(0),
            slots: VecDeque::new(),
            complained: false,
            told: Position(u64::from(ahead)),
            owed: false,
        }
    }

    /// The next place to be filled.
    pub(super) fn next(&self) -> Position {
        Position(self.confirmed.0 + self.slots.len() as u64 + 1)
    }

    /// Whether a place is within what the producer was granted.
    pub(super) fn allows(&self, position: Position) -> bool {
        position <= self.told
    }

    /// Puts what came into the next place.
    pub(super) fn push(&mut self, slot: Slot) {
        self.slots.push_back(slot);
        self.complained = false;
        self.advance();
    }

    /// The first message that is to be handed out by now. Where order counts, it is the first that is not with the handler.
    pub(super) fn due(&mut self, now: Timestamp, in_order: bool) -> Option<&mut Slot> {
        let mut waiting = self.slots.iter_mut().filter(|slot| matches!(slot.stage, Stage::Waiting(_)));
        let is_due = |slot: &&mut Slot| matches!(slot.stage, Stage::Waiting(from) if from <= now);
        if in_order { waiting.next().filter(is_due) } else { waiting.find(is_due) }
    }

    /// When the next message may be handed out, which may have been.
    pub(super) fn deadline(&self, in_order: bool) -> Option<Timestamp> {
        let mut waiting = self.slots.iter().filter_map(|slot| match slot.stage {
            Stage::Waiting(from) => Some(from),
            Stage::InHand | Stage::Done => None,
        });
        if in_order { waiting.next() } else { waiting.min() }
    }

    /// The message with this number, if it came over this channel and is not done.
    pub(super) fn slot(&mut self, sequence: Sequence) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|slot| slot.sequence == sequence && slot.stage != Stage::Done)
    }

    /// Lets go of what is done at the front.
    pub(super) fn advance(&mut self) {
        while self.slots.front().is_some_and(|slot| slot.stage == Stage::Done) {
            self.slots.pop_front();
            self.confirmed = self.confirmed.next();
        }
    }

    /// Whether the producer should hear of confirmations at once: it might be waiting for them.
    pub(super) fn is_pressing(&self, ahead: u32) -> bool {
        let idle = !self.slots.iter().any(|slot| matches!(slot.stage, Stage::Waiting(_)));
        idle || self.told.0 - self.confirmed.0 <= u64::from(ahead) / 2
    }

    /// What the producer is told: what has come, what is confirmed and beyond that, and how far it may send.
    pub(super) fn report(&mut self, ahead: u32) -> (Position, Position, Vec<(u64, u64)>, Position) {
        self.owed = false;
        self.told = self.told.max(Position(self.confirmed.0 + u64::from(ahead)));
        let mut beyond: Vec<(u64, u64)> = Vec::new();
        for (place, slot) in (self.confirmed.0 + 1..).zip(&self.slots) {
            match beyond.last_mut() {
                _ if slot.stage != Stage::Done => {}
                Some((_, last)) if *last + 1 == place => *last = place,
                Some(_) | None => beyond.push((place, place)),
            }
        }
        (self.next().previous(), self.confirmed, beyond, self.told)
    }
}
