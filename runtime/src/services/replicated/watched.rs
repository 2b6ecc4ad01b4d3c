//! A value whose changes can be awaited by many, who are woken in the order in which they came.
//!
//! Tokio's `watch` wakes its waiters in random order, which no seed of ours decides; here simulations have to repeat.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The writing end.
pub(crate) struct Watched<T> {
    shared: Arc<Shared<T>>,
}

/// A reading end, which remembers the last value it has seen.
pub(crate) struct Watcher<T> {
    shared: Arc<Shared<T>>,
    seen: u64,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Notify,
}

struct State<T> {
    value: T,
    version: u64,
}

impl<T: Copy> Watched<T> {
    /// A value that has not changed yet.
    pub(crate) fn new(value: T) -> Self {
        let state = Mutex::new(State { value, version: 0 });
        Self { shared: Arc::new(Shared { state, changed: Notify::new() }) }
    }

    /// The present value.
    pub(crate) fn get(&self) -> T {
        self.shared.state().value
    }

    /// Replaces the value and wakes who waits.
    pub(crate) fn set(&self, value: T) {
        {
            let mut state = self.shared.state();
            state.value = value;
            state.version += 1;
        }
        self.shared.changed.notify_waiters();
    }

    /// A reading end that has seen the present value.
    pub(crate) fn watch(&self) -> Watcher<T> {
        let seen = self.shared.state().version;
        Watcher { shared: self.shared.clone(), seen }
    }
}

impl<T: Copy> Watcher<T> {
    /// The present value.
    pub(crate) fn get(&self) -> T {
        self.shared.state().value
    }

    /// The present value, of which only a later change counts as one.
    pub(crate) fn see(&mut self) -> T {
        let state = self.shared.state();
        self.seen = state.version;
        state.value
    }

    /// Completes when the value has changed since it was last seen.
    pub(crate) async fn changed(&mut self) {
        loop {
            let changed = self.shared.changed.notified();
            let mut changed = std::pin::pin!(changed);
            // Enlisted before looking, so that no change falls between.
            changed.as_mut().enable();
            {
                let state = self.shared.state();
                if state.version != self.seen {
                    self.seen = state.version;
                    return;
                }
            }
            changed.await;
        }
    }
}

impl<T> Shared<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Watcher<T> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), seen: self.seen }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_before_the_wait_is_not_missed_and_waiters_wake_in_order() {
        let runtime =
            tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers");
        tokio::task::LocalSet::new().block_on(&runtime, wake_in_order());
    }

    async fn wake_in_order() {
        let value = Watched::new(1);
        let mut early = value.watch();
        value.set(2);
        early.changed().await;
        assert_eq!(early.get(), 2);
        let order = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
        let waiters: Vec<_> = (0..20)
            .map(|number| {
                let (mut watcher, order) = (value.watch(), order.clone());
                tokio::task::spawn_local(async move {
                    watcher.changed().await;
                    order.borrow_mut().push(number);
                })
            })
            .collect();
        tokio::task::yield_now().await;
        value.set(3);
        for waiter in waiters {
            waiter.await.expect("no waiter panics");
        }
        assert_eq!(*order.borrow(), (0..20).collect::<Vec<_>>());
    }
}
