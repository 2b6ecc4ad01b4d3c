//! Our core behind actix actors: each drains what has arrived, steps its machine, and hands each peer one batch.
//!
//! As our driver does, but for two things that the peers' rows lack as well: messages are passed as values, and the log is in
//! memory. With both, and unmodified nodes, see `synod_nodes`.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::{Duration, Instant};

use actix::{Actor, AsyncContext, Context, StreamHandler};
use actix_rt::System;
use bytes::Bytes;
use futures_util::Stream;
use synod::protocols::log::Body;
use synod::protocols::protocol::{Effect, Input, Outbox, Protocol, Recovered};
use synod::protocols::raft::{Command, Config, Message, Raft, Reply};
use synod::protocols::{NodeId, SessionId, Timestamp, Token};
use tokio::sync::oneshot;

use crate::actors::clients::{self, Member as _};
use crate::cell::Cell;

const NODES: usize = 3;

/// What comes to an actor.
enum Arrival {
    Message { from: NodeId, message: Message },
    Command { command: Command, answer: oneshot::Sender<Reply> },
}

/// What has arrived at one actor, and how it is woken.
#[derive(Default)]
struct Queue {
    arrivals: Vec<Arrival>,
    waker: Option<Waker>,
}

/// The queue of one actor; clones are the same.
#[derive(Clone, Default)]
struct Feed(Rc<RefCell<Queue>>);

impl Feed {
    fn push(&self, arrivals: impl IntoIterator<Item = Arrival>) {
        let waker = {
            let mut queue = self.0.borrow_mut();
            queue.arrivals.extend(arrivals);
            queue.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl clients::Member for Feed {
    async fn ask(&self, command: Command) -> Reply {
        let (answer, reply) = oneshot::channel();
        self.push([Arrival::Command { command, answer }]);
        reply.await.expect("an answer")
    }
}

/// Everything that has arrived, again and again; beside it, a beat for the machine's timers.
struct Batches {
    feed: Feed,
    beat: tokio::time::Interval,
}

impl Stream for Batches {
    type Item = Vec<Arrival>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Option<Vec<Arrival>>> {
        let mut queue = self.feed.0.borrow_mut();
        if !queue.arrivals.is_empty() {
            return Poll::Ready(Some(std::mem::take(&mut queue.arrivals)));
        }
        queue.waker = Some(context.waker().clone());
        drop(queue);
        self.beat.poll_tick(context).map(|_| Some(Vec::new()))
    }
}

/// One node.
struct Member {
    id: NodeId,
    machine: Raft,
    outbox: Outbox<Raft>,
    effects: Vec<Effect<Raft>>,
    origin: Instant,
    feed: Feed,
    /// The feeds of all nodes, by number.
    feeds: Vec<Feed>,
    /// What goes to each when everything that had arrived was handled.
    leaving: Vec<Vec<Arrival>>,
    /// Who waits, by token: tokens are given one after the other, and answered nearly in that order.
    answers: VecDeque<Option<oneshot::Sender<Reply>>>,
    first_token: u64,
}

impl Actor for Member {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        let beat = tokio::time::interval(Duration::from_millis(10));
        context.add_stream(Batches { feed: self.feed.clone(), beat });
    }
}

impl StreamHandler<Vec<Arrival>> for Member {
    fn handle(&mut self, batch: Vec<Arrival>, _context: &mut Context<Self>) {
        let now = Timestamp::ZERO.after(self.origin.elapsed());
        for arrival in batch {
            match arrival {
                Arrival::Message { from, message } => {
                    self.step(now, Input::Message { from, session: SessionId(1), message });
                }
                Arrival::Command { command, answer } => {
                    let token = Token(self.first_token + self.answers.len() as u64);
                    self.answers.push_back(Some(answer));
                    self.step(now, Input::Command { token, command });
                }
            }
        }
        while self.machine.next_deadline().is_some_and(|deadline| deadline <= now) {
            self.step(now, Input::Timeout);
        }
        for (feed, leaving) in self.feeds.iter().zip(&mut self.leaving) {
            if !leaving.is_empty() {
                feed.push(leaving.drain(..));
            }
        }
    }
}

impl Member {
    fn new(number: usize, ids: &BTreeSet<NodeId>, origin: Instant, feeds: &[Feed]) -> Self {
        let id = NodeId(number as u64 + 1);
        let mut config = Config::lan(id, ids.clone());
        // The log stays in memory, as the others' does.
        config.cache_bytes = usize::MAX >> 1;
        config.snapshot_entries = u64::MAX;
        config.snapshot_bytes = u64::MAX;
        Self {
            id,
            machine: Raft::restore(config.into(), id.0, Recovered::default()),
            outbox: Outbox::default(),
            effects: Vec::new(),
            origin,
            feed: feeds[number].clone(),
            feeds: feeds.to_vec(),
            leaving: (0..NODES).map(|_| Vec::new()).collect(),
            answers: VecDeque::new(),
            first_token: 1,
        }
    }

    /// Gives the machine an input, and then the answers to what it asks of its driver.
    fn step(&mut self, now: Timestamp, input: Input<Raft>) {
        let mut next = Some(input);
        let mut inputs = VecDeque::new();
        while let Some(input) = next.take().or_else(|| inputs.pop_front()) {
            self.machine.handle(now, input, &mut self.outbox);
            let mut effects = std::mem::take(&mut self.effects);
            self.outbox.take_into(&mut effects);
            for effect in effects.drain(..) {
                inputs.extend(self.carry_out(effect));
            }
            self.effects = effects;
        }
    }

    fn carry_out(&mut self, effect: Effect<Raft>) -> Option<Input<Raft>> {
        match effect {
            Effect::Send { to, message, after: _ } => {
                let to = usize::try_from(to.0 - 1).expect("one of three");
                self.leaving[to].push(Arrival::Message { from: self.id, message });
                None
            }
            // The log is in memory: what is asked for is durable.
            Effect::Persist { id, .. } | Effect::Truncate { id, .. } | Effect::Compact { id, .. } => {
                Some(Input::Persisted(id))
            }
            Effect::Apply { entries } => {
                let upto = entries.last()?.index;
                let commands = entries.iter().filter(|entry| matches!(entry.body, Body::Command { .. }));
                let results = commands.map(|entry| (entry.index, Bytes::new())).collect();
                Some(Input::Applied { upto, results, wake: None })
            }
            Effect::Reply { token, reply, after: _ } => {
                self.answer(token, reply);
                None
            }
            Effect::Emit { .. } => None,
            effect @ (Effect::Watch { .. }
            | Effect::Load { .. }
            | Effect::TakeSnapshot { .. }
            | Effect::SendSnapshot { .. }
            | Effect::InstallSnapshot { .. }
            | Effect::DropSnapshot { .. }) => panic!("nothing leaves memory here: {effect:?}"),
        }
    }

    fn answer(&mut self, token: Token, reply: Reply) {
        let place = usize::try_from(token.0 - self.first_token).expect("few wait");
        let answer = self.answers[place].take().expect("one answer to each");
        // The client waits for it.
        answer.send(reply).expect("a client");
        while self.answers.front().is_some_and(Option::is_none) {
            self.answers.pop_front();
            self.first_token += 1;
        }
    }
}

/// Writes a second, with everything on one thread.
pub(crate) fn on_one_thread(cell: Cell, duration: Duration) -> f64 {
    System::new().block_on(async {
        let ids: BTreeSet<NodeId> = (1..=NODES as u64).map(NodeId).collect();
        let origin = Instant::now();
        let feeds: Vec<Feed> = (0..NODES).map(|_| Feed::default()).collect();
        for number in 0..NODES {
            Member::new(number, &ids, origin, &feeds).start();
        }
        feeds[0].ask(Command::Campaign).await;
        clients::write(clients::leader(&feeds).await, cell, duration).await
    })
}
