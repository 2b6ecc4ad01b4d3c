//! What the simulated disk promises, and what it takes away.

use std::io::ErrorKind;
use std::path::Path;

use super::*;
use crate::storage::{Disk, DiskFile};

fn file(disk: &SimDisk, create: bool) -> Box<dyn DiskFile> {
    disk.open(Path::new("file"), create).unwrap()
}

fn content(disk: &SimDisk) -> Vec<u8> {
    let file = file(disk, false);
    let mut bytes = vec![0; file.length().unwrap() as usize];
    file.read_at(0, &mut bytes).unwrap();
    bytes
}

/// A disk with one durable file of zeros.
fn prepared() -> SimDisk {
    let disk = SimDisk::default();
    let file = file(&disk, true);
    file.reserve(4096).unwrap();
    file.sync().unwrap();
    disk.sync_directory(Path::new("")).unwrap();
    disk
}

#[test]
fn a_write_is_lost_kept_or_torn_at_sectors_and_a_seed_decides() {
    let (mut lost, mut kept, mut torn) = (0, 0, 0);
    for seed in 0..60 {
        let crashed = || {
            let disk = prepared();
            file(&disk, false).write_at(100, &[1; 2000]).unwrap();
            let next = disk.crash(seed);
            let found = content(&next);
            // The first and the last sector hold only a part of the write.
            let edges = [100, 512, 1024, 1536, 2048, 2100];
            let sectors: Vec<&[u8]> = edges.windows(2).map(|edge| &found[edge[0]..edge[1]]).collect();
            assert!(
                sectors.iter().all(|sector| sector.iter().all(|byte| *byte == sector[0])),
                "whole sectors"
            );
            assert_eq!(found.len(), 4096);
            sectors.iter().filter(|sector| sector[0] == 1).count()
        };
        let sectors = crashed();
        assert_eq!(sectors, crashed(), "the same seed takes the same");
        match sectors {
            0 => lost += 1,
            5 => kept += 1,
            _ => torn += 1,
        }
    }
    assert!(lost > 5 && kept > 5 && torn > 5, "{lost} lost, {kept} kept, {torn} torn");
}

#[test]
fn what_was_synced_stays_and_a_restart_keeps_all() {
    for seed in 0..20 {
        let disk = prepared();
        let open = file(&disk, false);
        open.write_at(0, &[1; 4096]).unwrap();
        open.sync().unwrap();
        let disk = disk.crash(seed);
        assert_eq!(content(&disk), vec![1; 4096]);
        file(&disk, false).write_at(0, &[2; 4096]).unwrap();
        assert_eq!(content(&disk.restart()), vec![2; 4096]);
        assert!(open.read_at(0, &mut [0]).is_err(), "a handle ends with its process");
        assert!(disk.list(Path::new("")).is_err());
    }
}

#[test]
fn names_are_durable_after_the_directory_is_synced_only() {
    let (mut lost, mut kept) = (0, 0);
    for seed in 0..40 {
        let disk = prepared();
        disk.open(Path::new("fresh"), true).unwrap().sync().unwrap();
        disk.rename(Path::new("fresh"), Path::new("file")).unwrap();
        let crashed = disk.crash(seed);
        match content(&crashed).len() {
            4096 => lost += 1,
            _ => kept += 1,
        }
        assert!(crashed.list(Path::new("")).unwrap().len() <= 2);
    }
    assert!(lost > 5 && kept > 5, "{lost} lost, {kept} kept");
    let disk = prepared();
    disk.open(Path::new("fresh"), true).unwrap().sync().unwrap();
    disk.rename(Path::new("fresh"), Path::new("file")).unwrap();
    disk.sync_directory(Path::new("")).unwrap();
    for seed in 0..20 {
        assert_eq!(content(&disk.crash(seed)).len(), 0);
        assert_eq!(disk.faults().names_lost, 0);
    }
}

#[test]
fn a_failed_sync_loses_what_a_later_one_confirms() {
    let disk = prepared();
    let open = file(&disk, false);
    open.write_at(0, &[1; 512]).unwrap();
    disk.fail_next_sync();
    assert!(open.sync().is_err());
    open.sync().unwrap();
    assert_eq!(content(&disk)[..512], [1; 512], "still in the cache");
    let disk = disk.crash(0);
    assert_eq!(content(&disk), vec![0; 4096]);
    assert_eq!(disk.faults().syncs_failed, 1);
}

#[test]
fn space_has_a_limit_and_a_removed_file_gives_it_back() {
    let disk = prepared();
    disk.set_capacity(Some(6000));
    let other = disk.open(Path::new("other"), true).unwrap();
    assert_eq!(other.reserve(2000).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(other.length().unwrap(), 0);
    other.reserve(1900).unwrap();
    assert_eq!(other.write_at(1900, &[1; 10]).unwrap_err().kind(), ErrorKind::StorageFull);
    disk.remove(Path::new("file")).unwrap();
    disk.sync_directory(Path::new("")).unwrap();
    other.reserve(6000).unwrap();
    assert_eq!((disk.used(), disk.faults().space_refused), (6000, 2));
}

#[test]
fn a_file_without_a_name_lives_as_long_as_its_handle() {
    let disk = prepared();
    let open = file(&disk, false);
    disk.remove(Path::new("file")).unwrap();
    disk.sync_directory(Path::new("")).unwrap();
    assert_eq!(open.length().unwrap(), 4096);
    assert_eq!(disk.open(Path::new("file"), false).err().unwrap().kind(), ErrorKind::NotFound);
}

#[test]
fn a_stopped_disk_changes_nothing_until_the_next_process() {
    let disk = prepared();
    let open = file(&disk, false);
    disk.stop_after(1);
    open.write_at(0, &[1]).unwrap();
    assert!(open.write_at(1, &[1]).is_err());
    assert!(open.sync().is_err());
    assert_eq!(content(&disk)[..2], [1, 0], "reading goes on");
    let disk = disk.restart();
    file(&disk, false).write_at(1, &[1]).unwrap();
    assert_eq!(content(&disk)[..2], [1, 1]);
}

#[test]
fn a_directory_that_is_renamed_keeps_what_is_in_it() {
    let (old, new, inside) = (Path::new("old"), Path::new("new"), Path::new("old/file"));
    let (mut kept, mut lost) = (0, 0);
    for seed in 0..60 {
        let disk = SimDisk::default();
        disk.create_directory(old).unwrap();
        disk.sync_directory(Path::new("")).unwrap();
        disk.open(inside, true).unwrap().write_at(0, &[7]).unwrap();
        disk.rename(old, new).unwrap();
        assert!(disk.open(inside, false).is_err() && disk.open(Path::new("new/file"), false).is_ok());
        // The file's name is made durable through the directory's other name.
        disk.sync_directory(new).unwrap();
        let disk = disk.crash(seed);
        match (disk.list(old).unwrap().len(), disk.list(new).unwrap().len()) {
            (1, 0) => lost += 1,
            (0, 1) => kept += 1,
            other => panic!("seed {seed}: {other:?}"),
        }
    }
    assert!(kept > 5 && lost > 5, "{kept} kept, {lost} lost");
}

#[test]
fn a_directory_does_not_replace_one_that_is_not_empty() {
    let disk = SimDisk::default();
    for name in ["one", "two"] {
        disk.create_directory(Path::new(name)).unwrap();
        disk.open(&Path::new(name).join("file"), true).unwrap();
    }
    assert!(disk.rename(Path::new("one"), Path::new("two")).is_err());
    disk.remove(Path::new("two/file")).unwrap();
    disk.rename(Path::new("one"), Path::new("two")).unwrap();
    assert_eq!(disk.list(Path::new("")).unwrap(), vec![Path::new("two")]);
}
