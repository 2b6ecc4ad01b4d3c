//! Whatever happens to a backup on its way is noticed.

use std::io::Write;
use std::path::Path;

use bytes::Bytes;
use synod_protocols::log::SnapshotMeta;
use synod_protocols::{LogIndex, LogTime, Term};

use super::{BackupFault, BackupHeader, BackupReader, write_backup};
use crate::address::MachineId;
use crate::storage::{Disk, SimDisk};

const MACHINE: MachineId = MachineId(7);

fn header() -> BackupHeader {
    BackupHeader {
        cluster: "shop".into(),
        service: "kv".into(),
        node: "node-1".into(),
        program: "1.2.3".into(),
        members: vec!["node-1".into(), "node-2".into()],
        machine: MACHINE,
        index: LogIndex(12),
        term: Term(3),
        time: LogTime(99),
    }
}

/// A state of two chunks and a bit.
fn state() -> Vec<u8> {
    (0..(2 << 20) + 17).map(|at: u32| (at % 251) as u8).collect()
}

fn written(meta_index: u64) -> Vec<u8> {
    let (disk, path) = (SimDisk::default(), Path::new("out.part"));
    let meta = SnapshotMeta {
        index: LogIndex(meta_index),
        term: Term(3),
        time: LogTime(99),
        configuration: Bytes::from_static(b"who"),
    };
    let length = write_backup(&disk, path, &header(), meta, |out| out.write_all(&state())).unwrap();
    let mut bytes = vec![0; length as usize];
    let file = disk.open(path, false).unwrap();
    assert_eq!(file.read_at(0, &mut bytes).unwrap() as u64, file.length().unwrap());
    bytes
}

fn read(bytes: &[u8]) -> Result<(BackupHeader, Vec<u8>), BackupFault> {
    let mut reader = BackupReader::open(bytes, Path::new("a.backup"))?;
    let mut state = Vec::new();
    while let Some(chunk) = reader.next_chunk()? {
        state.write_all(&chunk).unwrap();
    }
    Ok((reader.header().clone(), state))
}

#[test]
fn a_backup_gives_back_what_was_written() {
    let bytes = written(12);
    assert_eq!(read(&bytes).unwrap(), (header(), state()));
    let verified = BackupReader::open(&bytes[..], Path::new("a.backup")).unwrap().verify();
    assert_eq!(verified.unwrap(), header());
}

#[test]
fn a_flipped_bit_anywhere_is_noticed() {
    let bytes = written(12);
    // The whole of what is not state, and places in every chunk.
    let places = (0..400).chain((400..bytes.len()).step_by(50_021)).chain(bytes.len() - 120..bytes.len());
    for place in places {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x10;
        let fault = read(&damaged).err().unwrap_or_else(|| panic!("byte {place} is not protected"));
        let sentence = fault.to_string();
        assert!(sentence.starts_with("a.backup: "), "{sentence}");
    }
}

#[test]
fn a_backup_that_was_cut_or_has_more_is_refused() {
    let bytes = written(12);
    for length in (0..bytes.len()).step_by(33_333).chain([bytes.len() - 1]) {
        let fault = read(&bytes[..length]).err().unwrap();
        assert!(matches!(fault, BackupFault::Foreign { .. } | BackupFault::Cut { .. }), "{length}: {fault}");
        assert!(length < 20 || matches!(fault, BackupFault::Cut { bytes, .. } if bytes == length as u64));
    }
    let longer = [&bytes[..], b"x"].concat();
    let fault = read(&longer).err().unwrap().to_string();
    assert_eq!(fault, "a.backup: the backup is damaged: its end is not what was written");
}

#[test]
fn what_is_newer_or_something_else_is_named() {
    let mut newer = written(12);
    newer[8] = 9;
    let sentence = "a.backup: written in format 9, this program reads formats up to 1; use a newer version";
    assert_eq!(read(&newer).err().unwrap().to_string(), sentence);
    let foreign = read(b"{\"some\": \"other file that is long enough\"}").err().unwrap();
    assert_eq!(foreign.to_string(), "a.backup: this is no backup");
    let swapped = read(&written(13)).err().unwrap().to_string();
    assert!(swapped.contains("not the one its header speaks of"), "{swapped}");
}

#[test]
fn a_header_with_fields_of_later_versions_can_be_read() {
    #[derive(serde::Serialize)]
    struct Later {
        #[serde(flatten)]
        header: BackupHeader,
        colour: &'static str,
    }
    let bytes = written(12);
    let mut map = bytes::BytesMut::new();
    let later = Later { header: header(), colour: "red" };
    crate::wire::encode(&later, crate::wire::Form::Named, &mut map).unwrap();
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&(map.len() as u32).to_le_bytes()), &map);
    let own = header().encode().len();
    let mut out = bytes[..12].to_vec();
    out.extend_from_slice(&(map.len() as u32).to_le_bytes());
    out.extend_from_slice(&checksum.to_le_bytes());
    out.extend_from_slice(&map);
    out.extend_from_slice(&bytes[own..]);
    assert_eq!(read(&out).unwrap().0, header());
}
