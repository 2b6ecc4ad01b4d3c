//! The open batch of one lane: senders append frames, a writer takes all of them at once.
//!
//! Not a queue of messages: what is appended between two writes leaves in one piece, and there is no timer.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{BufMut, Bytes, BytesMut};
use tokio::sync::Notify;

use crate::contract::LinkError;

/// The bytes of the length before each frame.
pub(crate) const FRAME_HEADER: usize = 4;

/// Frames on their way to the writer of one lane.
pub(crate) struct Batch {
    state: Mutex<State>,
    /// Told when the open batch stops being empty, and when the lane closes: for the one writer.
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
    /// Bytes that the writer took and has not written yet.
    leaving: usize,
    phase: Phase,
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
    /// An empty lane that is full at `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        let state = State { open: BytesMut::new(), whole: 0, count: 0, leaving: 0, phase: Phase::Open };
        Self { state: Mutex::new(state), wake: Notify::new(), room: Notify::new(), limit }
    }

    /// Appends one frame of at most `frame_max` bytes; `true` when the batch was empty, and its writer was woken.
    pub(crate) fn push(
        &self,
        frame_max: usize,
        encode: &mut dyn FnMut(&mut BytesMut),
    ) -> Result<bool, LinkError> {
        let mut state = self.lock();
        if state.phase != Phase::Open {
            return Err(LinkError::Closed);
        }
        let start = state.whole;
        if start + state.leaving >= self.limit {
            return Err(LinkError::Full);
        }
        state.open.truncate(start);
        state.open.put_u32_le(0);
        encode(&mut state.open);
        let size = state.open.len() - start - FRAME_HEADER;
        if size > frame_max {
            state.open.truncate(start);
            return Err(LinkError::TooLarge { size, limit: frame_max });
        }
        // The limit of frames is below 4 GiB, as `Config::check` demands.
        state.open[start..start + FRAME_HEADER].copy_from_slice(&(size as u32).to_le_bytes());
        state.whole = state.open.len();
        state.count += 1;
        drop(state);
        if start == 0 {
            self.wake.notify_one();
        }
        Ok(start == 0)
    }

    /// Takes all whole frames.
    pub(crate) fn take(&self) -> Taken {
        let mut state = self.lock();
        if state.whole == 0 {
            return if state.phase == Phase::Open { Taken::Nothing } else { Taken::End };
        }
        let whole = std::mem::take(&mut state.whole);
        state.leaving += whole;
        let count = std::mem::take(&mut state.count);
        Taken::Frames(state.open.split_to(whole).freeze(), count)
    }

    /// Says that bytes taken before have left.
    pub(crate) fn written(&self, bytes: usize) {
        let mut state = self.lock();
        let before = state.whole + state.leaving;
        state.leaving -= bytes.min(state.leaving);
        let after = state.whole + state.leaving;
        drop(state);
        // Also when it runs empty: `drained` waits for that.
        if (before >= self.limit && after < self.limit) || after == 0 {
            self.room.notify_waiters();
        }
    }

    /// Completes when there is room, or the lane is closed.
    pub(crate) async fn ready(&self) -> Result<(), LinkError> {
        self.until(|state, limit| match state.phase {
            Phase::Open if state.whole + state.leaving < limit => Some(Ok(())),
            Phase::Open => None,
            Phase::Draining | Phase::Closed => Some(Err(LinkError::Closed)),
        })
        .await
    }

    /// Completes when nothing is left to write, or the lane is closed.
    pub(crate) async fn drained(&self) {
        self.until(|state, _| {
            (state.phase == Phase::Closed || state.whole + state.leaving == 0).then_some(())
        })
        .await;
    }

    /// Completes when the lane is closed.
    pub(crate) async fn closed(&self) {
        self.until(|state, _| (state.phase == Phase::Closed).then_some(())).await;
    }

    /// Bytes that have not left.
    pub(crate) fn queued(&self) -> usize {
        let state = self.lock();
        state.whole + state.leaving
    }

    /// Bytes that the writer took and that have not left.
    pub(crate) fn leaving(&self) -> usize {
        self.lock().leaving
    }

    /// Takes no more frames; those it has still leave.
    pub(crate) fn drain(&self) {
        self.enter(Phase::Draining);
    }

    /// Takes no more frames and drops those it has.
    pub(crate) fn close(&self) {
        self.enter(Phase::Closed);
    }

    fn enter(&self, phase: Phase) {
        let mut state = self.lock();
        if state.phase == Phase::Closed {
            return;
        }
        state.phase = phase;
        if phase == Phase::Closed {
            state.open = BytesMut::new();
            (state.whole, state.count) = (0, 0);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Frames;

    fn push(batch: &Batch, body: &[u8]) -> Result<bool, LinkError> {
        batch.push(16, &mut |out| out.extend_from_slice(body))
    }

    fn take(batch: &Batch) -> Vec<Bytes> {
        match batch.take() {
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
        let batch = Batch::new(64);
        assert_eq!(push(&batch, b"one"), Ok(true));
        assert_eq!(push(&batch, b""), Ok(false));
        assert_eq!(push(&batch, b"three"), Ok(false));
        assert_eq!(take(&batch), ["one", "", "three"]);
        assert_eq!(push(&batch, b"four"), Ok(true));
    }

    #[test]
    fn counts_what_is_leaving_against_the_limit() {
        let batch = Batch::new(10);
        assert_eq!(push(&batch, b"123456"), Ok(true));
        assert_eq!(push(&batch, b""), Err(LinkError::Full));
        assert_eq!(take(&batch).len(), 1);
        assert_eq!(push(&batch, b""), Err(LinkError::Full));
        batch.written(10);
        assert_eq!(push(&batch, b""), Ok(true));
    }

    #[test]
    fn leaves_no_trace_of_a_frame_that_is_too_large() {
        let batch = Batch::new(64);
        assert_eq!(push(&batch, &[1; 17]), Err(LinkError::TooLarge { size: 17, limit: 16 }));
        assert_eq!(batch.queued(), 0);
        assert_eq!(push(&batch, &[1; 16]), Ok(true));
        assert_eq!(take(&batch), [[1u8; 16].as_slice()]);
    }

    #[test]
    fn cuts_off_what_a_panic_left() {
        let batch = Batch::new(64);
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
        let batch = Batch::new(64);
        assert_eq!(push(&batch, b"rest"), Ok(true));
        batch.drain();
        assert_eq!(push(&batch, b"late"), Err(LinkError::Closed));
        assert_eq!(take(&batch), ["rest"]);
        assert!(matches!(batch.take(), Taken::End));
    }
}
