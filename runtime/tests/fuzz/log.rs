//! The log as a node finds it on its disk. An input is one segment behind the other.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use synod::address::MachineId;
use synod::protocols::LogIndex;
use synod::protocols::prng::Prng;
use synod::storage::{DamagedLog, Disk, OpenError, RecoveredLog, SimDisk, Store, Write};

use crate::storehouse::{SEGMENT, at_once, get, open, put, write};
use crate::target::{Target, Verdict};

/// Each byte is read a few times (twice for evidence of what was durable, once more by a repair), and each opening reserves two segments.
pub(crate) const TARGET: Target =
    Target { name: "log", seeds, reseal, run, most: |length| 64 * length + (1 << 20) };

const OURS: MachineId = MachineId(0xFEED);

fn run(input: &[u8]) -> Verdict {
    let damaged = open(&disk_of(input), DamagedLog::Refuse).err();
    // A disk of its own: an opening changes what it finds good.
    let disk = disk_of(input);
    match (open(&disk, DamagedLog::Repair), damaged) {
        (Ok((store, report)), damaged) => {
            assert_eq!(report.replaced.is_some(), matches!(damaged, Some(OpenError::Corrupt { .. })));
            let found = recover(&store);
            go_on(store, disk, &found);
            match damaged {
                Some(error) => Verdict::Refused(error.to_string()),
                None => Verdict::Taken(report.records as usize + found.len()),
            }
        }
        (Err(error), Some(_)) => {
            // What no program writes and verifies all the same is refused in words, as what a later program wrote is.
            assert!(matches!(error, OpenError::Version { .. } | OpenError::NotRepaired { .. }), "{error}");
            Verdict::Refused(error.to_string())
        }
        (Err(error), None) => panic!("it was good before: {error}"),
    }
}

/// What is held of a machine.
#[derive(PartialEq)]
struct Held {
    machine: MachineId,
    log: RecoveredLog,
    entries: Vec<(LogIndex, Bytes)>,
}

/// What is held of each machine.
fn recover(store: &Store) -> Vec<Held> {
    let recover = |machine: MachineId| {
        let log = store.log().recover(machine);
        let entries = match log.compacted < log.last {
            true => at_once(store.entries(machine, log.compacted.next(), log.last, usize::MAX)),
            false => Ok(Vec::new()),
        };
        Held { machine, log, entries: entries.expect("what verified can be read back") }
    };
    store.log().recoverable().into_iter().map(recover).collect()
}

/// A log that was taken can be written to, and is found again with all that it held.
fn go_on(store: Store, disk: SimDisk, before: &[Held]) {
    let body = Bytes::from_static(b"goes on");
    write(&store, OURS, vec![Write::Cell { key: 1, body: body.clone() }]).expect("there is room");
    drop(store);
    let (store, report) = open(&disk.restart(), DamagedLog::Refuse).expect("it was written by us");
    assert!(report.replaced.is_none());
    let after = recover(&store);
    let ours = after.iter().find(|held| held.machine == OURS).expect("it was durable");
    assert!(ours.log.cells.contains(&(1, body)));
    for held in before.iter().filter(|held| held.machine != OURS) {
        assert!(after.contains(held), "{:?} is not as it was", held.machine);
    }
}

fn disk_of(input: &[u8]) -> SimDisk {
    let disk = SimDisk::default();
    for (number, segment) in (1..).zip(input.chunks(SEGMENT)) {
        put(&disk, &segment_path(number), segment);
    }
    disk
}

fn segment_path(number: u64) -> PathBuf {
    PathBuf::from(format!("log/{number:016x}.segment"))
}

const HEADER: usize = 64;
const RECORD: usize = 48;

/// Makes the checksums of headers and records right, mostly also the numbers that join them.
fn reseal(input: &mut [u8], prng: &mut Prng) {
    let joined = prng.chance(0.8);
    let (mut sequence, mut previous) = (None, None);
    for (number, segment) in (1u64..).zip(input.chunks_mut(SEGMENT)) {
        if segment.len() < HEADER {
            return;
        }
        if joined {
            segment[24..32].copy_from_slice(&number.to_le_bytes());
            let units = segment.len() as u32 / 8;
            segment[60..64].copy_from_slice(&units.to_le_bytes());
            if let (Some(sequence), Some(previous)) = (sequence, previous) {
                put_u64(segment, 32, u64::wrapping_add(sequence, 1));
                segment[56..60].copy_from_slice(&u32::to_le_bytes(previous));
            }
        }
        segment[12..16].fill(0);
        let checksum = crc32c::crc32c(&segment[..HEADER]).to_le_bytes();
        segment[12..16].copy_from_slice(&checksum);
        let seal = crc32c::crc32c_append(crc32c::crc32c(&segment[16..24]), &segment[24..32]);
        let mut last = (u64_at(segment, 32).wrapping_sub(1), u32_at(segment, 56));
        let mut at = HEADER;
        while let Some(rest) = segment.get_mut(at..).filter(|rest| rest.len() >= RECORD) {
            let size = (RECORD as u64 + u64::from(u32_at(rest, 4))).next_multiple_of(8) as usize;
            let Some(record) = rest.get_mut(..size).filter(|record| record[12] != 0) else { break };
            if joined {
                record[8..12].copy_from_slice(&last.1.to_le_bytes());
                put_u64(record, 32, last.0.wrapping_add(1));
            }
            let checksum = crc32c::crc32c_append(seal, &record[4..]);
            record[..4].copy_from_slice(&checksum.to_le_bytes());
            last = (u64_at(record, 32), checksum);
            at += size;
        }
        (sequence, previous) = (Some(last.0), Some(last.1));
    }
}

fn put_u64(bytes: &mut [u8], at: usize, number: u64) {
    bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let entry = |index: u64, body: &'static str| Write::Entry {
        index: LogIndex(index),
        body: Bytes::from_static(body.as_bytes()),
    };
    let cell = |key: u64| Write::Cell { key, body: Bytes::from_static(b"a vote") };
    let small = vec![cell(1), entry(1, "one"), entry(2, "two"), entry(3, "three"), cell(1)];
    let cut =
        vec![entry(1, "one"), entry(2, "two"), Write::Truncate { from: LogIndex(2) }, entry(2, "again")];
    let long =
        |index: u64| Write::Entry { index: LogIndex(index), body: Bytes::from(vec![index as u8; 900]) };
    let mut rotated: Vec<Write> = (1..=8).map(long).collect();
    rotated.push(Write::Forget);
    vec![
        ("nothing", Vec::new()),
        ("entries-and-cells", logged(&small)),
        ("truncated", logged(&cut)),
        ("two-segments", logged(&rotated[..6])),
        ("three-segments-forgotten", logged(&rotated)),
        ("header-only", logged(&[])[..HEADER].to_vec()),
        ("torn-in-a-record", logged(&small)[..HEADER + 100].to_vec()),
    ]
}

/// The segments of a log to which this was written.
fn logged(writes: &[Write]) -> Vec<u8> {
    let disk = SimDisk::default();
    let (store, _) = open(&disk, DamagedLog::Refuse).expect("a disk in memory");
    for write_one in writes {
        write(&store, MachineId(0xA), vec![write_one.clone()]).expect("a disk in memory");
    }
    drop(store);
    let names = disk.list(Path::new("log")).expect("it was made");
    let segments = names.iter().filter(|name| name.extension().is_some_and(|kind| kind == "segment"));
    segments.flat_map(|name| get(&disk, &Path::new("log").join(name))).collect()
}
