//! A damaged disk gets another identity and keeps what it can; whatever interrupts that, the old identity never comes back with less.

use std::collections::BTreeMap;

use synod_protocols::StoreId;

use super::*;

const N: MachineId = MachineId(0xB);
const LOG: &str = "log";

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// The files of a directory.
fn files(disk: &SimDisk, directory: &str) -> Files {
    let read = |name: PathBuf| {
        let file = disk.open(&Path::new(directory).join(&name), false).unwrap();
        let mut bytes = vec![0; file.length().unwrap() as usize];
        file.read_at(0, &mut bytes).unwrap();
        (name, bytes)
    };
    disk.list(Path::new(directory)).unwrap().into_iter().map(read).collect()
}

/// The segments of a log that was left behind.
fn segments(disk: &SimDisk) -> Files {
    let mut log = files(disk, LOG);
    log.retain(|name, _| name.extension().is_some_and(|end| end == "segment"));
    log
}

/// A disk with these files, durable.
fn disk_with(log: &Files, snapshots: &Files) -> SimDisk {
    let disk = SimDisk::default();
    for (directory, files) in [(LOG, log), ("snapshots", snapshots)] {
        disk.create_directory(Path::new(directory)).unwrap();
        for (name, bytes) in files {
            let file = disk.open(&Path::new(directory).join(name), true).unwrap();
            file.write_at(0, bytes).unwrap();
            file.sync().unwrap();
        }
        disk.sync_directory(Path::new(directory)).unwrap();
    }
    disk.sync_directory(Path::new("")).unwrap();
    disk
}

fn entry(index: u64, body: &str) -> Write {
    Write::Entry { index: LogIndex(index), body: Bytes::copy_from_slice(body.as_bytes()) }
}

fn cell(key: u64, body: &str) -> Write {
    Write::Cell { key, body: Bytes::copy_from_slice(body.as_bytes()) }
}

/// The segments of a log, at least three, with sixty entries of one machine, a few of another, and cells; and its name.
fn written() -> (Files, StoreId) {
    let node = open(&SimDisk::default()).unwrap();
    for index in 1..=60 {
        node.write(vec![entry(index, &format!("{index:0100}")), cell(1, &format!("ballot {index}"))])
            .unwrap();
        if index <= 3 {
            let (place, done) = answer();
            let writes = vec![entry(index, &format!("other {index}")), cell(9, "founding")];
            node.store.log().write(vec![(N, writes)], done);
            node.worker.run();
            assert_eq!(place.lock().unwrap().take(), Some(Ok(())));
        }
    }
    let log = segments(&node.disk.restart());
    assert!(log.len() >= 3, "{:?}", log.keys());
    (log, node.store.log().store_id())
}

fn name(number: u64) -> PathBuf {
    PathBuf::from(format!("{number:016x}.segment"))
}

fn segment(log: &mut Files, number: u64) -> &mut Vec<u8> {
    log.get_mut(&name(number)).expect("there is such a segment")
}

fn repaired(disk: &SimDisk) -> Node {
    open_with(disk, DamagedLog::Repair).unwrap()
}

/// What a store holds of the two machines.
fn held(node: &Node) -> [Found; 2] {
    [M, N].map(|machine| node.recover(machine).unwrap())
}

/// How many entries were found; they are the first ones that were written.
fn prefix(found: &Found) -> usize {
    for ((index, body), expected) in found.entries.iter().zip(1..) {
        assert_eq!((index.0, &body[..]), (expected, format!("{expected:0100}").as_bytes()));
    }
    found.entries.len()
}

#[test]
fn rt_51_a_bit_flipped_in_the_middle_changes_the_identity_and_keeps_what_stood_before() {
    let (log, old) = written();
    let mut lengths = Vec::new();
    let end = log[&name(2)].iter().rposition(|&byte| byte != 0).expect("it was written to");
    for at in (16..end).step_by(37) {
        let mut damaged = log.clone();
        segment(&mut damaged, 2)[at] ^= 4;
        let disk = disk_with(&damaged, &Files::new());
        let refused = open(&disk).err().expect("refused").to_string();
        assert!(refused.contains("log/0000000000000002.segment: corrupt at byte"), "{refused}");
        assert_eq!(files(&disk, LOG), damaged, "who refuses changes nothing");

        let node = repaired(&disk.restart());
        assert_ne!(node.store.log().store_id(), old, "byte {at}");
        assert_eq!(node.store.log().replaces(), Some(old));
        let replaced = node.report.replaced.clone().expect("said so");
        assert_eq!(replaced.directory, Path::new("log.damaged-1"));
        assert!(replaced.reason.contains("0000000000000002.segment"), "{}", replaced.reason);
        assert_eq!(files(&node.disk, "log.damaged-1"), damaged, "set aside whole");
        let [main, other] = held(&node);
        assert_eq!((indices(&other), other.cells.len()), (vec![1, 2, 3], 1), "before the damage");
        lengths.push(prefix(&main));
        // The new log goes on, and says at every later start what it is.
        let next = main.entries.len() as u64 + 1;
        node.write(vec![entry(next, "from the leader")]).unwrap();
        let again = open(&node.disk.restart()).unwrap();
        assert_eq!(again.store.log().replaces(), Some(old));
        assert_eq!(again.store.log().store_id(), node.store.log().store_id());
        assert_eq!(again.report.set_aside, vec![PathBuf::from("log.damaged-1")]);
        assert_eq!(indices(&again.recover(M).unwrap()).len() as u64, next);
    }
    assert!(lengths.is_sorted() && lengths[0] + 8 < lengths[lengths.len() - 1], "{lengths:?}");
}

#[test]
fn rt_51_a_crash_at_any_step_of_a_repair_never_brings_the_old_identity_back() {
    let (mut log, old) = written();
    segment(&mut log, 3)[200] ^= 1;
    let expected = held(&repaired(&disk_with(&log, &Files::new())));
    assert!(expected[0].entries.len() > 20);
    let mut steps = 0;
    loop {
        let mut finished = false;
        for seed in 0..12 {
            let disk = disk_with(&log, &Files::new());
            disk.stop_after(steps);
            finished = open_with(&disk, DamagedLog::Repair).is_ok();
            let disk = if seed == 0 { disk.restart() } else { disk.crash(seed) };
            let context = format!("step {steps}, seed {seed}");
            // Whoever does not repair finds the old log damaged, or the new one.
            if let Ok(node) = open(&disk) {
                assert_ne!(node.store.log().store_id(), old, "{context}");
            }
            let node = repaired(&disk.restart());
            assert_ne!(node.store.log().store_id(), old, "{context}");
            assert_eq!(node.store.log().replaces(), Some(old), "{context}");
            assert_eq!(held(&node), expected, "{context}");
            assert_eq!(node.report.set_aside, vec![PathBuf::from("log.damaged-1")], "{context}");
            assert_eq!(files(&node.disk, "log.damaged-1"), log, "{context}");
            assert!(node.disk.list(Path::new("log.repair")).unwrap().is_empty(), "{context}");
        }
        if finished {
            break;
        }
        steps += 1;
    }
    assert!(steps > 15, "{steps} steps");
}

#[test]
fn rt_52_segments_that_were_swapped_cut_lost_or_brought_back_are_damage_and_are_repaired() {
    let (log, old) = written();
    let another = {
        let node = open_seeded(&SimDisk::default(), DamagedLog::Refuse, 77).unwrap();
        for index in 1..=60 {
            node.write(vec![entry(index, &"z".repeat(100))]).unwrap();
        }
        segments(&node.disk.restart())
    };
    let changed = |change: &dyn Fn(&mut Files)| {
        let mut files = log.clone();
        change(&mut files);
        files
    };
    let swap = |files: &mut Files| {
        let (one, two) = (files[&name(1)].clone(), files[&name(2)].clone());
        files.extend([(name(1), two), (name(2), one)]);
    };
    let first =
        prefix(&held(&repaired(&disk_with(&changed(&|files| segment(files, 2).clear()), &Files::new())))[0]);
    assert!(first > 5, "what is in the first segment");
    for (what, files, least) in [
        ("swapped", changed(&swap), 0),
        ("cut", changed(&|files| segment(files, 2).truncate(2000)), first),
        ("lost, the first", changed(&|files| drop(files.remove(&name(1)))), 0),
        ("lost, one in the middle", changed(&|files| drop(files.remove(&name(2)))), first),
        ("of another log", changed(&|files| drop(files.insert(name(2), another[&name(2)].clone()))), first),
        ("zeros", changed(&|files| segment(files, 1).fill(0)), 0),
        ("half of an earlier state", changed(&|files| segment(files, 2)[2048..].fill(0)), first + 2),
    ] {
        let node = repaired(&disk_with(&files, &Files::new()));
        assert_ne!(node.store.log().store_id(), old, "{what}");
        assert!(node.store.log().replaces().is_some(), "{what}");
        let found = prefix(&held(&node)[0]);
        let most = if least == 0 { 0 } else { first + 12 };
        assert!(
            (least..=most).contains(&found),
            "{what}: {found} entries kept, {first} in the first segment"
        );
    }
}

#[test]
fn a_second_damage_is_set_aside_beside_the_first() {
    let (mut log, old) = written();
    segment(&mut log, 2)[500] ^= 1;
    let node = repaired(&disk_with(&log, &Files::new()));
    let second = node.store.log().store_id();
    let disk = node.disk.restart();
    assert!(disk.flip(Path::new("log/0000000000000001.segment"), 300, 1));
    let node = repaired(&disk);
    assert_eq!(node.report.set_aside, vec![PathBuf::from("log.damaged-1"), PathBuf::from("log.damaged-2")]);
    assert_eq!(node.store.log().replaces(), Some(second));
    assert!(![old, second].contains(&node.store.log().store_id()));
}

#[test]
fn a_log_that_is_taken_away_after_a_repair_is_not_taken_for_a_first_one() {
    let (mut log, _) = written();
    segment(&mut log, 2)[500] ^= 1;
    let disk = repaired(&disk_with(&log, &Files::new())).disk.restart();
    for name in disk.list(Path::new(LOG)).unwrap() {
        disk.remove(&Path::new(LOG).join(name)).unwrap();
    }
    let node = repaired(&disk);
    assert_eq!((node.report.created, node.store.log().replaces()), (true, Some(StoreId::ZERO)));
}

#[test]
fn rt_50_a_torn_tail_is_no_damage() {
    let (mut log, old) = written();
    let mut last = log.last_entry().expect("there are segments");
    let end = last.get().iter().rposition(|&byte| byte != 0).unwrap();
    last.get_mut()[end] ^= 1;
    let node = repaired(&disk_with(&log, &Files::new()));
    assert_eq!((node.store.log().store_id(), node.store.log().replaces()), (old, None));
    assert!(node.report.torn_bytes > 0 && node.report.replaced.is_none());
}

#[test]
fn a_repair_without_room_leaves_the_damaged_log_where_it_is() {
    let (mut log, old) = written();
    segment(&mut log, 3)[200] ^= 1;
    let disk = disk_with(&log, &Files::new());
    let used = disk.used();
    for spare in [0, 4096, 8000] {
        disk.set_capacity(Some(used + spare));
        let refused = open_with(&disk, DamagedLog::Repair).err().expect("refused").to_string();
        assert!(refused.contains("corrupt at byte") && refused.contains("no other log"), "{refused}");
        assert_eq!(files(&disk, LOG), log);
    }
    disk.set_capacity(None);
    assert_eq!(repaired(&disk.restart()).store.log().replaces(), Some(old));
}

/// The files of a store with a snapshot up to entry 40, whose log holds the entries up to 60, or those from 31 on.
fn with_snapshot(compacted: bool) -> (Files, Files, StoreId) {
    let node = open(&SimDisk::default()).unwrap();
    for index in 1..=60 {
        node.write(vec![entry(index, &format!("{index:0100}")), cell(1, "ballot")]).unwrap();
    }
    node.take(40).unwrap();
    if compacted {
        node.write(vec![Write::Compact { upto: LogIndex(30) }]).unwrap();
    }
    let disk = node.disk.restart();
    (segments(&disk), files(&disk, "snapshots"), node.store.log().store_id())
}

fn damage(snapshots: &mut Files, at: usize) {
    snapshots.first_entry().expect("there is one").get_mut()[at] ^= 1;
}

#[test]
fn a_damaged_snapshot_that_the_log_can_do_without_is_set_aside_alone() {
    // The prologue, two chunks, the manifest.
    for at in [3, 20, 1_000_000, 2_400_000, 2_500_080] {
        let (log, mut snapshots, id) = with_snapshot(false);
        damage(&mut snapshots, at);
        let node = repaired(&disk_with(&log, &snapshots));
        assert_eq!((node.store.log().store_id(), node.store.log().replaces()), (id, None));
        let aside = PathBuf::from("snapshots/000000000000000a.damaged-1");
        assert_eq!(node.report.snapshots_set_aside, vec![aside]);
        let found = node.recover(M).unwrap();
        assert_eq!((found.snapshot, found.entries.len()), (None, 60));
    }
}

#[test]
fn a_damaged_or_lost_snapshot_that_the_log_relies_on_is_a_damaged_disk() {
    let (log, snapshots, old) = with_snapshot(true);
    let broken = |at: usize| {
        let mut snapshots = snapshots.clone();
        damage(&mut snapshots, at);
        snapshots
    };
    for snapshots in [broken(20), broken(1_000_000), broken(2_400_000), Files::new()] {
        let node = repaired(&disk_with(&log, &snapshots));
        assert_ne!(node.store.log().store_id(), old);
        assert_eq!(node.store.log().replaces(), Some(old));
        let reason = node.report.replaced.clone().expect("said so").reason;
        assert!(reason.contains("snapshots/000000000000000a.snapshot"), "{reason}");
        let found = node.recover(M).unwrap();
        assert_eq!((found.snapshot, found.entries.len(), found.cells.len()), (None, 0, 1));
        assert_eq!(node.report.snapshots_set_aside.len(), snapshots.len());
        if !snapshots.is_empty() {
            assert!(
                matches!(open(&disk_with(&log, &snapshots)), Err(OpenError::Corrupt { .. })),
                "may not repair"
            );
        }
    }
}

#[test]
fn what_stands_before_the_damage_is_kept_beside_a_whole_snapshot() {
    let (log, snapshots, old) = with_snapshot(true);
    let mut kept = Vec::new();
    for name in log.keys() {
        let mut log = log.clone();
        log.get_mut(name).unwrap()[1000] ^= 1;
        let node = repaired(&disk_with(&log, &snapshots));
        assert_eq!(node.store.log().replaces(), Some(old));
        let found = node.recover(M).unwrap();
        assert_eq!(found.snapshot, Some(meta(40)));
        let indices = indices(&found);
        assert!(indices.iter().copied().eq((41..).take(indices.len())), "{indices:?}");
        node.write(vec![entry(41 + indices.len() as u64, "from the leader")]).unwrap();
        kept.push(indices.len());
    }
    assert!(kept.is_sorted() && kept[0] == 0 && kept[kept.len() - 1] > 5, "{kept:?}");
}

#[test]
fn a_crash_while_a_damaged_snapshot_is_dealt_with_leaves_a_disk_that_is_repaired() {
    for compacted in [false, true] {
        let (log, mut snapshots, old) = with_snapshot(compacted);
        damage(&mut snapshots, 1_000_000);
        for steps in 0.. {
            let mut finished = false;
            for seed in 0..4 {
                let disk = disk_with(&log, &snapshots);
                disk.stop_after(steps);
                finished = open_with(&disk, DamagedLog::Repair).is_ok();
                let node = repaired(&disk.crash(seed));
                assert_eq!(node.store.log().store_id() == old, !compacted, "step {steps}, seed {seed}");
                let entries = node.recover(M).unwrap().entries.len();
                assert_eq!(entries, if compacted { 0 } else { 60 }, "step {steps}, seed {seed}");
                assert_eq!(node.files(), vec![PathBuf::from("000000000000000a.damaged-1")]);
            }
            if finished {
                break;
            }
        }
    }
}
