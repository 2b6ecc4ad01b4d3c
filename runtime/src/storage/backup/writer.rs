//! Writing a backup from a state in memory, blocking; one that comes from a node's snapshot is its header and that snapshot's bytes.

use std::io;
use std::path::Path;

use synod_protocols::log::SnapshotMeta;

use crate::storage::backup::fault::BackupFault;
use crate::storage::backup::header::BackupHeader;
use crate::storage::disk::Disk;
use crate::storage::snapshot::Writer;

/// Writes a backup of the state that `frozen` writes out, durably, to a file of the disk that must not be relied on before this
/// has returned; gives its length.
///
/// # Errors
/// [`BackupFault::Write`]; what is in the file then is no backup.
pub fn write_backup(
    disk: &dyn Disk,
    path: &Path,
    header: &BackupHeader,
    meta: SnapshotMeta,
    frozen: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> Result<u64, BackupFault> {
    let write = || {
        let file = disk.open(path, true)?;
        file.set_length(0)?;
        let beginning = header.encode();
        file.write_at(0, &beginning)?;
        let mut writer = Writer::begin_at(&*file, beginning.len() as u64, header.machine, &meta)?;
        frozen(&mut writer)?;
        let length = writer.finish(meta)?;
        file.sync()?;
        Ok(length)
    };
    write().map_err(|source| BackupFault::Write { path: path.to_owned(), source })
}
