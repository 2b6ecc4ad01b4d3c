//! Backups from nodes that die, refuse, or send something else.

use std::path::{Path, PathBuf};

use clap::Parser;
use synod::address::MachineId;
use synod::protocols::log::SnapshotMeta;
use synod::protocols::{LogIndex, LogTime, Term};
use synod::storage::{BackupHeader, Disk, SimDisk, write_backup};

use super::BackupCommand;
use crate::output::Form;
use crate::scripted::{Deed, Scripted};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    command: BackupCommand,
}

fn run(arguments: &[&str]) -> Result<(), String> {
    let line = Line::try_parse_from([&["backup"], arguments].concat()).map_err(|error| error.to_string())?;
    line.command.run(Form::Programs).map_err(|failure| failure.to_string())
}

fn whole() -> Vec<u8> {
    let (disk, path) = (SimDisk::default(), Path::new("file"));
    let meta = SnapshotMeta {
        index: LogIndex(9),
        term: Term(2),
        time: LogTime(5),
        configuration: Default::default(),
    };
    let header = BackupHeader {
        cluster: "shop".into(),
        service: "kv".into(),
        node: "node-2".into(),
        program: "1".into(),
        members: vec!["node-2".into()],
        machine: MachineId(1),
        index: meta.index,
        term: meta.term,
        time: meta.time,
    };
    let length = write_backup(&disk, path, &header, meta, |out| out.write_all(&[7; 3 << 20])).unwrap();
    let mut bytes = vec![0; length as usize];
    disk.open(path, false).unwrap().read_at(0, &mut bytes).unwrap();
    bytes
}

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("a.backup")
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.directory.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

#[test]
fn when_a_node_dies_in_the_middle_the_next_one_gives_a_backup_of_its_own() {
    let bytes = whole();
    let (cut, good) = (bytes.clone(), bytes.clone());
    let dying = Scripted::start(move |_| Deed::Cut(cut.clone(), 2 << 20));
    let silent = Scripted::start(|_| Deed::Hang);
    let alive = Scripted::start(move |_| Deed::Answer(200, Vec::new(), good.clone()));
    let place = Place::new();
    let file = place.file();
    let addresses = [&dying, &silent, &alive].map(|node| node.address.clone()).join(",");
    run(&[file.to_str().unwrap(), "--addr", &addresses]).unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), bytes);
    assert_eq!(place.names(), ["a.backup"]);
    assert_eq!((dying.asked().len(), alive.asked().len()), (1, 1));
    run(&[file.to_str().unwrap(), "--check"]).unwrap();
    let again = run(&[file.to_str().unwrap(), "--addr", &addresses]).unwrap_err();
    assert!(again.ends_with("a.backup: it is there already, and a backup replaces nothing"), "{again}");
}

#[test]
fn what_does_not_verify_is_no_backup_and_leaves_no_file() {
    let mut damaged = whole();
    damaged[2 << 20] ^= 1;
    let node = Scripted::start(move |_| Deed::Answer(200, Vec::new(), damaged.clone()));
    let place = Place::new();
    let refusal =
        run(&[place.file().to_str().unwrap(), "--addr", &node.address, "--timeout", "1"]).unwrap_err();
    assert!(refusal.contains("the backup is damaged: chunk 1"), "{refusal}");
    assert!(place.names().is_empty());
}

#[test]
fn a_node_that_gives_none_is_believed() {
    let body = br#"{"error":"this node gives no backups (http.backup)","outcome":"not_executed"}"#;
    let node = Scripted::start(|_| Deed::Answer(403, Vec::new(), body.to_vec()));
    let place = Place::new();
    let refusal = run(&[place.file().to_str().unwrap(), "--addr", &node.address]).unwrap_err();
    let expected = "refused with status 403: this node gives no backups (http.backup)";
    assert!(refusal.ends_with(expected) && node.asked().len() == 1, "{refusal}");
    assert!(place.names().is_empty());
}
