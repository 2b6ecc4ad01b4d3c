//! Applying, and snapshots: written, found again, sent and installed in the order of writes.

use std::sync::{Arc, Mutex};
use std::thread::{ThreadId, current};

use bytes::Bytes;
use synod_protocols::log::Entries;
use synod_protocols::{LogIndex, NodeId, SessionId};
use tokio::time::sleep;

use super::toy::{Command, Reply, Toy, ToyConfig};
use super::world::{JOB, Node, found, run, store_with};
use crate::driver::{Effected, Frozen, Host, Limits, Thaw, Thawed};
use crate::storage::ThreadWorker;

fn result(index: u64, sum: u64) -> (LogIndex, Bytes) {
    (LogIndex(index), Bytes::copy_from_slice(&sum.to_le_bytes()))
}

#[test]
fn entries_take_effect_on_the_host_and_a_snapshot_brings_the_state_back() {
    run(async {
        let node = Node::new().await;
        let (a, sum) = node.machine("a").await;
        for number in [1, 2] {
            node.driver.command(a, Command::Append(number), 8).await.unwrap();
        }
        let applied = node.driver.command(a, Command::Apply, 0).await;
        assert_eq!(applied, Ok(Reply::Results(vec![result(1, 1), result(2, 3)])));
        assert_eq!(node.driver.command(a, Command::Take, 0).await, Ok(Reply::Done));
        assert_eq!(sum.0.lock().unwrap().0, 3);
        let disk = node.disk.crash(1);
        drop(node);
        let node = Node::on(disk, Limits::default()).await;
        let (_, sum) = node.machine("a").await;
        assert_eq!(sum.0.lock().unwrap().0, 3, "from the snapshot");
    });
}

#[test]
fn a_snapshot_is_written_only_when_the_log_has_caught_up() {
    run(async {
        let node = Node::new().await;
        let (a, _) = node.machine("a").await;
        let append = node.driver.command(a, Command::Append(1), 8);
        let take = async {
            sleep(JOB / 4).await;
            node.driver.command(a, Command::Take, 0).await
        };
        let early = async {
            sleep(JOB / 2).await;
            assert_eq!(node.store.snapshots().newest(a), None);
        };
        let (append, take, ()) = tokio::join!(append, take, early);
        assert_eq!((append, take), (Ok(Reply::Done), Ok(Reply::Done)));
        assert_eq!(node.store.snapshots().newest(a).unwrap().index, LogIndex(1));
    });
}

#[test]
fn a_received_snapshot_replaces_state_and_log_before_later_writes() {
    run(async {
        let (near, far) = (Node::new().await, Node::new().await);
        let ((a, _), (b, sum)) = (near.machine("a").await, far.machine("a").await);
        assert_eq!(a, b, "the machines of a group have one id");
        for number in 1..=5 {
            near.driver.command(a, Command::Append(number), 8).await.unwrap();
        }
        for number in [90, 91, 92, 93, 94, 95, 96] {
            far.driver.command(b, Command::Append(number), 8).await.unwrap();
        }
        near.driver.command(a, Command::Apply, 0).await.unwrap();
        near.driver.command(a, Command::Take, 0).await.unwrap();
        assert_eq!(near.driver.command(a, Command::Send, 0).await, Ok(Reply::Failed), "no link");
        *near.post.far.lock().unwrap() = Some(far.post.inbox());
        assert_eq!(near.driver.command(a, Command::Send, 0).await, Ok(Reply::Done));
        while sum.0.lock().unwrap().1.last() != Some(&1000) {
            sleep(JOB).await;
        }
        assert_eq!(sum.0.lock().unwrap().0, 1015, "the sender's state, and what came after it");
        let Ok(Reply::Told { heard, .. }) = far.driver.command(b, Command::Tell, 0).await else {
            panic!("not told")
        };
        let order: Vec<_> = heard.iter().skip_while(|line| *line != "received Snapshot").collect();
        assert_eq!(order[..4], ["received Snapshot", "persisted 8", "installed 5", "applied 6"]);
        // What was held back goes to the log before the entry that takes effect beside it brings about more.
        assert_eq!(order[4..], ["persisted 10"]);
        assert_eq!(far.driver.command(b, Command::Load, 0).await, Ok(Reply::Loaded(vec![1000, 2000, 3000])));
        let disk = far.disk.crash(1);
        drop(far);
        assert_eq!(
            found(&disk, b).await,
            (Some(LogIndex(5)), [6, 7, 8].map(LogIndex).to_vec()),
            "nothing of the old log is left"
        );
    });
}

#[test]
fn a_snapshot_whose_stream_broke_goes_on_where_it_stopped() {
    // Broken after the beginning and one chunk, or before anything of use has come; of the same snapshot or, meanwhile, a later one.
    for (breaks_after, later, expected) in [(2, false, 3), (1, false, 3), (0, false, 3), (2, true, 5)] {
        run(async move {
            let (near, far) = (Node::new().await, Node::new().await);
            let ((a, _), (_, sum)) = (near.machine("a").await, far.machine("a").await);
            *near.post.far.lock().unwrap() = Some(far.post.inbox());
            *far.post.far.lock().unwrap() = Some(near.post.inbox());
            *far.post.own.lock().unwrap() = Some(NodeId(2));
            let fill = async |number| {
                near.driver.command(a, Command::Append(number), 8).await.unwrap();
                near.driver.command(a, Command::Apply, 0).await.unwrap();
                near.driver.command(a, Command::Take, 0).await.unwrap();
            };
            fill(5).await;
            *near.post.breaks_after.lock().unwrap() = Some(breaks_after);
            assert_eq!(near.driver.command(a, Command::Send, 0).await, Ok(Reply::Failed), "it breaks");
            sleep(JOB * 5).await;
            assert_eq!(sum.0.lock().unwrap().0, 0);
            if later {
                fill(0).await;
            }
            assert_eq!(near.driver.command(a, Command::Send, 0).await, Ok(Reply::Done));
            while sum.0.lock().unwrap().1.last() != Some(&1000) {
                sleep(JOB).await;
            }
            assert_eq!(sum.0.lock().unwrap().0 % 1000, if later { 10 } else { 5 });
            let pieces = near.post.pieces.lock().unwrap().clone();
            assert_eq!(pieces.len(), expected, "broken after {breaks_after}, later {later}: {pieces:?}");
            let chunks = pieces.iter().filter(|size| **size == 16).count();
            assert_eq!(
                chunks,
                if later { 2 } else { 1 },
                "no chunk of one snapshot is sent twice: {pieces:?}"
            );
        });
    }
}

#[test]
fn a_snapshot_goes_on_where_it_stopped_although_its_receiver_was_started_anew() {
    // The process dies after its stream broke; with what has come, or with damage in it.
    for (breaks_after, damaged, chunks) in [(2, false, 1), (2, true, 2)] {
        run(async move {
            let (near, far) = (Node::new().await, Node::new().await);
            let (a, _) = near.machine("a").await;
            far.machine("a").await;
            *near.post.far.lock().unwrap() = Some(far.post.inbox());
            near.driver.command(a, Command::Append(5), 8).await.unwrap();
            near.driver.command(a, Command::Apply, 0).await.unwrap();
            near.driver.command(a, Command::Take, 0).await.unwrap();
            *near.post.breaks_after.lock().unwrap() = Some(breaks_after);
            assert_eq!(near.driver.command(a, Command::Send, 0).await, Ok(Reply::Failed), "it breaks");
            sleep(JOB * 5).await;
            let disk = far.disk.restart();
            drop(far);
            if damaged {
                let part = format!("snapshots/{:016x}-1.part", a.0);
                assert!(disk.flip(std::path::Path::new(&part), 44, 1));
            }
            let far = Node::on(disk, Limits::default()).await;
            let (_, sum) = far.machine("a").await;
            *near.post.far.lock().unwrap() = Some(far.post.inbox());
            *far.post.far.lock().unwrap() = Some(near.post.inbox());
            *far.post.own.lock().unwrap() = Some(NodeId(2));
            assert_eq!(near.driver.command(a, Command::Send, 0).await, Ok(Reply::Done));
            while sum.0.lock().unwrap().1.last() != Some(&1000) {
                sleep(JOB).await;
            }
            assert_eq!(sum.0.lock().unwrap().0 % 1000, 5);
            let pieces = near.post.pieces.lock().unwrap().clone();
            let sent = pieces.iter().filter(|size| **size == 16).count();
            assert_eq!(sent, chunks, "damaged {damaged}: {pieces:?}");
        });
    }
}

#[test]
fn a_snapshot_that_is_cut_or_malformed_is_counted_and_forgotten() {
    run(async {
        let node = Node::new().await;
        let (a, _) = node.machine("a").await;
        let (near, inbox) = (Node::new().await, node.post.inbox());
        *near.post.far.lock().unwrap() = Some(node.post.inbox());
        for header in [Bytes::new(), Bytes::from_static(&[9]), Bytes::from_static(&[1, 2, 3])] {
            inbox.bulk(NodeId(2), SessionId(1), header, Box::new(Nothing));
        }
        let mut whole = bytes::BytesMut::from(&[1_u8][..]);
        whole.extend_from_slice(&a.0.to_le_bytes());
        whole.extend_from_slice(&[0; 16]);
        crate::wire::encode(&super::toy::Message::Snapshot, crate::wire::Form::Compact, &mut whole).unwrap();
        inbox.bulk(NodeId(2), SessionId(1), whole.freeze(), Box::new(Nothing));
        sleep(JOB * 5).await;
        assert_eq!(node.count("bad_frames_total"), 4);
        assert!(
            matches!(node.driver.command(a, Command::Tell, 0).await, Ok(Reply::Told { heard, .. }) if heard.is_empty())
        );
    });
}

/// A stream that ends at once.
struct Nothing;

impl synod_transport::BulkReceiver for Nothing {
    fn read(
        &mut self,
    ) -> futures_util::future::BoxFuture<'_, Result<Option<Bytes>, synod_transport::LinkError>> {
        Box::pin(std::future::ready(Ok(None)))
    }
}

#[test]
fn a_second_snapshot_of_a_peer_does_not_take_the_place_of_one_that_waits_to_be_installed() {
    // Whenever the second one is sent: while the first comes, waits for the disk, or is in place.
    for delay in (0..=500).step_by(20) {
        run(async move {
            let (near, far) = (Node::new().await, Node::new().await);
            let ((a, _), (b, sum)) = (near.machine("a").await, far.machine("a").await);
            for _ in 0..5 {
                near.driver.command(a, Command::Append(1), 8).await.unwrap();
            }
            near.driver.command(a, Command::Apply, 0).await.unwrap();
            near.driver.command(a, Command::Take, 0).await.unwrap();
            *near.post.far.lock().unwrap() = Some(far.post.inbox());
            near.driver.command(a, Command::Send, 0).await.unwrap();
            // The receiver's log is busy for a while.
            for _ in 0..30 {
                far.store.log().read(b, LogIndex(1), LogIndex(1), 1, |_| {});
            }
            sleep(std::time::Duration::from_millis(delay)).await;
            near.driver.command(a, Command::Append(1), 8).await.unwrap();
            near.driver.command(a, Command::Take, 0).await.unwrap();
            // Refused or not: that is for the sender to try again.
            let _ = near.driver.command(a, Command::Send, 0).await;
            sleep(std::time::Duration::from_secs(5)).await;
            let alive = far.driver.command(b, Command::Append(7), 8).await;
            assert_eq!(alive, Ok(Reply::Done), "the machine has stopped, {delay} ms between the two");
            assert!(sum.0.lock().unwrap().0 >= 1005, "a snapshot was taken over, {delay} ms between the two");
        });
    }
}

#[test]
fn the_largest_entry_of_a_group_fits_into_the_largest_message_that_is_taken() {
    let config = synod_protocols::raft::Config::lan(NodeId(1), [NodeId(1)].into());
    assert!(config.max_entry_bytes + config.max_append_bytes < crate::driver::snapshots::LARGE_FRAME_BYTES);
    assert!((config.max_entry_bytes as u64) < crate::storage::LogOptions::default().segment_bytes / 2);
}

/// Tells on which threads its state is read and put in place.
#[derive(Clone, Default)]
struct Whereabouts(Arc<Mutex<Vec<ThreadId>>>);

impl Host<Toy> for Whereabouts {
    fn apply(&mut self, _entries: Entries) -> Effected {
        Effected::default()
    }

    fn snapshot(&mut self) -> Frozen {
        Frozen::new(|_| Ok(()))
    }

    fn thaw(&self) -> Thaw {
        let threads = Arc::clone(&self.0);
        Thaw::new(move |_, _| {
            threads.lock().unwrap().push(current().id());
            Ok(Thawed::new(move || threads.lock().unwrap().push(current().id())))
        })
    }
}

#[test]
fn a_state_is_read_beside_the_drivers_thread_and_put_in_place_on_it() {
    run(async {
        let node = Node::new().await;
        let machine = node.machine("a").await.0;
        node.driver.command(machine, Command::Append(1), 8).await.unwrap();
        node.driver.command(machine, Command::Take, 0).await.unwrap();
        let disk = node.disk.crash(1);
        drop(node);
        let worker = Arc::new(ThreadWorker::start("snapshots").unwrap());
        let store = store_with(&disk, worker).await;
        let node = Node::keeping(disk, store, Limits::default());
        let host = Whereabouts::default();
        let (given, config) = (host.clone(), ToyConfig { peers: vec![NodeId(2)] });
        node.driver.create("a", config, move || Box::new(given)).await.unwrap();
        let threads = host.0.lock().unwrap().clone();
        assert_eq!(threads.len(), 2);
        assert!(threads[0] != current().id() && threads[1] == current().id(), "{threads:?}");
    });
}
