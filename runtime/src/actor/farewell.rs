//! The end of a family, before a parent ends or is started again.
//!
//! When it begins is the supervisor's to decide.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Sleep, sleep};

use super::core::Core;
use super::signals::Signals;
use super::terminated::Reason;

/// One child after the other is asked to stop, the youngest first, and ended when it takes too long.
#[derive(Default)]
pub(crate) struct Farewell {
    asked: Option<u64>,
    patience: Option<Pin<Box<Sleep>>>,
}

impl Farewell {
    /// Ready when there is no child left.
    pub(crate) fn poll(&mut self, core: &Core, family: &Signals, task: &mut Context<'_>) -> Poll<()> {
        family.keep(task.waker());
        loop {
            let Some(child) = family.youngest() else { return Poll::Ready(()) };
            let Ok(feed) = core.registry.find(child) else {
                family.release(child);
                continue;
            };
            if self.asked != Some(child) {
                feed.stop(Reason::Shutdown);
                self.asked = Some(child);
                self.patience = Some(Box::pin(sleep(core.settings.limits.child_grace)));
            }
            if let Some(patience) = &mut self.patience
                && patience.as_mut().poll(task).is_ready()
            {
                self.patience = None;
                feed.kill(Reason::Killed);
            }
            return Poll::Pending;
        }
    }
}
