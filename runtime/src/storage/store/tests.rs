//! Log and snapshots together: taking, sending, installing, and crashes in between.

mod partial;
mod repair;

use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, Mutex};

use synod_protocols::{LogTime, NodeId, Term};

use super::*;
use crate::storage::snapshot::SnapshotFault;
use crate::storage::steps::Steps;
use crate::storage::{
    DamagedLog, Disk, LogOptions, OpenError, OpenReport, OpenStore, RealDisk, SimDisk, ThreadWorker,
};
use crate::storage::{Write, WriteFault};
use crate::telemetry::Metrics;

const M: MachineId = MachineId(0xA);
const PEER: NodeId = NodeId(7);

/// All that is found of a machine.
#[derive(Clone, Debug, PartialEq)]
struct Found {
    cells: Vec<(u64, Bytes)>,
    snapshot: Option<SnapshotMeta>,
    entries: Vec<(LogIndex, Bytes)>,
}

struct Node {
    disk: SimDisk,
    worker: Arc<Steps>,
    store: Store,
    metrics: Metrics,
    report: OpenReport,
}

fn open(disk: &SimDisk) -> Result<Node, OpenError> {
    open_with(disk, DamagedLog::Refuse)
}

fn open_with(disk: &SimDisk, damaged: DamagedLog) -> Result<Node, OpenError> {
    open_seeded(disk, damaged, 1)
}

fn open_seeded(disk: &SimDisk, damaged: DamagedLog, seed: u64) -> Result<Node, OpenError> {
    let worker = Arc::new(Steps::default());
    let metrics = Metrics::default();
    let request = OpenStore {
        disk: Arc::new(disk.clone()),
        log_worker: worker.clone(),
        snapshot_worker: worker.clone(),
        options: LogOptions { segment_bytes: 4096, kept_for_cells: 1024, zeros_ahead: 0 },
        damaged,
        seed,
        metrics: metrics.clone(),
    };
    let (store, report) = worker.wait(Store::opened(request))?;
    Ok(Node { disk: disk.clone(), worker, store, metrics, report })
}

fn meta(index: u64) -> SnapshotMeta {
    SnapshotMeta {
        index: LogIndex(index),
        term: Term(3),
        time: LogTime(index * 10),
        configuration: Bytes::from_static(b"three voters"),
    }
}

/// A state of several chunks, different for each index.
fn state(index: u64) -> Vec<u8> {
    (0..2_500_000u64).map(|at| (at.wrapping_mul(index + 7) >> 3) as u8).collect()
}

/// The place for an answer.
type Answer<T> = Arc<Mutex<Option<T>>>;

fn answer<T: Send + 'static>() -> (Answer<T>, impl FnOnce(T) + Send + 'static) {
    let place = Answer::default();
    let filled = Arc::clone(&place);
    (place, move |value| *filled.lock().unwrap() = Some(value))
}

impl Node {
    fn write(&self, writes: Vec<Write>) -> Result<(), WriteFault> {
        let (place, done) = answer();
        self.store.log().write(vec![(M, writes)], done);
        self.worker.run();
        place.lock().unwrap().take().expect("answered")
    }

    /// Everything that is found of a machine.
    fn recover(&self, machine: MachineId) -> Result<Found, RecoverError> {
        self.worker.wait(async {
            let RecoveredMachine { cells, snapshot, after, last } = self.store.recover(machine)?;
            let entries = match after < last {
                true => self.store.entries(machine, after.next(), last, usize::MAX).await?,
                false => Vec::new(),
            };
            Ok(Found { cells, snapshot, entries })
        })
    }

    fn take(&self, index: u64) -> Result<SnapshotMeta, SnapshotFault> {
        let (place, done) = answer();
        self.store.snapshots().take(M, meta(index), move |out| out.write_all(&state(index)), done);
        self.worker.run();
        place.lock().unwrap().take().expect("answered").map(|(meta, _)| meta)
    }

    fn load(&self) -> Result<(SnapshotMeta, Vec<u8>), SnapshotFault> {
        let (place, done) = answer();
        self.store.snapshots().load(M, done);
        self.worker.run();
        let (meta, mut body) = place.lock().unwrap().take().expect("answered")?;
        let mut bytes = Vec::new();
        body.read_to_end(&mut bytes).unwrap();
        Ok((meta, bytes))
    }

    fn install(&self, index: u64) -> Option<Result<(), SnapshotFault>> {
        let (place, done) = answer();
        self.store.snapshots().install(M, PEER, meta(index), done);
        self.worker.run();
        place.lock().unwrap().take()
    }

    /// The stream that this node would send.
    fn stream(&self) -> Vec<Bytes> {
        self.worker.wait(async {
            let mut reader = self.store.snapshots().read(M).await.unwrap();
            let mut pieces = Vec::new();
            while let Some(piece) = reader.next().await.unwrap() {
                pieces.push(piece);
            }
            pieces
        })
    }

    /// Receives a stream in pieces of another size.
    fn receive(&self, stream: &[u8], size: usize) -> Result<SnapshotMeta, SnapshotFault> {
        self.worker.wait(async {
            let mut receiver = self.store.snapshots().receive(M, PEER);
            for piece in stream.chunks(size) {
                receiver.write(Bytes::copy_from_slice(piece)).await?;
            }
            receiver.finish().await
        })
    }

    fn files(&self) -> Vec<PathBuf> {
        self.disk.list(Path::new("snapshots")).unwrap()
    }
}

fn entries(range: std::ops::RangeInclusive<u64>) -> Vec<Write> {
    range
        .map(|index| Write::Entry { index: LogIndex(index), body: Bytes::from(format!("e{index}")) })
        .collect()
}

fn indices(recovered: &Found) -> Vec<u64> {
    recovered.entries.iter().map(|(index, _)| index.0).collect()
}

fn sent(index: u64) -> Vec<u8> {
    let sender = open(&SimDisk::default()).unwrap();
    sender.take(index).unwrap();
    sender.stream().concat()
}

#[test]
fn a_snapshot_comes_back_and_replaces_the_older_one() {
    let node = open(&SimDisk::default()).unwrap();
    assert!(matches!(node.load(), Err(SnapshotFault::Missing)));
    assert_eq!(node.take(10).unwrap(), meta(10));
    assert_eq!(node.take(20).unwrap(), meta(20));
    assert!(matches!(node.take(15), Err(SnapshotFault::Outdated { newest: LogIndex(20) })));
    assert_eq!(node.files(), vec![PathBuf::from("000000000000000a.snapshot")]);
    let node = open(&node.disk.crash(1)).unwrap();
    assert_eq!(node.store.snapshots().newest(M), Some(meta(20)));
    assert!(node.load().unwrap() == (meta(20), state(20)));
}

#[test]
fn an_empty_state_is_a_snapshot() {
    let node = open(&SimDisk::default()).unwrap();
    let (place, done) = answer();
    node.store.snapshots().take(M, meta(1), |_| Ok(()), done);
    node.worker.run();
    place.lock().unwrap().take().unwrap().unwrap();
    assert_eq!(node.load().unwrap(), (meta(1), Vec::new()));
}

#[test]
fn a_state_that_cannot_be_written_leaves_the_older_snapshot() {
    let node = open(&SimDisk::default()).unwrap();
    node.take(10).unwrap();
    let (place, done) = answer();
    let frozen = |out: &mut dyn io::Write| {
        out.write_all(&[1; 3_000_000])?;
        Err(io::Error::other("the application gave up"))
    };
    node.store.snapshots().take(M, meta(20), frozen, done);
    node.worker.run();
    assert!(matches!(place.lock().unwrap().take().unwrap(), Err(SnapshotFault::Io { .. })));
    node.disk.set_capacity(Some(node.disk.used() + 1_500_000));
    assert!(matches!(node.take(20), Err(SnapshotFault::Io { .. })));
    node.disk.fail_next_sync();
    node.disk.set_capacity(None);
    assert!(matches!(node.take(20), Err(SnapshotFault::Io { .. })));
    assert_eq!(node.files().len(), 1, "nothing is left of the attempts");
    let node = open(&node.disk.crash(3)).unwrap();
    assert!(node.load().unwrap() == (meta(10), state(10)));
}

#[test]
fn a_crash_at_any_step_of_taking_leaves_one_whole_snapshot() {
    let steps = {
        let node = open(&SimDisk::default()).unwrap();
        node.take(10).unwrap();
        let before = node.disk.costs().operations;
        node.take(20).unwrap();
        node.disk.costs().operations - before
    };
    for step in 0..=steps {
        for seed in 0..3 {
            let node = open(&SimDisk::default()).unwrap();
            node.take(10).unwrap();
            node.disk.stop_after(step);
            let acknowledged = node.take(20).is_ok();
            let node = open(&node.disk.crash(seed)).unwrap();
            let (found, bytes) = node.load().unwrap();
            assert!(found == meta(20) || (found == meta(10) && !acknowledged), "step {step}, seed {seed}");
            assert!(bytes == state(found.index.0), "step {step}, seed {seed}");
            assert_eq!(node.files().len(), 1, "parts are removed");
        }
    }
}

#[test]
fn damage_is_named_with_file_and_chunk() {
    let node = open(&SimDisk::default()).unwrap();
    node.take(10).unwrap();
    let path = snapshot_path(M);
    let second = 32 + 8 + (1 << 20) + 8 + 77;
    assert!(node.disk.flip(&path, second, 4));
    match node.load() {
        Err(SnapshotFault::DamagedChunk { path: named, chunk }) => {
            assert_eq!((named, chunk), (path.clone(), 1))
        }
        other => panic!("{:?}", other.map(|(meta, _)| meta)),
    }
    let broken = node.worker.wait(async {
        let mut reader = node.store.snapshots().read(M).await?;
        while reader.next().await?.is_some() {}
        Ok::<_, SnapshotFault>(())
    });
    assert!(matches!(broken, Err(SnapshotFault::DamagedChunk { chunk: 1, .. })), "nothing damaged is sent");
    assert!(node.metrics.render().contains("synod_snapshot_corruptions_total 2"));
    assert!(node.disk.flip(&path, second, 4));

    // Prologue, a frame's header and the manifest are looked at when the node starts.
    let length = node.disk.open(&path, false).unwrap().length().unwrap();
    for at in [0, 9, 13, 17, 25, 33, 37, length - 1, length - 30] {
        assert!(node.disk.flip(&path, at, 4));
        let error = open(&node.disk.restart()).err().unwrap_or_else(|| panic!("byte {at} is not noticed"));
        assert!(error.to_string().contains("000000000000000a.snapshot"), "{error}");
        assert!(node.disk.restart().flip(&path, at, 4));
    }
}

#[test]
fn a_stream_is_received_however_it_is_cut() {
    let stream = sent(30);
    for size in [1 << 16, 999_983, stream.len()] {
        let node = open(&SimDisk::default()).unwrap();
        node.write(entries(1..=5)).unwrap();
        assert_eq!(node.receive(&stream, size).unwrap(), meta(30));
        assert_eq!(node.store.snapshots().newest(M), None, "not before it is installed");
        assert!(node.install(30).unwrap().is_ok());
        assert!(node.load().unwrap() == (meta(30), state(30)));
        node.write(entries(31..=32)).unwrap();
        let node = open(&node.disk.crash(9)).unwrap();
        let recovered = node.recover(M).unwrap();
        assert_eq!((recovered.snapshot.clone(), indices(&recovered)), (Some(meta(30)), vec![31, 32]));
    }
    // Byte by byte, as far as the first chunk's beginning.
    let node = open(&SimDisk::default()).unwrap();
    assert!(matches!(node.receive(&stream[..2000], 1), Err(SnapshotFault::Damaged { .. })));
    assert_eq!(node.files(), Vec::<PathBuf>::new());
}

#[test]
fn a_damaged_or_foreign_stream_is_refused_and_leaves_nothing() {
    let stream = sent(30);
    let node = open(&SimDisk::default()).unwrap();
    for at in [0, 9, 20, 30, 33, 38, 500_000, 1_100_000, stream.len() - 3] {
        let mut broken = stream.clone();
        broken[at] ^= 1;
        assert!(node.receive(&broken, 100_000).is_err(), "byte {at}");
    }
    assert!(node.receive(&stream[..stream.len() - 1], 100_000).is_err(), "cut short");
    assert!(node.receive(&[&stream[..], b"x"].concat(), 100_000).is_err(), "something behind it");
    let mut huge = stream[..32].to_vec();
    huge.extend_from_slice(&(1u32 << 30).to_le_bytes());
    huge.extend_from_slice(&[0; 4]);
    assert!(node.receive(&huge, 100).is_err(), "a frame of a gibibyte is refused when it is announced");
    let other = node.worker.wait(async {
        let mut receiver = node.store.snapshots().receive(MachineId(0xB), PEER);
        receiver.write(Bytes::from(stream.clone())).await
    });
    assert!(matches!(other, Err(SnapshotFault::Damaged { .. })), "of another machine");
    node.worker.run();
    assert_eq!(node.files(), Vec::<PathBuf>::new());
}

#[test]
fn what_was_received_is_installed_or_dropped_once() {
    let stream = sent(30);
    let node = open(&SimDisk::default()).unwrap();
    assert!(matches!(node.install(30), Some(Err(SnapshotFault::Missing))));
    node.receive(&stream, 1 << 20).unwrap();
    assert!(matches!(node.install(31), Some(Err(SnapshotFault::Different))));
    assert_eq!(node.files(), Vec::<PathBuf>::new());
    node.receive(&stream, 1 << 20).unwrap();
    node.receive(&sent(40), 1 << 20).unwrap();
    assert_eq!(node.files().len(), 1, "the later one replaces the earlier one");
    node.store.snapshots().drop_received(M, PEER);
    node.worker.run();
    assert_eq!(node.files(), Vec::<PathBuf>::new());
    node.receive(&stream, 1 << 20).unwrap();
    node.take(50).unwrap();
    assert!(
        matches!(node.install(30), Some(Err(SnapshotFault::Outdated { .. }))),
        "a later one was taken meanwhile"
    );
    assert!(node.load().unwrap() == (meta(50), state(50)));
}

#[test]
fn a_reader_is_not_disturbed_by_a_newer_snapshot() {
    let node = open(&SimDisk::default()).unwrap();
    node.take(10).unwrap();
    let expected = node.stream().concat();
    let mut reader = node.worker.wait(node.store.snapshots().read(M)).unwrap();
    let mut stream = node.worker.wait(reader.next()).unwrap().unwrap().to_vec();
    node.take(20).unwrap();
    while let Some(piece) = node.worker.wait(reader.next()).unwrap() {
        stream.extend_from_slice(&piece);
    }
    assert!(stream == expected);
    assert_eq!(reader.meta(), &meta(10));
}

#[test]
fn a_crash_at_any_step_of_installing_leaves_the_old_state_or_the_new_one() {
    let stream = sent(30);
    // A log that ends before the snapshot, and one that goes beyond it.
    for last in [5, 33] {
        let prepared = || {
            let node = open(&SimDisk::default()).unwrap();
            node.write(entries(1..=last)).unwrap();
            node.receive(&stream, 1 << 20).unwrap();
            node
        };
        let steps = {
            let node = prepared();
            let before = node.disk.costs().operations;
            assert!(node.install(30).unwrap().is_ok());
            node.disk.costs().operations - before
        };
        for step in 0..=steps {
            for seed in 0..4 {
                let context = format!("last {last}, step {step}, seed {seed}");
                let node = prepared();
                node.disk.stop_after(step);
                let acknowledged = matches!(node.install(30), Some(Ok(())));
                let node = open(&node.disk.crash(seed)).unwrap();
                let recovered = node.recover(M).unwrap();
                match &recovered.snapshot {
                    None => {
                        assert!(!acknowledged, "{context}");
                        assert_eq!(indices(&recovered), (1..=last).collect::<Vec<_>>(), "{context}");
                        node.write(entries(last + 1..=last + 1)).unwrap();
                    }
                    Some(found) => {
                        assert_eq!(found, &meta(30), "{context}");
                        assert_eq!(indices(&recovered), (31..=last).collect::<Vec<_>>(), "{context}");
                        let next = last.max(30) + 1;
                        assert_eq!(
                            node.write(entries(next..=next)),
                            Ok(()),
                            "{context}: the log goes on behind it"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn a_log_that_relies_on_a_lost_snapshot_does_not_start() {
    let node = open(&SimDisk::default()).unwrap();
    node.write(entries(1..=9)).unwrap();
    node.take(8).unwrap();
    node.write(vec![Write::Compact { upto: LogIndex(5) }]).unwrap();
    let node = open(&node.disk.restart()).unwrap();
    let recovered = node.recover(M).unwrap();
    assert_eq!((recovered.snapshot.clone(), indices(&recovered)), (Some(meta(8)), vec![9]));
    node.disk.remove(&snapshot_path(M)).unwrap();
    let node = open(&node.disk.restart()).unwrap();
    let error = node.recover(M).unwrap_err();
    assert!(
        matches!(error, RecoverError::SnapshotMissing { machine: M, compacted: LogIndex(5), .. }),
        "{error}"
    );
    assert!(error.to_string().contains("000000000000000a.snapshot"), "{error}");
}

impl Node {
    fn remove(&self) -> Result<(), WriteFault> {
        let (place, done) = answer();
        self.store.remove(M, "gone", done);
        self.worker.run();
        place.lock().unwrap().take().expect("answered")
    }

    /// Whether nothing is left of the machine, and nothing can come back.
    fn is_rid(&self) -> bool {
        let refused = matches!(self.store.recover(M), Err(RecoverError::Removed { machine: M }));
        refused && self.store.has_removed(M) && !self.store.knows(M) && self.files().is_empty()
    }
}

#[test]
fn a_removed_machine_does_not_come_back_whenever_the_node_crashes() {
    let with_records = || {
        let node = open(&SimDisk::default()).unwrap();
        node.write(entries(1..=9)).unwrap();
        node.take(8).unwrap();
        node
    };
    let node = with_records();
    node.remove().unwrap();
    assert!(node.is_rid(), "at once");
    let node = open(&node.disk.restart()).unwrap();
    assert!(node.is_rid(), "after a restart");
    assert!(open(&node.disk.restart()).unwrap().is_rid(), "after another one");

    // The crash comes behind the cell that says so, and before anything is forgotten.
    let node = with_records();
    let cell = Write::Cell { key: M.0, body: Bytes::from_static(b"gone") };
    let (_, done) = answer();
    node.store.log().write(vec![(MachineId::of("storage", "removed"), vec![cell])], done);
    node.worker.run();
    let node = open(&node.disk.restart()).unwrap();
    assert!(node.is_rid(), "what was left goes when the store opens");
    assert!(open(&node.disk.restart()).unwrap().is_rid());
}

#[test]
fn the_cell_that_names_a_removed_machine_outlives_the_segments_in_which_it_stood() {
    let node = open(&SimDisk::default()).unwrap();
    node.remove().unwrap();
    for round in 0..200 {
        let body = Bytes::from(vec![round as u8; 500]);
        let (_, done) = answer();
        node.store.log().write(vec![(MachineId(0xB), vec![Write::Cell { key: 1, body }])], done);
        node.worker.run();
    }
    let report = node.metrics.render();
    let reclaimed = report.lines().find(|line| line.starts_with("synod_log_segments_reclaimed"));
    let reclaimed: u64 = reclaimed.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0);
    assert!(reclaimed > 10, "{report}");
    assert!(open(&node.disk.restart()).unwrap().is_rid());
}

#[test]
fn a_worker_that_has_stopped_is_an_error_not_a_wait() {
    let node = open(&SimDisk::default()).unwrap();
    node.take(10).unwrap();
    let mut reader = node.worker.wait(node.store.snapshots().read(M)).unwrap();
    let mut next = Box::pin(reader.next());
    let waker = futures_util::task::noop_waker();
    let mut context = std::task::Context::from_waker(&waker);
    assert!(next.as_mut().poll(&mut context).is_pending());
    node.worker.clear();
    assert!(matches!(node.worker.wait(next), Err(SnapshotFault::Stopped)));
}

#[test]
fn a_directory_is_taken_up_again_and_belongs_to_one_process() {
    let directory = tempfile::tempdir().unwrap();
    let workers = || ["log", "snapshots"].map(|name| Arc::new(ThreadWorker::start(name).unwrap()));
    let open = |[log_worker, snapshot_worker]: [Arc<ThreadWorker>; 2], options: LogOptions| {
        let request = OpenStore {
            disk: Arc::new(RealDisk::new(directory.path()).unwrap()),
            log_worker,
            snapshot_worker,
            options,
            damaged: DamagedLog::Refuse,
            seed: 1,
            metrics: Metrics::default(),
        };
        let (sender, receiver) = std::sync::mpsc::channel();
        Store::open(request, move |opened| sender.send(opened).unwrap());
        receiver.recv().unwrap()
    };
    let options = LogOptions { segment_bytes: 64 << 10, kept_for_cells: 8 << 10, zeros_ahead: 16 << 10 };
    let id = {
        let first = workers();
        let (store, report) = open(first.clone(), options.clone()).unwrap();
        assert!(report.created);
        assert!(matches!(open(workers(), options.clone()), Err(OpenError::Locked(_))));
        let (sender, receiver) = std::sync::mpsc::channel();
        for index in 1..=1000 {
            let done = sender.clone();
            let body = Bytes::from(vec![index as u8; 200]);
            let write = Write::Entry { index: LogIndex(index), body };
            store.log().write(vec![(M, vec![write])], move |outcome| done.send(outcome).unwrap());
        }
        drop(sender);
        assert!(receiver.iter().all(|outcome| outcome.is_ok()));
        let (sender, receiver) = std::sync::mpsc::channel();
        let frozen = |out: &mut dyn io::Write| out.write_all(&state(1));
        store.snapshots().take(M, meta(600), frozen, move |taken| sender.send(taken).unwrap());
        receiver.recv().unwrap().unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        let compact = vec![(M, vec![Write::Compact { upto: LogIndex(600) }])];
        store.log().write(compact, move |outcome| sender.send(outcome).unwrap());
        receiver.recv().unwrap().unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        store.log().close(move |outcome| sender.send(outcome).unwrap());
        receiver.recv().unwrap().unwrap();
        // The handle is still there, and keeps nothing from the next one.
        first.iter().for_each(|worker| worker.shutdown());
        store.log().store_id()
    };
    let (store, report) = open(workers(), options).unwrap();
    assert_eq!((store.log().store_id(), report.torn_bytes, report.created), (id, 0, false));
    let recovered = store.recover(M).unwrap();
    assert_eq!((recovered.after, recovered.last), (LogIndex(600), LogIndex(1000)));
    assert_eq!(recovered.snapshot, Some(meta(600)));
    let (sender, receiver) = std::sync::mpsc::channel();
    store.log().read(M, LogIndex(601), LogIndex(1000), usize::MAX, move |read| sender.send(read).unwrap());
    let entries = receiver.recv().unwrap().unwrap();
    assert_eq!(entries.len(), 400);
    assert!(entries.iter().all(|(index, body)| body[..] == [index.0 as u8; 200]));
    let (sender, receiver) = std::sync::mpsc::channel();
    store.snapshots().load(M, move |loaded| sender.send(loaded).unwrap());
    assert_eq!(receiver.recv().unwrap().unwrap().1.remaining(), 2_500_000);
}
