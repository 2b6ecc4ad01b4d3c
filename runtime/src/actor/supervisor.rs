//! Drives one actor and starts it again after a panic: address, queue and reference stay, the actor is made anew.
//!
//! actix's own supervisor does not survive a panic. This one drives the actor's future itself and catches what comes out of a
//! poll; what the panicking message left of its batch is handled by the successor.

use std::any::Any;
use std::collections::VecDeque;
use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{self, Poll};

use actix::dev::ContextFut;
use actix::{Actor, Addr, AsyncContext, Context};
use synod_protocols::Timestamp;

use super::interface::{Remote, Restarts};
use super::pump::{Pump, Source};
use super::terminated::Reason;
use crate::scope::with_successor;

/// Makes the actor, at first and after each panic.
pub(crate) type Maker<A> = Box<dyn FnMut() -> A>;

/// The future that is the actor's task.
pub(crate) struct Supervisor<A: Remote> {
    actor: Option<ContextFut<A, Context<A>>>,
    /// An actor without an address would stop when its last future ends.
    _address: Addr<A>,
    source: Rc<Source<A>>,
    make: Maker<A>,
    panics: VecDeque<Timestamp>,
}

impl<A: Remote> Supervisor<A> {
    /// Makes the actor; gives the panic when its maker does.
    pub(crate) fn start(
        source: Source<A>,
        mut make: Maker<A>,
    ) -> Result<(Self, Addr<A>), Box<dyn Any + Send>> {
        let actor = catch_unwind(AssertUnwindSafe(&mut make))?;
        let source = Rc::new(source);
        let mut ctx = Context::new();
        ctx.spawn(Pump::new(source.clone()));
        let address = ctx.address();
        source.core.counters.actors.inc();
        let supervisor = Self {
            actor: Some(ctx.into_future(actor)),
            _address: address.clone(),
            source,
            make,
            panics: VecDeque::new(),
        };
        Ok((supervisor, address))
    }

    /// Replaces the actor that panicked; `false` when it has panicked too often.
    fn restart(&mut self) -> bool {
        loop {
            if !self.may_restart(A::RESTARTS) {
                return false;
            }
            let Some(running) = &mut self.actor else { return false };
            // The maker may panic as well, and so may the old actor when it is dropped: each is one more panic.
            let restarted = catch_unwind(AssertUnwindSafe(|| {
                let successor = (self.make)();
                with_successor(successor, || running.restart())
            }));
            match restarted {
                Ok(true) => {
                    running.ctx().spawn(Pump::new(self.source.clone()));
                    self.source.core.counters.restarts.inc();
                    return true;
                }
                Ok(false) => unreachable!("the supervisor holds an address"),
                Err(_) => self.report("panicked while it was started again"),
            }
        }
    }

    fn may_restart(&mut self, allowed: Restarts) -> bool {
        let now = self.source.core.now();
        while self.panics.front().is_some_and(|panic| now.since(*panic) > allowed.within) {
            self.panics.pop_front();
        }
        self.panics.push_back(now);
        self.panics.len() <= allowed.most as usize
    }

    fn end(&mut self, reason: Reason) {
        let Some(actor) = self.actor.take() else { return };
        // An actor that is dropped while it runs is told that it stops, and may panic on hearing so.
        if catch_unwind(AssertUnwindSafe(|| drop(actor))).is_err() {
            self.report("panicked while it stopped");
        }
        let Source { core, feed, batch, .. } = &*self.source;
        core.counters.actors.dec();
        core.terminate(feed.actor, reason);
        let taken = mem::take(&mut *batch.borrow_mut());
        core.close(feed, taken);
    }

    fn report(&self, what: &str) {
        let actor = self.source.feed.actor;
        tracing::error!(node = %self.source.core.name(), actor, kind = std::any::type_name::<A>(), "{what}");
    }
}

impl<A: Remote> Future for Supervisor<A> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            let Some(actor) = &mut this.actor else { return Poll::Ready(()) };
            match catch_unwind(AssertUnwindSafe(|| Pin::new(actor).poll(task))) {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(())) => {
                    this.end(Reason::Stopped);
                    return Poll::Ready(());
                }
                Err(_) => {
                    this.report("panicked");
                    if !this.restart() {
                        this.end(Reason::Panicked);
                        return Poll::Ready(());
                    }
                }
            }
        }
    }
}

impl<A: Remote> Unpin for Supervisor<A> {}

impl<A: Remote> Drop for Supervisor<A> {
    /// The arbiter stops with actors on it.
    fn drop(&mut self) {
        self.end(Reason::Stopped);
    }
}

impl<A: Actor<Context = Context<A>>> Drop for Source<A> {
    /// An actor that never came to life gives back what waited for it.
    fn drop(&mut self) {
        self.core.close(&self.feed, []);
    }
}
