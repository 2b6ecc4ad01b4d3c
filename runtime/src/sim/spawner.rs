//! Where a simulated node's work runs: on the one thread, in the node's own local set, in virtual time.
//!
//! Work goes there whoever hands it over, so that dropping the local set ends every actor, timer and job of the node at once,
//! as `kill -9` would.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use synod_protocols::prng::Prng;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::env::Spawner;
use crate::storage::Worker;

type Start = Box<dyn FnOnce() + Send>;

/// The way into a node's local set from anywhere.
#[derive(Clone)]
pub(crate) struct Entrance {
    starts: UnboundedSender<Start>,
}

/// One place for actors; disk jobs take a seeded time.
pub(crate) struct LocalSpawner {
    entrance: Entrance,
    chance: Mutex<Prng>,
    longest_job: Duration,
}

/// Runs jobs in order, each after a seeded virtual delay.
struct LocalWorker {
    jobs: UnboundedSender<Start>,
}

impl Entrance {
    /// An entrance, and the future that has to run in the local set it leads to.
    pub(crate) fn new() -> (Self, impl Future<Output = ()>) {
        let (starts, queue) = unbounded_channel();
        (Self { starts }, run(queue))
    }

    /// Runs `start` in the local set; drops it when the node is dead.
    pub(crate) fn enter(&self, start: Start) {
        // A dead node takes nothing: what was to start there dies with it.
        drop(self.starts.send(start));
    }

    /// Runs a future in the local set.
    pub(crate) fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        self.enter(Box::new(move || {
            tokio::task::spawn_local(future);
        }));
    }
}

async fn run(mut queue: UnboundedReceiver<Start>) {
    while let Some(start) = queue.recv().await {
        start();
    }
}

impl LocalSpawner {
    /// A spawner whose disk jobs take up to `longest_job` of virtual time.
    pub(crate) fn new(entrance: Entrance, seed: u64, longest_job: Duration) -> Self {
        Self { entrance, chance: Mutex::new(Prng::new(seed)), longest_job }
    }
}

impl Spawner for LocalSpawner {
    fn places(&self) -> usize {
        1
    }

    fn start_at(&self, _place: usize, start: Start) {
        self.entrance.enter(start);
    }

    fn worker(&self, _name: &str) -> io::Result<Arc<dyn Worker>> {
        let seed = self.chance.lock().unwrap_or_else(PoisonError::into_inner).next_u64();
        let longest = self.longest_job;
        let (jobs, mut queue) = unbounded_channel::<Start>();
        self.entrance.spawn(Box::pin(async move {
            let mut chance = Prng::new(seed);
            while let Some(job) = queue.recv().await {
                tokio::time::sleep(chance.duration(Duration::ZERO, longest)).await;
                job();
            }
        }));
        Ok(Arc::new(LocalWorker { jobs }))
    }
}

impl Worker for LocalWorker {
    fn submit(&self, job: Start) {
        // A worker whose node was killed drops its jobs, as its contract says.
        drop(self.jobs.send(job));
    }
}
