//! Sessions that a handle draws for its own requests, so that plain requests take effect once although they are retried.
//!
//! A lane is a client of the session table with one request at a time. There are no more lanes than requests were ever under
//! way at once, so that they do not push others out of the table.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use synod_protocols::ClientId;
use synod_protocols::log::SessionTag;
use synod_protocols::prng::Prng;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Requests of one handle and its clones that may be under way.
pub(crate) const IN_FLIGHT: usize = 4096;

/// The lanes of one handle.
pub(crate) struct Lanes {
    pool: Mutex<Pool>,
    /// From the first request on.
    permits: OnceLock<Arc<Semaphore>>,
}

struct Pool {
    idle: Vec<SessionTag>,
    prng: Prng,
}

/// The right to one request in a lane; the lane goes on with the next number when this is dropped.
pub(crate) struct Lane {
    lanes: Arc<Lanes>,
    tag: SessionTag,
    _permit: OwnedSemaphorePermit,
}

impl Lanes {
    /// Lanes whose ids follow from `seed`, which no other handle in the cluster may ever have.
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        let pool = Pool { idle: Vec::new(), prng: Prng::new(seed) };
        Arc::new(Self { pool: Mutex::new(pool), permits: OnceLock::new() })
    }

    /// Takes a lane, waiting until fewer than [`IN_FLIGHT`] are taken.
    pub(crate) async fn take(self: &Arc<Self>) -> Lane {
        let permits = self.permits.get_or_init(|| Arc::new(Semaphore::new(IN_FLIGHT)));
        let permit = Arc::clone(permits).acquire_owned().await.expect("the semaphore is never closed");
        let mut pool = self.pool();
        // The lane used last goes first: few lanes stay in use while few requests are under way.
        let tag = pool.idle.pop().unwrap_or_else(|| pool.draw());
        drop(pool);
        Lane { lanes: Arc::clone(self), tag, _permit: permit }
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool {
    fn draw(&mut self) -> SessionTag {
        SessionTag { client: ClientId(self.prng.next_u64()), sequence: 1 }
    }
}

impl Lane {
    /// The tag of the one request.
    pub(crate) fn tag(&self) -> SessionTag {
        self.tag
    }

    /// Starts the lane anew, for the replicas have forgotten it.
    pub(crate) fn renew(&mut self) {
        self.tag = self.lanes.pool().draw();
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        let next = SessionTag { sequence: self.tag.sequence + 1, ..self.tag };
        self.lanes.pool().idle.push(next);
    }
}
