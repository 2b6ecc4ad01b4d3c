//! Where work runs in simulation: on the one thread, in the node's own local set, in virtual time.
//!
//! Dropping the local set ends every actor, timer and job of the node at once, as `kill -9` would.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use synod_protocols::prng::Prng;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::env::Spawner;
use crate::storage::Worker;

/// One place for actors; disk jobs take a seeded time.
pub struct LocalSpawner {
    chance: Mutex<Prng>,
    shortest_job: Duration,
    longest_job: Duration,
}

/// Runs jobs in order, each after a seeded virtual delay.
struct LocalWorker {
    jobs: UnboundedSender<Box<dyn FnOnce() + Send>>,
}

impl LocalSpawner {
    /// A spawner whose disk jobs take between `shortest_job` and `longest_job` of virtual time.
    #[must_use]
    pub fn new(seed: u64, shortest_job: Duration, longest_job: Duration) -> Self {
        Self { chance: Mutex::new(Prng::new(seed)), shortest_job, longest_job }
    }
}

impl Spawner for LocalSpawner {
    fn places(&self) -> usize {
        1
    }

    fn start_at(&self, _place: usize, start: Box<dyn FnOnce() + Send>) {
        tokio::task::spawn_local(async move { start() });
    }

    fn worker(&self, _name: &str) -> io::Result<Arc<dyn Worker>> {
        let seed = self.chance.lock().unwrap_or_else(PoisonError::into_inner).next_u64();
        let (shortest, longest) = (self.shortest_job, self.longest_job);
        let (jobs, mut queue) = unbounded_channel::<Box<dyn FnOnce() + Send>>();
        tokio::task::spawn_local(async move {
            let mut chance = Prng::new(seed);
            while let Some(job) = queue.recv().await {
                tokio::time::sleep(chance.duration(shortest, longest)).await;
                job();
            }
        });
        Ok(Arc::new(LocalWorker { jobs }))
    }
}

impl Worker for LocalWorker {
    fn submit(&self, job: Box<dyn FnOnce() + Send>) {
        // A worker whose node was killed drops its jobs, as its contract says.
        drop(self.jobs.send(job));
    }
}
