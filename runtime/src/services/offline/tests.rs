//! From a stopped replica's disk to a file, and from the file to the disks of another group.

use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use synod_protocols::log::{Body, Entry, SessionTag};
use synod_protocols::raft::{Raft, Record};
use synod_protocols::session::SessionLimits;
use synod_protocols::{ClientId, LogIndex, LogTime, NodeId, Protocol, Recovered, Term};

use super::{AtRest, OfflineFault, restore, state_at_rest};
use crate::address::MachineId;
use crate::driver::{Host, encode_records};
use crate::services::kv::{Command, Expect, Map, Put};
use crate::services::replicated::{ReplicaHost, Shared, pack};
use crate::storage::{
    BackupHeader, BackupReader, DamagedLog, Disk, LogOptions, OpenStore, SimDisk, Store, Worker, Write,
    write_backup,
};
use crate::telemetry::Metrics;

/// Does a job at once.
struct AtOnce;

impl Worker for AtOnce {
    fn submit(&self, job: Box<dyn FnOnce() + Send>) {
        job();
    }
}

async fn open(disk: &SimDisk) -> Store {
    let request = OpenStore {
        disk: Arc::new(disk.clone()),
        log_worker: Arc::new(AtOnce),
        snapshot_worker: Arc::new(AtOnce),
        options: LogOptions::sim(),
        damaged: DamagedLog::Refuse,
        seed: 1,
        metrics: Metrics::default(),
    };
    Store::opened(request).await.expect("the disk opens").0
}

fn kv() -> MachineId {
    MachineId::of(Raft::NAME, "kv")
}

fn row(index: u64, key: &str) -> Entry {
    let put = Command::Put(Put {
        key: key.into(),
        value: Bytes::from(vec![index as u8; 3]),
        expect: Expect::Any,
        lease: None,
    });
    let session = Some(SessionTag { client: ClientId(index), sequence: 1 });
    let body = Body::Command { session, payload: pack(&put).expect("it can be encoded") };
    Entry { term: Term(2 + index / 3), index: LogIndex(index), time: LogTime(index * 10), body }
}

fn write(store: &Store, writes: Vec<Write>) {
    store.log().write(vec![(kv(), writes)], |result| result.expect("it is written"));
}

/// A disk with a snapshot up to 4 and a log up to 6, of which nothing says how far it is committed.
async fn stopped() -> SimDisk {
    let disk = SimDisk::default();
    let store = open(&disk).await;
    let entries: Vec<_> = (1..=6).map(|index| row(index, &format!("k{index}"))).collect();
    let records: Vec<_> = entries.iter().cloned().map(Record::Entry).collect();
    write(&store, encode_records::<Raft>(&records.into()).unwrap());
    let mut host = ReplicaHost::new(Arc::new(Shared::new(Map::default(), limits())), Arc::default());
    host.apply(entries[..4].to_vec().into());
    let frozen = host.snapshot();
    let meta = synod_protocols::log::SnapshotMeta {
        index: LogIndex(4),
        term: Term(3),
        time: LogTime(40),
        configuration: Bytes::new(),
    };
    store.snapshots().take(kv(), meta, |out| frozen.write_to(out), |taken| drop(taken.expect("it is taken")));
    write(&store, vec![Write::Compact { upto: LogIndex(2) }]);
    store.close().await.expect("it closes");
    disk
}

fn limits() -> SessionLimits {
    SessionLimits::default()
}

async fn at_rest(disk: &SimDisk) -> Result<AtRest, OfflineFault> {
    state_at_rest(&open(disk).await, "kv", Map::default(), limits()).await
}

fn bytes(at_rest: AtRest) -> Vec<u8> {
    let mut bytes = Vec::new();
    at_rest.state.write_to(&mut bytes).expect("memory takes it");
    bytes
}

fn header(rest: &AtRest) -> BackupHeader {
    BackupHeader {
        cluster: "shop".into(),
        service: "kv".into(),
        node: "node-1".into(),
        program: "1".into(),
        members: Vec::new(),
        machine: rest.machine,
        index: rest.meta.index,
        term: rest.meta.term,
        time: rest.meta.time,
    }
}

fn backup(rest: AtRest) -> Vec<u8> {
    let (disk, path) = (SimDisk::default(), Path::new("file"));
    let (header, meta) = (header(&rest), rest.meta.clone());
    let length = write_backup(&disk, path, &header, meta, |out| rest.state.write_to(out)).unwrap();
    let mut bytes = vec![0; length as usize];
    disk.open(path, false).unwrap().read_at(0, &mut bytes).unwrap();
    bytes
}

#[tokio::test]
async fn the_state_at_rest_is_the_snapshot_and_all_of_the_log_above_it() {
    let rest = at_rest(&stopped().await).await.unwrap();
    assert_eq!((rest.meta.index, rest.meta.term, rest.meta.time), (LogIndex(6), Term(4), LogTime(60)));
    let mut all = ReplicaHost::new(Arc::new(Shared::new(Map::default(), limits())), Arc::default());
    all.apply((1..=6).map(|index| row(index, &format!("k{index}"))).collect());
    let mut expected = Vec::new();
    all.snapshot().write_to(&mut expected).unwrap();
    assert_eq!(bytes(rest), expected);
    let nothing = at_rest(&SimDisk::default()).await.unwrap_err();
    assert_eq!(nothing.to_string(), "it holds nothing of the service \"kv\"");
}

#[tokio::test]
async fn a_restored_disk_starts_a_member_that_goes_on_where_the_backup_ends() {
    let rest = at_rest(&stopped().await).await.unwrap();
    let (meta, file) = (rest.meta.clone(), backup(rest));
    let expected = bytes(at_rest(&stopped().await).await.unwrap());
    let target = SimDisk::default();
    let store = open(&target).await;
    let reader = BackupReader::open(io::Cursor::new(file), Path::new("file")).unwrap();
    let voters = [NodeId(7), NodeId(8), NodeId(9)];
    restore(&store, voters.into(), reader).await.unwrap();
    store.close().await.unwrap();

    let target = target.crash(3);
    let restored = at_rest(&target).await.unwrap();
    assert_eq!((restored.meta.index, restored.meta.term), (meta.index, meta.term));
    assert_eq!(bytes(restored), expected, "sessions and rows, byte for byte");

    let found = open(&target).await.recover(kv()).unwrap();
    assert_eq!(found.after, found.last, "no entry stands above the snapshot");
    let records = |bodies: Vec<Bytes>| {
        bodies.iter().map(|body| crate::wire::decode::<Record>(body, 1 << 20).unwrap()).collect::<Vec<_>>()
    };
    let cells = records(found.cells.into_iter().map(|(_, body)| body).collect());
    let recovered = Recovered { cells, snapshot: found.snapshot, ..Recovered::default() };
    // Another set of voters in the settings counts for nothing: the disk knows better.
    let settings = synod_protocols::raft::Config::lan(NodeId(7), [NodeId(7)].into());
    let status = <Raft as Protocol>::restore(settings.into(), 1, recovered).status();
    assert_eq!(status.voters, voters.into());
    assert_eq!((status.term, status.commit, status.last_index), (meta.term, meta.index, meta.index));
}

#[tokio::test]
async fn a_damaged_backup_is_not_restored() {
    let mut file = backup(at_rest(&stopped().await).await.unwrap());
    let middle = file.len() / 2;
    file[middle] ^= 1;
    let store = open(&SimDisk::default()).await;
    let reader = BackupReader::open(io::Cursor::new(file), Path::new("a.backup")).unwrap();
    let fault = restore(&store, [NodeId(7)].into(), reader).await.unwrap_err().to_string();
    assert!(fault.contains("a.backup: the backup is damaged: chunk 0"), "{fault}");
    assert_eq!(store.snapshots().newest(kv()), None);
}
