//! Moves messages from an actor's feed to its handlers: a future in the actor's own context, a bounded number a turn.
//!
//! Between two turns the actor's timers, futures and its actix mailbox are polled, so that a flood starves nothing.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::mem;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{self, Poll, Waker};

use actix::fut::ActorFuture;
use actix::{Actor, ActorContext, AsyncContext, Context};
use bytes::Bytes;
use synod_protocols::Timestamp;

use super::core::Core;
use super::dispatch::{Around, Arrival, Entry, Panic};
use super::feed::{Feed, Item, LocalItem, Spent};
use super::kind::Kind;
use crate::cluster::Session;
use crate::error::{AskError, Cause};
use crate::scope::Decoder;
use crate::wire::{Head, Load, split_number};

/// How many messages are handled before others get their turn.
const TURN: usize = 64;

/// What outlives a restart.
pub(crate) struct Source<A: Actor<Context = Context<A>>> {
    pub(crate) core: Arc<Core>,
    pub(crate) feed: Arc<Feed>,
    pub(crate) kind: Arc<Kind<A>>,
    /// What has been taken from the feed and not been handled.
    pub(crate) batch: RefCell<VecDeque<Item>>,
    /// Whether what comes to the feed wakes the actor's task: not while the actor waits for something else.
    pub(crate) listening: Cell<bool>,
}

/// The future.
pub(crate) struct Pump<A: Actor<Context = Context<A>>> {
    source: Rc<Source<A>>,
    decoder: Decoder,
}

struct Turn<'a, A: Actor<Context = Context<A>>> {
    source: &'a Source<A>,
    decoder: &'a mut Decoder,
    left: usize,
    spent: Spent,
}

impl<A: Actor<Context = Context<A>>> Source<A> {
    pub(crate) fn new(core: Arc<Core>, feed: Arc<Feed>, kind: Arc<Kind<A>>) -> Self {
        Self { core, feed, kind, batch: RefCell::default(), listening: Cell::new(false) }
    }
}

impl<A: Actor<Context = Context<A>>> Pump<A> {
    pub(crate) fn new(source: Rc<Source<A>>) -> Self {
        let decoder = Decoder::new(source.core.clone());
        Self { source, decoder }
    }
}

impl<A: Actor<Context = Context<A>>> ActorFuture<A> for Pump<A> {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        actor: &mut A,
        ctx: &mut Context<A>,
        task: &mut task::Context<'_>,
    ) -> Poll<()> {
        let Self { source, decoder } = self.get_mut();
        let feed = &*source.feed;
        // It is running, so it has refused to stop if it was asked to.
        feed.signals.stay();
        let mut turn = Turn { source, decoder, left: TURN, spent: Spent::default() };
        while !ctx.waiting() && turn.left > 0 {
            if feed.signals.take_stop() {
                ctx.stop();
                break;
            }
            if turn.source.batch.borrow().is_empty() && !turn.pull(task.waker()) {
                if feed.signals.wants_stop() {
                    // It came before there was a waker to wake.
                    continue;
                }
                source.listening.set(true);
                break;
            }
            if let Err(panic) = turn.run(actor, ctx) {
                turn.settle();
                resume_unwind(panic);
            }
        }
        turn.settle();
        if turn.left == 0 {
            task.waker().wake_by_ref();
            source.listening.set(true);
        }
        Poll::Pending
    }
}

impl<A: Actor<Context = Context<A>>> Turn<'_, A> {
    /// Handles what was taken, until the turn is over or the actor waits. What is left stays for the next one.
    fn run(&mut self, actor: &mut A, ctx: &mut Context<A>) -> Result<(), Panic> {
        while self.left > 0 && !ctx.waiting() {
            let Some(item) = self.source.batch.borrow_mut().pop_front() else { break };
            match item {
                Item::Local(item) => self.local(actor, ctx, item)?,
                Item::Remote(mut run) => {
                    let (mut handled, mut load) = (Ok(()), Load::default());
                    while handled.is_ok() && self.left > 0 && !ctx.waiting() {
                        let Some(frame) = run.frames.next() else { break };
                        load += Load::of(frame.len());
                        handled = self.remote(actor, ctx, &run.session, run.received, frame);
                    }
                    self.came_from(&run.session, load);
                    if run.frames.len() > 0 {
                        self.source.batch.borrow_mut().push_front(Item::Remote(run));
                    }
                    handled?;
                }
            }
        }
        Ok(())
    }

    fn local(&mut self, actor: &mut A, ctx: &mut Context<A>, item: LocalItem) -> Result<(), Panic> {
        self.count(item.size as usize);
        let table = &self.source.kind.tables[usize::from(item.interface)];
        let entry = &table[usize::from(item.message)];
        (entry.local)(actor, ctx, &self.around(), item)
    }

    fn remote(
        &mut self,
        actor: &mut A,
        ctx: &mut Context<A>,
        session: &Arc<Session>,
        received: Timestamp,
        mut frame: Bytes,
    ) -> Result<(), Panic> {
        self.count(frame.len());
        let Ok(head) = Head::read(&mut frame) else { unreachable!("the switchboard has read this header") };
        let (Head::Tell(call) | Head::Ask(_, call)) = &head else {
            unreachable!("the switchboard feeds tells and asks only")
        };
        if let Head::Ask(correlation, _) = &head
            && session.cancelled.take(*correlation)
        {
            self.source.core.counters.cancelled.inc();
            return Ok(());
        }
        // Of each anew: the handlers before it may have taken long.
        if call.deadline_ms.is_some_and(|left| is_late(left, received, self.source.core.now())) {
            let error = AskError::not_executed(Cause::Timeout);
            self.source.core.refuse(session, &head, &frame, error);
            return Ok(());
        }
        let source = self.source;
        let Some(entry) = entry_of(source, call.message) else {
            source.core.refuse(session, &head, &frame, AskError::not_executed(Cause::Unsupported));
            return Ok(());
        };
        (entry.remote)(actor, ctx, &mut self.around(), Arrival { session, head, body: frame })
    }

    fn count(&mut self, bytes: usize) {
        self.left -= 1;
        self.spent.messages += 1;
        self.spent.bytes += bytes;
    }

    /// What was handled came over this link.
    fn came_from(&mut self, session: &Arc<Session>, load: Load) {
        if let Some((known, before)) = &mut self.spent.from
            && Arc::ptr_eq(known, session)
        {
            *before += load;
            return;
        }
        if self.spent.from.is_some() {
            self.settle();
        }
        self.spent.from = Some((session.clone(), load));
    }

    /// Takes what waits; `false` when nothing does. Frees the room of messages of this node that were handled; what came over a link is
    /// written off once a turn, so that its sender hears of much at once.
    fn pull(&mut self, waker: &Waker) -> bool {
        let Source { feed, batch, .. } = self.source;
        let here = self.spent.from.is_none().then(|| mem::take(&mut self.spent));
        feed.pull(&mut batch.borrow_mut(), here.unwrap_or_default(), waker)
    }

    /// Frees the room of what was handled, and lets its sender know when it is time.
    fn settle(&mut self) {
        if self.spent.is_nothing() {
            return;
        }
        let Source { core, feed, .. } = self.source;
        if let Some((_, load)) = &self.spent.from {
            core.counters.waiting.dec_by(i64::from(load.messages));
        }
        if let Some(word) = feed.settle(mem::take(&mut self.spent)) {
            core.grant(feed.actor, word);
        }
    }

    fn around(&mut self) -> Around<'_> {
        Around { core: &self.source.core, feed: &self.source.feed, decoder: self.decoder }
    }
}

/// Whether the asker has given up before the message's turn came.
fn is_late(left_ms: u32, received: Timestamp, now: Timestamp) -> bool {
    now.since(received).as_millis() > u128::from(left_ms)
}

fn entry_of<A: Actor<Context = Context<A>>>(source: &Source<A>, number: u32) -> Option<&Entry<A>> {
    let (interface, message) = split_number(number);
    let position = source.feed.offer.interfaces.iter().position(|offered| offered.number == interface)?;
    source.kind.tables[position].get(usize::from(message))
}
