//! Looking through the snapshots that a node left behind: which are whole, and which are damaged.
//!
//! Every byte is read. A snapshot of which only the manifest were looked at could turn out to be damaged when the log that could
//! have done without it has long been given back.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use synod_protocols::LogIndex;
use synod_protocols::log::SnapshotMeta;

use crate::address::MachineId;
use crate::storage::disk::Disk;
use crate::storage::snapshot::cursor::Cursor;
use crate::storage::snapshot::fault::SnapshotFault;
use crate::storage::snapshot::format::Frame;
use crate::storage::snapshot::partial::{Partial, part_of};
use crate::storage::snapshot::shelf::{directory, machine_of, snapshot_path};

/// What is in the directory of the snapshots.
#[derive(Debug, Default)]
pub(in crate::storage) struct Survey {
    /// What the whole ones say of themselves.
    pub(in crate::storage) whole: BTreeMap<MachineId, SnapshotMeta>,
    /// What is wrong with the others.
    pub(in crate::storage) damaged: BTreeMap<MachineId, SnapshotFault>,
    /// The beginnings of later ones that were coming from peers, the furthest of each machine.
    pub(in crate::storage) partial: BTreeMap<MachineId, Partial>,
}

/// Makes the directory if there is none, reads the snapshots, and removes what was on its way to become one, unless the rest of it may yet
/// come.
pub(in crate::storage) fn survey(disk: &dyn Disk) -> Result<Survey, SnapshotFault> {
    disk.create_directory(directory()).map_err(SnapshotFault::io("make", directory()))?;
    disk.sync_directory(Path::new("")).map_err(SnapshotFault::io("sync", Path::new("")))?;
    let (mut survey, mut parts) = (Survey::default(), Vec::new());
    for name in disk.list(directory()).map_err(SnapshotFault::io("list", directory()))? {
        let path = directory().join(&name);
        let extension = name.extension().and_then(OsStr::to_str);
        if extension == Some("part") {
            parts.push(name);
        } else if extension == Some("draft") {
            disk.remove(&path).map_err(SnapshotFault::io("remove", &path))?;
        } else if let Some(machine) = machine_of(&name) {
            match verify(disk, &path, machine) {
                Ok(meta) => drop(survey.whole.insert(machine, meta)),
                Err(fault) if is_damage(&fault) => drop(survey.damaged.insert(machine, fault)),
                Err(fault) => return Err(fault),
            }
        }
    }
    for name in parts {
        survey.consider(disk, &name)?;
    }
    // A name found here may be in a cache only, and the log will come to rely on it.
    disk.sync_directory(directory()).map_err(SnapshotFault::io("sync", directory()))?;
    Ok(survey)
}

impl Survey {
    /// Keeps the file of a snapshot that was coming, if there is none that is further, and removes it or the other one otherwise.
    fn consider(&mut self, disk: &dyn Disk, name: &Path) -> Result<(), SnapshotFault> {
        let path = directory().join(name);
        let remove = |path: &Path| disk.remove(path).map_err(SnapshotFault::io("remove", path));
        let found = part_of(name).and_then(|(machine, number)| Partial::read(disk, &path, machine, number));
        let Some(found) = found else { return remove(&path) };
        let machine = found.chain.machine();
        let held = self.whole.get(&machine).map_or(LogIndex::ZERO, |meta| meta.index);
        let rival = self.partial.get(&machine).map(Partial::reach);
        if found.chain.index() <= held || rival >= Some(found.reach()) {
            return remove(&path);
        }
        match self.partial.insert(machine, found) {
            Some(rival) => remove(&rival.path),
            None => Ok(()),
        }
    }
}

/// Gives a damaged snapshot a name under which it is kept and not looked for.
pub(in crate::storage) fn set_aside(disk: &dyn Disk, machine: MachineId) -> Result<PathBuf, SnapshotFault> {
    let path = snapshot_path(machine);
    let names = disk.list(directory()).map_err(SnapshotFault::io("list", directory()))?;
    let aside = (1u64..)
        .map(|number| path.with_extension(format!("damaged-{number}")))
        .find(|aside| !names.iter().any(|name| Some(name.as_os_str()) == aside.file_name()))
        .expect("a directory holds fewer names than there are numbers");
    disk.rename(&path, &aside).map_err(SnapshotFault::io("rename", &path))?;
    disk.sync_directory(directory()).map_err(SnapshotFault::io("sync", directory()))?;
    Ok(aside)
}

fn verify(disk: &dyn Disk, path: &Path, machine: MachineId) -> Result<SnapshotMeta, SnapshotFault> {
    let mut cursor = Cursor::open(disk, path)?;
    let manifest = cursor.manifest()?;
    if manifest.machine != machine {
        let reason = format!("this is a snapshot of {:?}", manifest.machine);
        return Err(SnapshotFault::Damaged { path: path.to_owned(), reason });
    }
    while let (_, Frame::Chunk(_)) = cursor.next()? {}
    Ok(manifest.meta)
}

/// Whether what is wrong is the file, be it that the disk does not give its bytes.
fn is_damage(fault: &SnapshotFault) -> bool {
    match fault {
        SnapshotFault::DamagedChunk { .. } | SnapshotFault::Damaged { .. } => true,
        SnapshotFault::Io { operation, .. } => *operation == "read",
        SnapshotFault::Version { .. }
        | SnapshotFault::Missing
        | SnapshotFault::Outdated { .. }
        | SnapshotFault::Different
        | SnapshotFault::LogFailed
        | SnapshotFault::Stopped => false,
    }
}
