//! What the handles of a log share, and the jobs they submit: commit, then what has to be done now and then.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{io, mem};

use bytes::Bytes;
use synod_protocols::{LogIndex, StoreId};
use tokio::sync::watch;

use crate::address::MachineId;
use crate::storage::log::engine::Engine;
use crate::storage::log::fault::{LogFailure, ReadFault, Trouble, WriteFault};
use crate::storage::log::open::Opened;
use crate::storage::log::options::{RecoveredLog, Write};
use crate::storage::log::segment::segment_path;
use crate::storage::worker::Worker;

/// Hears what became of a batch.
pub(super) type Done = Box<dyn FnOnce(Result<(), WriteFault>) + Send>;

/// The insides of a log.
pub(super) struct Shared {
    pub(super) store: StoreId,
    pub(super) replaces: Option<StoreId>,
    pub(super) worker: Arc<dyn Worker>,
    pub(super) recovered: Mutex<BTreeMap<MachineId, RecoveredLog>>,
    /// Locked by jobs only, hence never waited for.
    engine: Mutex<Engine>,
    queue: Mutex<Queue>,
    space: Mutex<Space>,
    /// What ended the log, once it has ended.
    failure: watch::Sender<Option<LogFailure>>,
}

#[derive(Default)]
struct Queue {
    batches: Vec<Batch>,
    /// Those that wait for room.
    waiting: Vec<Batch>,
    committing: bool,
    tending: bool,
    /// Nothing is written any more: the log has failed, or was closed.
    failed: bool,
}

pub(super) struct Batch {
    pub(super) writes: Vec<(MachineId, Vec<Write>)>,
    /// Whether it waits for room where there is none.
    pub(super) patient: bool,
    pub(super) done: Done,
}

struct Space {
    available: bool,
    subscribers: Vec<Box<dyn FnMut(bool) + Send>>,
}

impl Shared {
    pub(super) fn new(worker: Arc<dyn Worker>, opened: Opened) -> Self {
        let Opened { engine, recovered, replaces, .. } = opened;
        let space = Space { available: engine.has_room(), subscribers: Vec::new() };
        Self {
            store: engine.store,
            replaces,
            worker,
            recovered: Mutex::new(recovered),
            engine: Mutex::new(engine),
            queue: Mutex::default(),
            space: Mutex::new(space),
            failure: watch::Sender::default(),
        }
    }

    /// Queues a batch, and the job that commits it unless one is queued.
    pub(super) fn queue(self: &Arc<Self>, batch: Batch) {
        let submit = {
            let mut queue = lock(&self.queue);
            if queue.failed {
                drop(queue);
                return (batch.done)(Err(WriteFault::Failed));
            }
            queue.batches.push(batch);
            !mem::replace(&mut queue.committing, true)
        };
        if submit {
            let shared = Arc::clone(self);
            self.worker.submit(Box::new(move || shared.commit()));
        }
    }

    pub(super) fn subscribe(&self, mut subscriber: Box<dyn FnMut(bool) + Send>) {
        let mut space = lock(&self.space);
        subscriber(space.available);
        space.subscribers.push(subscriber);
    }

    /// Hears what ends the log.
    pub(super) fn failure(&self) -> watch::Receiver<Option<LogFailure>> {
        self.failure.subscribe()
    }

    /// The engine, for a job.
    fn engine(&self) -> MutexGuard<'_, Engine> {
        lock(&self.engine)
    }

    /// Reads entries back. Those that cannot be read are the end of the log: they had been acknowledged, so nobody may go on as if
    /// the rest were all.
    pub(super) fn read(
        &self,
        machine: MachineId,
        from: LogIndex,
        to: LogIndex,
        max_bytes: usize,
    ) -> Result<Vec<(LogIndex, Bytes)>, ReadFault> {
        let engine = self.engine();
        engine.read(machine, from, to, max_bytes).inspect_err(|fault| {
            self.fail(&engine, fault.again());
        })
    }

    /// Queues a look at what has to be done now and then, unless one is queued.
    pub(super) fn tend_soon(self: &Arc<Self>) {
        let submit = {
            let mut queue = lock(&self.queue);
            !queue.failed && !mem::replace(&mut queue.tending, true)
        };
        if submit {
            let shared = Arc::clone(self);
            self.worker.submit(Box::new(move || shared.tend()));
        }
    }

    /// Leaves a durable mark of what is durable, and the disk to whoever opens it next.
    pub(super) fn close(self: &Arc<Self>) -> Result<(), WriteFault> {
        let synced = self.leave();
        self.tell_space();
        synced
    }

    fn leave(&self) -> Result<(), WriteFault> {
        let mut engine = self.engine();
        let synced = if lock(&self.queue).failed {
            Err(WriteFault::Failed)
        } else {
            engine.mark_durable();
            engine.sync().map_err(|error| self.fail(&engine, error))
        };
        lock(&self.queue).failed = true;
        engine.disk.unlock();
        synced
    }

    /// Makes durable whatever has arrived, with one sync, and tells everybody.
    fn commit(self: &Arc<Self>) {
        let batches = {
            let mut queue = lock(&self.queue);
            queue.committing = false;
            mem::take(&mut queue.batches)
        };
        let outcomes = self.make_durable(&batches);
        for (batch, outcome) in batches.into_iter().zip(outcomes) {
            if batch.patient && outcome == Err(WriteFault::NoSpace) {
                lock(&self.queue).waiting.push(batch);
            } else {
                (batch.done)(outcome);
            }
        }
        self.tell_space();
        self.rest();
    }

    fn make_durable(&self, batches: &[Batch]) -> Vec<Result<(), WriteFault>> {
        if lock(&self.queue).failed {
            return vec![Err(WriteFault::Failed); batches.len()];
        }
        let mut engine = self.engine();
        let before = engine.head.sequence;
        let appended: io::Result<Vec<_>> = batches.iter().map(|batch| engine.take(&batch.writes)).collect();
        let outcomes = match appended.and_then(|outcomes| engine.sync().map(|()| outcomes)) {
            Ok(outcomes) => outcomes,
            Err(error) => return vec![Err(self.fail(&engine, error)); batches.len()],
        };
        engine.counters.records_per_commit.observe((engine.head.sequence - before) as f64);
        outcomes
    }

    /// After a commit: when nothing else has arrived, the position that is durable goes into a mark. The mark is not synced
    /// by itself; the next commit or the operating system does that.
    fn rest(self: &Arc<Self>) {
        let idle = {
            let queue = lock(&self.queue);
            !queue.committing && !queue.failed
        };
        let mut engine = self.engine();
        if idle
            && engine.mark_durable()
            && let Err(error) = engine.flush()
        {
            self.fail(&engine, error);
        }
        let chores = engine.wants_zeros() || engine.wants_cleaning();
        drop(engine);
        if chores {
            self.tend_soon();
        }
    }

    fn tend(self: &Arc<Self>) {
        let failed = {
            let mut queue = lock(&self.queue);
            queue.tending = false;
            queue.failed
        };
        if failed {
            return;
        }
        let mut engine = self.engine();
        let again = engine.tend().unwrap_or_else(|trouble| {
            self.fail(&engine, trouble);
            false
        });
        drop(engine);
        self.tell_space();
        if again {
            self.tend_soon();
        }
    }

    /// Lets those hear of room who want to, and those write who wait for it.
    fn tell_space(self: &Arc<Self>) {
        let available = self.engine().has_room();
        let resumed = {
            let mut queue = lock(&self.queue);
            if available || queue.failed { mem::take(&mut queue.waiting) } else { Vec::new() }
        };
        for batch in resumed {
            self.queue(batch);
        }
        let mut space = lock(&self.space);
        if mem::replace(&mut space.available, available) != available {
            if !available {
                self.engine().counters.refusals.inc();
            }
            space.subscribers.iter_mut().for_each(|subscriber| subscriber(available));
        }
    }

    /// Ends the log. The first failure is the one that is told.
    fn fail(&self, engine: &Engine, trouble: impl Into<Trouble>) -> WriteFault {
        engine.counters.failures.inc();
        if !mem::replace(&mut lock(&self.queue).failed, true) {
            self.failure.send_replace(Some(match trouble.into() {
                Trouble::Disk(error) => {
                    let path = segment_path(engine.head.segment);
                    LogFailure::Write { path, source: Arc::new(error) }
                }
                Trouble::Read(fault) => LogFailure::Read(Arc::new(fault)),
            }));
        }
        WriteFault::Failed
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
