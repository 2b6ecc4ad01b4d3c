//! The world as a node finds it in production: the system's clock, one arbiter per core, threads for disk work.
//!
//! The only file of this crate that starts arbiters or reads a clock of the operating system.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::available_parallelism;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{io, sync::Arc};

use actix_rt::{Arbiter, System};
use rustix::time::{ClockId, clock_gettime};
use synod_protocols::Timestamp;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::env::{Clock, Spawner, Start};
use crate::node::link_thread::LinkThread;
use crate::storage::{ThreadWorker, Worker};

/// Monotonic time since this clock was made. On Linux it goes on while the machine is suspended (`CLOCK_BOOTTIME`), so that nobody who wakes
/// holds a lease or a leader for younger than it is.
pub(crate) struct SystemClock {
    origin: Duration,
}

/// What deadlines and leases go by.
#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::Boottime;
/// What deadlines and leases go by; whether it goes on in suspension is the operating system's to say.
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;

/// Places for actors: one arbiter, that is one thread, each; and one for the links, if they share it with protocols.
pub(crate) struct Arbiters {
    arbiters: Vec<Arbiter>,
    /// One for each arbiter: what goes the arbiter's own way costs a task each time.
    entrances: Vec<UnboundedSender<Start>>,
    links: Option<Arbiter>,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { origin: since_boot() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let elapsed = since_boot().saturating_sub(self.origin);
        Timestamp(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
    }

    #[expect(clippy::disallowed_methods, reason = "the seam to the operating system's clock")]
    fn wall(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

/// Monotonic time since some moment before this process began.
fn since_boot() -> Duration {
    let time = clock_gettime(CLOCK);
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or_default(), nanos.unwrap_or_default())
}

impl Arbiters {
    /// Starts `count` arbiters, or one per core, and the one that links may need.
    ///
    /// # Errors
    /// When no actix system runs on this thread, or the operating system gives no thread.
    pub(crate) fn start(count: Option<NonZeroUsize>, links: LinkThread) -> io::Result<Self> {
        if System::try_current().is_none() {
            return Err(io::Error::other("a node starts inside an actix system: use #[actix::main]"));
        }
        let count = count.or_else(|| available_parallelism().ok()).map_or(1, NonZeroUsize::get);
        let arbiters = (0..count).map(|_| Arbiter::try_new()).collect::<io::Result<Vec<_>>>()?;
        let links = (links == LinkThread::WithProtocols).then(Arbiter::try_new).transpose()?;
        let entrances = arbiters.iter().map(entrance).collect();
        Ok(Self { arbiters, entrances, links })
    }
}

/// A way onto an arbiter, for as long as it runs or somebody may use it.
fn entrance(arbiter: &Arbiter) -> UnboundedSender<Start> {
    let (sender, mut starts) = unbounded_channel::<Start>();
    arbiter.spawn(async move {
        while let Some(start) = starts.recv().await {
            // As in a task of its own, it takes nothing else along.
            if catch_unwind(AssertUnwindSafe(start)).is_err() {
                tracing::error!("what was to begin on a thread for actors panicked");
            }
        }
    });
    sender
}

impl Spawner for Arbiters {
    fn places(&self) -> usize {
        self.arbiters.len()
    }

    fn start_at(&self, place: usize, start: Start) {
        // An arbiter that has stopped takes nothing: the node is shutting down, and so is whoever asked.
        drop(self.entrances[place % self.entrances.len()].send(start));
    }

    fn start_by_links(&self, start: Start) -> Result<(), Start> {
        let Some(links) = &self.links else { return Err(start) };
        links.spawn_fn(start);
        Ok(())
    }

    fn worker(&self, name: &str) -> io::Result<Arc<dyn Worker>> {
        Ok(Arc::new(ThreadWorker::start(name)?))
    }
}

impl Drop for Arbiters {
    fn drop(&mut self) {
        for arbiter in self.arbiters.iter().chain(&self.links) {
            arbiter.stop();
        }
    }
}

/// A seed that nobody can guess.
#[expect(clippy::disallowed_methods, reason = "the seam to the operating system's chance")]
pub(crate) fn entropy() -> io::Result<u64> {
    getrandom::u64().map_err(io::Error::other)
}
