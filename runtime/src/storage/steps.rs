//! A worker whose jobs are run by hand, for tests.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll};

use futures_util::task::noop_waker;

use crate::storage::worker::Worker;

/// Keeps jobs until they are run.
#[derive(Default)]
pub(super) struct Steps(Mutex<VecDeque<Box<dyn FnOnce() + Send>>>);

impl Worker for Steps {
    fn submit(&self, job: Box<dyn FnOnce() + Send>) {
        self.0.lock().unwrap().push_back(job);
    }
}

impl Steps {
    /// Runs one job; false when there is none.
    pub(super) fn step(&self) -> bool {
        let job = self.0.lock().unwrap().pop_front();
        job.map(|job| job()).is_some()
    }

    /// Runs jobs until there are none.
    pub(super) fn run(&self) {
        while self.step() {}
    }

    /// Drops all jobs.
    pub(super) fn clear(&self) {
        let jobs = std::mem::take(&mut *self.0.lock().unwrap());
        drop(jobs);
    }

    /// Runs jobs until the future is ready.
    pub(super) fn wait<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        let waker = noop_waker();
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return output;
            }
            assert!(self.step(), "the future waits for something that no job does");
        }
    }
}
