//! The log on a simulated disk, its worker stepped by hand.

mod commit;
mod model;
mod recovery;
mod space;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use synod_protocols::{LogIndex, StoreId};

use crate::address::MachineId;
use crate::storage::log::record::{Kind, Record, SEGMENT_HEADER, Seal};
use crate::storage::log::segment::segment_path;
use crate::storage::log::{Log, LogFailure, LogOptions, OpenError, OpenReport, ReadFault, RecoveredLog};
use crate::storage::log::{Write, WriteFault};
use crate::storage::steps::Steps;
use crate::storage::{Disk, SimDisk, Worker};
use crate::telemetry::Metrics;

const M: MachineId = MachineId(0xA);
const N: MachineId = MachineId(0xB);
const SEED: u64 = 42;

/// One process with an open log.
struct Node {
    disk: SimDisk,
    worker: Arc<Steps>,
    metrics: Metrics,
    log: Log,
    report: OpenReport,
}

/// All that is found of a machine.
#[derive(Debug, Default, PartialEq)]
struct Found {
    cells: Vec<(u64, Bytes)>,
    compacted: LogIndex,
    entries: Vec<(LogIndex, Bytes)>,
}

fn small() -> LogOptions {
    LogOptions { segment_bytes: 4096, kept_for_cells: 1024, zeros_ahead: 0 }
}

fn open(disk: &SimDisk, options: LogOptions) -> Result<Node, OpenError> {
    let worker = Arc::new(Steps::default());
    let metrics = Metrics::default();
    let (sender, receiver) = std::sync::mpsc::channel();
    let jobs: Arc<dyn Worker> = worker.clone();
    Log::open(Arc::new(disk.clone()), jobs, options, SEED, &metrics, move |opened| {
        sender.send(opened).unwrap();
    });
    worker.run();
    let (log, report) = receiver.recv().unwrap()?;
    Ok(Node { disk: disk.clone(), worker, metrics, log, report })
}

fn opened(disk: &SimDisk) -> Node {
    open(disk, small()).unwrap()
}

impl Node {
    /// Queues a batch; the answer is there once the worker has come so far.
    fn queue(&self, batch: Vec<(MachineId, Vec<Write>)>) -> Arc<Mutex<Option<Result<(), WriteFault>>>> {
        let answer = Arc::new(Mutex::new(None));
        let place = Arc::clone(&answer);
        self.log.write(batch, move |outcome| {
            assert!(place.lock().unwrap().replace(outcome).is_none(), "answered once");
        });
        answer
    }

    fn write(&self, machine: MachineId, writes: Vec<Write>) -> Result<(), WriteFault> {
        let answer = self.queue(vec![(machine, writes)]);
        self.worker.run();
        answer.lock().unwrap().take().expect("answered")
    }

    fn read(
        &self,
        machine: MachineId,
        from: u64,
        to: u64,
        max: usize,
    ) -> Result<Vec<(u64, Bytes)>, ReadFault> {
        let (sender, receiver) = std::sync::mpsc::channel();
        self.log.read(machine, LogIndex(from), LogIndex(to), max, move |read| sender.send(read).unwrap());
        self.worker.run();
        let read = receiver.recv().unwrap()?;
        Ok(read.into_iter().map(|(index, body)| (index.0, body)).collect())
    }

    /// What the log held of a machine, its entries read back.
    fn found(&self, machine: MachineId) -> Found {
        let RecoveredLog { cells, compacted, last } = self.log.recover(machine);
        let mut entries = Vec::new();
        if last > compacted {
            entries = self.read(machine, compacted.0 + 1, last.0, usize::MAX).unwrap();
            assert_eq!(entries.last().map(|(index, _)| *index), Some(last.0));
        }
        let entries = entries.into_iter().map(|(index, body)| (LogIndex(index), body)).collect();
        Found { cells, compacted, entries }
    }

    fn metric(&self, name: &str) -> u64 {
        let text = self.metrics.render();
        let line = text.lines().find(|line| line.starts_with(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("no {name}")).rsplit(' ').next().unwrap().parse().unwrap()
    }

    /// Ends the process and starts the next one on what is in the caches.
    fn restarted(self) -> Node {
        opened(&self.disk.restart())
    }

    fn bytes(&self, segment: u64) -> Vec<u8> {
        let file = self.disk.open(&segment_path(segment), false).unwrap();
        let mut bytes = vec![0; file.length().unwrap() as usize];
        file.read_at(0, &mut bytes).unwrap();
        bytes
    }

    /// The records of a segment with their places.
    fn records(&self, segment: u64) -> Vec<(u64, Record, u64)> {
        let bytes = self.bytes(segment);
        let seal = Seal::new(self.log.store_id(), segment);
        let mut records = Vec::new();
        let mut offset = SEGMENT_HEADER;
        while let Some(found) = Record::decode(&bytes[offset as usize..], seal) {
            let size = Record::size(found.body.len() as u64);
            records.push((offset, found.record, size));
            offset += size;
        }
        records
    }
}

fn entry(index: u64, body: &str) -> Write {
    Write::Entry { index: LogIndex(index), body: Bytes::copy_from_slice(body.as_bytes()) }
}

fn cell(key: u64, body: &str) -> Write {
    Write::Cell { key, body: Bytes::copy_from_slice(body.as_bytes()) }
}

fn truncate(from: u64) -> Write {
    Write::Truncate { from: LogIndex(from) }
}

fn compact(upto: u64) -> Write {
    Write::Compact { upto: LogIndex(upto) }
}

#[expect(clippy::type_complexity, reason = "a tuple compares with what a test writes down")]
fn texts(recovered: &Found) -> (Vec<(u64, String)>, u64, Vec<(u64, String)>) {
    let text = |body: &Bytes| String::from_utf8(body.to_vec()).unwrap();
    (
        recovered.cells.iter().map(|(key, body)| (*key, text(body))).collect(),
        recovered.compacted.0,
        recovered.entries.iter().map(|(index, body)| (index.0, text(body))).collect(),
    )
}

fn segments(disk: &SimDisk) -> Vec<PathBuf> {
    let names = disk.list(std::path::Path::new("log")).unwrap();
    names.into_iter().filter(|name| name.extension().is_some_and(|end| end == "segment")).collect()
}

fn numbered(pairs: &[(u64, &str)]) -> Vec<(u64, String)> {
    pairs.iter().map(|(number, text)| (*number, (*text).to_owned())).collect()
}
