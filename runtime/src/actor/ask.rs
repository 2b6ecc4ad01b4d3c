//! [`Ask`]: a question to an actor, from before it is asked until its answer is there.
//!
//! To an actor of this node it goes without a box, a timer or a task: its message stands in the actor's feed, and there its deadline. Over
//! a link it is what [`Outgoing::ask`] makes of it.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::asks::AskId;
use super::feed::LocalItem;
use super::outgoing::Outgoing;
use super::remote_message::RemoteMessage;
use super::route::Destination;
use crate::error::{AskError, Cause};

/// A question that is asked when it is awaited, from within a tokio runtime.
#[must_use = "an ask that is not awaited is not asked"]
pub struct Ask<M: RemoteMessage> {
    stage: Stage<M>,
    deadline: Option<Duration>,
}

/// How far it has come.
enum Stage<M: RemoteMessage> {
    /// It was not awaited yet.
    Open(Arc<Destination>, Outgoing<M>),
    /// It is with an actor of this node.
    Here(Waiting<M::Result>),
    /// It waits for room, for a link, or for what comes over one.
    Elsewhere(Pin<Box<dyn Future<Output = Result<M::Result, AskError>> + Send>>),
    /// It was answered.
    Over,
}

/// Waits for an answer of an actor of this node; who drops it has given up.
struct Waiting<R> {
    answer: oneshot::Receiver<R>,
    to: Arc<Destination>,
    /// `None` when it is over.
    ask: Option<AskId>,
}

impl<M: RemoteMessage> Ask<M> {
    pub(super) fn new(to: Arc<Destination>, outgoing: Outgoing<M>) -> Self {
        Self { stage: Stage::Open(to, outgoing), deadline: None }
    }

    /// Waits at most this long for the answer.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Asks; ready when that has failed, or was answered at once.
    fn begin(
        &mut self,
        to: Arc<Destination>,
        outgoing: Outgoing<M>,
        task: &mut Context<'_>,
    ) -> Poll<Result<M::Result, AskError>> {
        let core = to.core()?;
        let limit = self.deadline.unwrap_or(core.settings.limits.ask_timeout);
        let Some(local) = to.local(outgoing.key)? else {
            self.stage = Stage::Elsewhere(Box::pin(async move { outgoing.ask(&to, limit).await }));
            return self.go_on(task);
        };
        let (sender, answer) = oneshot::channel();
        let item = outgoing.item(local.interface, Some(sender));
        match local.feed.push_ask(item, core.deadline(limit), task.waker()) {
            Ok(entered) => {
                core.expect(&local.feed, &entered);
                let mut waiting = Waiting { answer, to, ask: Some(entered.ask) };
                let answered = waiting.take(task);
                self.stage = Stage::Here(waiting);
                answered
            }
            Err((item, Cause::MailboxFull)) => {
                self.stage = Stage::Elsewhere(Box::pin(ask_patiently(to, item, answer, limit)));
                self.go_on(task)
            }
            Err((_, cause)) => Poll::Ready(Err(AskError::not_executed(cause))),
        }
    }

    fn go_on(&mut self, task: &mut Context<'_>) -> Poll<Result<M::Result, AskError>> {
        match &mut self.stage {
            Stage::Here(waiting) => Pin::new(waiting).poll(task),
            Stage::Elsewhere(asking) => asking.as_mut().poll(task),
            Stage::Open(..) | Stage::Over => panic!("an ask was awaited again after its answer"),
        }
    }
}

impl<M: RemoteMessage> Future for Ask<M> {
    type Output = Result<M::Result, AskError>;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let answered = if let Stage::Open(..) = this.stage
            && let Stage::Open(to, outgoing) = mem::replace(&mut this.stage, Stage::Over)
        {
            this.begin(to, outgoing, task)
        } else {
            this.go_on(task)
        };
        if answered.is_ready() {
            this.stage = Stage::Over;
        }
        answered
    }
}

/// No message is polled where it stands.
impl<M: RemoteMessage> Unpin for Ask<M> {}

impl<R> Waiting<R> {
    /// Takes the answer, or what went wrong, when there is one of them.
    fn take(&mut self, task: &mut Context<'_>) -> Poll<Result<R, AskError>> {
        let answer = ready!(Pin::new(&mut self.answer).poll(task));
        let fault = self.leave();
        Poll::Ready(answer.map_err(|_| fault.unwrap_or(AskError::unknown(Cause::Cancelled))))
    }

    fn leave(&mut self) -> Option<AskError> {
        let ask = self.ask.take()?;
        self.to.settled()?.feed.leave(ask)
    }
}

impl<R> Future for Waiting<R> {
    type Output = Result<R, AskError>;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let answered = this.take(task);
        if answered.is_pending()
            && let (Some(ask), Some(local)) = (this.ask, this.to.settled())
            && let Some(fault) = local.feed.stay(ask, task.waker())
        {
            return Poll::Ready(Err(fault));
        }
        answered
    }
}

impl<R> Drop for Waiting<R> {
    fn drop(&mut self) {
        // Before the asker's place goes to another one: what is not begun is not done for somebody who has given up.
        self.answer.close();
        self.leave();
    }
}

/// Asks as soon as there is room.
async fn ask_patiently<R: Send>(
    to: Arc<Destination>,
    item: LocalItem,
    answer: oneshot::Receiver<R>,
    limit: Duration,
) -> Result<R, AskError> {
    let (core, local) = (to.core()?, to.settled().ok_or(AskError::not_executed(Cause::NoSuchActor))?);
    let entering = local.feed.push_ask_patiently(item, core.deadline(limit));
    let entered = match timeout(limit, entering).await {
        Ok(entered) => entered.map_err(|(_, cause)| AskError::not_executed(cause))?,
        Err(_) => return Err(AskError::not_executed(Cause::MailboxFull)),
    };
    core.expect(&local.feed, &entered);
    Waiting { answer, to, ask: Some(entered.ask) }.await
}
