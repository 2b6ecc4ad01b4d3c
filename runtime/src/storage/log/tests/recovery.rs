//! What is found after a crash, and what is refused.

use std::path::Path;

use super::*;

/// A disk whose log holds nine records and then was shut down, and their places.
fn written() -> (SimDisk, StoreId, Vec<(u64, Record, u64)>) {
    let node = opened(&SimDisk::default());
    for index in 1..=3 {
        node.write(M, vec![entry(index, "some text"), cell(index, "cell")]).unwrap();
    }
    let records = node.records(1);
    assert_eq!(records.len(), 9, "with a mark each");
    (node.disk.restart(), node.log.store_id(), records)
}

fn copy_of(disk: &SimDisk) -> SimDisk {
    let copy = SimDisk::default();
    copy.create_directory(Path::new("log")).unwrap();
    copy.sync_directory(Path::new("")).unwrap();
    for name in segments(disk) {
        let path = Path::new("log").join(name);
        let from = disk.open(&path, false).unwrap();
        let mut bytes = vec![0; from.length().unwrap() as usize];
        from.read_at(0, &mut bytes).unwrap();
        copy.open(&path, true).unwrap().write_at(0, &bytes).unwrap();
    }
    copy
}

#[test]
fn rt_50_a_last_record_torn_at_every_byte_is_cut() {
    let (disk, _, records) = written();
    // The last cell and the mark behind it: nothing says that they were durable.
    let (start, _, size) = records[7];
    let end = records[8].0 + records[8].2;
    let whole: Vec<u8> = {
        let mut bytes = vec![0; end as usize];
        disk.open(&segment_path(1), false).unwrap().read_at(0, &mut bytes).unwrap();
        bytes
    };
    let last = (start..start + size).rfind(|&at| whole[at as usize] != 0).unwrap();
    for torn in start..start + size {
        let copy = copy_of(&disk);
        let file = copy.open(&segment_path(1), false).unwrap();
        file.write_at(torn, &vec![0; (end - torn) as usize]).unwrap();
        let node = opened(&copy);
        let kept = whole[start as usize..torn as usize].iter().rposition(|&byte| byte != 0);
        if torn > last {
            assert_eq!(node.report.torn_bytes, 0, "only padding was torn");
            assert_eq!(node.found(M).cells.len(), 3);
            continue;
        }
        assert_eq!(node.report.torn_bytes, kept.map_or(0, |last| last as u64 + 1), "torn at {torn}");
        assert_eq!(node.found(M).cells.len(), 2);
        // What is written next is not confused by what was there.
        node.write(M, vec![cell(3, "cell")]).unwrap();
        let node = node.restarted();
        assert_eq!(node.report.torn_bytes, 0);
        assert_eq!(node.found(M).cells.len(), 3);
    }
}

#[test]
fn rt_51_a_flipped_bit_in_any_durable_byte_is_corruption() {
    let (disk, _, records) = written();
    // The last mark says that the cell before it is durable; nothing says that of the mark.
    let durable = records[8].0;
    for at in 0..durable {
        let copy = copy_of(&disk);
        assert!(copy.flip(&segment_path(1), at, 0x10));
        let before = copy.costs().operations;
        match open(&copy, small()) {
            Err(OpenError::Corrupt { path, offset, .. }) => {
                assert_eq!(path, segment_path(1));
                assert!(offset <= at, "byte {at} found at {offset}");
            }
            Err(OpenError::Version { .. }) if (8..12).contains(&at) => {}
            other => panic!("byte {at}: {:?}", other.map(|node| node.report)),
        }
        assert_eq!(copy.costs().operations, before, "nothing was changed");
    }
    let copy = copy_of(&disk);
    assert!(copy.flip(&segment_path(1), durable + 20, 0x10));
    let torn = opened(&copy).report.torn_bytes;
    assert!((41..=48).contains(&torn), "a damaged mark is a torn tail: {torn}");
}

#[test]
fn damage_in_any_segment_but_the_last_is_corruption() {
    let node = opened(&SimDisk::default());
    for index in 1..=60 {
        node.write(M, vec![entry(index, &"x".repeat(100))]).unwrap();
    }
    let disk = node.disk.restart();
    assert!(segments(&disk).len() >= 3);
    let first = node_records(&node, &disk, 1);
    for &(offset, _, size) in &first {
        let copy = copy_of(&disk);
        copy.open(&segment_path(1), false).unwrap().write_at(offset, &vec![0; size as usize]).unwrap();
        assert!(matches!(open(&copy, small()), Err(OpenError::Corrupt { .. })), "record at {offset} is zero");
    }
}

fn node_records(node: &Node, disk: &SimDisk, segment: u64) -> Vec<(u64, Record, u64)> {
    let mut bytes = vec![0; 4096];
    disk.open(&segment_path(segment), false).unwrap().read_at(0, &mut bytes).unwrap();
    let seal = Seal::new(node.log.store_id(), segment);
    let mut offset = SEGMENT_HEADER;
    let mut records = Vec::new();
    while let Some(found) = Record::decode(&bytes[offset as usize..], seal) {
        let size = Record::size(found.body.len() as u64);
        records.push((offset, found.record, size));
        offset += size;
    }
    records
}

#[test]
fn a_lost_write_under_durable_ones_is_corruption() {
    let node = opened(&SimDisk::default());
    node.write(M, vec![entry(1, "a")]).unwrap();
    node.disk.drop_next_write();
    node.write(M, vec![entry(2, "b")]).unwrap();
    node.write(M, vec![entry(3, "c")]).unwrap();
    let error = open(&node.disk.restart(), small()).err().expect("refused");
    assert!(error.to_string().contains("had been made durable"), "{error}");
}

#[test]
fn rt_52_a_misdirected_write_is_corruption_where_it_was_missed_and_where_it_went() {
    let node = opened(&SimDisk::default());
    for index in 1..=4 {
        node.write(M, vec![entry(index, "e")]).unwrap();
    }
    let (second, _, _) = node.records(1)[2];
    node.disk.misdirect_next_write(second);
    node.write(M, vec![entry(5, "e")]).unwrap();
    // The entry verifies there; it is not the one that belongs there.
    assert!(matches!(node.read(M, 2, 2, usize::MAX), Err(ReadFault::Damaged { .. })));
    match open(&node.disk.restart(), small()) {
        Err(OpenError::Corrupt { offset, .. }) => assert_eq!(offset, second),
        other => panic!("{:?}", other.map(|node| node.report)),
    }
}

#[test]
fn a_record_of_another_machine_or_place_is_told_by_the_chain() {
    let (disk, store, records) = written();
    // A whole, verifying record in the place of another one of the same size: only chain and sequence betray it.
    let (target, ..) = records[0];
    let forged = Record { machine: N, ..records[3].1 };
    let mut bytes = Vec::new();
    forged.encode(b"some text", Seal::new(store, 1), &mut bytes);
    disk.open(&segment_path(1), false).unwrap().write_at(target, &bytes).unwrap();
    assert!(matches!(open(&disk, small()), Err(OpenError::Corrupt { offset, .. }) if offset == target));
}

#[test]
fn a_whole_record_that_is_not_the_one_written_is_told_by_the_next_one() {
    let (disk, store, records) = written();
    // What a disk gives that lost a write over an earlier state: it verifies, and it has the right number.
    let (target, record, _) = records[3];
    let mut bytes = Vec::new();
    record.encode(b"some TEXT", Seal::new(store, 1), &mut bytes);
    disk.open(&segment_path(1), false).unwrap().write_at(target, &bytes).unwrap();
    let next = records[4].0;
    assert!(matches!(open(&disk, small()), Err(OpenError::Corrupt { offset, .. }) if offset == next));
}

#[test]
fn a_lost_segment_is_noticed_wherever_it_was() {
    let node = opened(&SimDisk::default());
    for index in 1..=60 {
        node.write(M, vec![entry(index, &"x".repeat(100))]).unwrap();
    }
    let disk = node.disk.restart();
    let names = segments(&disk);
    assert!(names.len() >= 3);
    for name in &names {
        let copy = copy_of(&disk);
        copy.remove(&Path::new("log").join(name)).unwrap();
        match open(&copy, small()) {
            Err(OpenError::Corrupt { path, reason, .. }) => {
                assert_eq!(path, Path::new("log").join(name));
                assert!(reason.contains("missing"), "{reason}");
            }
            other => panic!("without {}: {:?}", name.display(), other.map(|node| node.report)),
        }
    }
}

#[test]
fn rt_53_a_rotation_survives_the_loss_of_names() {
    for seed in 0..200 {
        let node = opened(&SimDisk::default());
        let mut index = 0;
        while segments(&node.disk).len() < 2 {
            index += 1;
            node.write(M, vec![entry(index, &"x".repeat(100))]).unwrap();
        }
        let node = opened(&node.disk.crash(seed));
        assert_eq!(node.found(M).entries.len() as u64, index, "seed {seed}");
    }
}

/// A log whose next batch begins the second segment, and its last index.
fn before_rotation() -> (Node, u64) {
    let node = opened(&SimDisk::default());
    let mut index = 0;
    while node.bytes(1).iter().rposition(|&byte| byte != 0).is_some_and(|last| last < 3000) {
        index += 1;
        node.write(M, vec![entry(index, &"x".repeat(100))]).unwrap();
    }
    (node, index)
}

#[test]
fn rt_53_a_crash_at_any_step_of_rotation_loses_nothing_acknowledged() {
    let batches = |node: &Node, index: u64| -> usize {
        let written = (0..8).take_while(|batch| {
            let first = index + 1 + batch * 8;
            let writes = (first..first + 8).map(|index| entry(index, &"y".repeat(100))).collect();
            node.write(M, writes).is_ok()
        });
        written.count() * 8
    };
    let (node, index) = before_rotation();
    let before = node.disk.costs().operations;
    assert_eq!(batches(&node, index), 64);
    assert!(segments(&node.disk).len() >= 3, "more than one rotation");
    let steps = node.disk.costs().operations - before;
    for step in 0..=steps {
        for seed in 0..8 {
            let (node, index) = before_rotation();
            node.disk.stop_after(step);
            let acknowledged = index as usize + batches(&node, index);
            let disk = if seed == 0 { node.disk.restart() } else { node.disk.crash(seed) };
            let node = opened(&disk);
            let found = node.found(M).entries;
            let context =
                format!("step {step}, seed {seed}: {acknowledged} acknowledged, {} found", found.len());
            assert!((acknowledged..=acknowledged + 8).contains(&found.len()), "{context}");
            let as_written =
                |(at, body): &(LogIndex, Bytes)| body[..] == [if at.0 <= index { b'x' } else { b'y' }; 100];
            assert!(found.iter().all(as_written), "{context}");
            let next = found.len() as u64 + 1;
            node.write(M, vec![entry(next, "goes on")]).unwrap();
            let node = node.restarted();
            assert_eq!(node.found(M).entries.len() as u64, next, "{context}");
        }
    }
}

#[test]
fn a_segment_that_cannot_be_read_is_damage() {
    let (disk, ..) = written();
    assert!(disk.fail_reads(&segment_path(1)));
    let refused = open(&disk, small()).err().expect("refused");
    assert!(matches!(refused, OpenError::Corrupt { .. }), "{refused}");
    assert!(refused.to_string().contains("cannot be read: the disk failed to read"), "{refused}");
    assert_eq!(disk.faults().reads_failed, 1);
}

#[test]
fn rt_56_garbage_is_refused_with_words() {
    for (bytes, word) in [
        (vec![0xFF; 4096], "header"),
        (vec![0; 4096], "header"),
        (vec![], "header"),
        (vec![0x73; 10], "header"),
    ] {
        let disk = SimDisk::default();
        disk.create_directory(Path::new("log")).unwrap();
        disk.open(&segment_path(1), true).unwrap().write_at(0, &bytes).unwrap();
        let error = open(&disk, small()).err().expect("refused").to_string();
        assert!(error.contains(word) && error.contains("0000000000000001.segment"), "{error}");
    }
    let (disk, ..) = written();
    disk.open(&segment_path(1), false).unwrap().write_at(8, &9u32.to_le_bytes()).unwrap();
    let error = open(&disk, small()).err().expect("refused").to_string();
    assert!(error.contains("format 9") && error.contains("newer version"), "{error}");
}

#[test]
fn rt_56_random_garbage_behind_a_header_never_panics() {
    let (disk, ..) = written();
    let mut prng = synod_protocols::prng::Prng::new(7);
    for _ in 0..300 {
        let copy = copy_of(&disk);
        let file = copy.open(&segment_path(1), false).unwrap();
        for _ in 0..prng.between(1, 20) {
            let length = prng.between(1, 40);
            let bytes: Vec<u8> = (0..length).map(|_| prng.next_u64() as u8).collect();
            file.write_at(prng.below(4096 - 40), &bytes).unwrap();
        }
        // Refused or cut: both are answers.
        drop(open(&copy, small()));
    }
}

#[test]
fn a_cut_is_repeated_after_a_crash_in_the_middle_of_it() {
    let (disk, _, records) = written();
    let file = disk.open(&segment_path(1), false).unwrap();
    file.write_at(records[7].0 + 20, &[0xEE; 9]).unwrap();
    file.write_at(records[8].0, &[0xEE; 48]).unwrap();
    for operations in 0..12 {
        for seed in 0..6 {
            let copy = copy_of(&disk);
            copy.open(&segment_path(1), false).unwrap().sync().unwrap();
            copy.sync_directory(Path::new("log")).unwrap();
            copy.stop_after(operations);
            drop(open(&copy, small()));
            let node = opened(&copy.crash(seed));
            let expected = (numbered(&[(1, "cell"), (2, "cell")]), 0, 3);
            let (cells, compacted, entries) = texts(&node.found(M));
            assert_eq!(
                (cells, compacted, entries.len()),
                expected,
                "after {operations} operations, seed {seed}"
            );
        }
    }
}

#[test]
fn a_log_that_lost_all_its_segments_is_not_taken_for_a_new_one() {
    let node = opened(&SimDisk::default());
    node.write(M, vec![entry(1, "a"), cell(7, "x")]).unwrap();
    let disk = node.disk.restart();
    disk.remove(&segment_path(1)).unwrap();
    let refused = open(&disk, small()).err().map(|error| error.to_string()).expect("refused");
    assert!(refused.contains("0000000000000002.spare") && refused.contains("segments are gone"), "{refused}");
}

#[test]
fn a_file_that_was_cut_is_damage_wherever_it_was_cut() {
    let node = opened(&SimDisk::default());
    node.write(M, vec![entry(1, "a"), entry(2, "b")]).unwrap();
    let whole = node.disk.restart();
    let length = whole.open(&segment_path(1), false).unwrap().length().unwrap();
    let mut disk = whole;
    for cut in [length - 1, length / 2, 400, 100, 64] {
        disk.open(&segment_path(1), false).unwrap().set_length(cut).unwrap();
        let refused = open(&disk, small()).err().map(|error| error.to_string()).expect("refused");
        assert!(refused.contains("the file is cut"), "cut at {cut}: {refused}");
        disk = disk.restart();
    }
}
