//! A snapshot as a peer sends it, piece by piece. The first two bytes of an input say how large the pieces are.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use synod::address::MachineId;
use synod::protocols::log::SnapshotMeta;
use synod::protocols::prng::Prng;
use synod::protocols::{LogIndex, LogTime, NodeId, Term};
use synod::storage::{DamagedLog, SimDisk, SnapshotFault, Store};

use crate::storehouse::{at_once, open};
use crate::target::{Target, Verdict};

/// A receiver holds one piece at a time; an accepted snapshot is installed, read whole and sent on.
pub(crate) const TARGET: Target =
    Target { name: "snapshot", seeds, reseal, run, most: |length| 256 * length + (1 << 20) };

const OURS: MachineId = MachineId(0xA);
const PEER: NodeId = NodeId(7);

fn run(input: &[u8]) -> Verdict {
    let Some((size, stream)) = input.split_first_chunk::<2>() else { return Verdict::Refused(String::new()) };
    let size = usize::from(u16::from_le_bytes(*size)).max(16);
    let disk = SimDisk::default();
    let (store, _) = open(&disk, DamagedLog::Refuse).expect("a disk in memory");
    let meta = match receive(&store, stream, size) {
        Ok(meta) => meta,
        Err(fault) => {
            assert!(
                matches!(
                    fault,
                    SnapshotFault::Damaged { .. }
                        | SnapshotFault::DamagedChunk { .. }
                        | SnapshotFault::Version { .. }
                ),
                "{fault}"
            );
            assert!(store.snapshots().newest(OURS).is_none());
            return Verdict::Refused(fault.to_string());
        }
    };
    let installed = Arc::new(Mutex::new(None));
    let place = installed.clone();
    store.snapshots().install(OURS, PEER, meta.clone(), move |result| {
        *place.lock().expect("nobody panics under it") = Some(result);
    });
    let installed = installed.lock().expect("nobody panics under it").take().expect("every job has run");
    installed.expect("what was received whole can be installed");
    assert_eq!(sent(&store), stream, "it is sent on as it came");
    drop(store);
    let (store, _) = open(&disk.restart(), DamagedLog::Refuse).expect("it was written by us");
    assert_eq!(store.snapshots().newest(OURS), Some(meta));
    Verdict::Taken(stream.len())
}

fn receive(store: &Store, stream: &[u8], size: usize) -> Result<SnapshotMeta, SnapshotFault> {
    let mut receiver = store.snapshots().receive(OURS, PEER);
    for piece in stream.chunks(size) {
        at_once(receiver.write(Bytes::copy_from_slice(piece)))?;
    }
    at_once(receiver.finish())
}

/// The newest snapshot as it would be sent.
fn sent(store: &Store) -> Vec<u8> {
    let mut reader = at_once(store.snapshots().read(OURS)).expect("there is one");
    let mut bytes = Vec::new();
    while let Some(piece) = at_once(reader.next()).expect("it is whole") {
        bytes.extend_from_slice(&piece);
    }
    bytes
}

const PROLOGUE: usize = 2 + 32;
const MANIFEST: u32 = 1 << 31;

/// Makes the checksums of prologue and pieces right, and the one over them in the manifest if it stands where a whole number does.
fn reseal(input: &mut [u8], _: &mut Prng) {
    if input.len() < PROLOGUE {
        return;
    }
    let seed = crc32c::crc32c(&input[2 + 16..PROLOGUE]);
    input[2 + 12..2 + 16].copy_from_slice(&seed.to_le_bytes());
    let (mut all, mut at, mut chunks) = (seed, PROLOGUE, 0u64);
    while let Some(rest) = input.get_mut(at..).filter(|rest| rest.len() >= 8) {
        let word = u32::from_le_bytes(rest[..4].try_into().expect("four bytes"));
        let (manifest, length) = (word & MANIFEST != 0, (word & !MANIFEST) as usize);
        let Some(frame) = rest.get_mut(..8 + length) else { return };
        if manifest && length > 5 && frame[8 + length - 5] == 0xCE {
            frame[8 + length - 4..].copy_from_slice(&all.to_be_bytes());
        }
        let number = if manifest { u64::MAX } else { chunks };
        let checksum = crc32c::crc32c_append(crc32c::crc32c_append(seed, &number.to_le_bytes()), &frame[8..]);
        frame[4..8].copy_from_slice(&checksum.to_le_bytes());
        all = crc32c::crc32c_append(all, &checksum.to_le_bytes());
        chunks += 1;
        at += 8 + length;
    }
}

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let cut = |size: u16, bytes: &[u8]| [&size.to_le_bytes()[..], bytes].concat();
    let small = taken(b"a state");
    let claims = |word: u32| {
        let mut bytes = small[..32].to_vec();
        bytes.extend_from_slice(&word.to_le_bytes());
        cut(1000, &[&bytes[..], &[0; 100]].concat())
    };
    vec![
        ("empty-state", cut(1000, &taken(b""))),
        ("small", cut(1000, &small)),
        ("in-small-pieces", cut(1, &small)),
        ("larger", cut(4096, &taken(&[7; 9000]))),
        ("without-manifest", cut(1000, &small[..small.len() - 20])),
        ("twice", cut(1000, &[&small[..], &small].concat())),
        ("claims-two-gigabytes", claims(u32::MAX >> 1)),
        ("manifest-claims-two-gigabytes", claims(u32::MAX)),
        ("manifest-claims-as-much-as-it-may", claims(MANIFEST | (16 << 20))),
    ]
}

/// A snapshot of this state, as it is sent.
fn taken(state: &'static [u8]) -> Vec<u8> {
    let (store, _) = open(&SimDisk::default(), DamagedLog::Refuse).expect("a disk in memory");
    let meta = SnapshotMeta {
        index: LogIndex(9),
        term: Term(3),
        time: LogTime(90),
        configuration: Bytes::from_static(b"three voters"),
    };
    store.snapshots().take(OURS, meta, move |out| out.write_all(state), |_| {});
    sent(&store)
}
