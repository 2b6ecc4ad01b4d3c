//! The requests of one link that wait for an answer, in places that are used again and again, with one coarse deadline.
//!
//! Each place has its own lock, which its asker and whoever brings the answer take in turn: they meet nowhere else. Which places are
//! free is the askers' business alone. No timer per request: [`Pending::expire`] is called when [`Pending::due`] comes, by one sweeper
//! for all links of a node.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use synod_protocols::Timestamp;

use super::answer::Answer;
use crate::error::{AskError, Cause};

/// How many places the first row has; each further one has twice as many as the one before.
const FIRST: usize = 64;
/// How many rows there may be.
const ROWS: usize = 18;
/// The bits of a correlation that name the place; above them stands how often the place was used.
const PLACE_BITS: u32 = 24;

/// The table.
#[derive(Default)]
pub(crate) struct Pending {
    rows: [OnceLock<Box<[Mutex<Place>]>>; ROWS],
    desk: Mutex<Desk>,
}

/// What askers share.
#[derive(Default)]
struct Desk {
    free: Vec<u32>,
    /// How many places were ever used.
    opened: u32,
    /// How many requests were entered.
    entered: u64,
    /// Not later than the earliest deadline; `None` when none is known.
    due: Option<Timestamp>,
    closed: bool,
}

/// Where one request waits at a time.
#[derive(Default)]
struct Place {
    /// Which of its requests is there, or was last.
    turn: u64,
    /// Its number among all of the link.
    number: u64,
    deadline: Timestamp,
    stage: Stage,
}

#[derive(Default)]
enum Stage {
    #[default]
    Free,
    Waiting(Option<Waker>),
    Answered(Answer),
}

impl Pending {
    /// Enters a request; gives its correlation, and whether [`Pending::due`] became earlier. `None` when the link is gone, or has
    /// sixteen million requests. Whoever enters one takes its answer or withdraws it.
    pub(super) fn enter(&self, deadline: Timestamp) -> Option<(u64, bool)> {
        let mut desk = self.desk();
        if desk.closed {
            return None;
        }
        let index = match desk.free.pop() {
            Some(index) => index,
            None => self.open(&mut desk)?,
        };
        desk.entered += 1;
        let sooner = deadline != Timestamp::NEVER && desk.due.is_none_or(|due| deadline < due);
        if sooner {
            desk.due = Some(deadline);
        }
        // Before the desk is left, so that whoever looks through all places finds it.
        let mut place = self.place(index)?;
        place.turn += 1;
        (place.number, place.deadline, place.stage) = (desk.entered, deadline, Stage::Waiting(None));
        Some((place.turn << PLACE_BITS | u64::from(index), sooner))
    }

    /// Gives a request its answer; `false` when nobody waits for it (any more).
    pub(crate) fn answer(&self, correlation: u64, answer: Answer) -> bool {
        let Some(mut place) = self.place_of(correlation) else { return false };
        let Stage::Waiting(waker) = &mut place.stage else { return false };
        let waker = waker.take();
        place.stage = Stage::Answered(answer);
        drop(place);
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    /// The answer to a request, which is over then. While there is none, the task is woken when there is.
    pub(super) fn poll(&self, correlation: u64, task: &mut Context<'_>) -> Poll<Answer> {
        const GONE: AskError = AskError::unknown(Cause::LinkLost);
        let Some(mut place) = self.place_of(correlation) else { return Poll::Ready(Err(GONE)) };
        if let Stage::Waiting(waker) = &mut place.stage {
            if !waker.as_ref().is_some_and(|known| known.will_wake(task.waker())) {
                *waker = Some(task.waker().clone());
            }
            return Poll::Pending;
        }
        match self.leave(correlation, place) {
            Stage::Answered(answer) => Poll::Ready(answer),
            Stage::Waiting(_) | Stage::Free => Poll::Ready(Err(GONE)),
        }
    }

    /// Takes a request back that was not sent, or whose answer is of no interest; `true` when it had not been answered.
    pub(super) fn withdraw(&self, correlation: u64) -> bool {
        let Some(place) = self.place_of(correlation) else { return false };
        matches!(self.leave(correlation, place), Stage::Waiting(_))
    }

    /// When to call [`Pending::expire`].
    pub(crate) fn due(&self) -> Option<Timestamp> {
        self.desk().due
    }

    /// Fails what has waited for too long.
    pub(crate) fn expire(&self, now: Timestamp) {
        let mut desk = self.desk();
        let (late, due) = self.fail(desk.opened, now, AskError::unknown(Cause::Timeout));
        desk.due = due.filter(|due| *due != Timestamp::NEVER);
        drop(desk);
        wake(late);
    }

    /// Fails all and takes no more: the link is gone, and what was sent may have been executed.
    pub(crate) fn close(&self) {
        let mut desk = self.desk();
        (desk.closed, desk.due) = (true, None);
        let (lost, _) = self.fail(desk.opened, Timestamp::NEVER, AskError::unknown(Cause::LinkLost));
        drop(desk);
        wake(lost);
    }

    /// Fails whatever waits in the first `opened` places until `now` at most; gives who is to be woken, by number, and the earliest
    /// deadline of the others.
    fn fail(&self, opened: u32, now: Timestamp, error: AskError) -> (Vec<(u64, Waker)>, Option<Timestamp>) {
        let (mut wakers, mut due): (_, Option<Timestamp>) = (Vec::new(), None);
        for mut place in (0..opened).filter_map(|index| self.place(index)) {
            let (number, deadline) = (place.number, place.deadline);
            let Stage::Waiting(waker) = &mut place.stage else { continue };
            if deadline > now {
                due = Some(due.map_or(deadline, |due| due.min(deadline)));
                continue;
            }
            wakers.extend(waker.take().map(|waker| (number, waker)));
            place.stage = Stage::Answered(Err(error));
        }
        (wakers, due)
    }

    /// Ends the turn of a place; gives what was there.
    fn leave(&self, correlation: u64, mut place: MutexGuard<'_, Place>) -> Stage {
        let stage = std::mem::take(&mut place.stage);
        drop(place);
        if !matches!(stage, Stage::Free) {
            self.desk().free.push(index_of(correlation));
        }
        stage
    }

    /// One more place.
    fn open(&self, desk: &mut Desk) -> Option<u32> {
        let index = desk.opened;
        let (row, _) = position(index);
        self.rows.get(row)?.get_or_init(|| (0..FIRST << row).map(|_| Mutex::default()).collect());
        desk.opened += 1;
        Some(index)
    }

    /// The place of a request, if that is there still: peers say correlations too.
    fn place_of(&self, correlation: u64) -> Option<MutexGuard<'_, Place>> {
        self.place(index_of(correlation)).filter(|place| place.turn == correlation >> PLACE_BITS)
    }

    fn place(&self, index: u32) -> Option<MutexGuard<'_, Place>> {
        let (row, column) = position(index);
        let place = self.rows.get(row)?.get()?.get(column)?;
        Some(place.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// In the order in which they were asked.
fn wake(mut wakers: Vec<(u64, Waker)>) {
    wakers.sort_unstable_by_key(|(number, _)| *number);
    wakers.into_iter().for_each(|(_, waker)| waker.wake());
}

/// The row of a place, and where in it the place is.
const fn position(index: u32) -> (usize, usize) {
    let row = (index as usize / FIRST + 1).ilog2() as usize;
    (row, index as usize - FIRST * ((1 << row) - 1))
}

const fn index_of(correlation: u64) -> u32 {
    correlation as u32 & ((1 << PLACE_BITS) - 1)
}

#[cfg(test)]
#[path = "pending_tests.rs"]
mod tests;
