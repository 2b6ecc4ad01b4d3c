//! The requests of one link that wait for an answer, in one table with one coarse deadline.
//!
//! No timer per request: [`Pending::expire`] is called when [`Pending::due`] comes, by one sweeper for all links of a node.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use synod_protocols::Timestamp;
use tokio::sync::oneshot;

use crate::error::{AskError, Cause};

/// What a request comes to: the answer's body, or why there is none.
pub(crate) type Answer = Result<Bytes, AskError>;

/// The table.
#[derive(Default)]
pub(crate) struct Pending {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By correlation, which this node chose itself.
    waiting: HashMap<u64, Waiting, BuildHasherDefault<Spread>>,
    last: u64,
    /// Not later than the earliest deadline; `None` when none is known.
    due: Option<Timestamp>,
    closed: bool,
}

/// Spreads numbers that count up.
#[derive(Default)]
struct Spread(u64);

struct Waiting {
    answer: oneshot::Sender<Answer>,
    deadline: Timestamp,
}

impl Pending {
    /// Enters a request; gives its correlation, where its answer comes, and whether [`Pending::due`] became earlier.
    /// `None` when the link is gone.
    pub(crate) fn enter(&self, deadline: Timestamp) -> Option<(u64, oneshot::Receiver<Answer>, bool)> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.lock();
        if state.closed {
            return None;
        }
        state.last += 1;
        let correlation = state.last;
        state.waiting.insert(correlation, Waiting { answer: sender, deadline });
        let sooner = deadline != Timestamp::NEVER && state.due.is_none_or(|due| deadline < due);
        if sooner {
            state.due = Some(deadline);
        }
        Some((correlation, receiver, sooner))
    }

    /// Gives a request its answer; `false` when nobody waits for it (any more).
    pub(crate) fn answer(&self, correlation: u64, answer: Answer) -> bool {
        let Some(waiting) = self.lock().waiting.remove(&correlation) else { return false };
        waiting.answer.send(answer).is_ok()
    }

    /// Takes a request back that was not sent, or whose answer is of no interest; `true` when it was there.
    pub(crate) fn withdraw(&self, correlation: u64) -> bool {
        self.lock().waiting.remove(&correlation).is_some()
    }

    /// When to call [`Pending::expire`].
    pub(crate) fn due(&self) -> Option<Timestamp> {
        self.lock().due
    }

    /// Fails what has waited for too long.
    pub(crate) fn expire(&self, now: Timestamp) {
        let expired = {
            let mut state = self.lock();
            let expired: Vec<(u64, Waiting)> =
                state.waiting.extract_if(|_, waiting| waiting.deadline <= now).collect();
            let deadlines = state.waiting.values().map(|waiting| waiting.deadline);
            state.due = deadlines.min().filter(|due| *due != Timestamp::NEVER);
            expired
        };
        fail(expired, AskError::unknown(Cause::Timeout));
    }

    /// Fails all and takes no more: the link is gone, and what was sent may have been executed.
    pub(crate) fn close(&self) {
        let lost = {
            let mut state = self.lock();
            state.closed = true;
            state.due = None;
            std::mem::take(&mut state.waiting)
        };
        fail(lost.into_iter().collect(), AskError::unknown(Cause::LinkLost));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// In the order in which they were asked.
fn fail(mut waiting: Vec<(u64, Waiting)>, error: AskError) {
    waiting.sort_unstable_by_key(|(correlation, _)| *correlation);
    for (_, entry) in waiting {
        // Who has dropped his request does not want to know.
        let _ = entry.answer.send(Err(error));
    }
}

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        // The table looks at the lowest and at the highest bits.
        self.0 = (self.0 ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_late_fail_and_the_rest_wait() {
        let pending = Pending::default();
        let (_, mut early, sooner) = pending.enter(Timestamp(10)).unwrap();
        assert!(sooner);
        let (late, mut later, sooner) = pending.enter(Timestamp(20)).unwrap();
        assert!(!sooner);
        let (_, mut never, _) = pending.enter(Timestamp::NEVER).unwrap();
        pending.expire(Timestamp(10));
        assert_eq!(early.try_recv().unwrap(), Err(AskError::unknown(Cause::Timeout)));
        assert!(later.try_recv().is_err());
        assert_eq!(pending.due(), Some(Timestamp(20)));
        assert!(pending.answer(late, Ok(Bytes::from_static(b"x"))));
        assert_eq!(later.try_recv().unwrap(), Ok(Bytes::from_static(b"x")));
        assert!(!pending.answer(late, Ok(Bytes::new())), "an answer that comes twice is nobody's");
        pending.expire(Timestamp(1_000));
        assert_eq!(pending.due(), None);
        pending.close();
        assert_eq!(never.try_recv().unwrap(), Err(AskError::unknown(Cause::LinkLost)));
        assert!(pending.enter(Timestamp(1)).is_none());
    }

    #[test]
    fn what_fails_together_fails_in_the_order_in_which_it_was_asked() {
        use std::pin::Pin;
        use std::sync::Arc;
        use std::task::{Context, Wake};

        struct Told(usize, Arc<Mutex<Vec<usize>>>);
        impl Wake for Told {
            fn wake(self: Arc<Self>) {
                self.1.lock().unwrap().push(self.0);
            }
        }
        let (pending, order) = (Pending::default(), Arc::new(Mutex::new(Vec::new())));
        let mut answers: Vec<_> = (0..100).map(|_| pending.enter(Timestamp(10)).unwrap().1).collect();
        for (number, answer) in answers.iter_mut().enumerate() {
            let waker = Arc::new(Told(number, order.clone())).into();
            assert!(Pin::new(answer).poll(&mut Context::from_waker(&waker)).is_pending());
        }
        pending.expire(Timestamp(10));
        assert_eq!(*order.lock().unwrap(), (0..100).collect::<Vec<_>>());
    }
}
