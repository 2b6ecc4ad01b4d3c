//! What one lane has written and the peer has not acknowledged: kept as it was encoded, to be written again after a break.
//!
//! Not a queue of messages: it keeps the batches that were written, and counts frames. Trusts no count of the peer.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};

use crate::length;

/// What is kept of one lane.
#[derive(Debug)]
pub(crate) struct Replay {
    kept: VecDeque<Kept>,
    /// Frames of the session that came before those in `kept`.
    start: u64,
    /// Frames that the peer has said it received.
    received: u64,
    /// Frames that were written to some connection.
    written: u64,
    /// How many of `kept` were written to the connection that is there.
    position: usize,
    bytes: usize,
    limit: usize,
}

/// One batch.
#[derive(Debug)]
struct Kept {
    /// Frames of the session up to and with this batch.
    end: u64,
    bytes: Bytes,
}

/// A count that no honest peer gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{claimed} frames are claimed to be received, between {least} and {most} can be")]
pub(crate) struct Impossible {
    /// What it says it has received.
    pub(crate) claimed: u64,
    /// What it had received before.
    pub(crate) least: u64,
    /// What it can have received.
    pub(crate) most: u64,
}

impl Replay {
    /// Keeps nothing yet; it is full at `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { kept: VecDeque::new(), start: 0, received: 0, written: 0, position: 0, bytes: 0, limit }
    }

    /// Whether another batch may be written.
    pub(crate) fn has_room(&self) -> bool {
        self.bytes < self.limit
    }

    /// Whether everything was acknowledged.
    pub(crate) fn is_empty(&self) -> bool {
        self.received == self.written
    }

    /// Keeps a batch of `count` whole frames that is about to be written to the connection that is there.
    pub(crate) fn keep(&mut self, bytes: Bytes, count: usize) {
        debug_assert_eq!(self.position, self.kept.len(), "what was written before is written again first");
        self.written += count as u64;
        self.bytes += bytes.len();
        self.kept.push_back(Kept { end: self.written, bytes });
        self.position += 1;
    }

    /// The next batch that the connection that is there has not carried yet, and how many frames it holds.
    pub(crate) fn again(&mut self) -> Option<(Bytes, usize)> {
        let kept = self.kept.get(self.position)?;
        let count = kept.end - self.carried();
        let bytes = kept.bytes.clone();
        self.position += 1;
        Some((bytes, usize::try_from(count).unwrap_or(usize::MAX)))
    }

    /// The peer has received this many frames over the connection that is there and those before.
    pub(crate) fn acknowledge(&mut self, received: u64) -> Result<(), Impossible> {
        // What the connection has not carried was not received over it, and what came over others was told at its beginning.
        let most = self.carried().max(self.received);
        if received > most {
            return Err(Impossible { claimed: received, least: self.received, most });
        }
        self.forget(received);
        Ok(())
    }

    /// Another connection is there, over which the peer says what it has received: the rest is to be written again. Gives how many
    /// frames that is.
    pub(crate) fn resume(&mut self, received: u64) -> Result<u64, Impossible> {
        if received < self.received || received > self.written {
            return Err(Impossible { claimed: received, least: self.received, most: self.written });
        }
        self.forget(received);
        self.cut();
        self.position = 0;
        Ok(self.written - self.received)
    }

    /// All frames that were written and not acknowledged, as the batches that they were; nothing is kept any longer.
    pub(crate) fn give_back(&mut self) -> Vec<Bytes> {
        self.cut();
        (self.start, self.received, self.bytes, self.position) = (self.written, self.written, 0, 0);
        self.kept.drain(..).map(|kept| kept.bytes).collect()
    }

    /// Frames of the session that the connection that is there has carried, or that came before.
    fn carried(&self) -> u64 {
        self.position.checked_sub(1).and_then(|last| self.kept.get(last)).map_or(self.start, |kept| kept.end)
    }

    /// Lets the batches go that hold nothing but received frames.
    fn forget(&mut self, received: u64) {
        self.received = self.received.max(received);
        while let Some(kept) = self.kept.front().filter(|kept| kept.end <= self.received) {
            self.start = kept.end;
            self.bytes -= kept.bytes.len();
            self.position = self.position.saturating_sub(1);
            self.kept.pop_front();
        }
    }

    /// Cuts the received frames off the first batch.
    fn cut(&mut self) {
        let Some(first) = self.kept.front_mut() else { return };
        let before = first.bytes.len();
        for _ in self.start..self.received {
            // Each batch holds whole frames, as `keep` was told.
            let Ok(Some((header, length))) = length::read(&first.bytes) else { break };
            first.bytes.advance((header + length).min(first.bytes.len()));
        }
        self.bytes -= before - first.bytes.len();
        self.start = self.received;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Frames;

    fn batch(bodies: &[&str]) -> Bytes {
        let frame = |body: &&str| [&[body.len() as u8], body.as_bytes()].concat();
        bodies.iter().flat_map(frame).collect::<Vec<u8>>().into()
    }

    fn written(batches: &[&[&str]]) -> Replay {
        let mut replay = Replay::new(64);
        for bodies in batches {
            replay.keep(batch(bodies), bodies.len());
        }
        replay
    }

    fn again(replay: &mut Replay) -> Vec<Bytes> {
        let mut bodies = Vec::new();
        while let Some((bytes, count)) = replay.again() {
            let frames: Vec<Bytes> = Frames::new(bytes).collect();
            assert_eq!(frames.len(), count);
            bodies.extend(frames);
        }
        bodies
    }

    #[test]
    fn writes_again_what_was_not_received_from_within_a_batch_on() {
        for received in 0..=5 {
            let mut replay = written(&[&["a", "bb"], &["", "dddd"], &["e"]]);
            assert_eq!(again(&mut replay), Vec::<Bytes>::new(), "the connection has carried all of it");
            assert_eq!(replay.resume(received), Ok(5 - received));
            assert_eq!(again(&mut replay), ["a", "bb", "", "dddd", "e"][received as usize..]);
            assert_eq!(replay.resume(received), Ok(5 - received), "and once more after another break");
            assert_eq!(again(&mut replay).len() as u64, 5 - received);
            assert_eq!(replay.acknowledge(5), Ok(()));
            assert!(replay.is_empty() && replay.bytes == 0);
        }
    }

    #[test]
    fn room_comes_with_acknowledgement_of_whole_batches() {
        let mut replay = Replay::new(8);
        replay.keep(batch(&["123", "456"]), 2);
        assert!(!replay.has_room());
        assert_eq!(replay.acknowledge(1), Ok(()));
        assert!(!replay.has_room(), "a batch is kept as a whole");
        assert_eq!(replay.acknowledge(2), Ok(()));
        assert!(replay.has_room() && replay.is_empty());
        assert_eq!(replay.acknowledge(1), Ok(()), "an old word says nothing");
        assert!(replay.is_empty());
    }

    #[test]
    fn counts_that_cannot_be_are_refused_and_change_nothing() {
        let mut replay = written(&[&["a"], &["b", "c"]]);
        assert_eq!(replay.acknowledge(4), Err(Impossible { claimed: 4, least: 0, most: 3 }));
        assert_eq!(replay.acknowledge(u64::MAX), Err(Impossible { claimed: u64::MAX, least: 0, most: 3 }));
        assert_eq!(replay.acknowledge(2), Ok(()));
        assert_eq!(replay.resume(1), Err(Impossible { claimed: 1, least: 2, most: 3 }), "it has forgotten");
        assert_eq!(replay.resume(4), Err(Impossible { claimed: 4, least: 2, most: 3 }), "it was never sent");
        assert_eq!(replay.resume(2), Ok(1));
        let early = replay.acknowledge(3);
        assert_eq!(
            early,
            Err(Impossible { claimed: 3, least: 2, most: 2 }),
            "this connection has not carried it"
        );
        assert_eq!(again(&mut replay), ["c"]);
        assert_eq!(replay.acknowledge(3), Ok(()));
    }

    #[test]
    fn what_comes_back_is_what_was_not_acknowledged() {
        let mut replay = written(&[&["a", "b"], &["c"]]);
        assert_eq!(replay.acknowledge(1), Ok(()));
        let back: Vec<Bytes> = replay.give_back().into_iter().flat_map(Frames::new).collect();
        assert_eq!(back, ["b", "c"]);
        assert_eq!(replay.give_back(), Vec::<Bytes>::new(), "once");
        assert!(replay.is_empty());
    }

    #[test]
    fn counting_goes_on_near_the_end_of_numbers() {
        let mut replay = Replay::new(64);
        let far = u64::MAX - 3;
        (replay.start, replay.received, replay.written) = (far, far, far);
        replay.keep(batch(&["a", "b"]), 2);
        assert_eq!(replay.acknowledge(far + 1), Ok(()));
        assert_eq!(replay.resume(far + 1), Ok(1));
        assert_eq!(again(&mut replay), ["b"]);
        assert!(replay.acknowledge(u64::MAX).is_err());
        assert_eq!(replay.acknowledge(far + 2), Ok(()));
        assert!(replay.is_empty());
    }
}
