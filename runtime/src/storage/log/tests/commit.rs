//! Writing: places, group commit and its cost, failure, reading back.

use futures_util::FutureExt;

use super::*;

#[test]
fn each_place_keeps_its_last_record() {
    let node = opened(&SimDisk::default());
    assert!(node.report.created);
    node.write(M, vec![entry(1, "a"), entry(2, "b"), entry(3, "c"), cell(7, "x"), cell(9, "y")]).unwrap();
    node.write(N, vec![entry(1, "other")]).unwrap();
    node.write(M, vec![entry(2, "B"), cell(7, "X")]).unwrap();
    let node = node.restarted();
    let expected = (numbered(&[(7, "X"), (9, "y")]), 0, numbered(&[(1, "a"), (2, "B")]));
    assert_eq!(texts(&node.found(M)), expected);
    assert_eq!(texts(&node.found(N)), (vec![], 0, numbered(&[(1, "other")])));
    assert_eq!(node.found(N), Found::default(), "handed over once");
}

#[test]
fn what_is_forgotten_stays_forgotten() {
    let node = opened(&SimDisk::default());
    let entries = (1..=9).map(|index| entry(index, "e")).collect();
    node.write(M, entries).unwrap();
    node.write(N, vec![entry(1, "n"), cell(1, "n")]).unwrap();
    node.write(M, vec![truncate(7), compact(3)]).unwrap();
    node.write(N, vec![Write::Forget]).unwrap();
    let node = node.restarted();
    assert_eq!(node.log.recoverable(), vec![M]);
    assert_eq!(texts(&node.found(M)), (vec![], 3, numbered(&[(4, "e"), (5, "e"), (6, "e")])));
    node.write(M, vec![compact(100), entry(101, "after a snapshot")]).unwrap();
    let node = node.restarted();
    assert_eq!(texts(&node.found(M)), (vec![], 100, numbered(&[(101, "after a snapshot")])));
}

#[test]
fn an_entry_that_does_not_follow_is_refused_and_nothing_is_written() {
    let node = opened(&SimDisk::default());
    node.write(M, vec![entry(1, "a"), compact(1)]).unwrap();
    let gap = |index, next| Err(WriteFault::Gap { machine: M, index: LogIndex(index), next: LogIndex(next) });
    assert_eq!(node.write(M, vec![cell(1, "x"), entry(3, "c")]), gap(3, 2));
    assert_eq!(node.write(M, vec![entry(1, "a")]), gap(1, 2));
    assert_eq!(node.write(M, vec![entry(2, "b"), truncate(2), entry(3, "c")]), gap(3, 2));
    let large = Write::Cell { key: 1, body: Bytes::from(vec![0; 5000]) };
    assert!(matches!(node.write(M, vec![large]), Err(WriteFault::TooLarge { bytes: 5000, .. })));
    node.write(M, vec![entry(2, "b")]).unwrap();
    let node = node.restarted();
    assert_eq!(texts(&node.found(M)), (vec![], 1, numbered(&[(2, "b")])));
}

#[test]
fn the_largest_record_fits() {
    let node = opened(&SimDisk::default());
    let limit = crate::storage::log::segment::largest_body(4096) as usize;
    let body = Bytes::from(vec![7; limit]);
    node.write(M, vec![Write::Cell { key: 1, body: body.clone() }]).unwrap();
    node.write(M, vec![Write::Cell { key: 2, body: body.clone() }]).unwrap();
    let node = node.restarted();
    assert_eq!(node.found(M).cells, vec![(1, body.clone()), (2, body)]);
}

#[test]
fn what_arrives_together_shares_one_write_and_one_sync() {
    let options = LogOptions::sim();
    let node = open(&SimDisk::default(), options).unwrap();
    let before = node.disk.costs();
    let answers: Vec<_> =
        (1..=200).map(|index| node.queue(vec![(M, vec![entry(index, "12345678")])])).collect();
    assert!(answers.iter().all(|answer| answer.lock().unwrap().is_none()), "nothing is durable yet");
    node.worker.run();
    assert!(answers.iter().all(|answer| *answer.lock().unwrap() == Some(Ok(()))));
    let after = node.disk.costs();
    assert_eq!(after.syncs - before.syncs, 1);
    assert_eq!(after.writes - before.writes, 2, "the batch, and the mark of an idle log");
    assert_eq!(after.bytes - before.bytes, 200 * (48 + 8) + 48);
    assert_eq!(node.metric("synod_log_records_total"), 201);
}

#[test]
fn answers_come_in_order_and_an_idle_log_leaves_one_mark() {
    let node = opened(&SimDisk::default());
    let order = Arc::new(Mutex::new(Vec::new()));
    for number in 1..=5 {
        let order = Arc::clone(&order);
        node.log.write(vec![(M, vec![entry(number, "e")])], move |_| order.lock().unwrap().push(number));
    }
    node.worker.run();
    assert_eq!(*order.lock().unwrap(), vec![1, 2, 3, 4, 5]);
    for _ in 0..3 {
        node.queue(Vec::new());
        node.worker.run();
    }
    let records = node.records(1);
    let marks: Vec<_> = records.iter().filter(|(_, record, _)| record.kind == Kind::Mark).collect();
    assert_eq!(marks.len(), 1, "nothing further was to be said");
    assert_eq!(marks[0].1.durable, 5);
}

#[test]
fn closing_makes_the_durable_position_durable() {
    let node = opened(&SimDisk::default());
    node.write(M, vec![cell(1, "x")]).unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    node.log.close(move |outcome| sender.send(outcome).unwrap());
    node.worker.run();
    assert_eq!(receiver.recv().unwrap(), Ok(()));
    assert_eq!(node.write(M, vec![cell(1, "y")]), Err(WriteFault::Failed), "closed");
    let place = node.records(1)[0].0;
    for seed in 0..20 {
        let disk = node.disk.crash(seed);
        assert!(disk.flip(&segment_path(1), place + 50, 1));
        assert!(matches!(open(&disk, small()), Err(OpenError::Corrupt { .. })), "seed {seed}");
        assert!(disk.flip(&segment_path(1), place + 50, 1));
    }
}

#[test]
fn a_failed_sync_is_final() {
    let node = opened(&SimDisk::default());
    node.write(M, vec![entry(1, "kept")]).unwrap();
    node.disk.fail_next_sync();
    let first = node.queue(vec![(M, vec![entry(2, "lost")])]);
    let second = node.queue(vec![(N, vec![entry(1, "lost")])]);
    node.worker.run();
    assert_eq!(*first.lock().unwrap(), Some(Err(WriteFault::Failed)));
    assert_eq!(*second.lock().unwrap(), Some(Err(WriteFault::Failed)));
    // The disk is well again; the log is not, and says so without asking the worker.
    let third = node.queue(vec![(M, vec![entry(2, "late")])]);
    assert_eq!(*third.lock().unwrap(), Some(Err(WriteFault::Failed)));
    assert_eq!(node.metric("synod_log_failures_total"), 1);
    let node = opened(&node.disk.crash(1));
    assert_eq!(texts(&node.found(M)), (vec![], 0, numbered(&[(1, "kept")])));
}

#[test]
fn a_failed_write_is_final() {
    let node = opened(&SimDisk::default());
    node.disk.fail_writes();
    assert_eq!(node.write(M, vec![entry(1, "a")]), Err(WriteFault::Failed));
    node.disk.heal_writes();
    assert_eq!(node.write(M, vec![entry(1, "a")]), Err(WriteFault::Failed));
    let (sender, receiver) = std::sync::mpsc::channel();
    node.log.close(move |outcome| sender.send(outcome).unwrap());
    node.worker.run();
    assert_eq!(receiver.recv().unwrap(), Err(WriteFault::Failed));
}

#[test]
fn entries_are_read_back_within_the_limit() {
    let node = opened(&SimDisk::default());
    for index in 1..=100 {
        node.write(M, vec![entry(index, &format!("{index:0100}"))]).unwrap();
    }
    assert!(segments(&node.disk).len() > 2, "over several segments");
    let read = node.read(M, 20, 60, usize::MAX).unwrap();
    assert_eq!(read.len(), 41);
    assert!(read.iter().all(|(index, body)| body[..] == *format!("{index:0100}").as_bytes()));
    assert_eq!(node.read(M, 20, 60, 250).unwrap().len(), 3, "the entry that reaches the limit is the last");
    assert_eq!(node.read(M, 20, 60, 0).unwrap().len(), 1, "one at least");
    assert_eq!(node.read(M, 90, 200, usize::MAX).unwrap().len(), 11);
    node.write(M, vec![compact(30)]).unwrap();
    assert_eq!(node.read(M, 20, 60, usize::MAX).unwrap(), vec![]);
    assert_eq!(node.read(N, 1, 1, usize::MAX).unwrap(), vec![]);
    assert_eq!(node.read(M, 60, 50, usize::MAX).unwrap(), vec![]);
}

#[test]
fn a_damaged_entry_is_not_read() {
    let node = opened(&SimDisk::default());
    node.write(M, vec![entry(1, "a"), entry(2, "b")]).unwrap();
    let (offset, _, _) = node.records(1)[1];
    assert!(node.disk.flip(&segment_path(1), offset + 48, 1));
    assert_eq!(node.read(M, 1, 1, usize::MAX).unwrap().len(), 1);
    match node.read(M, 1, 2, usize::MAX) {
        Err(ReadFault::Damaged { path, offset: at }) => assert_eq!((path, at), (segment_path(1), offset)),
        other => panic!("{other:?}"),
    }
    assert_eq!(node.metric("synod_log_corruptions_total"), 1);
    // Its end for all: who acknowledged what is gone must not go on.
    let failure = node.log.failed().now_or_never().expect("the log has ended").to_string();
    assert_eq!(failure, format!("log/0000000000000001.segment: the record at byte {offset} is damaged"));
    assert_eq!(node.write(N, vec![entry(1, "a")]), Err(WriteFault::Failed));
}

#[test]
fn a_damaged_record_that_was_to_be_moved_ends_the_log() {
    let node = opened(&SimDisk::default());
    node.write(N, vec![entry(1, "idle")]).unwrap();
    let (offset, _, _) = node.records(1)[0];
    assert!(node.disk.flip(&segment_path(1), offset + 48, 1));
    let mut index = 0;
    let fault = loop {
        index += 1;
        if let Err(fault) = node.write(M, vec![entry(index, &"x".repeat(100)), compact(index)]) {
            break fault;
        }
        assert!(index < 1000, "the oldest segment is cleaned");
    };
    assert_eq!(fault, WriteFault::Failed);
    let failure = node.log.failed().now_or_never().expect("the log has ended");
    assert!(matches!(failure, LogFailure::Read(_)), "{failure}");
    assert!(matches!(open(&node.disk.restart(), small()), Err(OpenError::Corrupt { .. })));
}

#[test]
fn entries_that_stand_together_are_read_together() {
    let node = open(&SimDisk::default(), LogOptions::sim()).unwrap();
    node.write(M, (1..=500).map(|index| entry(index, &format!("{index:0100}"))).collect()).unwrap();
    let before = node.disk.costs().reads;
    assert_eq!(node.read(M, 1, 500, usize::MAX).unwrap().len(), 500);
    assert_eq!(node.disk.costs().reads - before, 1);
    // Those of another machine in between are read over as long as they are few.
    for index in 501..=600 {
        node.write(M, vec![entry(index, "mine")]).unwrap();
        node.write(N, vec![entry(index - 500, &"o".repeat(30))]).unwrap();
    }
    let before = node.disk.costs().reads;
    let read = node.read(M, 501, 600, usize::MAX).unwrap();
    assert!(read.len() == 100 && read.iter().all(|(_, body)| &body[..] == b"mine"));
    assert!(node.disk.costs().reads - before < 10, "{}", node.disk.costs().reads - before);
}

#[test]
fn the_store_id_stays() {
    let node = opened(&SimDisk::default());
    let id = node.log.store_id();
    assert_ne!(id, StoreId(0));
    let node = node.restarted();
    assert_eq!(node.log.store_id(), id);
    assert!(!node.report.created);
}

#[test]
fn zeros_ahead_are_no_torn_tail() {
    let options = LogOptions { zeros_ahead: 1024, ..small() };
    let node = open(&SimDisk::default(), options.clone()).unwrap();
    let before = node.disk.costs();
    for index in 1..=20 {
        node.write(M, vec![entry(index, "0123456789")]).unwrap();
    }
    let after = node.disk.costs();
    assert!(after.bytes - before.bytes > 20 * 2 * 48 + 2048, "zeros were written");
    let node = open(&node.disk.crash(3), options).unwrap();
    assert_eq!(node.found(M).entries.len(), 20);
}

#[test]
fn whoever_waits_for_the_end_of_the_log_hears_its_first_failure() {
    let node = opened(&SimDisk::default());
    let mut waits = Box::pin(node.log.failed());
    node.write(M, vec![entry(1, "a")]).unwrap();
    assert!(waits.as_mut().now_or_never().is_none());
    node.disk.fail_next_sync();
    assert_eq!(node.write(M, vec![entry(2, "b")]), Err(WriteFault::Failed));
    let failure = waits.as_mut().now_or_never().expect("the log has failed");
    assert!(matches!(&failure, LogFailure::Write { path, .. } if *path == segment_path(1)), "{failure}");
    node.disk.fail_writes();
    assert_eq!(node.write(M, vec![entry(2, "b")]), Err(WriteFault::Failed));
    assert_eq!(node.metric("synod_log_failures_total"), 1, "one failure, however often it is asked");
    let again = node.log.failed().now_or_never().expect("who comes later hears it too");
    assert_eq!(again.to_string(), failure.to_string());
}
