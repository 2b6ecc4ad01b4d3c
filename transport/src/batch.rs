//! The open batch of one lane: senders append frames, a writer takes all of them at once.
//!
//! Not a queue of messages: what is appended between two writes leaves in one piece, and there is no timer. It outlives the
//! connection that carries it; what was written and not acknowledged is kept beside it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{BufMut, Bytes, BytesMut};
use tokio::sync::Notify;

use crate::contract::LinkError;
use crate::length;
use crate::session::{Impossible, Replay};

/// By how much a frame may be larger than the one before without memory being taken for it alone, in bytes.
const FRAME_SPARE: usize = 64;

/// Frames on their way to the writer of one lane.
pub(crate) struct Batch {
    state: Mutex<State>,
    /// Told when there is something to write, and when the lane closes or changes its connection: for the one writer.
    pub(crate) wake: Notify,
    room: Notify,
    limit: usize,
}

struct State {
    open: BytesMut,
    /// How many bytes of `open` are whole frames: an `encode` that panicked leaves a part beyond.
    whole: usize,
    /// How many frames those are.
    count: usize,
    /// How many bytes the last frame's length took: the next one's will take as many, or be moved.
    room: usize,
    /// The size of the last frame, which the next one is expected to have.
    usual: usize,
    /// How large the last batch was, which the next one is expected to become.
    taken: usize,
    /// Bytes that the writer took and has not written yet.
    leaving: usize,
    phase: Phase,
    /// What was written and not acknowledged; `None` for a lane that is never written again.
    replay: Option<Replay>,
    /// The connection that carries the lane, if there is one.
    carrier: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// Takes nothing more, writes what it has.
    Draining,
    Closed,
}

/// What the writer finds.
pub(crate) enum Taken {
    /// Whole frames to write, and how many they are; say [`Batch::written`] afterwards.
    Frames(Bytes, usize),
    /// Nothing to write yet.
    Nothing,
    /// Nothing to write, and nothing will come.
    End,
}

impl Batch {
    /// An empty lane that is full at `limit` bytes, and keeps at most about `replayed` bytes to write them again, if at all.
    pub(crate) fn new(limit: usize, replayed: Option<usize>) -> Self {
        let state = State {
            open: BytesMut::new(),
            whole: 0,
            count: 0,
            room: 1,
            usual: 0,
            taken: 0,
            leaving: 0,
            phase: Phase::Open,
            replay: replayed.map(Replay::new),
            carrier: None,
        };
        Self { state: Mutex::new(state), wake: Notify::new(), room: Notify::new(), limit }
    }

    /// Appends one frame of at most `frame_max` bytes; `true` when the batch was empty, and its writer was woken.
    pub(crate) fn push(
        &self,
        frame_max: usize,
        encode: &mut dyn FnMut(&mut BytesMut),
    ) -> Result<bool, LinkError> {
        let mut state = self.lock();
        state.check()?;
        let start = state.whole;
        if start + state.leaving >= self.limit {
            return Err(LinkError::Full);
        }
        let room = state.room;
        state.open.truncate(start);
        state.make_room();
        state.open.put_bytes(0, room);
        encode(&mut state.open);
        let size = state.open.len() - start - room;
        if size > frame_max {
            state.open.truncate(start);
            return Err(LinkError::TooLarge { size, limit: frame_max });
        }
        // The limit of frames is below 4 GiB, as `Config::check` demands.
        length::write(&mut state.open, start, room);
        state.room = length::width(size);
        state.usual = size;
        state.whole = state.open.len();
        state.count += 1;
        drop(state);
        if start == 0 {
            self.wake.notify_one();
        }
        Ok(start == 0)
    }

    /// Takes, for the connection with this number, what has to be written again, else all whole frames.
    pub(crate) fn take(&self, carrier: u64) -> Taken {
        let mut state = self.lock();
        if state.carrier != Some(carrier) || state.phase == Phase::Closed {
            drop(state);
            // The wake was meant for the writer of the connection that is there.
            self.wake.notify_one();
            return Taken::End;
        }
        let state = &mut *state;
        if let Some((bytes, count)) = state.replay.as_mut().and_then(Replay::again) {
            state.leaving += bytes.len();
            return Taken::Frames(bytes, count);
        }
        if state.whole == 0 {
            return if state.phase == Phase::Open { Taken::Nothing } else { Taken::End };
        }
        if state.replay.as_ref().is_some_and(|replay| !replay.has_room()) {
            return Taken::Nothing;
        }
        let whole = std::mem::take(&mut state.whole);
        state.leaving += whole;
        state.taken = whole;
        let count = std::mem::take(&mut state.count);
        let bytes = state.open.split_to(whole).freeze();
        if let Some(replay) = &mut state.replay {
            replay.keep(bytes.clone(), count);
        }
        Taken::Frames(bytes, count)
    }

    /// Says that bytes taken before for this connection have left.
    pub(crate) fn written(&self, carrier: u64, bytes: usize) {
        let mut state = self.lock();
        if state.carrier != Some(carrier) {
            return;
        }
        let before = state.whole + state.leaving;
        state.leaving -= bytes.min(state.leaving);
        let after = state.whole + state.leaving;
        drop(state);
        // Not before there is room for many. Also when it runs empty: `drained` waits for that.
        let half = self.limit.div_ceil(2);
        if (before >= half && after < half) || after == 0 {
            self.room.notify_waiters();
        }
    }

    /// The peer has received this many frames of the lane.
    pub(crate) fn acknowledge(&self, received: u64) -> Result<(), Impossible> {
        let mut state = self.lock();
        let Some(replay) = &mut state.replay else { return Ok(()) };
        let was_full = !replay.has_room();
        replay.acknowledge(received)?;
        let (writable, empty) = (was_full && replay.has_room(), replay.is_empty());
        drop(state);
        if writable {
            self.wake.notify_one();
        }
        if empty {
            self.room.notify_waiters();
        }
        Ok(())
    }

    /// A connection carries the lane from here on; the peer has received so many frames. Gives how many are written again.
    pub(crate) fn attach(&self, carrier: u64, received: u64) -> Result<u64, Impossible> {
        let mut state = self.lock();
        let again = state.replay.as_mut().map_or(Ok(0), |replay| replay.resume(received))?;
        state.carrier = Some(carrier);
        state.leaving = 0;
        drop(state);
        self.wake.notify_one();
        self.room.notify_waiters();
        Ok(again)
    }

    /// A connection carries the lane no longer, if it did.
    pub(crate) fn detach(&self, carrier: u64) {
        let mut state = self.lock();
        if state.carrier != Some(carrier) {
            return;
        }
        state.carrier = None;
        state.leaving = 0;
        if state.replay.is_none() {
            state.clear();
        }
        drop(state);
        self.wake.notify_one();
        self.room.notify_waiters();
    }

    /// Everything that the peer is not known to have received: batches that were written, and frames that never were.
    pub(crate) fn give_back(&self) -> (Vec<Bytes>, Bytes) {
        let mut state = self.lock();
        let written = state.replay.as_mut().map(Replay::give_back).unwrap_or_default();
        let whole = state.whole;
        let unsent = state.open.split_to(whole).freeze();
        state.clear();
        (written, unsent)
    }

    /// Completes when there is room, or the lane is closed.
    pub(crate) async fn ready(&self) -> Result<(), LinkError> {
        self.until(|state, limit| match state.check() {
            Ok(()) if state.whole + state.leaving < limit => Some(Ok(())),
            Ok(()) => None,
            Err(error) => Some(Err(error)),
        })
        .await
    }

    /// Completes when the peer has all there was, or the lane is closed.
    pub(crate) async fn drained(&self) {
        self.until(|state, _| {
            let acknowledged = state.replay.as_ref().is_none_or(Replay::is_empty);
            let empty = state.whole + state.leaving == 0 && acknowledged;
            (state.phase == Phase::Closed || empty).then_some(())
        })
        .await;
    }

    /// Bytes that have not left.
    pub(crate) fn queued(&self) -> usize {
        let state = self.lock();
        if state.phase == Phase::Closed { 0 } else { state.whole + state.leaving }
    }

    /// Bytes that the writer took and that have not left.
    pub(crate) fn leaving(&self) -> usize {
        self.lock().leaving
    }

    /// Takes no more frames; those it has still leave.
    pub(crate) fn drain(&self) {
        self.enter(Phase::Draining);
    }

    /// Takes no more frames and writes no more; those it has are there to be given back.
    pub(crate) fn close(&self) {
        self.enter(Phase::Closed);
    }

    fn enter(&self, phase: Phase) {
        let mut state = self.lock();
        if state.phase == Phase::Closed {
            return;
        }
        state.phase = phase;
        drop(state);
        self.wake.notify_one();
        self.room.notify_waiters();
    }

    async fn until<T>(&self, done: impl Fn(&State, usize) -> Option<T>) -> T {
        loop {
            let told = self.room.notified();
            tokio::pin!(told);
            // Registered before the look, so that a change between look and wait is not missed.
            told.as_mut().enable();
            if let Some(value) = done(&self.lock(), self.limit) {
                return value;
            }
            told.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic in `encode` leaves bytes beyond `whole`, which the next `push` cuts off.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether the lane takes frames at all.
    fn check(&self) -> Result<(), LinkError> {
        let carried = self.replay.is_some() || self.carrier.is_some();
        if self.phase == Phase::Open && carried { Ok(()) } else { Err(LinkError::Closed) }
    }

    /// Takes memory for another frame, if there is none, and at once for as many as came last time: memory that grows is copied.
    fn make_room(&mut self) {
        let needed = self.whole + self.usual + FRAME_SPARE;
        if self.open.capacity() >= needed {
            return;
        }
        let mut larger = BytesMut::with_capacity(needed.max(2 * self.whole).max(self.taken + self.usual));
        larger.extend_from_slice(&self.open);
        self.open = larger;
    }

    fn clear(&mut self) {
        self.open = BytesMut::new();
        (self.whole, self.count) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Frames;

    fn push(batch: &Batch, body: &[u8]) -> Result<bool, LinkError> {
        batch.push(16, &mut |out| out.extend_from_slice(body))
    }

    /// A lane that the first connection carries.
    fn carried(limit: usize, replayed: Option<usize>) -> Batch {
        let batch = Batch::new(limit, replayed);
        assert_eq!(batch.attach(1, 0), Ok(0));
        batch
    }

    fn take(batch: &Batch) -> Vec<Bytes> {
        take_for(batch, 1)
    }

    fn take_for(batch: &Batch, carrier: u64) -> Vec<Bytes> {
        match batch.take(carrier) {
            Taken::Frames(bytes, count) => {
                let frames: Vec<_> = Frames::new(bytes).collect();
                assert_eq!(frames.len(), count);
                frames
            }
            Taken::Nothing | Taken::End => Vec::new(),
        }
    }

    #[test]
    fn takes_all_frames_at_once_and_wakes_once() {
        let batch = carried(64, Some(1 << 10));
        assert_eq!(push(&batch, b"one"), Ok(true));
        assert_eq!(push(&batch, b""), Ok(false));
        assert_eq!(push(&batch, b"three"), Ok(false));
        assert_eq!(take(&batch), ["one", "", "three"]);
        assert_eq!(push(&batch, b"four"), Ok(true));
    }

    #[test]
    fn counts_what_is_leaving_against_the_limit() {
        let batch = carried(7, Some(1 << 10));
        assert_eq!(push(&batch, b"123456"), Ok(true));
        assert_eq!(push(&batch, b""), Err(LinkError::Full));
        assert_eq!(take(&batch).len(), 1);
        assert_eq!(push(&batch, b""), Err(LinkError::Full));
        batch.written(1, 7);
        assert_eq!(push(&batch, b""), Ok(true));
    }

    #[test]
    fn leaves_no_trace_of_a_frame_that_is_too_large() {
        let batch = carried(64, Some(1 << 10));
        assert_eq!(push(&batch, &[1; 17]), Err(LinkError::TooLarge { size: 17, limit: 16 }));
        assert_eq!(batch.queued(), 0);
        assert_eq!(push(&batch, &[1; 16]), Ok(true));
        assert_eq!(take(&batch), [[1u8; 16].as_slice()]);
    }

    #[test]
    fn cuts_off_what_a_panic_left() {
        let batch = carried(64, Some(1 << 10));
        assert_eq!(push(&batch, b"whole"), Ok(true));
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            batch.push(16, &mut |out| {
                out.extend_from_slice(b"half");
                panic!("as an encoder might");
            })
        }));
        assert!(panicked.is_err());
        assert_eq!(push(&batch, b"after"), Ok(false));
        assert_eq!(take(&batch), ["whole", "after"]);
    }

    #[test]
    fn draining_writes_the_rest_and_ends() {
        let batch = carried(64, Some(1 << 10));
        assert_eq!(push(&batch, b"rest"), Ok(true));
        batch.drain();
        assert_eq!(push(&batch, b"late"), Err(LinkError::Closed));
        assert_eq!(take(&batch), ["rest"]);
        assert!(matches!(batch.take(1), Taken::End));
    }

    #[test]
    fn a_break_writes_again_what_was_not_received_and_then_the_rest() {
        let batch = carried(64, Some(1 << 10));
        for body in [b"a", b"b"] {
            assert_eq!(push(&batch, body), Ok(true));
            assert_eq!(take(&batch), [&body[..]]);
        }
        batch.detach(1);
        assert_eq!(push(&batch, b"c"), Ok(true), "it waits for a connection");
        assert!(matches!(batch.take(1), Taken::End), "the writer of the connection that broke takes nothing");
        assert_eq!(batch.attach(2, 1), Ok(1));
        assert!(matches!(batch.take(1), Taken::End));
        assert_eq!([take_for(&batch, 2), take_for(&batch, 2)], [["b"], ["c"]]);
        assert_eq!(batch.acknowledge(3), Ok(()));
        assert_eq!(batch.give_back(), (Vec::new(), Bytes::new()));
    }

    #[test]
    fn nothing_is_written_beyond_what_can_be_kept() {
        let batch = carried(64, Some(5));
        assert_eq!(push(&batch, b"1234"), Ok(true));
        assert_eq!(take(&batch), ["1234"]);
        assert_eq!(push(&batch, b"5"), Ok(true));
        assert!(matches!(batch.take(1), Taken::Nothing));
        assert_eq!(batch.acknowledge(2).map_err(|wrong| wrong.claimed), Err(2));
        assert_eq!(batch.acknowledge(1), Ok(()));
        assert_eq!(take(&batch), ["5"]);
    }

    #[test]
    fn what_was_never_written_comes_back_apart() {
        let batch = carried(64, Some(1 << 10));
        assert_eq!(push(&batch, b"sent"), Ok(true));
        assert_eq!(take(&batch), ["sent"]);
        assert_eq!(push(&batch, b"kept"), Ok(true));
        batch.close();
        assert_eq!(push(&batch, b"late"), Err(LinkError::Closed));
        let (written, unsent) = batch.give_back();
        let written: Vec<Bytes> = written.into_iter().flat_map(Frames::new).collect();
        assert_eq!(
            (written, Frames::new(unsent).collect()),
            (vec!["sent".into()], vec![Bytes::from("kept")])
        );
    }

    #[test]
    fn a_fleeting_lane_lives_as_long_as_its_connection() {
        let batch = Batch::new(64, None);
        assert_eq!(push(&batch, b"early"), Err(LinkError::Closed));
        assert_eq!(batch.attach(1, 0), Ok(0));
        assert_eq!(push(&batch, b"stale"), Ok(true));
        batch.detach(1);
        assert_eq!(batch.attach(2, 0), Ok(0));
        assert_eq!(push(&batch, b"fresh"), Ok(true));
        assert_eq!(take_for(&batch, 2), ["fresh"]);
        assert!(matches!(batch.take(2), Taken::Nothing));
    }
}
