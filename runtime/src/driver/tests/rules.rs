//! The rules of the protocol contract, and what the driver adds: batches, bounds, failures.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use synod_protocols::prng::Prng;
use synod_protocols::{NodeId, Outcome, SessionId};
use tokio::time::{Instant, sleep};

use super::toy::{Command, Message, Reply, ToyConfig};
use super::world::{JOB, Node, run, store};
use crate::address::MachineId;
use crate::driver::{CommandError, CreateError, Limits, PlainHost, frame};
use crate::storage::{RecoverError, SimDisk};
use crate::wire::Form;

async fn heard(node: &Node, machine: MachineId) -> Vec<String> {
    match node.driver.command(machine, Command::Tell, 0).await {
        Ok(Reply::Told { heard, .. }) => heard,
        other => panic!("told {other:?}"),
    }
}

fn framed(parts: &[(MachineId, Message)]) -> Bytes {
    let mut out = BytesMut::new();
    for (machine, message) in parts {
        frame::put::<super::toy::Toy>(*machine, message, Form::Named, &mut out).unwrap();
    }
    out.freeze()
}

#[test]
fn a_machine_removed_for_good_under_load_leaves_nothing_and_does_not_come_back() {
    run(async {
        let node = Node::new().await;
        let ((a, _), (b, _)) = (node.machine("a").await, node.machine("b").await);
        assert_eq!(node.driver.command(a, Command::Append(1), 8).await, Ok(Reply::Done));
        // One write is at the disk and one gathers when the machine goes.
        let (early, late, removed) = tokio::join!(
            node.driver.command(a, Command::Append(2), 8),
            async {
                sleep(JOB / 2).await;
                node.driver.command(a, Command::Append(3), 8).await
            },
            async {
                sleep(JOB / 2 + Duration::from_millis(1)).await;
                node.driver.remove_for_good("a").await
            },
        );
        assert_eq!((early, late), (Err(CommandError::Lost), Err(CommandError::Lost)));
        assert!(matches!(removed, Ok(true)), "{removed:?}");
        assert_eq!(node.driver.command(b, Command::Append(4), 8).await, Ok(Reply::Done), "others go on");
        let again = node.driver.create("a", ToyConfig { peers: vec![] }, || Box::new(PlainHost)).await;
        assert!(matches!(again, Err(CreateError::Recover(RecoverError::Removed { .. }))), "{again:?}");
        assert!(matches!(node.driver.remove_for_good("a").await, Ok(false)));
        assert!(matches!(node.driver.remove_for_good("never was").await, Ok(false)));

        // A late message of a peer brings nothing back.
        node.post.inbox().frame(NodeId(2), SessionId(1), framed(&[(a, Message::Early(9))]));
        assert_eq!(node.driver.command(a, Command::Tell, 0).await, Err(CommandError::NoSuchMachine));
        let next = store(&node.disk.restart()).await;
        assert!(next.has_removed(a) && !next.knows(a));
        assert_eq!(next.recover(b).expect("whole").last.0, 1);
    });
}

#[test]
fn one_turn_makes_one_frame_per_peer_and_one_sync_and_holds_promises_until_it_is_done() {
    run(async {
        let node = Node::new().await;
        let ((a, sum), (b, _)) = (node.machine("a").await, node.machine("b").await);
        let (syncs, turns, began) = (node.disk.costs().syncs, node.count("writes_total"), Instant::now());
        let replies = tokio::join!(
            node.driver.command(a, Command::Append(1), 8),
            node.driver.command(b, Command::Append(2), 8),
            node.driver.command(a, Command::Append(3), 8),
        );
        assert_eq!(replies, (Ok(Reply::Done), Ok(Reply::Done), Ok(Reply::Done)));
        assert!(began.elapsed() >= JOB, "replies wait for the disk");
        assert_eq!(node.disk.costs().syncs - syncs, 1, "one sync for three records of two machines");
        assert_eq!(node.count("writes_total") - turns, 1);
        assert_eq!(sum.0.lock().unwrap().1, [1, 3], "events come in order");
        let frames = node.post.take();
        let mut early = vec![(a, Message::Early(1)), (a, Message::Early(3)), (b, Message::Early(2))];
        early.sort_by_key(|(machine, _)| *machine);
        assert_eq!(frames.len(), 4, "{frames:?}");
        for (frame, peer) in frames[..2].iter().zip([2, 3]) {
            assert_eq!((frame.to, &frame.messages), (NodeId(peer), &early));
            assert!(frame.at - began < JOB, "early messages do not wait");
        }
        for (frame, peer) in frames[2..].iter().zip([2, 3]) {
            assert_eq!((frame.to, frame.messages.len()), (NodeId(peer), 3));
            assert!(frame.messages.iter().all(|(_, message)| matches!(message, Message::Late(_))));
            assert!(frame.at - began >= JOB, "late messages wait for the disk");
        }
        assert_eq!(node.count("reached_total"), 3);
    });
}

#[test]
fn what_arrives_during_a_write_goes_with_the_next_one() {
    run(async {
        let node = Node::new().await;
        let (a, _) = node.machine("a").await;
        let syncs = node.disk.costs().syncs;
        let first = node.driver.command(a, Command::Append(1), 8);
        let rest = async {
            sleep(JOB / 2).await;
            tokio::join!(node.driver.command(a, Command::Append(2), 8), async {
                sleep(JOB / 4).await;
                node.driver.command(a, Command::Append(3), 8).await
            })
        };
        let (first, (second, third)) = tokio::join!(first, rest);
        assert_eq!((first, second, third), (Ok(Reply::Done), Ok(Reply::Done), Ok(Reply::Done)));
        assert_eq!(node.disk.costs().syncs - syncs, 2);
    });
}

#[test]
fn the_next_process_finds_what_was_acknowledged() {
    run(async {
        let node = Node::new().await;
        let (a, _) = node.machine("a").await;
        for number in [5, 6] {
            node.driver.command(a, Command::Append(number), 8).await.unwrap();
        }
        let lost = node.driver.command(a, Command::Append(7), 8);
        assert!(tokio::time::timeout(JOB / 2, lost).await.is_err());
        let disk = node.disk.crash(3);
        drop(node);
        let node = Node::on(disk, Limits::default()).await;
        let (a, _) = node.machine("a").await;
        let Ok(Reply::Told { entries, cell, seed, .. }) = node.driver.command(a, Command::Tell, 0).await
        else {
            panic!("not told");
        };
        assert_eq!((&entries[..2], cell), ([5, 6].as_slice(), *entries.last().unwrap()));
        assert_eq!(seed, Prng::fork(7, a.0).next_u64(), "the seed follows from node and machine");
        assert_eq!(node.driver.command(a, Command::Load, 0).await, Ok(Reply::Loaded(entries)));
    });
}

#[test]
fn a_deadline_rings_once_at_its_time() {
    run(async {
        let node = Node::new().await;
        let ((a, _), (b, _)) = (node.machine("a").await, node.machine("b").await);
        let began = Instant::now();
        let ring = async |machine, delay| {
            let reply = node.driver.command(machine, Command::Alarm(delay), 0).await;
            (reply, began.elapsed().as_millis())
        };
        let steps = node.count("steps_total");
        let (hour, second) =
            tokio::join!(ring(a, Duration::from_secs(3600)), ring(b, Duration::from_secs(1)));
        assert_eq!(second.0, Ok(Reply::Done));
        assert!((1000..=1002).contains(&second.1), "{second:?}");
        assert!((3_600_000..=3_600_002).contains(&hour.1), "{hour:?}");
        assert_eq!(node.count("steps_total") - steps, 4, "two commands and two timeouts, and no idle call");
    });
}

#[test]
fn a_failed_write_is_final_and_nothing_that_waited_for_it_is_said() {
    run(async {
        let node = Node::new().await;
        let (a, sum) = node.machine("a").await;
        node.driver.command(a, Command::Append(1), 8).await.unwrap();
        node.post.take();
        node.disk.fail_next_sync();
        let error = node.driver.command(a, Command::Append(2), 8).await.unwrap_err();
        assert_eq!((error, error.outcome()), (CommandError::Lost, Outcome::Unknown));
        assert_eq!(node.driver.command(a, Command::Append(3), 8).await, Ok(Reply::Failed));
        sleep(JOB * 10).await;
        let late = node.post.take().into_iter().flat_map(|sent| sent.messages);
        assert!(late.into_iter().all(|(_, message)| message == Message::Early(2)));
        assert_eq!(sum.0.lock().unwrap().1, [1]);
    });
}

#[test]
fn a_record_that_the_log_cannot_take_stops_its_machine_and_no_other() {
    run(async {
        let node = Node::new().await;
        let ((a, _), (b, _)) = (node.machine("a").await, node.machine("b").await);
        let (large, small) = tokio::join!(
            node.driver.command(a, Command::Bulky(300 << 10), 0),
            node.driver.command(b, Command::Append(1), 8),
        );
        assert_eq!((large, small), (Err(CommandError::Lost), Ok(Reply::Done)));
        assert_eq!(node.driver.command(a, Command::Append(2), 8).await, Ok(Reply::Failed));
        assert_eq!(node.driver.command(b, Command::Load, 0).await, Ok(Reply::Loaded(vec![1])));
    });
}

#[test]
fn room_is_found_again_while_nobody_writes() {
    run(async {
        let node = Node::new().await;
        let (a, _) = node.machine("a").await;
        node.disk.set_capacity(Some(0));
        while !heard(&node, a).await.contains(&"space false".to_owned()) {
            for _ in 0..100 {
                node.driver.command(a, Command::Append(1), 8).await.unwrap();
            }
        }
        node.disk.set_capacity(None);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(heard(&node, a).await.contains(&"space true".to_owned()));
    });
}

#[test]
fn a_full_disk_is_waited_out_and_told() {
    run(async {
        let node = Node::new().await;
        let (a, _) = node.machine("a").await;
        node.driver.command(a, Command::Append(1), 8).await.unwrap();
        node.disk.set_capacity(Some(0));
        // Fills the segment, until no further one can be reserved.
        let fill = async {
            for _ in 0..100_000 {
                node.driver.command(a, Command::Append(2), 8).await.unwrap();
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(3600), fill).await.is_err(), "the disk is full");
        assert!(heard(&node, a).await.contains(&"space false".to_owned()));
        node.disk.set_capacity(None);
        node.driver.command(a, Command::Append(3), 8).await.unwrap();
        assert!(heard(&node, a).await.contains(&"space true".to_owned()));
        let Ok(Reply::Told { entries, .. }) = node.driver.command(a, Command::Tell, 0).await else {
            panic!("not told")
        };
        assert_eq!(
            node.driver.command(a, Command::Load, 0).await,
            Ok(Reply::Loaded(entries)),
            "none lost, none twice"
        );
    });
}

#[test]
fn bad_frames_are_counted_and_harm_nobody() {
    run(async {
        let node = Node::new().await;
        let (a, _) = node.machine("a").await;
        let inbox = node.post.inbox();
        let good = framed(&[(a, Message::Late(1))]);
        let mut nonsense = BytesMut::new();
        nonsense.put_u64_le(a.0);
        nonsense.put_u32_le(3);
        nonsense.put_slice(&[0xC1, 0xFF, 0x00]);
        nonsense.put_slice(&good);
        inbox.frame(NodeId(2), SessionId(1), nonsense.freeze());
        for length in 1..good.len() {
            inbox.frame(NodeId(2), SessionId(1), good.slice(..length));
        }
        let mut bomb = BytesMut::new();
        bomb.put_u64_le(a.0);
        bomb.put_u32_le(5);
        bomb.put_slice(&[0xDD, 0xFF, 0xFF, 0xFF, 0xFF]);
        inbox.frame(NodeId(2), SessionId(1), bomb.freeze());
        inbox.frame(
            NodeId(2),
            SessionId(1),
            framed(&[(MachineId(99), Message::Late(2)), (a, Message::Late(3))]),
        );
        assert_eq!(heard(&node, a).await, ["2 Late(1)", "2 Late(3)"]);
        assert_eq!(node.count("bad_frames_total"), 2 + good.len() as u64 - 1);
        assert_eq!(node.count("dropped_total"), 1, "for the machine that is not here");
    });
}

#[test]
fn machines_hear_of_links_and_the_latecomer_of_those_that_are_up() {
    run(async {
        let node = Node::new().await;
        let (a, _) = node.machine("a").await;
        let inbox = node.post.inbox();
        inbox.reachable(NodeId(2), SessionId(1));
        inbox.reachable(NodeId(3), SessionId(2));
        inbox.reachable(NodeId(2), SessionId(3));
        inbox.unreachable(NodeId(2), SessionId(1));
        inbox.unreachable(NodeId(3), SessionId(2));
        assert_eq!(heard(&node, a).await, ["reachable 2", "reachable 3", "reachable 2", "unreachable 3"]);
        let (b, _) = node.machine("b").await;
        assert_eq!(heard(&node, b).await, ["reachable 2"]);
    });
}

#[test]
fn users_are_refused_and_peers_dropped_when_the_feed_is_full() {
    run(async {
        let node = Node::on(SimDisk::default(), Limits { user_bytes: 1000, peer_bytes: 1000 }).await;
        let (a, _) = node.machine("a").await;
        let inbox = node.post.inbox();
        let frame = framed(&[(a, Message::Blob(Bytes::from(vec![0; 600])))]);
        inbox.frame(NodeId(2), SessionId(1), frame.clone());
        inbox.frame(NodeId(2), SessionId(1), frame);
        let (first, second) = tokio::join!(
            node.driver.command(a, Command::Tell, 500),
            node.driver.command(a, Command::Tell, 500)
        );
        assert!(matches!(&first, Ok(Reply::Told { heard, .. }) if heard.len() == 1), "{first:?}");
        assert_eq!(second, Err(CommandError::Busy));
        assert_eq!(node.count("dropped_total"), 1);
        assert!(
            node.driver.command(a, Command::Tell, 5000).await.is_ok(),
            "a large one fits when nothing else waits"
        );
    });
}

#[test]
fn a_message_beyond_the_frame_limit_travels_as_a_stream() {
    run(async {
        let (near, far) = (Node::new().await, Node::new().await);
        let ((a, _), (b, _)) = (near.machine("a").await, far.machine("a").await);
        *near.post.largest.lock().unwrap() = Some(1000);
        *near.post.far.lock().unwrap() = Some(far.post.inbox());
        let (small, large) = tokio::join!(
            near.driver.command(a, Command::Blob(10), 0),
            near.driver.command(a, Command::Blob(5000), 0)
        );
        assert_eq!((small, large), (Ok(Reply::Done), Ok(Reply::Done)));
        sleep(JOB).await;
        assert_eq!(near.post.take().len(), 1, "the small one is a frame");
        let told = heard(&far, b).await;
        assert!(told.len() == 1 && told[0].len() > 5000, "the large one has come");
    });
}

#[test]
fn a_shutdown_lets_what_was_promised_become_durable_and_takes_nothing_more() {
    run(async {
        let node = Node::new().await;
        let (a, _) = node.machine("a").await;
        let append = node.driver.command(a, Command::Append(1), 8);
        let shutdown = async {
            sleep(JOB / 2).await;
            let late = node.driver.command(a, Command::Append(2), 8);
            tokio::join!(node.driver.shutdown(), late)
        };
        let (append, ((), late)) = tokio::join!(append, shutdown);
        assert_eq!((append, late), (Ok(Reply::Done), Err(CommandError::Stopped)));
        assert_eq!(node.driver.command(a, Command::Tell, 0).await, Err(CommandError::Stopped));
        node.driver.shutdown().await;
    });
}

#[test]
fn a_machine_that_leaves_takes_its_callers_along_and_keeps_its_records() {
    run(async {
        let node = Node::new().await;
        let (a, _) = node.machine("a").await;
        let again = node
            .driver
            .create("a", super::toy::ToyConfig { peers: vec![] }, || Box::new(crate::driver::PlainHost));
        assert!(matches!(again.await, Err(CreateError::Exists)));
        node.driver.command(a, Command::Append(1), 8).await.unwrap();
        let (waiting, removed) = tokio::join!(node.driver.command(a, Command::Alarm(JOB), 0), async {
            sleep(JOB / 2).await;
            node.driver.remove(a).await
        });
        assert_eq!((waiting, removed), (Err(CommandError::Lost), true));
        assert_eq!(node.driver.command(a, Command::Tell, 0).await, Err(CommandError::NoSuchMachine));
        assert!(!node.driver.remove(a).await);
        assert!(node.driver.events(a).await.is_none());
        let config = super::toy::ToyConfig { peers: vec![] };
        let back = node.driver.create("a", config, || Box::new(crate::driver::PlainHost));
        assert!(matches!(back.await, Err(CreateError::Exists)), "it must not come back without its records");
        let disk = node.disk.restart();
        drop(node);
        assert_eq!(super::world::found(&disk, a).await.1.len(), 1);
    });
}

#[test]
fn a_disk_that_has_room_again_is_noticed_although_nothing_waits_to_be_written() {
    run(async {
        let node = Node::new().await;
        let (a, _) = node.machine("a").await;
        node.disk.set_capacity(Some(0));
        let mut told = Vec::new();
        while !told.contains(&"space false".to_owned()) {
            node.driver.command(a, Command::Append(1), 8).await.unwrap();
            told = heard(&node, a).await;
        }
        node.disk.set_capacity(None);
        sleep(Duration::from_secs(5)).await;
        assert!(heard(&node, a).await.contains(&"space true".to_owned()));
        let turns = node.count("turns_total");
        sleep(Duration::from_secs(3600)).await;
        assert!(node.count("turns_total") - turns < 5, "nobody asks any more");
    });
}

#[test]
fn a_write_that_was_refused_while_the_log_had_some_room_does_not_stop_the_next_ones() {
    run(async {
        let node = Node::new().await;
        let (a, _) = node.machine("a").await;
        node.disk.set_capacity(Some(0));
        // More than the segments that are left can hold, as one write.
        let many = (0..10_000).map(|number| node.driver.command(a, Command::Append(number), 8));
        let many = futures_util::future::join_all(many);
        let room = async {
            sleep(Duration::from_secs(2)).await;
            assert!(heard(&node, a).await.contains(&"space false".to_owned()));
            node.disk.set_capacity(None);
        };
        let (replies, ()) = tokio::join!(many, room);
        assert!(replies.iter().all(|reply| *reply == Ok(Reply::Done)));
        sleep(Duration::from_secs(5)).await;
        assert!(heard(&node, a).await.contains(&"space true".to_owned()));
    });
}
