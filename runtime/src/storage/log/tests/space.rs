//! Space: refused, given back, and given back in the middle of a crash.

use super::*;

fn watched(node: &Node) -> Arc<Mutex<Vec<bool>>> {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let place = Arc::clone(&heard);
    node.log.on_space(move |available| place.lock().unwrap().push(available));
    heard
}

#[test]
fn rt_54_a_full_disk_refuses_entries_keeps_cells_and_recovers() {
    let node = opened(&SimDisk::default());
    let heard = watched(&node);
    assert_eq!(*heard.lock().unwrap(), vec![true]);
    node.disk.set_capacity(Some(node.disk.used()));
    let mut index = 0;
    let refusal = loop {
        match node.write(M, vec![entry(index + 1, &"x".repeat(200))]) {
            Ok(()) => index += 1,
            Err(fault) => break fault,
        }
        assert!(index < 1000, "the disk is full");
    };
    assert_eq!(refusal, WriteFault::NoSpace);
    assert_eq!(*heard.lock().unwrap(), vec![true, false], "told before it was refused");
    // The machines heard before, and would have refused by themselves: that counts too.
    assert_eq!(node.metric("synod_log_space_refusals_total"), 2);
    // Votes go on.
    for term in 0..5 {
        node.write(M, vec![cell(1, &format!("term {term}"))]).unwrap();
    }
    assert_eq!(node.write(M, vec![entry(index + 1, "no")]), Err(WriteFault::NoSpace));

    // A snapshot lets the log forget; the oldest segment goes, and with it comes room for the next.
    node.write(M, vec![compact(index)]).unwrap();
    assert_eq!(*heard.lock().unwrap(), vec![true, false, true]);
    node.write(M, vec![entry(index + 1, "yes")]).unwrap();
    let node = opened(&node.disk.crash(5));
    let found = texts(&node.found(M));
    assert_eq!(found, (numbered(&[(1, "term 4")]), index, vec![(index + 1, "yes".to_owned())]));
}

#[test]
fn what_only_forgets_can_wait_for_room_and_is_told_when_the_log_ends() {
    let node = opened(&SimDisk::default());
    node.disk.set_capacity(Some(node.disk.used()));
    let mut index = 0;
    while node.write(M, vec![entry(index + 1, &"x".repeat(200))]).is_ok() {
        index += 1;
    }
    // Not even a cell is taken any more.
    let fill = |machine, from: u64| {
        let full =
            (from..from + 1000).any(|key| node.write(machine, vec![cell(key, &"x".repeat(90))]).is_err());
        let full =
            full && (from + 1000..from + 2000).any(|key| node.write(machine, vec![cell(key, "")]).is_err());
        assert!(full, "there is an end to it");
    };
    fill(M, 1);
    assert_eq!(node.write(M, vec![truncate(2)]), Err(WriteFault::NoSpace));
    let patiently = |writes| {
        let answer = Arc::new(Mutex::new(None));
        let place = Arc::clone(&answer);
        node.log.write_patiently(vec![(M, writes)], move |outcome| *place.lock().unwrap() = Some(outcome));
        node.worker.run();
        answer
    };
    let waits = patiently(vec![truncate(2)]);
    assert_eq!(*waits.lock().unwrap(), None);
    node.disk.set_capacity(None);
    node.log.probe_space();
    node.worker.run();
    assert_eq!(*waits.lock().unwrap(), Some(Ok(())));

    node.disk.set_capacity(Some(node.disk.used()));
    fill(N, 1);
    let waits = patiently(vec![truncate(1)]);
    assert_eq!(*waits.lock().unwrap(), None);
    node.log.close(|_| {});
    node.worker.run();
    assert_eq!(*waits.lock().unwrap(), Some(Err(WriteFault::Failed)));
}

#[test]
fn room_is_found_again_when_the_disk_has_some() {
    let node = opened(&SimDisk::default());
    let heard = watched(&node);
    node.disk.set_capacity(Some(node.disk.used()));
    let mut index = 0;
    while node.write(M, vec![entry(index + 1, &"x".repeat(200))]).is_ok() {
        index += 1;
    }
    node.disk.set_capacity(None);
    node.log.probe_space();
    node.worker.run();
    assert_eq!(*heard.lock().unwrap(), vec![true, false, true]);
    node.write(M, vec![entry(index + 1, "x")]).unwrap();
}

#[test]
fn a_batch_larger_than_what_is_left_is_refused_whole() {
    let node = opened(&SimDisk::default());
    node.disk.set_capacity(Some(node.disk.used()));
    let many = (1..=100).map(|index| entry(index, &"x".repeat(200))).collect();
    assert_eq!(node.write(M, many), Err(WriteFault::NoSpace));
    node.write(M, vec![entry(1, "small")]).unwrap();
    let node = node.restarted();
    assert_eq!(texts(&node.found(M)).2, numbered(&[(1, "small")]));
}

#[test]
fn a_batch_larger_than_a_segment_is_written() {
    let node = opened(&SimDisk::default());
    let many = (1..=100).map(|index| entry(index, &"x".repeat(200))).collect();
    node.write(M, many).unwrap();
    assert!(segments(&node.disk).len() >= 6);
    let node = node.restarted();
    assert_eq!(node.found(M).entries.len(), 100);
}

#[test]
fn the_log_stays_small_while_an_idle_machine_keeps_its_records() {
    let node = opened(&SimDisk::default());
    node.write(N, vec![entry(1, "idle 1"), entry(2, "idle 2"), cell(1, "idle"), truncate(3)]).unwrap();
    node.write(N, vec![compact(1)]).unwrap();
    for index in 1..=500 {
        node.write(M, vec![entry(index, &"x".repeat(100)), cell(0, &"y".repeat(50))]).unwrap();
        if index % 10 == 0 {
            node.write(M, vec![compact(index)]).unwrap();
        }
    }
    assert!(node.metric("synod_log_segments_reclaimed_total") > 20);
    assert!(segments(&node.disk).len() <= 4, "{:?}", segments(&node.disk));
    assert!(node.metric("synod_log_copied_bytes_total") * 3 < node.metric("synod_log_bytes_total"));
    assert_eq!(node.read(N, 2, 2, 100).unwrap(), vec![(2, Bytes::from("idle 2"))]);
    let node = opened(&node.disk.crash(11));
    let expected = (numbered(&[(1, "idle")]), 1, numbered(&[(2, "idle 2")]));
    assert_eq!(texts(&node.found(N)), expected);
    assert_eq!(texts(&node.found(M)), (vec![(0, "y".repeat(50))], 500, vec![]));
}

#[test]
fn entries_below_later_ones_are_moved_without_forgetting_those() {
    let node = opened(&SimDisk::default());
    // The idle machine's first entries get into the first segment, its last ones into a later one.
    node.write(N, vec![entry(1, "one"), entry(2, "two"), entry(3, "three"), entry(4, "old")]).unwrap();
    let mut index = 0;
    while segments(&node.disk).len() < 3 {
        index += 1;
        node.write(M, vec![entry(index, &"x".repeat(100))]).unwrap();
    }
    node.write(N, vec![entry(4, "four"), entry(5, "five")]).unwrap();
    node.write(M, vec![compact(index)]).unwrap();
    while segments(&node.disk).contains(&PathBuf::from("0000000000000001.segment")) {
        index += 1;
        node.write(M, vec![entry(index, &"x".repeat(100)), compact(index)]).unwrap();
    }
    let expected = numbered(&[(1, "one"), (2, "two"), (3, "three"), (4, "four"), (5, "five")]);
    let node = opened(&node.disk.crash(1));
    assert_eq!(texts(&node.found(N)).2, expected);
    node.write(N, vec![entry(3, "THREE")]).unwrap();
    let node = node.restarted();
    assert_eq!(texts(&node.found(N)).2, numbered(&[(1, "one"), (2, "two"), (3, "THREE")]));
}

/// Everything up to the point at which the next write lets the oldest segment be cleaned.
fn before_cleaning() -> (Node, u64) {
    let node = opened(&SimDisk::default());
    node.write(N, vec![entry(1, "idle 1"), entry(2, "idle 2"), cell(1, "idle"), compact(1)]).unwrap();
    let mut index = 0;
    while segments(&node.disk).len() < 4 {
        index += 1;
        node.write(M, vec![entry(index, &"x".repeat(100))]).unwrap();
    }
    assert_eq!(node.metric("synod_log_segments_reclaimed_total"), 0);
    (node, index)
}

#[test]
fn rt_55_a_crash_at_any_step_of_cleaning_loses_nothing() {
    let (node, index) = before_cleaning();
    let before = node.disk.costs().operations;
    node.write(M, vec![compact(index)]).unwrap();
    let steps = node.disk.costs().operations - before;
    assert!(node.metric("synod_log_segments_reclaimed_total") >= 2);
    assert!(steps > 8, "{steps} steps");

    for step in 0..=steps {
        for seed in 0..8 {
            let (node, index) = before_cleaning();
            node.disk.stop_after(step);
            let acknowledged = node.write(M, vec![compact(index)]).is_ok();
            let disk = if seed == 0 { node.disk.restart() } else { node.disk.crash(seed) };
            let node = opened(&disk);
            let context = format!("step {step}, seed {seed}");
            let expected = (numbered(&[(1, "idle")]), 1, numbered(&[(2, "idle 2")]));
            assert_eq!(texts(&node.found(N)), expected, "{context}");
            let found = node.found(M);
            match found.compacted.0 {
                0 => {
                    assert!(!acknowledged, "{context}");
                    assert_eq!(found.entries.len() as u64, index, "{context}");
                }
                compacted => assert_eq!((compacted, found.entries.len()), (index, 0), "{context}"),
            }
            // And the log goes on from there.
            node.write(N, vec![entry(3, "awake")]).unwrap();
            let node = node.restarted();
            let expected = numbered(&[(2, "idle 2"), (3, "awake")]);
            assert_eq!(texts(&node.found(N)).2, expected, "{context}");
        }
    }
}
