//! One simulated operating-system process: a node's tasks in a local set that can be paused and killed.
//!
//! Not a node: whatever the program is given to do, it does here.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::task::{AbortHandle, LocalSet};

/// A living process; dropping it kills it.
pub(crate) struct Process {
    switch: Rc<Switch>,
    abort: AbortHandle,
}

#[derive(Default)]
struct Switch {
    paused: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// Polls the local set unless the process is paused.
struct Body {
    local: LocalSet,
    switch: Rc<Switch>,
}

impl Process {
    /// Starts a process; `main` runs in it, and everything it spawns locally.
    pub(crate) fn start(main: impl Future<Output = ()> + 'static) -> Self {
        let local = LocalSet::new();
        local.spawn_local(main);
        let switch = Rc::new(Switch::default());
        let body = Body { local, switch: switch.clone() };
        let abort = tokio::task::spawn_local(body).abort_handle();
        Self { switch, abort }
    }

    /// Stops polling, as `SIGSTOP` does; time goes on.
    pub(crate) fn pause(&self) {
        self.switch.paused.set(true);
    }

    /// Polls again.
    pub(crate) fn resume(&self) {
        self.switch.paused.set(false);
        if let Some(waker) = self.switch.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Whether the process is paused.
    pub(crate) fn is_paused(&self) -> bool {
        self.switch.paused.get()
    }
}

impl Switch {
    /// Keeps whom to wake when the process goes on.
    fn remember(&self, waker: &Waker) {
        let mut known = self.waker.borrow_mut();
        match &mut *known {
            Some(known) => known.clone_from(waker),
            None => *known = Some(waker.clone()),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.abort.abort();
    }
}

impl Future for Body {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.switch.remember(context.waker());
        if self.switch.paused.get() {
            return Poll::Pending;
        }
        Pin::new(&mut self.local).poll(context)
    }
}
