//! Where disk work runs: one job after another, beside the arbiters.
//!
//! Not a thread pool: the order of jobs is the order in which they were submitted. In production a thread, in simulation a
//! local task that lets virtual time pass before each job.

/// Runs jobs in order.
pub trait Worker: Send + Sync + 'static {
    /// Queues a job. Jobs submitted after the worker has stopped are dropped, and what they own with them.
    fn submit(&self, job: Box<dyn FnOnce() + Send>);
}
