//! Drives one actor and starts it again as its policy says: address, queue and reference stay, the actor is made anew.
//!
//! actix's own supervisor does not survive a panic. This one drives the actor's future itself and catches what comes out of a
//! poll; what the panicking message left of its batch is handled by the successor, after the policy's wait. Before an actor is
//! started again or ends, its children are stopped.

use std::any::Any;
use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{self, Poll};
use std::time::Duration;

use actix::dev::ContextFut;
use actix::{Actor, Addr, AsyncContext, Context};
use synod_protocols::prng::Prng;
use tokio::time::{Sleep, sleep};

use super::factory::Scope;
use super::farewell::Farewell;
use super::interface::Remote;
use super::pump::{Pump, Source};
use super::restarts::{History, When};
use super::signals::Leaving;
use super::system::ActorSystem;
use super::target::Target;
use super::terminated::Reason;
use crate::scope::with_successor;

/// Makes the actor, at first and before each restart.
pub(crate) type Maker<A> = Box<dyn FnMut(&Scope) -> A>;

/// The future that is the actor's task.
pub(crate) struct Supervisor<A: Remote> {
    actor: Option<ContextFut<A, Context<A>>>,
    /// An actor without an address would stop when its last future ends.
    _address: Addr<A>,
    source: Rc<Source<A>>,
    make: Maker<A>,
    /// The actor of this node whose child it is.
    parent: Option<u64>,
    /// There is one from the first fall on.
    history: Option<Box<History>>,
    phase: Phase,
}

/// What the actor is at.
enum Phase {
    Running,
    /// It does nothing any more, and its children are stopped.
    Parting(Box<Parting>),
    /// It has fallen, for this reason, and waits to be started again, if it has to wait.
    Resting(Reason, Option<Pin<Box<Sleep>>>),
}

/// The end of an actor's children, and what comes after it.
struct Parting {
    next: Next,
    farewell: Farewell,
}

/// What becomes of an actor without children.
#[derive(Clone, Copy)]
enum Next {
    /// It fell for this reason, and is started again after this wait.
    Restart(Reason, Duration),
    End(Reason),
    /// It ends for this reason, and takes its parent along.
    Escalation(Reason),
}

/// Sets the waits of an actor apart from all else that is drawn from the node's seed.
const WAITS: u64 = 0x7265_7374_6172_7473;

impl<A: Remote> Supervisor<A> {
    /// Makes the actor; gives the panic when its maker does.
    pub(crate) fn start(
        source: Source<A>,
        mut make: Maker<A>,
        parent: Option<u64>,
    ) -> Result<(Self, Addr<A>), Box<dyn Any + Send>> {
        let actor = catch_unwind(AssertUnwindSafe(|| make(&source.scope())))?;
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
            parent,
            history: None,
            phase: Phase::Running,
        };
        Ok((supervisor, address))
    }

    /// Lets the actor run until it has nothing to do.
    fn run(&mut self, task: &mut task::Context<'_>) -> Poll<()> {
        let Some(actor) = &mut self.actor else { return Poll::Ready(()) };
        self.source.listening.set(false);
        match catch_unwind(AssertUnwindSafe(|| Pin::new(actor).poll(task))) {
            Ok(Poll::Pending) => {
                if !self.source.listening.get() {
                    // It waits for something else.
                    self.source.feed.signals.keep(task.waker());
                }
                return Poll::Pending;
            }
            Ok(Poll::Ready(())) => {
                let leaving = self.source.feed.signals.take_leaving();
                let leaving = leaving.unwrap_or(Leaving { reason: Reason::Stopped, asked: false });
                if leaving.asked || A::RESTARTS.when != When::Ended {
                    self.part(Next::End(leaving.reason));
                } else {
                    self.fall(leaving.reason);
                }
            }
            Err(_) => {
                self.report("panicked");
                self.fall(Reason::Panicked);
            }
        }
        Poll::Ready(())
    }

    /// The actor fell: it is started again, or has fallen too often.
    fn fall(&mut self, reason: Reason) {
        let Source { core, feed, .. } = &*self.source;
        let allowed = A::RESTARTS;
        let wait = if allowed.when == When::Never {
            None
        } else {
            let chance = || Prng::fork(core.settings.env.seed ^ WAITS, feed.actor);
            let history = self.history.get_or_insert_with(|| Box::new(History::new(chance())));
            history.ended(core.now(), &allowed)
        };
        self.part(match wait {
            Some(wait) => Next::Restart(reason, wait),
            None if allowed.escalates() => Next::Escalation(reason),
            None => Next::End(reason),
        });
    }

    /// Takes leave of the children, if there are any, before what comes next.
    fn part(&mut self, next: Next) {
        if self.source.feed.signals.close_family() {
            self.go_on(next);
        } else {
            self.phase = Phase::Parting(Box::new(Parting { next, farewell: Farewell::default() }));
        }
    }

    fn go_on(&mut self, next: Next) {
        match next {
            Next::Restart(reason, wait) => {
                let wait = (!wait.is_zero()).then(|| Box::pin(sleep(wait)));
                self.phase = Phase::Resting(reason, wait);
            }
            Next::End(reason) | Next::Escalation(reason) => {
                let escalates = matches!(next, Next::Escalation(_));
                self.end(reason, escalates);
            }
        }
    }

    /// Waits for the end of the children.
    fn wait_for_children(&mut self, task: &mut task::Context<'_>) -> Poll<()> {
        let Source { core, feed, .. } = &*self.source;
        let Phase::Parting(parting) = &mut self.phase else { return Poll::Ready(()) };
        let Parting { next, farewell } = &mut **parting;
        if let Next::Restart(..) = next
            && feed.signals.take_stop()
            && let Some(leaving) = feed.signals.take_leaving()
        {
            *next = Next::End(leaving.reason);
        }
        if let Next::End(_) | Next::Escalation(_) = next {
            self.source.give_back();
        }
        if farewell.poll(core, &feed.signals, task).is_pending() {
            return Poll::Pending;
        }
        let next = *next;
        self.go_on(next);
        Poll::Ready(())
    }

    /// Waits for its turn to be started again, or for its end.
    fn rest(&mut self, task: &mut task::Context<'_>) -> Poll<()> {
        let Phase::Resting(fallen, wait) = &mut self.phase else { return Poll::Ready(()) };
        let signals = &self.source.feed.signals;
        signals.keep(task.waker());
        if signals.take_stop()
            && let Some(leaving) = signals.take_leaving()
        {
            // There is nobody who could refuse.
            self.end(leaving.reason, false);
            return Poll::Ready(());
        }
        if wait.as_mut().is_some_and(|wait| wait.as_mut().poll(task).is_pending()) {
            return Poll::Pending;
        }
        let fallen = *fallen;
        self.restart(fallen);
        Poll::Ready(())
    }

    /// Puts a successor in the place of the actor that fell.
    fn restart(&mut self, fallen: Reason) {
        let Some(running) = &mut self.actor else { return };
        self.phase = Phase::Running;
        self.source.feed.signals.open_family();
        // The maker may panic as well, and so may the old actor when it is dropped: each is one more fall.
        let restarted = catch_unwind(AssertUnwindSafe(|| {
            let successor = (self.make)(&self.source.scope());
            with_successor(successor, || running.restart())
        }));
        match restarted {
            Ok(true) => {
                running.ctx().spawn(Pump::new(self.source.clone()));
                let core = &self.source.core;
                core.counters.restarted(fallen);
                if let Some(history) = &mut self.history {
                    history.started(core.now());
                }
            }
            Ok(false) => unreachable!("the supervisor holds an address"),
            Err(_) => {
                self.report("panicked while it was started again");
                self.fall(Reason::Panicked);
            }
        }
    }

    /// Heeds what cannot wait for the actor's own turn.
    fn heed(&mut self) {
        let signals = &self.source.feed.signals;
        if let Some(reason) = signals.take_kill() {
            match &mut self.phase {
                Phase::Running | Phase::Resting(..) => self.part(Next::End(reason)),
                Phase::Parting(parting) => match parting.next {
                    Next::Restart(..) => parting.next = Next::End(reason),
                    // It is ending anyway.
                    Next::End(_) | Next::Escalation(_) => {}
                },
            }
        } else if signals.take_fall()
            && let Phase::Running = self.phase
        {
            self.report("falls with a child");
            self.fall(Reason::Escalated);
        }
    }

    fn end(&mut self, reason: Reason, escalates: bool) {
        let Some(actor) = self.actor.take() else { return };
        // An actor that is dropped while it runs is told that it stops, and may panic on hearing so.
        if catch_unwind(AssertUnwindSafe(|| drop(actor))).is_err() {
            self.report("panicked while it stopped");
        }
        let Source { core, feed, .. } = &*self.source;
        feed.signals.close();
        core.counters.actors.dec();
        core.terminate(feed.actor, reason);
        self.source.give_back();
        if let Some(parent) = self.parent
            && let Ok(parent) = core.registry.find(parent)
        {
            if escalates {
                core.counters.escalations.inc();
                parent.fall();
            }
            parent.signals.release(feed.actor);
        }
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
        while this.actor.is_some() {
            this.heed();
            let done = match this.phase {
                Phase::Running => this.run(task),
                Phase::Parting(..) => this.wait_for_children(task),
                Phase::Resting(..) => this.rest(task),
            };
            // A signal may have come before the task was kept for it.
            if done.is_pending() && !this.source.feed.signals.is_urgent() {
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }
}

impl<A: Remote> Unpin for Supervisor<A> {}

impl<A: Remote> Drop for Supervisor<A> {
    /// The arbiter stops with actors on it. Children on other arbiters follow.
    fn drop(&mut self) {
        let Source { core, feed, .. } = &*self.source;
        for child in feed.signals.children() {
            if let Ok(child) = core.registry.find(child) {
                child.stop(Reason::Shutdown);
            }
        }
        self.end(Reason::Shutdown, false);
    }
}

impl<A: Actor<Context = Context<A>>> Source<A> {
    /// What the actor's maker is given. It is not kept: an actor that wants it keeps it.
    fn scope(&self) -> Scope {
        let Self { core, feed, .. } = self;
        let own = Target { node: core.name().clone(), incarnation: core.incarnation(), actor: feed.actor };
        Scope { system: ActorSystem::around(core.clone()), own, offer: feed.offer.clone() }
    }

    /// Takes nothing more, and gives back what waits.
    fn give_back(&self) {
        let taken = mem::take(&mut *self.batch.borrow_mut());
        self.core.close(&self.feed, taken);
    }
}

impl<A: Actor<Context = Context<A>>> Drop for Source<A> {
    /// An actor that never came to life gives back what waited for it.
    fn drop(&mut self) {
        self.give_back();
    }
}
