//! What others want of an actor beside its messages: that it stop, that it end at once, that it fall with a child. Erlang's exit
//! signals. And which children it has, because whoever wants it gone wants them gone first.
//!
//! Set from any thread and read by the actor's own. An actor to which nobody ever sent one keeps three words of them.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use super::terminated::{BondEnded, Reason};

const STOP: u8 = 1;
const KILL: u8 = 2;
const LEAVING: u8 = 4;
const FALL: u8 = 8;

/// The signals to one actor.
#[derive(Default)]
pub(crate) struct Signals {
    /// What the state holds, so that who looks for nothing takes no lock.
    flags: AtomicU8,
    state: Mutex<Option<Box<State>>>,
}

#[derive(Default)]
struct State {
    stop: Option<Reason>,
    kill: Option<Reason>,
    leaving: Option<Leaving>,
    /// Wakes the actor's task while its feed would not.
    task: Option<Waker>,
    /// From the eldest to the youngest.
    children: Vec<u64>,
    /// No child comes any more, until the actor is started again.
    childless: bool,
    /// Who hears of the ends of those to which the actor is bound.
    ear: Option<Ear>,
}

/// Passes on what an actor is to hear.
pub(crate) type Ear = Box<dyn Fn(BondEnded) + Send>;

/// Why an actor that has begun to stop does so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leaving {
    pub(crate) reason: Reason,
    /// It was asked to; else it stops by itself.
    pub(crate) asked: bool,
}

impl Signals {
    /// Asks the actor to stop. It may refuse. The first reason stands.
    pub(crate) fn stop(&self, reason: Reason) {
        self.send(STOP, |state| {
            state.stop.get_or_insert(reason);
        });
    }

    /// Ends the actor, whatever it is at, as soon as its thread is free. The first reason stands.
    pub(crate) fn kill(&self, reason: Reason) {
        self.send(KILL, |state| {
            state.kill.get_or_insert(reason);
        });
    }

    /// Whether the actor is to stop: once for each time, for it may refuse. It is leaving then.
    pub(crate) fn take_stop(&self) -> bool {
        if !self.has(STOP) {
            return false;
        }
        let mut state = self.lock();
        self.flags.fetch_and(!STOP, Ordering::Relaxed);
        let Some(reason) = state.as_mut().and_then(|state| state.stop.take()) else { return false };
        self.set_leaving(&mut state, Leaving { reason, asked: true });
        true
    }

    /// Whether the actor is to stop.
    pub(crate) fn wants_stop(&self) -> bool {
        self.has(STOP)
    }

    /// Why the actor is to end at once, if it is.
    pub(crate) fn take_kill(&self) -> Option<Reason> {
        if !self.has(KILL) {
            return None;
        }
        let mut state = self.lock();
        self.flags.fetch_and(!KILL, Ordering::Relaxed);
        state.as_mut()?.kill.take()
    }

    /// A child of the actor may not be started again: the actor is to fall in its turn.
    pub(crate) fn fall(&self) {
        self.send(FALL, |_| {});
    }

    /// Whether the actor is to fall.
    pub(crate) fn take_fall(&self) -> bool {
        self.has(FALL) && self.flags.fetch_and(!FALL, Ordering::AcqRel) & FALL != 0
    }

    /// Whether there is a signal that does not wait for the actor's own turn.
    pub(crate) fn is_urgent(&self) -> bool {
        self.has(KILL | FALL)
    }

    /// The actor stops by itself, and says why.
    pub(crate) fn leave(&self, reason: Reason) {
        self.set_leaving(&mut self.lock(), Leaving { reason, asked: false });
    }

    /// The actor goes on after all: what it was leaving for no longer counts.
    pub(crate) fn stay(&self) {
        if self.has(LEAVING) {
            self.take_leaving();
        }
    }

    /// Why the actor that has stopped did so, if it was asked to or said it.
    pub(crate) fn take_leaving(&self) -> Option<Leaving> {
        if !self.has(LEAVING) {
            return None;
        }
        let mut state = self.lock();
        self.flags.fetch_and(!LEAVING, Ordering::Relaxed);
        state.as_mut()?.leaving.take()
    }

    /// Wakes this task with the next signal. Who keeps it looks for signals afterwards: one may have come before.
    pub(crate) fn keep(&self, task: &Waker) {
        let mut state = self.lock();
        let known = &mut state.get_or_insert_default().task;
        if known.as_ref().is_none_or(|known| !known.will_wake(task)) {
            *known = Some(task.clone());
        }
    }

    /// The actor is no more: nothing wakes its task any longer, so that the task may go.
    pub(crate) fn close(&self) {
        // Dropped without the lock: it may be the last of its task.
        let _kept = self.lock().as_mut().map(|state| (state.task.take(), state.ear.take()));
    }

    /// The actor wants to hear of the ends of those to which it is bound.
    pub(crate) fn hear(&self, ear: Ear) {
        let _before = self.lock().get_or_insert_default().ear.replace(ear);
    }

    /// Tells it; gives back what it does not want to hear.
    pub(crate) fn tell(&self, ended: BondEnded) -> Result<(), BondEnded> {
        match self.lock().as_ref().and_then(|state| state.ear.as_ref()) {
            Some(ear) => {
                ear(ended);
                Ok(())
            }
            None => Err(ended),
        }
    }

    /// Enters a child; `false` when the actor takes none: it has ended, or is being started again.
    pub(crate) fn adopt(&self, child: u64) -> bool {
        let mut state = self.lock();
        let state = state.get_or_insert_default();
        if !state.childless {
            state.children.push(child);
        }
        !state.childless
    }

    /// A child is no more.
    pub(crate) fn release(&self, child: u64) {
        self.send(0, |state| state.children.retain(|known| *known != child));
    }

    /// The children, from the eldest to the youngest.
    pub(crate) fn children(&self) -> Vec<u64> {
        self.lock().as_ref().map(|state| state.children.clone()).unwrap_or_default()
    }

    /// The last child that was entered.
    pub(crate) fn youngest(&self) -> Option<u64> {
        self.lock().as_ref()?.children.last().copied()
    }

    /// Takes no more children; `true` when there are none.
    pub(crate) fn close_family(&self) -> bool {
        let mut state = self.lock();
        let state = state.get_or_insert_default();
        state.childless = true;
        state.children.is_empty()
    }

    /// Takes children again. Those before are gone, and what they wanted with them.
    pub(crate) fn open_family(&self) {
        self.flags.fetch_and(!FALL, Ordering::AcqRel);
        if let Some(state) = &mut *self.lock() {
            state.childless = false;
        }
    }

    fn send(&self, flag: u8, enter: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        let known = state.get_or_insert_default();
        enter(known);
        let task = known.task.clone();
        self.flags.fetch_or(flag, Ordering::Release);
        drop(state);
        if let Some(task) = task {
            task.wake();
        }
    }

    fn set_leaving(&self, state: &mut MutexGuard<'_, Option<Box<State>>>, leaving: Leaving) {
        state.get_or_insert_default().leaving = Some(leaving);
        self.flags.fetch_or(LEAVING, Ordering::Release);
    }

    fn has(&self, flag: u8) -> bool {
        self.flags.load(Ordering::Acquire) & flag != 0
    }

    fn lock(&self) -> MutexGuard<'_, Option<Box<State>>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU32;
    use std::task::Wake;

    use super::*;

    #[test]
    fn the_first_reason_stands_and_is_given_once() {
        let signals = Signals::default();
        assert!(!signals.take_stop());
        signals.stop(Reason::Shutdown);
        signals.stop(Reason::Stopped);
        assert!(signals.take_stop() && !signals.take_stop());
        assert_eq!(signals.take_leaving(), Some(Leaving { reason: Reason::Shutdown, asked: true }));
        assert_eq!(signals.take_leaving(), None);
        signals.kill(Reason::Bonded);
        signals.kill(Reason::Killed);
        assert_eq!([signals.take_kill(), signals.take_kill()], [Some(Reason::Bonded), None]);
    }

    #[test]
    fn who_goes_on_has_no_reason_to_leave() {
        let signals = Signals::default();
        signals.leave(Reason::Exit(7));
        signals.stay();
        assert_eq!(signals.take_leaving(), None);
    }

    #[test]
    fn a_task_that_is_kept_is_woken_by_each_signal_until_the_end() {
        struct Count(AtomicU32);
        impl Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let (signals, count) = (Signals::default(), Arc::new(Count(AtomicU32::new(0))));
        signals.stop(Reason::Stopped);
        signals.keep(&count.clone().into());
        signals.kill(Reason::Killed);
        signals.stop(Reason::Stopped);
        assert_eq!(count.0.load(Ordering::Relaxed), 2);
        signals.close();
        signals.kill(Reason::Killed);
        assert_eq!(count.0.load(Ordering::Relaxed), 2);
        assert_eq!(Arc::strong_count(&count), 1, "the task is let go");
    }
}
