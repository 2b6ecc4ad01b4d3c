//! A worker of its own thread.

use std::io;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crate::storage::worker::Worker;

/// Runs jobs on one named thread, which ends when the worker is dropped and the jobs queued until then are done.
#[derive(Debug)]
pub struct ThreadWorker {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    jobs: Option<Sender<Box<dyn FnOnce() + Send>>>,
    thread: Option<JoinHandle<()>>,
}

impl ThreadWorker {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    #[expect(clippy::disallowed_methods, reason = "the seam to the operating system's threads")]
    pub fn start(name: &str) -> io::Result<Self> {
        let (jobs, queue) = channel::<Box<dyn FnOnce() + Send>>();
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            for job in queue {
                job();
            }
        })?;
        Ok(Self { state: Mutex::new(State { jobs: Some(jobs), thread: Some(thread) }) })
    }

    /// Lets the jobs queued so far run, then ends the thread and waits for its end. Later jobs are dropped.
    pub fn shutdown(&self) {
        let (jobs, thread) = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            (state.jobs.take(), state.thread.take())
        };
        drop(jobs);
        // A job that drops the last handle runs on the thread itself, which cannot wait for its own end.
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != thread::current().id()) {
            // A job that panicked has been reported by the panic hook; there is nothing left to be done about it here.
            let _ = thread.join();
        }
    }
}

impl Worker for ThreadWorker {
    fn submit(&self, job: Box<dyn FnOnce() + Send>) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(jobs) = &state.jobs {
            // The thread is gone only if a job panicked; the job is dropped as after a shutdown.
            let _ = jobs.send(job);
        }
    }
}

impl Drop for ThreadWorker {
    fn drop(&mut self) {
        self.shutdown();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn jobs_run_in_order_and_shutdown_waits_for_them() {
        let worker = ThreadWorker::start("disk").expect("a thread");
        let (sender, receiver) = channel();
        for number in 0..100 {
            let sender = sender.clone();
            worker.submit(Box::new(move || sender.send(number).expect("the test listens")));
        }
        worker.shutdown();
        let late = sender.clone();
        worker.submit(Box::new(move || late.send(1000).expect("the test listens")));
        drop(sender);
        assert_eq!(receiver.iter().collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_job_may_drop_the_last_handle() {
        let worker = Arc::new(ThreadWorker::start("disk").expect("a thread"));
        let (sender, receiver) = channel();
        let last = Arc::clone(&worker);
        let (release, gate) = channel::<()>();
        worker.submit(Box::new(move || {
            gate.recv().expect("the test releases");
            drop(last);
            sender.send(()).expect("the test listens");
        }));
        drop(worker);
        release.send(()).expect("the job waits");
        receiver.recv().expect("the job came to its end");
    }
}
