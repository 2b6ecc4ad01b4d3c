//! Those who wait for room, in the order in which they came. Knows neither what the room is nor how much of it there is: whoever
//! waits brings a way to look, and whoever makes some says how much there is.
//!
//! Who has fewer before him than there is room may go, and need not wait for them: one whose task does not run holds up nobody but
//! his own. Whoever comes later goes behind, also while those who were woken have not run yet.

use std::collections::{BTreeSet, VecDeque};
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// The line.
#[derive(Debug, Default)]
pub(crate) struct Line {
    /// How many wait: all that is looked at while nobody does.
    waiting: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    /// Each with its number, which is its place in the order, and its task once that is known.
    waiting: VecDeque<(u64, Option<Waker>)>,
    /// The numbers of those that were not woken since they looked.
    asleep: BTreeSet<u64>,
}

impl Line {
    /// Completes with what `attempt` gives. That is tried while `room` is for more than those before; it may be in vain, and the place
    /// is kept then.
    pub(crate) async fn wait<T>(
        &self,
        room: impl Fn() -> usize,
        mut attempt: impl FnMut() -> Option<T>,
    ) -> T {
        let place = Place::take(self, room);
        poll_fn(|task| {
            // Asleep before the look: whoever makes room afterwards wakes it.
            let before = place.sleep(task.waker());
            let goes = before < (place.room)() && !place.is_behind(task.waker());
            let value = if goes { attempt() } else { None };
            value.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// Whether nobody waits: else whoever comes goes behind.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) == 0
    }

    /// There is room for so many: those may go.
    pub(crate) fn admit(&self, room: usize) {
        if self.is_empty() {
            return;
        }
        let woken = self.lock().wake(room);
        woken.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes those for whom there is room out of those who sleep.
    fn wake(&mut self, room: usize) -> Vec<Waker> {
        let mut woken = Vec::new();
        let beyond = self.waiting.get(room).map(|(number, _)| *number);
        while let Some(number) = self.asleep.first().copied()
            && beyond.is_none_or(|beyond| number < beyond)
        {
            self.asleep.pop_first();
            woken.extend(self.waiting[self.before(number)].1.clone());
        }
        woken
    }

    /// How many came before.
    fn before(&self, number: u64) -> usize {
        self.waiting.partition_point(|(other, _)| *other < number)
    }
}

/// A place in the line.
struct Place<'a, R: Fn() -> usize> {
    line: &'a Line,
    number: u64,
    room: R,
}

impl<'a, R: Fn() -> usize> Place<'a, R> {
    fn take(line: &'a Line, room: R) -> Self {
        let mut state = line.lock();
        state.last += 1;
        let number = state.last;
        state.waiting.push_back((number, None));
        line.waiting.store(state.waiting.len(), Ordering::SeqCst);
        drop(state);
        Self { line, number, room }
    }

    /// Asks to be woken; gives how many are before it.
    fn sleep(&self, task: &Waker) -> usize {
        let mut state = self.line.lock();
        state.asleep.insert(self.number);
        let before = state.before(self.number);
        match &mut state.waiting[before].1 {
            Some(known) => known.clone_from(task),
            unknown => *unknown = Some(task.clone()),
        }
        before
    }

    /// Whether one before it is of the same task: whoever tells two things at once tells them in that order.
    fn is_behind(&self, task: &Waker) -> bool {
        let state = self.line.lock();
        let mut before = state.waiting.iter().take(state.before(self.number));
        before.any(|(_, other)| other.as_ref().is_some_and(|other| other.will_wake(task)))
    }
}

impl<R: Fn() -> usize> Drop for Place<'_, R> {
    fn drop(&mut self) {
        let mut state = self.line.lock();
        state.asleep.remove(&self.number);
        let before = state.before(self.number);
        let left = state.waiting.remove(before);
        self.line.waiting.store(state.waiting.len(), Ordering::SeqCst);
        drop(state);
        // What it knew of its task goes without the lock.
        drop(left);
        if !self.line.is_empty() {
            self.line.admit((self.room)());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::Future;

    use super::*;
    use crate::actor::Parked;

    /// Room that one message takes each.
    #[derive(Default)]
    struct Room {
        line: Line,
        left: Cell<usize>,
    }

    impl Room {
        fn enter(&self, name: u8) -> impl Future<Output = u8> {
            let attempt = move || {
                self.left.set(self.left.get().checked_sub(1)?);
                Some(name)
            };
            self.line.wait(|| self.left.get(), attempt)
        }

        fn make(&self, more: usize) {
            self.left.set(self.left.get() + more);
            self.line.admit(self.left.get());
        }
    }

    #[test]
    fn whoever_came_first_goes_first_and_one_that_leaves_passes_it_on() {
        let room = Room::default();
        let enter = |name| Parked::new(room.enter(name));
        let (mut first, mut second, mut third) = (enter(1), enter(2), enter(3));
        for waiting in [&mut first, &mut second, &mut third] {
            assert!(waiting.poll().is_pending());
        }
        room.make(1);
        assert!(first.is_woken() && !second.is_woken());
        assert!(third.poll().is_pending(), "what there is is for another");
        assert!(enter(4).poll().is_pending(), "as it is for whoever comes");
        drop(first);
        assert!(second.is_woken() && !third.is_woken());
        assert_eq!(second.poll(), Poll::Ready(2));
        drop((second, third));
        assert!(room.line.is_empty());
    }

    #[test]
    fn one_whose_task_does_not_run_holds_up_nobody_but_his_own() {
        let room = Room::default();
        let (mut stuck, mut next, mut last) =
            (Parked::new(room.enter(1)), Parked::new(room.enter(2)), Parked::new(room.enter(3)));
        assert!(stuck.poll().is_pending() && next.poll().is_pending() && last.poll().is_pending());
        room.make(2);
        assert_eq!(next.poll(), Poll::Ready(2));
        drop(next);
        assert!(!last.is_woken(), "its place is kept for the first one");
        assert!(last.poll().is_pending());
        room.make(1);
        assert!(last.is_woken());
        assert_eq!(last.poll(), Poll::Ready(3));
        assert_eq!(stuck.poll(), Poll::Ready(1));
    }

    #[test]
    fn two_of_one_task_go_in_the_order_in_which_they_came() {
        let room = Room::default();
        let (mut first, mut second) = (Box::pin(room.enter(1)), Box::pin(room.enter(2)));
        let mut both = Parked::new(poll_fn(|task| {
            // The other way round once they wait, as whoever polls many futures may.
            let entered = room.line.is_empty().then(|| first.as_mut().poll(task));
            let second = second.as_mut().poll(task);
            Poll::Ready((entered.unwrap_or_else(|| first.as_mut().poll(task)), second))
        }));
        assert_eq!(both.poll(), Poll::Ready((Poll::Pending, Poll::Pending)));
        room.make(2);
        assert_eq!(both.poll(), Poll::Ready((Poll::Ready(1), Poll::Pending)));
    }

    #[test]
    fn one_that_finds_no_room_keeps_its_place() {
        let room = Room::default();
        let (mut first, mut second) = (Parked::new(room.enter(1)), Parked::new(room.enter(2)));
        assert!(first.poll().is_pending() && second.poll().is_pending());
        room.make(1);
        room.left.set(0);
        assert!(first.poll().is_pending(), "somebody who need not wait took it");
        room.make(1);
        assert!(first.is_woken() && !second.is_woken());
        assert_eq!(first.poll(), Poll::Ready(1));
    }
}
