//! What has come of a snapshot when the node goes down, and going on with it.

use super::*;
use crate::storage::SnapshotReceiver;

/// Where the first and the second chunk of a stream end.
const CHUNKS: [usize; 2] = [32 + 8 + (1 << 20), 32 + 2 * (8 + (1 << 20))];

fn part() -> &'static Path {
    Path::new("snapshots/000000000000000a-1.part")
}

impl Node {
    /// Receives the beginning of a stream; the receiver lives as long as it is held.
    fn begin(&self, stream: &[u8]) -> SnapshotReceiver {
        self.worker.wait(async {
            let mut receiver = self.store.snapshots().receive(M, PEER);
            receiver.write(Bytes::copy_from_slice(stream)).await.unwrap();
            receiver
        })
    }

    /// Receives the rest of a stream, from where what was found ends, and installs it.
    fn go_on(&self, found: Option<SnapshotReceiver>, stream: &[u8]) -> Result<(), SnapshotFault> {
        self.worker.wait(async {
            let begun = found.map(|found| found.from(PEER));
            let mut receiver = begun.unwrap_or_else(|| self.store.snapshots().receive(M, PEER));
            let end = receiver.verified().map_or(0, |(_, end)| end as usize);
            receiver.write(Bytes::copy_from_slice(&stream[end..])).await?;
            receiver.finish().await
        })?;
        self.install(30).unwrap()
    }
}

fn verified(receiver: Option<&SnapshotReceiver>) -> Option<(u64, usize)> {
    receiver.and_then(SnapshotReceiver::verified).map(|(index, end)| (index.0, end as usize))
}

#[test]
fn what_had_come_when_the_process_died_need_not_come_again() {
    let stream = sent(30);
    // In the middle of the third chunk, and with all of it but for being installed.
    for (came, kept) in [(2_300_000, CHUNKS[1]), (stream.len(), stream.len() - manifest(&stream))] {
        let node = open(&SimDisk::default()).unwrap();
        let _receiver = node.begin(&stream[..came]);
        let node = open(&node.disk.restart()).unwrap();
        let found = node.store.snapshots().left(M);
        assert_eq!(verified(found.as_ref()), Some((30, kept)));
        assert!(node.store.snapshots().left(M).is_none(), "given once");
        node.go_on(found, &stream).unwrap();
        assert!(node.load().unwrap() == (meta(30), state(30)));
        assert_eq!(node.files().len(), 1);
        assert!(open(&node.disk.crash(3)).unwrap().load().unwrap() == (meta(30), state(30)));
    }
}

/// How many bytes the last frame of a stream has.
fn manifest(stream: &[u8]) -> usize {
    let third = CHUNKS[1] + 8 + (2_500_000 - (2 << 20));
    stream.len() - third
}

#[test]
fn of_a_damaged_part_only_what_stands_before_the_damage_is_used() {
    let stream = sent(30);
    for (at, kept) in
        [(CHUNKS[1] - 1, Some(CHUNKS[0])), (CHUNKS[0] + 2, Some(CHUNKS[0])), (100, None), (5, None)]
    {
        let node = open(&SimDisk::default()).unwrap();
        let _receiver = node.begin(&stream[..2_300_000]);
        let disk = node.disk.restart();
        assert!(disk.flip(part(), at as u64, 1));
        let node = open(&disk).unwrap();
        let found = node.store.snapshots().left(M);
        assert_eq!(verified(found.as_ref()), kept.map(|kept| (30, kept)), "byte {at}");
        assert_eq!(node.files().len(), usize::from(kept.is_some()), "byte {at}");
        node.go_on(found, &stream).unwrap();
        assert!(node.load().unwrap() == (meta(30), state(30)), "byte {at}");
    }
}

#[test]
fn whatever_the_power_takes_with_it_the_rest_makes_a_whole_snapshot() {
    let stream = sent(30);
    for seed in 0..20 {
        let node = open(&SimDisk::default()).unwrap();
        let _receiver = node.begin(&stream[..2_300_000]);
        let node = open(&node.disk.crash(seed)).unwrap();
        let found = node.store.snapshots().left(M);
        node.go_on(found, &stream).unwrap();
        assert!(node.load().unwrap() == (meta(30), state(30)), "seed {seed}");
    }
}

#[test]
fn no_more_than_a_bound_comes_again_after_the_power_has_gone() {
    let sender = open(&SimDisk::default()).unwrap();
    let (place, done) = answer();
    sender.store.snapshots().take(M, meta(30), |out| out.write_all(&vec![7; 18 << 20]), done);
    sender.worker.run();
    place.lock().unwrap().take().expect("answered").unwrap();
    let pieces = sender.stream();
    for seed in 0..4 {
        let node = open(&SimDisk::default()).unwrap();
        let mut receiver = node.store.snapshots().receive(M, PEER);
        node.worker.wait(async {
            for piece in &pieces[..pieces.len() - 1] {
                receiver.write(piece.clone()).await.unwrap();
            }
        });
        let node = open(&node.disk.crash(seed)).unwrap();
        let found = verified(node.store.snapshots().left(M).as_ref());
        assert!(found.is_some_and(|(_, end)| end > 16 << 20), "seed {seed}: {found:?}");
    }
}

#[test]
fn a_part_that_is_of_no_use_goes() {
    let (older, stream) = (sent(20), sent(30));
    let node = open(&SimDisk::default()).unwrap();
    let _parts =
        (node.begin(&older[..2_300_000]), node.begin(&stream[..1_200_000]), node.begin(&stream[..40]));
    assert_eq!(node.files().len(), 3);
    let node = open(&node.disk.restart()).unwrap();
    assert_eq!(node.files().len(), 1, "the beginning of the latest snapshot is enough");
    let found = node.store.snapshots().left(M);
    assert_eq!(verified(found.as_ref()), Some((30, CHUNKS[0])));
    node.take(30).unwrap();
    let node = open(&node.disk.restart()).unwrap();
    assert_eq!(node.files().len(), 1, "nor is any part of one that is here");
    assert!(node.store.snapshots().left(M).is_none());
}

#[test]
fn a_node_that_goes_down_in_order_leaves_what_has_come() {
    let stream = sent(30);
    let node = open(&SimDisk::default()).unwrap();
    let receiver = node.begin(&stream[..1_200_000]);
    node.store.snapshots().leave();
    drop(receiver);
    node.worker.run();
    let node = open(&node.disk.restart()).unwrap();
    assert_eq!(verified(node.store.snapshots().left(M).as_ref()), Some((30, CHUNKS[0])));
}
