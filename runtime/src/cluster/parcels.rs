//! Large messages on their way out: each travels on a stream of its own, and a frame in its lane keeps its place.
//!
//! The peer says when it has one, or why it does not take it; until then it is sent again over each connection that comes. Knows no
//! streams: who waits for the word is here, who sends is [`super::session`].

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use synod_transport::LinkError;
use tokio::sync::{Notify, oneshot};

use crate::error::{AskError, Cause};

/// What became of a large message: the peer has it, or why it does not.
pub(crate) type Settled = Result<(), AskError>;

/// The table of one link.
#[derive(Default)]
pub(crate) struct Parcels {
    state: Mutex<State>,
    /// Told when one is settled: there may be room for another.
    pub(crate) settled: Notify,
}

#[derive(Default)]
struct State {
    last: u64,
    open: BTreeMap<u64, Open>,
    /// Bytes of all bodies in `open`.
    bytes: usize,
    closed: bool,
}

struct Open {
    told: oneshot::Sender<Settled>,
    size: usize,
    /// Whether the peer may have all of it.
    whole: bool,
}

/// A large message whose place in its lane is taken.
pub(crate) struct Parcel {
    pub(crate) number: u64,
    /// The header of its stream, which stands in the lane too.
    pub(crate) header: Bytes,
    pub(crate) told: oneshot::Receiver<Settled>,
}

impl Parcels {
    /// Enters a large message of `size` bytes whose place `take` takes in its lane, under the number that it is given.
    ///
    /// # Errors
    /// [`LinkError::Closed`] when the link is gone, [`LinkError::Full`] when all that are under way would hold more than `limit` bytes,
    /// else those of `take`; the number is the next one's then.
    pub(crate) fn enter(
        &self,
        size: usize,
        limit: usize,
        take: impl FnOnce(u64) -> Result<(), LinkError>,
    ) -> Result<oneshot::Receiver<Settled>, LinkError> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.lock();
        if state.closed {
            return Err(LinkError::Closed);
        }
        if !state.has_room(size, limit) {
            return Err(LinkError::Full);
        }
        let number = state.last + 1;
        take(number)?;
        state.last = number;
        state.bytes += size;
        state.open.insert(number, Open { told: sender, size, whole: false });
        Ok(receiver)
    }

    /// Whether one more of `size` bytes may be under way.
    pub(crate) fn has_room(&self, size: usize, limit: usize) -> bool {
        self.lock().has_room(size, limit)
    }

    /// The whole of it is about to be with the peer.
    pub(crate) fn is_whole(&self, number: u64) {
        if let Some(open) = self.lock().open.get_mut(&number) {
            open.whole = true;
        }
    }

    /// The peer has it, or it will not be taken.
    pub(crate) fn settle(&self, number: u64, settled: Settled) {
        let found = {
            let mut state = self.lock();
            let found = state.open.remove(&number);
            state.bytes -= found.as_ref().map_or(0, |open| open.size);
            found
        };
        if let Some(open) = found {
            self.settled.notify_waiters();
            // Who sends it may have ended with its node.
            let _ = open.told.send(settled);
        }
    }

    /// The link is gone: what the peer cannot have as a whole was not executed.
    pub(crate) fn close(&self) {
        let open = {
            let mut state = self.lock();
            state.closed = true;
            state.bytes = 0;
            std::mem::take(&mut state.open)
        };
        self.settled.notify_waiters();
        for open in open.into_values() {
            let error = match open.whole {
                true => AskError::unknown(Cause::LinkLost),
                false => AskError::not_executed(Cause::LinkLost),
            };
            // As above.
            let _ = open.told.send(Err(error));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// One alone may be of any size: its own limit was looked at before.
    fn has_room(&self, size: usize, limit: usize) -> bool {
        self.open.is_empty() || self.bytes.saturating_add(size) <= limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_whole_was_not_executed() {
        let parcels = Parcels::default();
        assert_eq!(parcels.enter(5, 10, |_| Err(LinkError::Full)).err(), Some(LinkError::Full));
        let mut numbers = Vec::new();
        let mut enter = || {
            parcels.enter(5, 15, |number| {
                numbers.push(number);
                Ok(())
            })
        };
        let (mut first, mut second, mut third) = (enter().unwrap(), enter().unwrap(), enter().unwrap());
        assert_eq!(enter().err(), Some(LinkError::Full), "as much as may be is under way");
        assert_eq!(numbers, [1, 2, 3], "without gaps");
        let (done, whole) = (1, 2);
        parcels.is_whole(done);
        parcels.is_whole(whole);
        parcels.settle(done, Ok(()));
        parcels.settle(done, Err(AskError::unknown(Cause::TooLarge)));
        assert!(parcels.has_room(5, 15) && !parcels.has_room(6, 15));
        parcels.close();
        assert_eq!(first.try_recv().unwrap(), Ok(()));
        assert_eq!(second.try_recv().unwrap(), Err(AskError::unknown(Cause::LinkLost)));
        assert_eq!(third.try_recv().unwrap(), Err(AskError::not_executed(Cause::LinkLost)));
        assert_eq!(parcels.enter(5, 10, |_| Ok(())).err(), Some(LinkError::Closed));
    }
}
