//! One bulk stream in memory: chunks in order, a bounded window between the two ends. Knows no network: delays come with the chunks.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::contract::LinkError;

/// A bulk stream on its way.
pub(crate) struct Pipe {
    flow: Mutex<Flow>,
    change: Notify,
    window: usize,
}

#[derive(Default)]
struct Flow {
    chunks: VecDeque<(Instant, Bytes)>,
    bytes: usize,
    last: Option<Instant>,
    finished: Option<Instant>,
    broken: Option<String>,
}

impl Pipe {
    pub(crate) fn new(window: usize) -> Arc<Self> {
        Arc::new(Self { flow: Mutex::default(), change: Notify::new(), window })
    }

    /// Waits for room in the window.
    pub(crate) async fn room(&self) -> Result<(), LinkError> {
        loop {
            let told = self.change.notified();
            tokio::pin!(told);
            told.as_mut().enable();
            {
                let flow = self.lock();
                flow.check()?;
                if flow.bytes < self.window {
                    return Ok(());
                }
            }
            told.await;
        }
    }

    /// Puts a chunk on its way, to arrive at `at` but not before an earlier one.
    pub(crate) fn put(&self, at: Instant, chunk: Bytes) -> Result<(), LinkError> {
        let mut flow = self.lock();
        flow.check()?;
        let at = flow.last.map_or(at, |last| last.max(at));
        flow.last = Some(at);
        flow.bytes += chunk.len();
        flow.chunks.push_back((at, chunk));
        drop(flow);
        self.change.notify_waiters();
        Ok(())
    }

    /// Says that nothing more comes; gives when the last chunk arrives.
    pub(crate) fn finish(&self, at: Instant) -> Result<Instant, LinkError> {
        let mut flow = self.lock();
        flow.check()?;
        let at = flow.last.map_or(at, |last| last.max(at));
        flow.finished = Some(at);
        drop(flow);
        self.change.notify_waiters();
        Ok(at)
    }

    /// Whether it broke.
    pub(crate) fn check(&self) -> Result<(), LinkError> {
        self.lock().check()
    }

    /// The next chunk, at its time.
    pub(crate) async fn read(&self) -> Result<Option<Bytes>, LinkError> {
        loop {
            let told = self.change.notified();
            tokio::pin!(told);
            told.as_mut().enable();
            let due = {
                let mut flow = self.lock();
                flow.check()?;
                let due = flow.chunks.front().map(|(at, _)| *at).or(flow.finished);
                if due.is_some_and(|at| at <= Instant::now()) {
                    let chunk = flow.chunks.pop_front().map(|(_, chunk)| chunk);
                    flow.bytes -= chunk.as_ref().map_or(0, Bytes::len);
                    drop(flow);
                    self.change.notify_waiters();
                    return Ok(chunk);
                }
                due
            };
            match due {
                Some(at) => tokio::select! { biased; () = &mut told => {}, () = sleep_until(at) => {} },
                None => told.await,
            }
        }
    }

    /// Breaks the stream for both ends, unless all of it has arrived.
    pub(crate) fn fail(&self, why: &str) {
        let mut flow = self.lock();
        if flow.broken.is_none() && flow.finished.is_none_or(|at| at > Instant::now()) {
            flow.broken = Some(why.to_owned());
            flow.chunks.clear();
        }
        drop(flow);
        self.change.notify_waiters();
    }

    /// Whether everything, the end too, was read.
    pub(crate) fn is_read(&self) -> bool {
        let flow = self.lock();
        flow.finished.is_some() && flow.chunks.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Flow> {
        self.flow.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flow {
    fn check(&self) -> Result<(), LinkError> {
        self.broken.as_ref().map_or(Ok(()), |why| Err(LinkError::Broken(why.clone())))
    }
}
