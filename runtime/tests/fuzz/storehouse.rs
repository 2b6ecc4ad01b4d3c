//! A store on a disk in memory whose jobs run at once, so that a reading is a function call.

use std::path::Path;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use synod::address::MachineId;
use synod::storage::{
    DamagedLog, Disk, LogOptions, OpenError, OpenReport, OpenStore, SimDisk, Store, Worker, Write, WriteFault,
};
use synod::telemetry::Metrics;

/// The size of a segment.
pub(crate) const SEGMENT: usize = 4096;

/// Does each job when it is submitted, after those that it was submitted by.
#[derive(Default)]
struct AtOnce(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    jobs: Vec<Box<dyn FnOnce() + Send>>,
    busy: bool,
}

impl Worker for AtOnce {
    fn submit(&self, job: Box<dyn FnOnce() + Send>) {
        self.0.lock().expect("no job panics under it").jobs.insert(0, job);
        loop {
            let mut queue = self.0.lock().expect("no job panics under it");
            if queue.busy {
                return;
            }
            let Some(job) = queue.jobs.pop() else { return };
            queue.busy = true;
            drop(queue);
            job();
            self.0.lock().expect("no job panics under it").busy = false;
        }
    }
}

/// Opens what is on a disk.
pub(crate) fn open(disk: &SimDisk, damaged: DamagedLog) -> Result<(Store, OpenReport), OpenError> {
    let worker = Arc::new(AtOnce::default());
    let request = OpenStore {
        disk: Arc::new(disk.clone()),
        log_worker: worker.clone(),
        snapshot_worker: worker,
        options: LogOptions { segment_bytes: SEGMENT as u64, kept_for_cells: 1024, zeros_ahead: 0 },
        damaged,
        seed: 7,
        metrics: Metrics::default(),
    };
    at_once(Store::opened(request))
}

/// Writes a batch of one machine.
pub(crate) fn write(store: &Store, machine: MachineId, writes: Vec<Write>) -> Result<(), WriteFault> {
    let outcome = Arc::new(Mutex::new(None));
    let place = outcome.clone();
    store.log().write(vec![(machine, writes)], move |result| {
        *place.lock().expect("nobody panics under it") = Some(result);
    });
    let outcome = outcome.lock().expect("nobody panics under it").take();
    outcome.expect("the job has run")
}

/// The result of a future that waits for jobs alone.
pub(crate) fn at_once<F: Future>(future: F) -> F::Output {
    future.now_or_never().expect("every job has run")
}

/// Puts a file on a disk.
pub(crate) fn put(disk: &SimDisk, path: &Path, bytes: &[u8]) {
    let folder = path.parent().expect("a file stands in a folder");
    disk.create_directory(folder).expect("a disk in memory");
    disk.open(path, true).expect("a disk in memory").write_at(0, bytes).expect("a disk in memory");
}

/// The bytes of a file.
pub(crate) fn get(disk: &SimDisk, path: &Path) -> Vec<u8> {
    let file = disk.open(path, false).expect("it is there");
    let mut bytes = vec![0; file.length().expect("a disk in memory") as usize];
    file.read_at(0, &mut bytes).expect("a disk in memory");
    bytes
}
